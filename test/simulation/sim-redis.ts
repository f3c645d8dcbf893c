/**
 * Redis with everything that can go wrong with it, over the memory store: lines that take time, break with scripts in flight, lose answers,
 * scripts that stop half-way, refusals, a dataset that is flushed or goes back. Faults are set by others; nothing here decides when.
 */
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { CarriedCall, Line } from '../../src/manager/memory/line.ts';
import { MemoryStore, type StoredSection } from '../../src/manager/memory/memory-store.ts';
import { PatchwireError } from '../../src/model/errors.ts';
import type { SimSection } from './section.ts';
import type { RedisSide, ScriptFault } from './world.ts';

export interface SimRedisOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Called around every call: something else may happen here. */
  readonly between: () => void;
  /** A script was executed, also one that stopped half-way. */
  readonly onScript: (call: CarriedCall) => void;
  /** The dataset is another one than the scripts left. */
  readonly onRewound: () => void;
}

const WRITING: ReadonlySet<string> = new Set(['lead', 'resign', 'publish', 'store', 'transition', 'heartbeat', 'purge', 'progress']);
const TEARABLE: ReadonlySet<string> = new Set(['publish', 'store', 'transition']);
const PAST = 24;

export class SimRedis implements RedisSide {
  readonly store = new MemoryStore();
  readonly options: SimRedisOptions;
  /** For the scripts to come, one each. */
  readonly faults: ScriptFault[] = [];
  #refusesUntil = 0;
  #slow: { readonly untilMs: number; readonly ms: number } = { untilMs: 0, ms: 0 };
  torn = 0;
  rewinds = 0;
  readonly lines = new Set<RedisLine>();
  #past: ReadonlyMap<string, StoredSection>[] = [];
  readonly #listeners = new Set<(channel: string, text: string) => void>();
  #muted = false;

  constructor(options: SimRedisOptions) {
    this.options = options;
    this.store.listen((channel, text) => {
      if (!this.#muted) {
        this.#listeners.forEach((listener) => listener(channel, text));
      }
    });
  }

