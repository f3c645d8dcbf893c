/**
 * The composition root: makes every part from the configuration, runs one section per table behind the breakers of its servers, and releases
 * all of it in reverse order. It knows who is given to whom; what the parts do is theirs. Listens to no signal and ends no process: see life-cycle.ts.
 */
import { hostname } from 'node:os';
import type { Config, TableConfig } from '../config/schema.ts';
import { startHttpServer } from '../http/server.ts';
import type { HealthStatus } from '../http/health.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { Disposer } from '../lib/disposer.ts';
import { type Random, seededRandom } from '../lib/random.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { isFinal } from '../model/retry-delay.ts';
import { writeCounterLines } from '../observe/counter-line.ts';
import { createLogger } from '../observe/create-logger.ts';
import type { Logger } from '../observe/logger.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';
import { type FaultHooks, hookObserver } from '../observe/section-hooks.ts';
import { type SectionObserver, silentObserver } from '../observe/section-observer.ts';
import { combineObservers, SectionRecord, type SectionStatus } from '../observe/section-record.ts';
import type { ServerStatus } from '../observe/server-status.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { CheckpointStore } from '../source/checkpoint-store.ts';
import { secretsOf } from '../config/print.ts';
import type { BatchHooks } from '../pipeline/hooks.ts';
import { runSection, type SectionEnd } from '../pipeline/section.ts';
import { createCheckpoints, createManager, createTracker, describeManager, describeSource, sectionOptions, silenceMsOf } from './parts.ts';
import { guardedCheckpoints, guardedManager, guardedTracker } from './guarded-ports.ts';
import { ServerBreaker } from './server-breaker.ts';
import { Sharing, type SharingStatus } from './sharing.ts';
import { watchEviction } from './eviction-watch.ts';
import { packageVersion } from './version.ts';

export interface DaemonDependencies {
  /** Default: JSON lines to stdout at log.level, without the configuration's secrets. */
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Jitter; default: seeded by the clock. */
  readonly random?: Random;
  /** End by itself once every table is caught up, or stopped. */
  readonly once?: boolean;
  /** Told around each batch and of each section's troubles. Whatever they do, no row is lost for it. */
  readonly hooks?: BatchHooks & FaultHooks;
  /** What else could follow a source. */
  readonly tracker?: (source: string) => ChangeTracker;
  /** What else could keep the documents. */
  readonly manager?: () => DistributedDataManager;
  /** What else could keep the checkpoints of a source beside its data; null: nothing does. */
  readonly checkpoints?: (source: string) => CheckpointStore | null;
}

export type DaemonOutcome =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'caughtUp' }
  /** With `once`: a table can never be caught up. */
  | { readonly kind: 'failed'; readonly error: PatchwireError };

export interface DaemonStatus extends HealthStatus {
  readonly version: string;
  readonly partition: string;
  readonly startedAtMs: number | null;
  /** Where /live, /ready and /metrics are; null before the start and after the end. */
  readonly http: { readonly host: string; readonly port: number } | null;
  /** Which daemons are alive, and how many sections this one leads and stands by for; null: it shares nothing (`once`, or not started). */
  readonly sharing: SharingStatus | null;
}

export interface Daemon {
  /** Resolves when HTTP listens and every section is on its way; servers may still be waited for. @throws PatchwireError PW-C103 without tables, PW-C108 */
  start(): Promise<void>;
  /** Finishes what is in hand, hands over the leases, closes everything; resolves then. Calling it again waits for the same end. */
  stop(): Promise<void>;
  /** Settles when everything is closed; never rejects. */
  readonly done: Promise<DaemonOutcome>;
  status(): DaemonStatus;
}

interface Section {
  readonly table: TableConfig;
  readonly record: SectionRecord;
  readonly observer: SectionObserver;
}

/** What a section reads from and writes to. */
interface Ends {
  readonly manager: DistributedDataManager;
  readonly tracker: ChangeTracker;
  readonly checkpoints: CheckpointStore | undefined;
  readonly breakers: { readonly manager: ServerBreaker; readonly source: ServerBreaker };
}

