/** One section in a world of its own: virtual time, a scripted table, the memory manager behind a slow line, and a replica that trusts nobody. */
import { pino } from 'pino';
import { seededRandom } from '../../../src/lib/random.ts';
import { memoryDataManager } from '../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../../src/manager/memory/memory-store.ts';
import type { DistributedDataManager, OperationProgress, OperatorRequest } from '../../../src/manager/distributed-data-manager.ts';
import type { Document } from '../../../src/model/document.ts';
import { silentObserver, type SectionObserver } from '../../../src/observe/section-observer.ts';
import { DEFAULT_LADDER } from '../../../src/pipeline/polling.ts';
import { runSection, type SectionEnd, type SectionOptions } from '../../../src/pipeline/section.ts';
import { applyPatch } from '../../../src/wire/json-patch.ts';
import { sectionKeys } from '../../../src/wire/keys.ts';
import type { ChangesMessage, Message } from '../../../src/wire/messages.ts';
import { ManualClock, settled } from '../../support/manual-clock.ts';
import { ScriptedTracker, SELECTION, type ScriptedTrackerOptions } from '../../support/scripted-tracker.ts';

export const PARTITION = 'p';
export const SECTION = 'items';
export const LEASE_MS = 10_000;

/** A row of the scripted table. */
export const doc = (n: number, value: number | string = 0): { Id: number; v: number | string } => ({ Id: n, v: value });

/** Follows the messages strictly: a patch whose base is not what it holds is a failure, not something to reload over. */
export class StrictReplica {
  readonly messages: Message[] = [];
  readonly documents = new Map<string, { readonly version: string; readonly document: Document }>();
  readonly #read: () => ReadonlyMap<string, { readonly version: string; readonly document: Document }>;
  live = false;
  loads = 0;

  constructor(read: () => ReadonlyMap<string, { readonly version: string; readonly document: Document }>) {
    this.#read = read;
  }

  get changes(): readonly ChangesMessage['changes'][number][] {
    return this.messages.flatMap((message) => (message.type === 'changes' ? message.changes : []));
  }

  of<T extends Message['type']>(type: T): readonly Extract<Message, { type: T }>[] {
    return this.messages.filter((message): message is Extract<Message, { type: T }> => message.type === type);
  }

  take(text: string): void {
    const message = JSON.parse(text) as Message;
    this.messages.push(message);
    if (message.type === 'reset') {
      this.live = message.phase === 'end';
      this.documents.clear();
      if (this.live) {
        this.loads += 1;
        for (const [key, entry] of this.#read()) {
          this.documents.set(key, entry);
        }
      }
    } else if (message.type === 'changes') {
      message.changes.forEach((change) => this.#apply(change));
    }
  }

  #apply({ dataKey, op, versionId, prevVersionId, patch }: ChangesMessage['changes'][number]): void {
    if (!this.live) {
      throw new Error('changes while no replica may be live');
    }
    const held = this.documents.get(dataKey);
    if ((held?.version ?? null) !== prevVersionId) {
      throw new Error(`${dataKey}: the patch is for version ${prevVersionId}, held is ${held?.version ?? null}`);
    }
    if (op !== 'upsert') {
      this.documents.delete(dataKey);
    } else {
      this.documents.set(dataKey, { version: versionId, document: applyPatch(held?.document ?? null, patch)! });
    }
  }
}

export interface Running {
  readonly done: Promise<SectionEnd>;
  readonly stop: AbortController;
  readonly kill: AbortController;
  ended: boolean;
}

export class World {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly tracker: ScriptedTracker;
  readonly phases: string[] = [];
  readonly errors: string[] = [];
  readonly resyncs: string[] = [];
  sweepHeld: { readonly missing: number; readonly documents: number } | null = null;
  /** Whether keys are told on a channel of their own. */
  invalidations = false;
  /** What was told there, `<data key> <op>`. */
  readonly toldKeys: string[] = [];
  readonly told = { unchanged: 0, delivered: 0, heartbeats: 0 };
  readonly replica: StrictReplica;
  readonly running: Running[] = [];
  /** Of every section. Most tests look at what is noticed, not at how it is mended by itself: resync.test.ts sets that. */
  defaults: Partial<SectionOptions> = { onLostHistory: 'stop', sweepShare: 1 };
  /** Set to wrap what sections are given as their manager. */
  wrap: (manager: DistributedDataManager) => DistributedDataManager = (manager) => manager;
  #managers = 0;
  readonly #violations: unknown[] = [];

  constructor(options: Partial<ScriptedTrackerOptions> = {}) {
    this.tracker = new ScriptedTracker({ clock: this.clock, ...options });
    this.replica = new StrictReplica(() => this.entries());
    this.store.listen((channel, text) => {
      if (channel === sectionKeys(PARTITION, SECTION).keysChannel) {
        const message = JSON.parse(text) as Message;
        this.toldKeys.push(...(message.type === 'keys' ? message.changes.map(({ dataKey, op }) => `${dataKey} ${op}`) : []));
        return;
      }
      try {
        this.replica.take(text);
      } catch (error) {
        // Thrown on, it would look like a refusal of the manager.
        this.#violations.push(error);
      }
    });
  }

  get observer(): SectionObserver {
    return {
      ...silentObserver,
      phase: (phase, detail) => this.phases.push(detail === undefined ? phase : `${phase} ${detail.code}`),
      error: (code) => this.errors.push(code),
      unchanged: (rows) => (this.told.unchanged += rows),
      delivered: ({ rows }) => (this.told.delivered += rows),
      heartbeat: () => (this.told.heartbeats += 1),
      resync: ({ reason, how }) => this.resyncs.push(`${how} ${reason}`),
      sweepHeld: (held) => (this.sweepHeld = held),
    };
  }

