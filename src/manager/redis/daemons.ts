/** The registry of daemons over Redis: `{p}/daemons`, a hash by manager id, in the time of Redis. Leases are read, never written, here. */
import { PatchwireError } from '../../model/errors.ts';
import { partitionKeys, sectionKeys } from '../../wire/keys.ts';
import type { DaemonAnnouncement, DaemonEntry, DaemonRegistry, DaemonsView, LeaseHeld } from '../daemon-registry.ts';
import type { Link } from './connection.ts';
import { REVISION } from './scripts/daemons.ts';

/** So many leases are asked for at once. */
const CHUNK = 1000;

export interface RedisDaemonsOptions {
  readonly partition: string;
  readonly managerId: string;
  readonly format: number;
  /** Leads to a key: the leases are the sections', on their nodes. */
  readonly connect: (key: string) => Promise<Link>;
}

export class RedisDaemons implements DaemonRegistry {
  readonly #options: RedisDaemonsOptions;
  readonly #key: string;

  constructor(options: RedisDaemonsOptions) {
    this.#options = options;
    this.#key = partitionKeys(options.partition).daemons;
  }

  async announce(announcement: DaemonAnnouncement, { ttlMs }: { readonly ttlMs: number }): Promise<DaemonsView> {
    const { managerId, format, connect } = this.#options;
    const { startedAtMs, ...rest } = announcement;
    const text = JSON.stringify({ format, startedAt: startedAtMs, ...rest }).slice(1);
    const link = await connect(this.#key);
    return decodeView(await link.run('announce', [this.#key], [managerId, String(ttlMs), text], 'write', 'announcing this daemon'));
  }

  async depart(): Promise<void> {
    const link = await this.#options.connect(this.#key);
    await link.run('depart', [this.#key], [this.#options.managerId], 'write', 'departing');
  }

  async view(): Promise<DaemonsView> {
    const link = await this.#options.connect(this.#key);
    return decodeView(await link.run('readDaemons', [this.#key], [], 'read', 'daemons'));
  }

  async revision(): Promise<string> {
    const link = await this.#options.connect(this.#key);
    return ((await link.call('HGET', [this.#key, REVISION], 'read', 'daemons')) as string | null) ?? '';
  }

  async leases(sections: readonly string[]): Promise<ReadonlyMap<string, LeaseHeld | null>> {
    const { connect, partition } = this.#options;
    const found = new Map<string, LeaseHeld | null>();
    for (let at = 0; at < sections.length; at += CHUNK) {
      const answers = sections.slice(at, at + CHUNK).map(async (section) => {
        const { lease } = sectionKeys(partition, section);
        const link = await connect(lease);
        const [by, left] = await Promise.all([
          link.call('GET', [lease], 'read', `lease of ${section}`) as Promise<string | null>,
          link.call('PTTL', [lease], 'read', `lease of ${section}`) as Promise<number>,
        ]);
        // Between the two it may have run out.
        found.set(section, by === null || left < 0 ? null : { by, expiresInMs: left });
      });
      await Promise.all(answers);
    }
    return found;
  }
}

/** @throws PatchwireError PW-M316 for entries that are none */
function decodeView(reply: unknown): DaemonsView {
  const [revision, nowMs, flat] = reply as readonly [string, number, readonly string[]];
  const daemons: DaemonEntry[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    daemons.push(decodeEntry(flat[i] ?? '', flat[i + 1] ?? ''));
  }
  return { revision, nowMs, daemons: daemons.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

type StoredEntry = Omit<DaemonEntry, 'id' | 'seenAtMs' | 'startedAtMs'> & { readonly seenAt: number; readonly startedAt: number };

/** Fields that a later version adds are ignored, those that an earlier one did not have are empty. */
function decodeEntry(id: string, text: string): DaemonEntry {
  try {
    const { host, pid, version, format, seenAt, startedAt, sections, led, busy, unable } = JSON.parse(text) as Partial<StoredEntry>;
    return {
      id,
      host: String(host ?? ''),
      pid: Number(pid ?? 0),
      version: String(version ?? ''),
      format: Number(format ?? 0),
      seenAtMs: Number(seenAt ?? 0),
      startedAtMs: Number(startedAt ?? 0),
      sections: sections ?? [],
      led: led ?? {},
      busy: busy ?? [],
      unable: unable ?? [],
    };
  } catch (error) {
    throw new PatchwireError('PW-M316', `the entry of daemon ${id} cannot be read`, { cause: error });
  }
}
