/**
 * The world of the stress test: a source that keeps changing, leaders that deliver it through the real Delivery and manager, replicas that
 * follow, and a watch that compares, all over one real Redis. Faults are the test's; nothing here knows when they come.
 */
import pino from 'pino';
import { expect } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { SectionMeta } from '../../src/manager/distributed-data-manager.ts';
import { type RedisDataManager, redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import type { RowState } from '../../src/model/change.ts';
import type { Document } from '../../src/model/document.ts';
import { asPatchwireError, type PatchwireError } from '../../src/model/errors.ts';
import { silentObserver } from '../../src/observe/section-observer.ts';
import { Delivery } from '../../src/pipeline/deliver.ts';
import { removal } from '../../src/pipeline/patches.ts';
import type { Replica } from '../../src/subscriber/index.ts';
import { Digest } from '../../src/wire/digest.ts';
import { decodeIndexEntry, sectionKeys } from '../../src/wire/keys.ts';
import type { TestRedis } from '../support/redis.ts';

export const SECTION = 'orders';
const KEYS = 60;

interface SourceRow {
  readonly dataKey: string;
  readonly version: bigint;
  /** null: deleted. */
  readonly document: Document | null;
}

/** Rows with versions, as change tracking would show them. A read of it is one moment. */
export class Source {
  version = 0n;
  readonly rows = new Map<string, SourceRow>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    for (let i = 0; i < 10; i += 1) {
      this.commit();
    }
  }

  /** One transaction over some rows: documents, deletions, respellings. */
  commit(): void {
    const random = this.#random;
    this.version += 1n;
    for (let i = 0; i <= random() * 8; i += 1) {
      const identity = `k|${Math.floor(random() * KEYS)}`;
      const dataKey = random() < 0.2 ? identity.toUpperCase() : identity;
      const text = 'é'.repeat(Math.floor(random() ** 6 * 3000));
      const document = random() < 0.25 ? null : { n: Number(this.version), a: Math.floor(random() * 3), text, list: [i, { x: null }] };
      this.rows.set(identity, { dataKey, version: this.version, document });
    }
  }

  /** The next rows beyond a version. A full page proves nothing up to `to` (R4). */
  read(from: bigint, limit: number): { readonly rows: readonly RowState[]; readonly checkpoint: bigint; readonly full: boolean } {
    const all = [...this.rows]
      .filter(([, { version }]) => version > from)
      .toSorted(([, a], [, b]) => Number(a.version - b.version))
      .map(([identity, row]): RowState => ({ identity, dataKey: row.dataKey, changeVersion: row.version, document: row.document }));
    const full = all.length > limit;
    const rows = all.slice(0, limit);
    const last = rows.at(-1)?.changeVersion ?? from;
    return { rows, full, checkpoint: full ? (last - 1n > from ? last - 1n : from) : this.version };
  }

  /** Living documents by data key. */
  living(): Record<string, Document> {
    return Object.fromEntries(
      [...this.rows.values()].filter(({ document }) => document !== null).map((row) => [row.dataKey, row.document!]),
    );
  }
}

export interface LeaderOptions {
  readonly url: string;
  readonly partition: string;
  readonly source: Source;
  readonly random: Random;
  readonly leaseMs: number;
  readonly replayBytes: number;
  /** How often each code was met. */
  readonly codes: Map<string, number>;
}