  manager(): DistributedDataManager {
    this.#managers += 1;
    return memoryDataManager({
      store: this.store,
      partition: PARTITION,
      managerId: `m${this.#managers}`,
      leaseMs: LEASE_MS,
      replay: { maxBytes: 1 << 24, maxAgeMs: 3_600_000 },
      invalidations: this.invalidations,
      clock: this.clock,
    });
  }

  /** Starts a daemon's section, with a manager of its own. */
  start(overrides: Partial<SectionOptions> = {}): Running {
    const stop = new AbortController();
    const kill = new AbortController();
    const done = runSection({
      section: SECTION,
      selection: SELECTION,
      tracker: this.tracker,
      manager: this.wrap(this.manager()),
      ladder: { steps: DEFAULT_LADDER },
      confirmMs: 1000,
      batch: { rows: 10, bytes: 1 << 20, inFlight: 4 },
      heartbeatMs: 5000,
      leaseMs: LEASE_MS,
      clock: this.clock,
      random: seededRandom(1),
      logger: pino({ level: 'silent' }),
      observer: this.observer,
      stop: stop.signal,
      kill: kill.signal,
      ...this.defaults,
      ...overrides,
    });
    const running: Running = { done, stop, kill, ended: false };
    done.then(
      () => (running.ended = true),
      () => (running.ended = true),
    );
    this.running.push(running);
    return running;
  }

  get stored(): ReturnType<MemoryStore['section']> {
    return this.store.section(PARTITION, SECTION);
  }

  /** Data key → version and document, as Redis holds them; an index entry without a document is a failure. */
  entries(): Map<string, { readonly version: string; readonly document: Document }> {
    const { index, documents } = this.stored;
    return new Map(
      [...index.values()].map(({ version, dataKey }) => [dataKey, { version, document: JSON.parse(documents.get(dataKey)!) as Document }]),
    );
  }

  get documents(): Map<string, string> {
    return new Map([...this.stored.documents].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  get expected(): Map<string, string> {
    return new Map([...this.tracker.expected].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** @throws the first thing that the replica could not apply */
  get replicated(): Map<string, string> {
    if (this.#violations.length > 0) {
      throw this.#violations[0];
    }
    const entries = [...this.replica.documents].map(([key, { document }]): [string, string] => [key, JSON.stringify(document)]);
    return new Map(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  async until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<void> {
    await this.clock.until(condition, limitMs);
  }

  async untilLive(): Promise<void> {
    await this.until(() => this.stored.meta?.state === 'live');
  }

  /** Live, and everything committed is contained by what meta claims. */
  async untilCaughtUp(): Promise<void> {
    await this.until(() => this.stored.meta?.state === 'live' && (this.stored.meta.upTo ?? -1n) >= this.tracker.version);
  }

  /** A script stops half-way, more often than the section repairs by itself: it stops with PW-M307. */
  async tearForGood(): Promise<void> {
    for (;;) {
      this.stored.meta!.pending = 'torn';
      await this.until(() => this.stored.meta!.pending === '' || this.phases.at(-1) === 'stopped PW-M307');
      if (this.stored.meta!.pending !== '') {
        return;
      }
      await this.untilCaughtUp();
    }
  }

  async ask(verb: string, args: Record<string, string> = {}): Promise<string> {
    const request: OperatorRequest = { id: `r${Math.random()}`, verb, args, who: 'tester' };
    await this.manager().request(SECTION, request);
    return request.id;
  }

  /** What came of a request, once it has been answered. */
  async answer(id: string): Promise<OperationProgress> {
    const manager = this.manager();
    let found: OperationProgress | null = null;
    await this.until(async () => {
      found = await manager.operation(SECTION, id);
      return found !== null && found.state !== 'running';
    });
    return found as unknown as OperationProgress;
  }

  async stop(running: Running): Promise<SectionEnd> {
    running.stop.abort(new Error('stop'));
    await this.until(() => running.ended);
    return running.done;
  }

  /** As kill -9: nothing more is sent, and the lease stays until it expires. */
  async kill(running: Running): Promise<void> {
    running.kill.abort(new Error('killed'));
    await this.until(() => running.ended);
    await running.done.catch(() => {});
    await settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.running) {
      await this.kill(running);
    }
  }
}

/** A section of two rows, `a` and `b`, that has read everything. */
export async function liveWorld(): Promise<World> {
  const world = new World();
  world.tracker.commit({ a: doc(1), b: doc(2) });
  world.start();
  await world.untilCaughtUp();
  return world;
}

/**
 * A line to the manager that takes time: a writing call takes effect, in order, `delayMs` after it was made, while reads look at once, as over a
 * second connection. The port promises no more.
 */
export function slowLine(manager: DistributedDataManager, clock: ManualClock, delayMs: () => number): DistributedDataManager {
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(call: () => Promise<T>): Promise<T> => {
    const due = clock.sleep(delayMs());
    const before = last;
    const result = (async () => {
      await due;
      await before;
      return call();
    })();
    last = result.catch(() => {});
    return result;
  };
  return new Proxy(manager, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') {
        return value;
      }
      const method = (...args: unknown[]): Promise<unknown> => Reflect.apply(value, target, args) as Promise<unknown>;
      return ['publish', 'store', 'transition', 'heartbeat'].includes(String(name))
        ? (...args: unknown[]) => inOrder(() => method(...args))
        : method;
    },
  });
}
