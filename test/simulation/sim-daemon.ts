/**
 * A daemon's sections as a process: the real pipeline whose every await of manager, tracker and clock goes through here, so that it can die
 * before or after each of them, as by kill -9 (nothing more is sent, no answer is heard), or stand still and wake up later. What manager and
 * tracker are is its maker's.
 */
import { pino } from 'pino';
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { silentObserver } from '../../src/observe/section-observer.ts';
import { runSection, type SectionEnd } from '../../src/pipeline/section.ts';
import type { ChangeTracker } from '../../src/source/change-tracker.ts';
import { trackChanges } from '../../src/source/track-changes.ts';
import { MAX_DOCUMENT_BYTES, type SimSection } from './section.ts';

export const PARTITION = 'p';
export const LEASE_MS = 3000;
export const HEARTBEAT_MS = 1000;
export const CONFIRM_MS = 400;

export interface DaemonOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly manager: () => DistributedDataManager;
  /** @param clock the one whose sleeps end with the process */
  readonly tracker: (clock: Clock) => ChangeTracker;
  /** All in one database: they share tracker and manager. */
  readonly sections: readonly SimSection[];
  readonly claims: 'implied' | 'confirmed';
  readonly limits: { readonly batchRows: number; readonly inFlight: number };
  readonly lost: 'resync' | 'stop';
  readonly sweepShare: number;
  readonly times?: { readonly leaseMs: number; readonly heartbeatMs: number; readonly confirmMs: number; readonly stepMs: number };
  readonly between: () => void;
  /** The process is gone: its connections are closed by the kernel. */
  readonly onDeath: (tracker: ChangeTracker, manager: DistributedDataManager) => void;
  /** A point at which it died. */
  readonly onCrash: (point: string) => void;
  readonly onCode: (section: string, code: string, message: string) => void;
  readonly onDescribe: (table: string) => void;
  readonly onResync: (section: string, how: 'resync' | 'replace', reason: string) => void;
  /** It ended by itself, or threw. */
  readonly onEnd: (end: SectionEnd | Error) => void;
}

const TIMES = { leaseMs: LEASE_MS, heartbeatMs: HEARTBEAT_MS, confirmMs: CONFIRM_MS, stepMs: 50 };

const READS = ['describe', 'probe', 'readWindow', 'readLoadPage', 'readRow', 'existing', 'sameKey', 'countRows'];

export class SimDaemon {
  readonly #options: DaemonOptions;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  readonly #tracker: ChangeTracker;
  readonly #manager: DistributedDataManager;
  readonly #clock: Clock;
  #dead = false;
  #frozenUntil = 0;
  #crash: { left: number; readonly side: 'before' | 'after' } | null = null;
  readonly phases = new Map<string, { readonly phase: string; readonly code: string | null }>();

  constructor(options: DaemonOptions) {
    this.#options = options;
    const { clock } = options;
    this.#clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (ms, sleeping) => this.#through('clock', 'sleep', () => clock.sleep(ms, sleeping)),
    };
    this.#tracker = options.tracker(this.#clock);
    this.#manager = options.manager();
  }

  get alive(): boolean {
    return !this.#dead;
  }

  get leaseMs(): number {
    return this.#times.leaseMs;
  }

  start(): void {
    const { sections } = this.#options;
    const tracker = this.#wrapTracker(this.#tracker, this.#clock);
    const manager = this.#wrap('manager', this.#manager, null);
    const open = Promise.all([manager.open({ signal: this.#stop.signal }), tracker.open({ signal: this.#stop.signal })]);
    void open
      .then(() => Promise.all(sections.map((section) => this.#run(section, tracker, manager))))
      .then(
        (ends) => this.#ended(ends[0] ?? 'stopped'),
        (error: unknown) => this.#ended(error === this.#stop.signal.reason ? 'stopped' : (error as Error)),
      );
  }

  get #times(): NonNullable<DaemonOptions['times']> {
    return this.#options.times ?? TIMES;
  }

  async #run(section: SimSection, tracker: ChangeTracker, manager: DistributedDataManager): Promise<SectionEnd> {
    const { random, limits, lost, sweepShare } = this.#options;
    const { leaseMs, heartbeatMs, confirmMs, stepMs } = this.#times;
    const { name, selection } = section;
    const end = await runSection({
      section: name,
      selection,
      tracker,
      manager,
      ladder: {
        steps: [
          { delayMs: stepMs, count: 5 },
          { delayMs: 4 * stepMs, count: 10 },
          { delayMs: 20 * stepMs, count: Number.POSITIVE_INFINITY },
        ],
      },
      confirmMs,
      batch: { rows: limits.batchRows, bytes: 1 << 20, inFlight: limits.inFlight },
      maxDocumentBytes: MAX_DOCUMENT_BYTES,
      heartbeatMs,
      leaseMs,
      faultedRetryMs: 3000,
      onLostHistory: lost,
      sweepShare,
      clock: this.#clock,
      random,
      logger: LOGGER,
      observer: {
        ...silentObserver,
        resync: ({ how, reason }) => {
          if (!this.#dead) {
            this.#options.onResync(name, how, reason);
          }
        },
        phase: (phase, detail) => {
          if (!this.#dead) {
            this.phases.set(name, { phase, code: detail?.code ?? null });
            if (detail !== undefined) {
              this.#options.onCode(name, detail.code, detail.message);
            }
          }
        },
      },
      stop: this.#stop.signal,
      kill: this.#kill.signal,
    });
    // One that is gone takes the process with it: the others stop, and all begin anew.
    this.#stop.abort(new Error('another section ended'));
    return end;
  }

  /** SIGTERM. */
  stop(): void {
    this.#stop.abort(new Error('stop'));
  }

  /** kill -9. */
  die(): void {
    if (!this.#dead) {
      this.#dead = true;
      this.#options.onDeath(this.#tracker, this.#manager);
    }
  }

  /** Nothing of it runs for so long: a virtual machine that is moved, a long collection of garbage. */
  freeze(ms: number): void {
    this.#frozenUntil = this.#options.clock.monotonic() + ms;
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

  #wrapTracker(tracker: ChangeTracker, clock: Clock): ChangeTracker {
    const { claims, onDescribe } = this.#options;
    const reads = this.#wrap('tracker', tracker, READS);
    return new Proxy(reads, {
      get: (target, name) => {
        if (name === 'trackChanges') {
          return (options: Parameters<ChangeTracker['trackChanges']>[0]) =>
            trackChanges(reads, { ...options, claims, confirmMs: this.#times.confirmMs, clock });
        }
        if (name === 'describe') {
          return (selection: { readonly name: string }, ...rest: unknown[]) => {
            onDescribe(selection.name);
            return Reflect.apply(Reflect.get(target, name) as (...args: unknown[]) => unknown, target, [selection, ...rest]);
          };
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
    while (this.#dead || clock.monotonic() < this.#frozenUntil) {
      if (this.#dead) {
        await new Promise(() => {});
      }
      await clock.sleep(Math.ceil(this.#frozenUntil - clock.monotonic()));
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