type SectionEnded = { readonly kind: SectionEnd } | { readonly kind: 'failed'; readonly error: PatchwireError };

const STOP = new Error('the daemon stops');
const KILL = new Error('the daemon stops now');

/** The share of daemon.shutdown after which requests under way are cancelled; the rest is for closing. */
const KILL_SHARE = 0.8;

/** A daemon for this configuration; nothing runs before `start`. */
export function createDaemon(config: Config, dependencies: DaemonDependencies = {}): Daemon {
  return new ComposedDaemon(config, dependencies);
}

class ComposedDaemon implements Daemon {
  readonly done: Promise<DaemonOutcome>;
  readonly #config: Config;
  readonly #dependencies: DaemonDependencies;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #metrics: Metrics;
  readonly #sections: readonly Section[];
  readonly #disposer = new Disposer();
  readonly #stop = new AbortController();
  readonly #counters = new AbortController();
  readonly #kill = new AbortController();
  /** One for Redis, then one for each source. */
  #breakers: readonly ServerBreaker[] = [];
  /** Sections that an operator purged while this runs: they have ended, and are no part of the status any more. */
  readonly #purged = new Set<string>();
  readonly #silenceMs: ReadonlyMap<string, number>;
  readonly #finish: (outcome: DaemonOutcome) => void;
  #http: DaemonStatus['http'] = null;
  #sharing: Sharing | null = null;
  #startedAtMs: number | null = null;
  #ending: Promise<void> | null = null;

  constructor(config: Config, dependencies: DaemonDependencies) {
    this.#config = config;
    this.#dependencies = dependencies;
    this.#log = dependencies.log ?? createLogger({ level: config.log.level, secrets: secretsOf(config) });
    this.#clock = dependencies.clock ?? systemClock;
    this.#random = dependencies.random ?? seededRandom(this.#clock.now());
    this.#metrics = createMetrics({ version: packageVersion(), clock: this.#clock });
    let finish: (outcome: DaemonOutcome) => void = () => undefined;
    this.done = new Promise((resolve) => {
      finish = resolve;
    });
    this.#finish = finish;
    this.#silenceMs = new Map(config.tables.map((table) => [table.section, silenceMsOf(config, table)]));
    const hooks = dependencies.hooks ?? {};
    this.#sections = config.tables.map((table) => {
      const record = new SectionRecord({ section: table.section, table: table.table, source: table.source, clock: this.#clock });
      return {
        table,
        record,
        observer: combineObservers(
          record,
          this.#metrics.observer(table.section, table.table),
          hookObserver(hooks, table.section, this.#log),
          { ...silentObserver, phase: (phase) => this.#sharing?.phase(table.section, phase) },
        ),
      };
    });
  }

  async start(): Promise<void> {
    const { tables, http, manager } = this.#config;
    if (tables.length === 0) {
      throw new PatchwireError('PW-C103', 'no table is registered', { hint: 'Register one: patchwire table add dbo.Orders' });
    }
    this.#startedAtMs = this.#clock.now();
    const server = await startHttpServer({
      ...http,
      clock: this.#clock,
      status: () => this.status(),
      metrics: () => this.#metrics.page(),
    });
    if (this.#stop.signal.aborted) {
      // Stopped while it began to listen: what `stop` released did not have the server yet.
      await server[Symbol.asyncDispose]();
      return;
    }
    this.#disposer.use(server);
    this.#http = server.address;
    this.#log.info(
      { version: packageVersion(), partition: manager.partition, tables: tables.length, http: server.address },
      'daemon starts',
    );
    // Where checkpoints stand in Redis alone, nothing in the database proves that it was restored.
    if (this.#config.checkpoint.store === 'sqlserver') {
      this.#log.info('a restored database is noticed by its checkpoint rows, also once its version counter has overtaken the checkpoint');
    } else {
      this.#log.info('a restored database is noticed while its version counter is below the checkpoint; once it has overtaken, it is not');
    }
    const counters = writeCounterLines({
      log: this.#log,
      clock: this.#clock,
      status: () => this.#statuses(),
      signal: this.#counters.signal,
    });
    this.#disposer.defer(async () => {
      this.#counters.abort(STOP);
      await counters;
    });
    try {
      this.#runSections();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#end({ kind: 'stopped' });
  }

