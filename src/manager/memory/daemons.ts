/** The registry of daemons over plain maps: what manager/redis/daemons.ts and its scripts do. The store's time is the manager's clock. */
import type { Clock } from '../../lib/clock.ts';
import type { DaemonAnnouncement, DaemonRegistry, DaemonsView, LeaseHeld } from '../daemon-registry.ts';
import type { MemoryStore, StoredDaemons } from './memory-store.ts';

export interface MemoryDaemonsOptions {
  readonly store: MemoryStore;
  readonly partition: string;
  readonly managerId: string;
  readonly format: number;
  readonly clock: Clock;
}

export class MemoryDaemons implements DaemonRegistry {
  readonly #options: MemoryDaemonsOptions;

  constructor(options: MemoryDaemonsOptions) {
    this.#options = options;
  }

  async announce(announcement: DaemonAnnouncement, { ttlMs }: { readonly ttlMs: number }): Promise<DaemonsView> {
    const { managerId, format, clock } = this.#options;
    const stored = this.#stored();
    const nowMs = clock.now();
    const before = stored.entries.get(managerId);
    const text = JSON.stringify(announcement);
    const known = before !== undefined && before.aliveUntilMs > nowMs && before.text === text;
    stored.entries.set(managerId, { id: managerId, format, text, seenAtMs: nowMs, aliveUntilMs: nowMs + ttlMs });
    let died = false;
    for (const { id, aliveUntilMs } of [...stored.entries.values()]) {
      if (aliveUntilMs <= nowMs) {
        stored.entries.delete(id);
        died = true;
      }
    }
    if (!known || died) {
      stored.revision += 1;
    }
    return this.#view(stored, nowMs);
  }

  async depart(): Promise<void> {
    const stored = this.#stored();
    if (stored.entries.delete(this.#options.managerId)) {
      // The last one takes everything with it.
      stored.revision = stored.entries.size === 0 ? 0 : stored.revision + 1;
    }
  }

  async view(): Promise<DaemonsView> {
    return this.#view(this.#stored(), this.#options.clock.now());
  }

  async revision(): Promise<string> {
    return revisionText(this.#stored());
  }

  async leases(sections: readonly string[]): Promise<ReadonlyMap<string, LeaseHeld | null>> {
    const { store, partition, clock } = this.#options;
    const nowMs = clock.now();
    return new Map(
      sections.map((section) => {
        const lease = store.sections.get(`${partition}:${section}`)?.lease ?? null;
        const held = lease !== null && lease.expiresAtMs > nowMs;
        return [section, held ? { by: lease.holder, expiresInMs: lease.expiresAtMs - nowMs } : null];
      }),
    );
  }

  #stored(): StoredDaemons {
    return this.#options.store.daemonsOf(this.#options.partition);
  }

  #view(stored: StoredDaemons, nowMs: number): DaemonsView {
    const alive = [...stored.entries.values()].filter(({ aliveUntilMs }) => aliveUntilMs > nowMs);
    return {
      revision: revisionText(stored),
      nowMs,
      daemons: alive
        .map(({ id, format, text, seenAtMs }) => ({ ...(JSON.parse(text) as DaemonAnnouncement), id, format, seenAtMs }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    };
  }
}

function revisionText({ revision }: StoredDaemons): string {
  return revision === 0 ? '' : String(revision);
}
