/**
 * Keeps a replica over restarts: takes up what its store has, saves now and then while it changes. What a store throws is told and costs a load
 * or a longer replay, never the replica.
 */
import type { Clock } from '../lib/clock.ts';
import { asPatchwireError, PatchwireError } from '../model/failure.ts';
import type { Position } from './events.ts';
import type { StoredReplica } from './section-view.ts';
import { decodeSnapshot, encodeSnapshot, type SnapshotOf } from './snapshot.ts';

/** Where a replica is kept while its process is away. Whatever these throw is told by `trouble`, and costs a load. */
export interface ReplicaStore {
  /** What was saved last; null or undefined: nothing. It is waited for before anything is connected. */
  load(): Promise<Uint8Array | null | undefined> | Uint8Array | null | undefined;
  /** Must replace what was saved before in one step (write beside it, then rename). Calls do not overlap; `close()` waits for the last. */
  save(bytes: Uint8Array): Promise<void> | void;
  /** How often it is saved while it changes; it is also saved at `close()`. Default 60,000. */
  readonly everyMs?: number;
}

export interface KeepingParts {
  readonly of: SnapshotOf;
  readonly store: ReplicaStore;
  readonly clock: Clock;
  /** Ends the saving. */
  readonly signal: AbortSignal;
  /** What is held now; null: it does not count, or is not whole. */
  readonly held: () => StoredReplica | null;
  /** Where what is held stands; null: it does not count. */
  readonly position: () => Position | null;
  readonly restore: (stored: StoredReplica) => void;
  readonly tell: (error: PatchwireError) => void;
}

const SAVE_EVERY_MS = 60_000;

export class Keeping {
  readonly #parts: KeepingParts;
  /** The place of what was saved last. */
  #saved: string | null = null;
  #saving: Promise<void> = Promise.resolve();

  constructor(parts: KeepingParts) {
    this.#parts = parts;
  }

  /** Takes up what is stored, if there is something and it is ours. */
  async restore(): Promise<void> {
    const { of, store, restore } = this.#parts;
    try {
      const bytes = await store.load();
      if (bytes) {
        restore(decodeSnapshot(of, bytes));
      }
    } catch (error) {
      this.#tell(error);
    }
  }

  /** Saves again and again while it changes, until the signal fires. */
  async keepSaving(): Promise<void> {
    const { store, clock, signal } = this.#parts;
    while (!signal.aborted) {
      try {
        await clock.sleep(store.everyMs ?? SAVE_EVERY_MS, { signal });
      } catch {
        return;
      }
      await this.saveOrTell();
    }
  }

  /** @returns whether there was something whole to be stored. @throws what the store throws */
  async save(): Promise<boolean> {
    const { of, store, held } = this.#parts;
    const [stored, at] = [held(), this.#place()];
    if (stored === null) {
      return false;
    }
    const before = this.#saving;
    const save = async (): Promise<void> => {
      await before;
      await store.save(encodeSnapshot(of, stored));
      this.#saved = at;
    };
    const saving = save();
    this.#saving = saving.catch(() => {});
    await saving;
    return true;
  }

  /** Saves what was not saved yet. */
  async saveOrTell(): Promise<void> {
    const at = this.#place();
    if (at !== null && at !== this.#saved) {
      await this.save().catch((error: unknown) => this.#tell(error));
    }
  }

  /** What names the place of what is held; null: it does not count. */
  #place(): string | null {
    const at = this.#parts.position();
    return at === null ? null : `${at.epoch}/${at.last}`;
  }

  #tell(error: unknown): void {
    const known = error instanceof PatchwireError;
    const text = `the store of the replica failed: ${asPatchwireError(error).message}`;
    this.#parts.tell(known ? error : new PatchwireError('PW-W408', text, { cause: error }));
  }
}