  status(): DaemonStatus {
    return {
      version: packageVersion(),
      partition: this.#config.manager.partition,
      startedAtMs: this.#startedAtMs,
      http: this.#http,
      stopping: this.#stop.signal.aborted,
      servers: this.#breakers.map((breaker) => breaker.status()),
      sharing: this.#sharing?.status() ?? null,
      sections: this.#statuses().map((section) => ({ ...section, silenceMs: this.#silenceMs.get(section.section) ?? 0 })),
    };
  }

  #runSections(): void {
    const redis = this.#dependencies.manager?.() ?? createManager(this.#config, { clock: this.#clock, log: this.#log });
    this.#disposer.use(redis);
    const warned = new Set<string>();
    const redisBreaker = this.#breaker('redis', describeManager(this.#config), async (signal) => {
      const { warnings } = await redis.open({ signal });
      const news = warnings.filter((warning) => !warned.has(warning));
      news.forEach((warning) => this.#log.warn({ warning }, 'redis warning'));
      news.forEach((warning) => warned.add(warning));
    });
    const manager = guardedManager(redis, redisBreaker);
    const sources = new Map<string, Pick<Ends, 'tracker' | 'checkpoints'> & { readonly breaker: ServerBreaker }>();
    const serves = (source: string): boolean => sources.get(source)?.breaker.status().state === 'closed';
    this.#sharing = this.#dependencies.once === true ? null : this.#disposer.use(this.#share(manager, serves));
    const evicts = ({ code }: PatchwireError): void => this.#sections.forEach(({ observer }) => observer.error(code));
    void watchEviction({ manager, clock: this.#clock, log: this.#log, evicts, signal: this.#stop.signal });
    // First everything that can be refused: no section runs yet when one of these throws.
    for (const source of new Set(this.#sections.map(({ table }) => table.source))) {
      const log = this.#log.child({ source });
      const tracker =
        this.#dependencies.tracker?.(source) ??
        createTracker(this.#config, source, { clock: this.#clock, log, jsonKept: () => this.#metrics.jsonKept(source) });
      this.#disposer.use(tracker);
      const what = describeSource(this.#config, source);
      const breaker = this.#breaker(`source/${source}`, what, (signal) => tracker.open({ signal }));
      const tools = { clock: this.#clock, log };
      const kept = (this.#dependencies.checkpoints ?? ((name) => createCheckpoints(this.#config, name, tools)))(source);
      const checkpoints = kept === null ? undefined : guardedCheckpoints(this.#disposer.use(kept), breaker);
      sources.set(source, { tracker: guardedTracker(tracker, breaker), checkpoints, breaker });
    }
    const breakers = [...sources.values()].map(({ breaker }) => breaker);
    this.#breakers = [redisBreaker, ...breakers];
    this.#breakers.forEach((breaker) => breaker.start());
    const runs = this.#sections.flatMap((section) => {
      const source = sources.get(section.table.source);
      return source === undefined
        ? []
        : [this.#runSection(section, { manager, ...source, breakers: { manager: redisBreaker, source: source.breaker } })];
    });
    this.#disposer.defer(async () => {
      await Promise.all(runs);
    });
    if (this.#dependencies.once === true) {
      void Promise.all(runs).then((ends) => {
        const failed = ends.find((end) => end.kind === 'failed');
        return this.#end(failed ?? { kind: 'caughtUp' });
      });
    }
  }

  /** Never rejects. The section itself retries and waits; what it throws ends it: with `once` an error that no retry mends. */
  async #runSection({ table, observer }: Section, { manager, tracker, checkpoints, breakers }: Ends): Promise<SectionEnded> {
    const { clock, random } = { clock: this.#clock, random: this.#random };
    const [stop, kill, once] = [this.#stop.signal, this.#kill.signal, this.#dependencies.once ?? false];
    const log = this.#log.child({ section: table.section });
    let end: SectionEnd;
    try {
      await this.#untilReached(breakers.manager, observer);
      await this.#sharing?.join();
      const share = this.#sharing?.share(table.section);
      end = await runSection({
        ...sectionOptions(this.#config, table),
        hooks: this.#dependencies.hooks,
        ...(share === undefined ? {} : { share }),
        breakers,
        manager,
        tracker,
        checkpoints,
        observer,
        logger: log,
        clock,
        random,
        stop,
        kill,
        once,
      });
    } catch (thrown) {
      if (stop.aborted) {
        return { kind: 'stopped' };
      }
      const error = asPatchwireError(thrown);
      const { code, message, hint, details } = error;
      observer.error(code);
      observer.phase('stopped', { code, message, hint });
      log.error({ code, hint, details, err: error }, 'section stopped');
      return { kind: 'failed', error };
    }
    if (end === 'purged') {
      this.#purged.add(table.section);
      this.#sharing?.forget(table.section);
      this.#metrics.forget(table.section, table.table);
    }
    return { kind: end };
  }

  /** Without Redis there is nothing that a section could do: it is waited for before the section begins. */
  async #untilReached(redis: ServerBreaker, observer: SectionObserver): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      try {
        await redis.pass();
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asPatchwireError(thrown);
        if (isFinal(error) && this.#dependencies.once === true) {
          throw error;
        }
        const { code, message, hint } = error;
        observer.error(code);
        observer.phase(isFinal(error) ? 'stopped' : 'starting', { code, message, hint });
        await redis.next(signal);
      }
    }
  }

  #breaker(server: string, what: string, open: (signal: AbortSignal) => Promise<void>): ServerBreaker {
    const { signal } = this.#stop;
    const told = (status: ServerStatus): void => this.#metrics.server(status);
    return new ServerBreaker({ server, what, open, told, log: this.#log, clock: this.#clock, random: this.#random, signal });
  }

  /** Daemons of one partition share its sections; who runs `once` leads what it can, and goes. */
  #share(manager: DistributedDataManager, serves: (source: string) => boolean): Sharing {
    const sources = new Map(this.#config.tables.map(({ section, source }) => [section, source]));
    const sharing = new Sharing({
      registry: manager.daemons,
      id: manager.managerId,
      self: { host: hostname(), pid: process.pid, version: packageVersion(), startedAtMs: this.#startedAtMs ?? 0 },
      sections: [...sources.keys()],
      reachable: (section) => serves(sources.get(section) ?? ''),
      leaseMs: this.#config.manager.lease,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      told: (status) => this.#metrics.sharing(status),
    });
    this.#stop.signal.addEventListener('abort', () => sharing.stop(), { once: true });
    return sharing;
  }

  #statuses(): SectionStatus[] {
    return this.#sections.filter(({ table }) => !this.#purged.has(table.section)).map(({ record }) => record.status());
  }

  #end(outcome: DaemonOutcome): Promise<void> {
    this.#ending ??= (async () => {
      this.#stop.abort(STOP);
      const killTimer = setTimeout(() => this.#kill.abort(KILL), this.#config.daemon.shutdown * KILL_SHARE);
      let result = outcome;
      try {
        await this.#disposer[Symbol.asyncDispose]();
      } catch (error) {
        this.#log.error({ err: error }, 'closing failed');
        result =
          outcome.kind === 'failed'
            ? outcome
            : { kind: 'failed', error: new PatchwireError('PW-I901', 'closing failed', { cause: error }) };
      }
      clearTimeout(killTimer);
      this.#http = null;
      this.#log.info({ outcome: result.kind }, 'daemon stopped');
      this.#finish(result);
    })();
    return this.#ending;
  }
}