/** A daemon's section, cut down to what writes: it takes the lead whenever it can and delivers what the source has. */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #stop = new AbortController();
  #manager: RedisDataManager;
  #asked: 'reset' | 'purge' | 'rewrite' | null = null;
  #resync = false;
  readonly #done: Promise<void>;
  reigns = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#manager = this.#make();
    this.#done = this.#run();
  }

  /** What a reign does next besides its windows. */
  ask(what: 'reset' | 'purge' | 'rewrite'): void {
    this.#asked = what;
  }

  /** As kill -9 and a restart: connection and memory are gone. */
  async crash(): Promise<void> {
    const dead = this.#manager;
    this.#manager = this.#make();
    await dead[Symbol.asyncDispose]();
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#manager[Symbol.asyncDispose]();
  }

  #make(): RedisDataManager {
    const { url, partition, leaseMs, replayBytes } = this.#options;
    return redisDataManager({
      url,
      partition,
      leaseMs,
      replay: { maxBytes: replayBytes, maxAgeMs: 3_600_000 },
      commandTimeoutMs: 1000,
      clock: systemClock,
    });
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const manager = this.#manager;
      try {
        const led = await manager.lead(SECTION, { repair: this.#resync });
        if (led.kind === 'leading') {
          this.reigns += 1;
          await this.#reign(manager, led.meta);
          await manager.resign(SECTION);
        }
      } catch (error) {
        this.#met(asPatchwireError(error));
      }
      await systemClock.sleep(10 + this.#options.random() * 40);
    }
  }

  #met(error: PatchwireError): void {
    const { codes } = this.#options;
    codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    this.#resync ||= error.retry === 'resync';
    if (error.code === 'PW-I901') {
      throw error;
    }
  }

  async #reign(manager: RedisDataManager, meta: SectionMeta): Promise<void> {
    const over = new AbortController();
    const delivery = new Delivery({
      section: SECTION,
      manager,
      clock: systemClock,
      limits: { rows: 7, bytes: 100_000, inFlight: 4 },
      heartbeatMs: 100,
      observer: silentObserver,
      logger: pino({ level: 'silent' }),
      meta,
      onRefusal: (error) => over.abort(error),
      onAcknowledged: () => undefined,
      onUrgent: () => undefined,
    });
    try {
      if (meta.state !== 'live' || meta.pending || this.#resync) {
        await this.#load(manager, delivery, over.signal, meta.pending || this.#resync);
      }
      // What was read beyond `confirmed` is read again.
      let from = meta.state === 'live' ? meta.confirmed : delivery.position.checkpoint;
      const until = Date.now() + 200 + this.#options.random() * 3000;
      while (!this.#stop.signal.aborted && manager === this.#manager && Date.now() < until) {
        over.signal.throwIfAborted();
        from = await this.#window(delivery, from, over.signal);
        if (this.#options.random() < 0.4) {
          await delivery.heartbeat();
        }
        if (this.#asked !== null) {
          const asked = this.#asked;
          this.#asked = null;
          await delivery.settle();
          if (asked === 'purge') {
            await manager.purge(SECTION, 'asked');
            return;
          }
          if (asked === 'reset') {
            await this.#load(manager, delivery, over.signal, true);
            from = delivery.position.checkpoint;
          } else {
            // checkpoint reset --to: a move of the position that nobody is told of.
            from = delivery.position.confirmed > 5n ? delivery.position.confirmed - 5n : 0n;
            await delivery.transition({ state: 'live', newEpoch: false, reset: null, advance: { checkpoint: from, confirmed: from } });
          }
        }
        await systemClock.sleep(this.#options.random() * 20);
      }
      await delivery.settle();
      await delivery.heartbeat();
    } finally {
      await delivery.drain();
    }
  }

  async #window(delivery: Delivery, from: bigint, signal: AbortSignal): Promise<bigint> {
    const { source, random } = this.#options;
    const to = source.version;
    const page = source.read(from, random() < 0.3 ? 5 : 1000);
    const claims = page.full ? {} : { upTo: to, confirmed: to };
    await delivery.deliver({
      rows: page.rows,
      to,
      readAtMs: Date.now(),
      mode: 'publish',
      advance: { checkpoint: page.checkpoint, high: to, ...claims },
      sameKey: () => Promise.resolve(true),
      signal,
    });
    return page.checkpoint;
  }

  async #load(manager: RedisDataManager, delivery: Delivery, signal: AbortSignal, newEpoch: boolean): Promise<void> {
    const { source } = this.#options;
    const begin = source.version;
    const store = (rows: readonly RowState[], to: bigint): Promise<unknown> =>
      delivery.deliver({
        ...{ rows, to, signal, mode: 'store', readAtMs: Date.now(), sameKey: () => Promise.resolve(true) },
        advance: { high: to, cursor: { phase: 'load', after: null, rows: 0, estimate: null, startedAtMs: 0 } },
      });
    await delivery.transition({
      state: 'loading',
      newEpoch,
      reset: { phase: 'begin', reason: 'load' },
      advance: { checkpoint: begin, confirmed: begin, high: begin },
    });
    this.#resync = false;
    const rows = source.read(0n, 100_000).rows;
    for (let i = 0; i < rows.length; i += 20) {
      await store(rows.slice(i, i + 20), begin);
    }
    await delivery.settle();
    for (let cursor = '0'; ;) {
      const page = await manager.scan(SECTION, cursor, 50);
      const gone = page.entries.filter(({ identity }) => (source.rows.get(identity)?.document ?? null) === null);
      const to = source.version;
      const writes = gone.map((entry) => removal(entry.identity, { ...entry, document: null }, `${to}`, { changeVersion: to }, 'store'));
      await delivery.remove(writes, { to, mode: 'store', readAtMs: Date.now(), advance: {} });
      await delivery.settle();
      if (page.cursor === '0') {
        break;
      }
      cursor = page.cursor;
    }
    const to = source.version;
    await store(source.read(begin, 100_000).rows, to);
    const at = { checkpoint: to, confirmed: to, upTo: to, cursor: null };
    await delivery.transition({ state: 'live', newEpoch: false, reset: { phase: 'end', reason: 'load ended' }, advance: at });
  }
}