  listen(listener: (channel: string, text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  line(): RedisLine {
    const line = new RedisLine(this);
    this.lines.add(line);
    return line;
  }

  /** Until when calls take how long. */
  get slow(): { readonly untilMs: number; readonly ms: number } {
    return this.#slow;
  }

  fail(fault: ScriptFault): void {
    this.faults.push(fault);
  }

  cutOne(random: Random): boolean {
    const line = [...this.lines][Math.floor(random() * this.lines.size)];
    line?.cut();
    return line !== undefined;
  }

  refuse(ms: number): void {
    this.#refusesUntil = this.options.clock.now() + ms;
  }

  slowDown(forMs: number, upToMs: number): void {
    this.#slow = { untilMs: this.options.clock.now() + forMs, ms: upToMs };
  }

  dropLease({ stored }: SimSection): void {
    stored.lease = null;
  }

  deleteDocument({ stored, oracle }: SimSection, identity: string): boolean {
    const dataKey = stored.index.get(identity)?.dataKey ?? '';
    oracle.damage(identity);
    return stored.documents.delete(dataKey);
  }

  heal(): void {
    this.faults.length = 0;
  }

  /** Another process takes its place, or it restarts: every connection is lost. */
  cut(): void {
    this.lines.forEach((line) => line.cut());
  }

  flush(): void {
    this.store.sections = new Map();
    this.options.onRewound();
  }

  rewind(scripts: number): boolean {
    const at = Math.max(0, this.#past.length - scripts);
    const past = this.#past[at];
    if (past === undefined) {
      return false;
    }
    this.rewinds += 1;
    this.#past = this.#past.slice(0, at);
    this.store.sections = copied(past);
    this.options.onRewound();
    return true;
  }

  /** @throws what the script throws, and PW-M310, PW-M311 as the fault says */
  execute<T>(call: CarriedCall, fault: ScriptFault | undefined, execute: () => T): T {
    if (this.options.clock.now() < this.#refusesUntil) {
      throw new PatchwireError('PW-M310', 'OOM command not allowed');
    }
    if (!WRITING.has(call.method)) {
      return execute();
    }
    if (fault === 'lostBefore') {
      throw lost();
    }
    const before = copied(this.store.sections);
    if (fault === 'tear' && TEARABLE.has(call.method)) {
      this.#tear(before, call.section, execute);
      this.options.onScript(call);
      throw lost();
    }
    const result = execute();
    this.#past.push(before);
    this.#past = this.#past.slice(-PAST);
    this.options.onScript(call);
    if (fault === 'lostAfter') {
      throw lost();
    }
    return result;
  }

  /** What the script of the Redis adapter has done when it stops: its writes in their order up to some moment, the marker set, meta as it was. */
  #tear(before: ReadonlyMap<string, StoredSection>, section: string, execute: () => unknown): void {
    this.#muted = true;
    try {
      execute();
    } finally {
      this.#muted = false;
    }
    this.torn += 1;
    const { random } = this.options;
    const moment = Math.floor(random() * 6);
    for (const [name, after] of this.store.sections) {
      const was = before.get(name);
      if (!name.endsWith(`:${section}`) || was?.meta === undefined || was.meta === null || after.meta === null) {
        continue;
      }
      const torn = copiedSection(was);
      torn.meta = { ...was.meta, pending: after.meta.tip };
      torn.changes = moment >= 1 ? after.changes : was.changes;
      for (const dataKey of was.documents.keys()) {
        if (moment >= 2 && !after.documents.has(dataKey)) {
          torn.documents.delete(dataKey);
        }
      }
      for (const identity of was.index.keys()) {
        if (moment >= 3 && !after.index.has(identity)) {
          torn.index.delete(identity);
        }
      }
      for (const [identity, entry] of after.index) {
        if (moment >= 4) {
          torn.index.set(identity, entry);
        }
      }
      for (const [dataKey, document] of after.documents) {
        if (moment >= 5) {
          torn.documents.set(dataKey, document);
        }
      }
      this.store.sections.set(name, torn);
    }
  }
}

interface Sent {
  dropped: boolean;
  readonly reject: (error: unknown) => void;
}

/** One process's connections: writing calls keep their order, others overtake them. */
export class RedisLine implements Line {
  readonly #redis: SimRedis;
  readonly #sent = new Set<Sent>();
  #last: Promise<unknown> = Promise.resolve();
  #downUntil = 0;
  #generation = 0;
  /** Of the connection on which the lead of a section was taken. */
  readonly #ledOn = new Map<string, number>();
  #dead = false;

  constructor(redis: SimRedis) {
    this.#redis = redis;
  }

  carry<T>(call: CarriedCall, execute: () => T): Promise<T> {
    const { clock, random, between } = this.#redis.options;
    between();
    if (this.#dead) {
      return new Promise(() => {});
    }
    if (clock.now() < this.#downUntil) {
      return Promise.reject(new PatchwireError('PW-M301', 'the connection is down'));
    }
    const writing = WRITING.has(call.method);
    if (call.method === 'lead') {
      this.#ledOn.set(call.section, this.#generation);
    } else if (writing && this.#ledOn.get(call.section) !== this.#generation) {
      return Promise.reject(lost());
    }
    const { slow } = this.#redis;
    const slowMs = clock.now() < slow.untilMs ? slow.ms : 0;
    const delayMs = slowMs > 0 ? random() * slowMs : random() < 0.15 ? random() * 5 : 0;
    const due = clock.sleep(delayMs);
    if (!writing) {
      return due.then(() => this.#answer(() => this.#redis.execute(call, undefined, execute)));
    }
    const fault = call.method === 'lead' || call.method === 'resign' ? undefined : this.#redis.faults.shift();
    const before = this.#last;
    const answered = new Promise<T>((resolve, reject) => {
      const sent: Sent = { dropped: false, reject };
      this.#sent.add(sent);
      const effect = (async () => {
        await due;
        await before;
        if (fault === 'late' && !sent.dropped) {
          // The client gave up waiting, and its connection with it; what was sent is executed in the end.
          this.#break(false);
          await clock.sleep(random() * 2500);
        }
        if (!sent.dropped) {
          try {
            resolve(this.#redis.execute(call, fault === 'late' ? undefined : fault, execute));
          } catch (error) {
            reject(error);
          }
        }
        this.#sent.delete(sent);
      })();
      this.#last = effect;
    });
    return answered.then(
      (value) => this.#answer(() => value),
      async (error: unknown) =>
        await this.#answer(() => {
          throw error;
        }),
    );
  }

  /** The connection is lost: of what was sent, Redis may have received the first. */
  cut(): void {
    if (!this.#dead) {
      this.#break(true);
    }
  }

  /** The process is gone: no answer reaches it. */
  die(): void {
    this.#dead = true;
    this.#drop();
  }

  #break(drops: boolean): void {
    const { clock, random } = this.#redis.options;
    this.#generation += 1;
    this.#downUntil = clock.now() + random() * 150;
    this.#sent.forEach(({ reject }) => reject(lost()));
    if (drops) {
      this.#drop();
    }
    this.#last = Promise.resolve();
  }

  #drop(): void {
    const received = Math.floor(this.#redis.options.random() * (this.#sent.size + 1));
    [...this.#sent].slice(received).forEach((sent) => {
      sent.dropped = true;
    });
  }

  async #answer<T>(answer: () => T): Promise<T> {
    if (this.#dead) {
      await new Promise(() => {});
    }
    return answer();
  }
}

function lost(): PatchwireError {
  return new PatchwireError('PW-M311', 'the connection was lost');
}

/** Entries are never changed in place, so that maps of them are enough. */
function copied(sections: ReadonlyMap<string, StoredSection>): Map<string, StoredSection> {
  return new Map([...sections].map(([name, section]): [string, StoredSection] => [name, copiedSection(section)]));
}

function copiedSection(section: StoredSection): StoredSection {
  const { meta, lease, index, documents, changes, quarantine, requests, operations } = section;
  return {
    meta: meta === null ? null : { ...meta },
    lease: lease === null ? null : { ...lease },
    index: new Map(index),
    documents: new Map(documents),
    changes: [...changes],
    quarantine: new Map(quarantine),
    requests: [...requests],
    operations: new Map(operations),
  };
}
