/**
 * One partition of a real Redis, as a history needs it: looked at in one moment by a script, taken back to an earlier one, flushed, damaged; and
 * the sockets that lead to it, cut or deaf. What would hit other partitions too is short: memory that is full, clients that are paused.
 */
import { Redis } from 'ioredis';
import type { Random } from '../../src/lib/random.ts';
import type { StoredMeta, StoredSection } from '../../src/manager/memory/memory-store.ts';
import { decodeDescription } from '../../src/manager/redis/meta.ts';
import { redisDataManager, type RedisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { decodeIndexEntry, sectionKeys } from '../../src/wire/keys.ts';
import type { TcpGate } from '../support/tcp-gate.ts';
import type { SimSection } from './section.ts';
import type { RedisSide, ScriptFault } from './world.ts';

/** KEYS meta, index, quarantine; ARGV pattern of documents. */
const LOOK = `
local names = redis.call('KEYS', ARGV[1])
local documents = #names > 0 and redis.call('MGET', unpack(names)) or {}
return {redis.call('HGETALL', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('HLEN', KEYS[3]), redis.call('HGETALL', KEYS[2]), names, documents, redis.call('HGETALL', KEYS[3])}
`;

const DUMP = `
local names, dumps = redis.call('KEYS', ARGV[1]), {}
for i, name in ipairs(names) do dumps[i] = redis.call('DUMP', name) end
return {names, dumps}
`;

/** ARGV pattern, then names and dumps in turn. A lease that comes back is one that runs out. */
const RESTORE = `
for _, name in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', name) end
for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], string.sub(ARGV[i], -6) == '/lease' and 500 or 0, ARGV[i + 1], 'REPLACE') end
return 1
`;

const EMPTY: StoredSection = {
  meta: null,
  lease: null,
  index: new Map(),
  documents: new Map(),
  changes: [],
  quarantine: new Map(),
  requests: [],
  operations: new Map(),
};

const PAST = 12;

export interface RealRedisOptions {
  readonly url: string;
  readonly partition: string;
  readonly gates: readonly TcpGate[];
  readonly sections: () => readonly SimSection[];
  readonly later: (ms: number, what: () => void) => void;
  readonly random: Random;
}

export class RealRedis implements RedisSide {
  readonly admin: RedisDataManager;
  readonly #options: RealRedisOptions;
  readonly #raw: Redis;
  readonly #stored = new Map<string, StoredSection>();
  #past: (readonly Buffer[])[] = [];
  #dumpedAt = 0;
  /** Looks that began before it say nothing any more. */
  #generation = 0;
  #tail: Promise<void> = Promise.resolve();
  rewinds = 0;

  constructor(options: RealRedisOptions) {
    this.#options = options;
    this.#raw = new Redis(options.url, { protocol: 2, retryStrategy: () => 20, maxRetriesPerRequest: null });
    this.#raw.on('error', () => undefined);
    this.admin = redisDataManager({
      url: options.url,
      partition: options.partition,
      leaseMs: 1000,
      replay: { maxBytes: 1000, maxAgeMs: 1000 },
      commandTimeoutMs: 5000,
      clock: systemClock,
    });
  }

  storedOf(section: string): StoredSection {
    return this.#stored.get(section) ?? EMPTY;
  }

  /** Looks at every section, each in one moment, and has the judge look. */
  async look(): Promise<void> {
    await this.#tail;
    for (const section of this.#options.sections()) {
      section.oracle.sampled = true;
      const generation = this.#generation;
      const keys = sectionKeys(this.#options.partition, section.name);
      const reply = (await this.#raw.eval(LOOK, 3, keys.meta, keys.index, keys.quarantine, `${keys.document}*`)) as readonly [
        ...(readonly unknown[]),
        readonly string[],
        readonly string[],
        readonly (string | null)[],
        readonly string[],
      ];
      const requests = await this.admin.pendingRequests(section.name).catch(() => null);
      if (generation !== this.#generation) {
        continue;
      }
      const [flat, names, texts, entries] = reply.slice(3) as [string[], string[], (string | null)[], string[]];
      const quarantine = new Map(entries.flatMap((entry, i) => (i % 2 === 0 ? [[entry, entries[i + 1] ?? ''] as const] : [])));
      const meta = decodeDescription(reply.slice(0, 3), section.name);
      const index = new Map<string, { version: string; dataKey: string }>();
      for (let i = 0; i + 1 < flat.length; i += 2) {
        index.set(flat[i] ?? '', decodeIndexEntry(flat[i] ?? '', flat[i + 1] ?? ''));
      }
      const documents = new Map(names.map((name, i) => [name.slice(keys.document.length), texts[i] ?? '']));
      const stored: StoredSection = {
        ...EMPTY,
        meta: meta === null ? null : ({ ...meta, pending: meta.pending ? 'torn' : '' } as unknown as StoredMeta),
        index,
        documents,
        quarantine,
        requests: requests === null ? [...this.storedOf(section.name).requests] : [...requests],
      };
      this.#stored.set(section.name, stored);
      section.oracle.script(stored, section.describedAtMs);
    }
    if (Date.now() - this.#dumpedAt > 120) {
      this.#dumpedAt = Date.now();
      const generation = this.#generation;
      const [names, dumps] = (await this.#raw.callBuffer('EVAL', DUMP, '0', this.#all)) as unknown as [Buffer[], Buffer[]];
      if (generation === this.#generation) {
        this.#past = [...this.#past, names.flatMap((name, i) => [name, dumps[i] ?? Buffer.alloc(0)])].slice(-PAST);
      }
    }
  }

  fail(fault: ScriptFault, section?: SimSection): boolean {
    const { gates, later, random } = this.#options;
    if (fault === 'late') {
      return false;
    }
    if (fault === 'tear') {
      const { meta } = sectionKeys(this.#options.partition, section?.name ?? 'x');
      this.#do(`if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'pending', 'torn') end return 1`, [meta]);
      return true;
    }
    const gate = gates[Math.floor(random() * gates.length)];
    gate?.hold(fault === 'lostBefore' ? 'requests' : 'replies');
    later(20 + random() * 80, () => gate?.cut());
    return true;
  }

  cut(): void {
    this.#options.gates.forEach((gate) => gate.cut());
  }

  cutOne(random: Random): void {
    this.#options.gates[Math.floor(random() * this.#options.gates.length)]?.cut();
  }

  refuse(ms: number): void {
    void this.#raw.config('SET', 'maxmemory', '1').catch(() => {});
    this.#options.later(Math.min(ms, 200), () => void this.#raw.config('SET', 'maxmemory', '0').catch(() => {}));
    // Scripts that the server has forgotten are as refused.
    void this.#raw.script('FLUSH').catch(() => {});
  }

  slowDown(_: number, upToMs: number): void {
    void this.#raw.call('CLIENT', 'PAUSE', String(Math.ceil(Math.min(upToMs, 60)))).catch(() => {});
  }

  flush(): void {
    this.#replace([]);
  }

  rewind(scripts: number): boolean {
    const past = this.#past.at(-Math.min(scripts, this.#past.length));
    if (past === undefined) {
      return false;
    }
    this.rewinds += 1;
    this.#replace(past);
    return true;
  }

  dropLease(section: SimSection): void {
    this.#do(`return redis.call('UNLINK', KEYS[1])`, [sectionKeys(this.#options.partition, section.name).lease]);
  }

  deleteDocument(section: SimSection, identity: string): boolean {
    const dataKey = section.stored.index.get(identity)?.dataKey;
    if (dataKey === undefined) {
      return false;
    }
    section.oracle.damage(identity);
    this.#do(`return redis.call('UNLINK', KEYS[1])`, [sectionKeys(this.#options.partition, section.name).document + dataKey]);
    return true;
  }

  garble(section: SimSection, text: string): void {
    void this.#raw.publish(sectionKeys(this.#options.partition, section.name).channel, text).catch(() => {});
  }

  heal(): void {
    this.cut();
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#raw.eval(RESTORE, 0, this.#all).catch(() => {});
    await this.admin[Symbol.asyncDispose]();
    this.#raw.disconnect();
  }

  get #all(): string {
    return `{${this.#options.partition}*`;
  }

  /** The whole dataset is another one from some moment on; what was seen before it does not count. */
  #replace(dumps: readonly Buffer[]): void {
    this.#generation += 1;
    this.#tail = this.#tail.then(async () => {
      await this.#raw.call('EVAL', RESTORE, '0', this.#all, ...dumps).catch(() => {});
      this.#generation += 1;
      this.#past = [];
      this.#stored.clear();
      this.#options.sections().forEach(({ oracle }) => oracle.rewound());
    });
  }

  #do(script: string, keys: readonly string[]): void {
    this.#tail = this.#tail.then(async () => {
      await this.#raw.eval(script, keys.length, ...keys).catch(() => {});
    });
  }
}