const SNAPSHOT = `
local index = redis.call('HGETALL', KEYS[2])
local documents = {}
for i = 1, #index, 2 do
  local space = string.find(index[i + 1], ' ', 1, true)
  local key = space and string.sub(index[i + 1], space + 1) or index[i]
  documents[#documents + 1] = redis.call('GET', ARGV[1] .. key) or ''
end
return {redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'last', 'digest', 'pending', 'state'), index, documents}
`;

/** The section at one moment. */
export interface Snapshot {
  readonly epoch: string;
  readonly seq: number;
  readonly last: string;
  readonly digest: string;
  readonly pending: boolean;
  readonly state: string;
  readonly documents: Record<string, Document>;
  readonly versions: Record<string, string>;
}

export async function snapshot(redis: TestRedis, partition: string): Promise<Snapshot | null> {
  const keys = sectionKeys(partition, SECTION);
  const [meta, index, texts] = (await redis.raw.eval(SNAPSHOT, 2, keys.meta, keys.index, keys.document)) as [
    (string | null)[],
    string[],
    string[],
  ];
  const [epoch, seq, last, digest, pending, state] = meta;
  if (typeof epoch !== 'string') {
    return null;
  }
  const documents: Record<string, Document> = {};
  const versions: Record<string, string> = {};
  for (const [i, text] of texts.entries()) {
    const { dataKey, version } = decodeIndexEntry(index[2 * i]!, index[2 * i + 1]!);
    documents[dataKey] = JSON.parse(text === '' ? '"missing"' : text) as Document;
    versions[index[2 * i]!] = version;
  }
  return { epoch, seq: Number(seq), last: last!, digest: digest!, pending: pending !== '', state: state!, documents, versions };
}

export function digestOf({ versions }: Snapshot): string {
  const digest = new Digest();
  for (const [identity, version] of Object.entries(versions)) {
    digest.toggle(identity, version);
  }
  return digest.toString();
}

/**
 * Compares what is stored with its digest, and every replica that claims something with what it claims: all that was committed up to its upTo,
 * and, where it calls itself equal at the place of the snapshot, exactly that. @returns how many were at that place
 */
export function checkClaims(replicas: readonly Replica[], source: Source, stored: Snapshot | null): number {
  let compared = 0;
  if (stored !== null && !stored.pending) {
    expect(stored.digest).toBe(digestOf(stored));
  }
  for (const replica of replicas) {
    const at = replica.position();
    if (at === null) {
      continue;
    }
    if (at.upTo !== null) {
      const upTo = BigInt(at.upTo);
      for (const row of source.rows.values()) {
        if (row.version <= upTo) {
          expect(replica.get(row.dataKey) ?? null, `${row.dataKey} of version ${row.version}, upTo ${upTo}`).toEqual(row.document);
        }
      }
    }
    // While a purge is under way documents go without a message; subscribers hear of it at its end.
    if (stored !== null && !stored.pending && replica.state().equal && at.epoch === stored.epoch && at.last === stored.last) {
      compared += 1;
      expect(at.seq).toBe(stored.seq);
      expect(Object.fromEntries(replica.entries())).toEqual(stored.documents);
    }
  }
  return compared;
}
