/**
 * A daemon's section as a process: the real pipeline whose every await of manager, tracker and clock goes through here, so that it can die
 * before or after each of them, as by kill -9 (nothing more is sent, no answer is heard), or stand still and wake up later.
 */
import { pino } from 'pino';
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import { memoryDataManager } from '../../src/manager/memory/memory-data-manager.ts';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import type { TableSelection } from '../../src/model/table.ts';
import { silentObserver } from '../../src/observe/section-observer.ts';
import { runSection, type SectionEnd } from '../../src/pipeline/section.ts';
import type { ChangeTracker } from '../../src/source/change-tracker.ts';
import { trackChanges } from '../../src/source/track-changes.ts';
import { ModelTracker } from './model-tracker.ts';
import type { ModelServer } from './model-server.ts';
import type { RedisLine, SimRedis } from './sim-redis.ts';

export const PARTITION = 'p';
export const SECTION = 'items';
export const LEASE_MS = 3000;
export const HEARTBEAT_MS = 1000;
export const CONFIRM_MS = 400;

export interface DaemonOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly redis: SimRedis;
  readonly server: ModelServer;
  readonly selection: TableSelection;
  readonly claims: 'implied' | 'confirmed';
  readonly limits: { readonly pageRows: number; readonly pageBytes: number; readonly batchRows: number; readonly inFlight: number };
  readonly replayBytes: number;
  readonly between: () => void;
  /** A point at which it died. */
  readonly onCrash: (point: string) => void;
  readonly onCode: (code: string, message: string) => void;
  readonly onDescribe: () => void;
  /** It ended by itself, or threw. */
  readonly onEnd: (end: SectionEnd | Error) => void;
}

const READS = ['describe', 'probe', 'readWindow', 'readLoadPage', 'readRow', 'existing', 'sameKey', 'countRows'];

export class SimDaemon {
  readonly #options: DaemonOptions;
  readonly #line: RedisLine;
  readonly #stop = new AbortController();
  #dead = false;
  #frozenUntil = 0;
  #crash: { left: number; readonly side: 'before' | 'after' } | null = null;
  /** What it last said of itself. */
  phase: { readonly phase: string; readonly code: string | null } = { phase: 'starting', code: null };

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#line = options.redis.line();
  }

  get alive(): boolean {
    return !this.#dead;
  }

  start(): void {
    const { name, clock, random, redis, server, selection, claims, limits, replayBytes } = this.#options;
    const own: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (ms, options) => this.#through('clock', 'sleep', () => clock.sleep(ms, options)),
    };
    const manager = memoryDataManager({
      store: redis.store,
      partition: PARTITION,
      managerId: name,
      leaseMs: LEASE_MS,
      replay: { maxBytes: replayBytes, maxAgeMs: 3_600_000 },
      clock,
      line: this.#line,
    });
    const { pageRows, pageBytes, batchRows, inFlight } = limits;
    const tracker = new ModelTracker({ server, clock: own, claims, confirmMs: CONFIRM_MS, pageRows, pageBytes });
    const wrapped = this.#wrapTracker(tracker, own);
    void runSection({
      section: SECTION,
      selection,
      tracker: wrapped,
      manager: this.#wrap('manager', manager, null),
      ladder: {
        steps: [
          { delayMs: 50, count: 5 },
          { delayMs: 200, count: 10 },
          { delayMs: 1000, count: Number.POSITIVE_INFINITY },
        ],
      },
      confirmMs: CONFIRM_MS,
      batch: { rows: batchRows, bytes: 1 << 20, inFlight },
      heartbeatMs: HEARTBEAT_MS,
      leaseMs: LEASE_MS,
      faultedRetryMs: 3000,
      onLostHistory: 'resync',
      // No operator is at hand: what is gone goes.
      sweepShare: 1,
      clock: own,
      random,
      logger: LOGGER,
      observer: {
        ...silentObserver,
        phase: (phase, detail) => {
          if (!this.#dead) {
            this.phase = { phase, code: detail?.code ?? null };
            if (detail !== undefined) {
              this.#options.onCode(detail.code, detail.message);
            }
          }
        },
      },
      stop: this.#stop.signal,
      kill: new AbortController().signal,
    }).then(
      (end) => this.#ended(end),
      (error: unknown) => this.#ended(error as Error),
    );
  }

  /** SIGTERM. */
  stop(): void {
    this.#stop.abort(new Error('stop'));
  }

  /** kill -9. */
  die(): void {
    if (!this.#dead) {
      this.#dead = true;
      this.#line.die();
      this.#options.redis.lines.delete(this.#line);
    }
  }

  /** Nothing of it runs for so long: a virtual machine that is moved, a long collection of garbage. */
  freeze(ms: number): void {
    this.#frozenUntil = this.#options.clock.now() + ms;
  }

  /** Dies around the n-th await from now. */
  crashAt(n: number, side: 'before' | 'after'): void {
    this.#crash = { left: n, side };
  }

  #ended(end: SectionEnd | Error): void {
    if (!this.#dead) {
      this.die();
      this.#options.onEnd(end);
    }
  }

  #wrapTracker(tracker: ModelTracker, clock: Clock): ChangeTracker {
    const { claims, onDescribe } = this.#options;
    const reads = this.#wrap('tracker', tracker, READS);
    return new Proxy(reads, {
      get: (target, name) => {
        if (name === 'trackChanges') {
          return (options: Parameters<ChangeTracker['trackChanges']>[0]) =>
            trackChanges(reads, { ...options, claims, confirmMs: CONFIRM_MS, clock });
        }
        if (name === 'describe') {
          onDescribe();
        }
        return Reflect.get(target, name) as unknown;
      },
    });
  }

  #wrap<T extends DistributedDataManager | ChangeTracker>(port: string, inner: T, names: readonly string[] | null): T {
    return new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function' || (names !== null && !names.includes(String(name)))) {
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        }
        return (...args: unknown[]) => this.#through(port, String(name), () => Reflect.apply(value, target, args) as Promise<unknown>);
      },
    });
  }

  /** The call is made at once: calls keep their order. */
  #through<T>(port: string, name: string, call: () => Promise<T>): Promise<T> {
    this.#point(`${port}.${name}`, 'before');
    if (this.#dead) {
      return new Promise(() => {});
    }
    return this.#heard(port, name, call());
  }

  async #heard<T>(port: string, name: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      this.#point(`${port}.${name}`, 'after');
      await this.#awake();
    }
  }

  async #awake(): Promise<void> {
    const { clock } = this.#options;
    while (this.#dead || clock.now() < this.#frozenUntil) {
      if (this.#dead) {
        await new Promise(() => {});
      }
      await clock.sleep(this.#frozenUntil - clock.now());
    }
  }

  #point(name: string, side: 'before' | 'after'): void {
    if (this.#dead) {
      return;
    }
    if (!name.startsWith('clock')) {
      this.#options.between();
    }
    const crash = this.#crash;
    if (crash !== null && crash.side === side && (crash.left -= 1) <= 0) {
      this.#crash = null;
      this.die();
      this.#options.onCrash(`${name} ${side}`);
    }
  }
}

const LOGGER = pino({ level: 'silent' });
