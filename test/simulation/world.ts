/**
 * One history's world, whatever it is made of: a model database, a Redis, daemons, replicas, an operator, drawn from one seed. Actions change it
 * (actions.ts, writes.ts); run.ts lets it live and judges it. In virtual time everything is simulated but the code under test (sim-world.ts);
 * in real time the model is repeated on a server (real-world.ts).
 */
import type { Clock } from '../../src/lib/clock.ts';
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import { ModelDatabase } from './model-database.ts';
import type { KeyType } from './model-table.ts';
import type { Isolation, Profile } from './model-server.ts';
import { type JudgedReplica, Oracle } from './oracle.ts';
import { type SectionSetting, SimSection, TABLE_NAMES } from './section.ts';

export interface Setting {
  readonly profile: Profile;
  readonly isolation: Isolation;
  readonly claims: 'implied' | 'confirmed';
  /** Commits may become visible later than their version. */
  readonly gaps: boolean;
  /** Of the first table. */
  readonly keyType: KeyType;
  readonly filtered: boolean;
  /** The other tables of the same database, if any. */
  readonly others?: readonly SectionSetting[];
  readonly limits: { readonly pageRows: number; readonly pageBytes: number; readonly batchRows: number; readonly inFlight: number };
  readonly replayBytes: number;
  /** What a daemon does about history that is lost; default resync. */
  readonly lost?: 'resync' | 'stop';
  /** The share of a section that a sweep removes without being confirmed; default 1. */
  readonly sweepShare?: number;
}

export type ScriptFault = 'lostBefore' | 'lostAfter' | 'tear' | 'late';

/** What can be done to Redis and to the ways to it. false: not here, or not now. */
export interface RedisSide {
  /** The next script, or one of a section, fails in this way. */
  fail(fault: ScriptFault, section?: SimSection): boolean | void;
  /** Every connection of a daemon is lost. */
  cut(): void;
  /** One daemon's connections are lost. */
  cutOne(random: Random): boolean | void;
  /** For so long nothing is executed: OOM, LOADING, READONLY. */
  refuse(ms: number): boolean | void;
  /** For so long calls take up to so long. */
  slowDown(forMs: number, upToMs: number): boolean | void;
  flush(): void;
  /** About so many of the last scripts are lost. */
  rewind(scripts: number): boolean;
  dropLease(section: SimSection): void;
  deleteDocument(section: SimSection, identity: string): boolean;
  /** No more faults. */
  heal(): void;
}

export interface SourceSide {
  /** So many requests to come lose their connection. */
  cut(requests: number): void;
  slowDown(forMs: number, upToMs: number): boolean | void;
  heal(): void;
}

export interface ManagedDaemon {
  readonly alive: boolean;
  readonly leaseMs: number;
  /** What each section last said of itself. */
  readonly phases: ReadonlyMap<string, { readonly phase: string; readonly code: string | null }>;
  crashAt(n: number, side: 'before' | 'after'): void;
  stop(): void;
  freeze(ms: number): void;
  die(): void;
}

export interface ManagedReplica extends JudgedReplica {
  readonly section: SimSection;
  cut(): void;
  /** Messages do not come any more, and nothing says so. */
  deafen(): boolean | void;
  /** Anybody may publish anything. */
  garble(text: string): void;
  close(): void;
}

export type CrashPoint = { readonly n: number; readonly side: 'before' | 'after' } | null;

/** Codes whose cure is the operator's reset where the policy is to stop. */
const LOST_CODES: ReadonlySet<string> = new Set(['PW-S211', 'PW-S212', 'PW-S213', 'PW-S220']);

/** Never right, whatever was done. */
const WRONG_CODES: ReadonlySet<string> = new Set(['PW-I901', 'PW-M308', 'PW-S218', 'PW-S219', 'PW-S224', 'PW-M316']);

export const KEYS = 24;

export abstract class World {
  readonly clock: Clock;
  readonly setting: Setting;
  readonly random: Random;
  readonly database: ModelDatabase;
  readonly sections: readonly SimSection[];
  readonly replicas: ManagedReplica[] = [];
  readonly daemons: (ManagedDaemon | null)[] = [null, null];
  readonly violations: string[] = [];
  readonly codes = new Map<string, number>();
  readonly crashes = new Map<string, number>();
  /** Actions that did something. */
  readonly performed = new Map<string, number>();
  /** What daemons mended by themselves, and how often an operator was asked. */
  readonly mended = { resync: 0, replace: 0, held: 0 };
  readonly happened: string[] = [];
  abstract readonly redis: RedisSide;
  abstract readonly source: SourceSide;
  /** Called at every point at which something else may happen. */
  between: () => void = () => {};
  /** Nothing new happens: what was broken is mended. */
  healing = false;
  #daemonNumber = 0;
  #requests = 0;
  #closed = false;

  constructor(seed: number, setting: Setting, clock: Clock) {
    this.clock = clock;
    this.setting = setting;
    this.random = seededRandom(seed);
    const { keyType, filtered, others = [], claims, gaps, isolation } = setting;
    const settings = [{ keyType, filtered }, ...others];
    const database = new ModelDatabase(
      clock,
      settings.map((each, i) => ({ name: TABLE_NAMES[i] ?? '', keyType: each.keyType })),
    );
    this.database = database;
    const exact = claims === 'confirmed' || !gaps;
    const current = isolation === 'snapshot' && !gaps;
    this.sections = database.tables.map((table, i) => {
      const own = settings[i]?.filtered === true;
      const now = (): number => clock.monotonic();
      const oracle = new Oracle({ database, table, filtered: own, exact, current, now }, this.violations);
      table.onCommit = (delta, version) => oracle.committed(delta, version);
      const stored = (): StoredSection => this.storedOf(table.name.toLowerCase());
      return new SimSection({ database, table, filtered: own, oracle, stored });
    });
  }

  /** What Redis holds of a section. */
  abstract storedOf(section: string): StoredSection;

  /** Whether answers of operations may have been lost with Redis' last scripts. */
  abstract get rewound(): boolean;

  /** Waits until it holds. @throws when it does not within the time */
  abstract until(condition: () => boolean, limitMs: number): Promise<void>;

  /** Lets so much time pass. */
  abstract pass(ms: number): Promise<void>;

  /** Within which everything must have come to rest. */
  abstract get restLimitMs(): number;

  /** The wall clocks of daemons and replicas are set by so much. */
  abstract jump(ms: number): boolean | void;

  protected abstract daemon(name: string, slot: number): ManagedDaemon & { start(): void };

  protected abstract request(section: SimSection, request: { id: string; verb: string; args: Record<string, string>; who: string }): void;

  /** Ends everything, daemons and replicas included. */
  protected abstract end(): Promise<void>;

  tell(what: string): void {
    this.happened.push(`${this.clock.monotonic().toFixed(0).padStart(6)} ${what}`);
  }

  later(ms: number, what: () => void): void {
    void this.clock.sleep(ms).then(() => {
      if (!this.#closed) {
        what();
      }
    });
  }

  /** @returns whether it did not run */
  start(slot: number, crash: CrashPoint = null): boolean {
    if (this.#closed || this.daemons[slot]?.alive === true) {
      return false;
    }
    this.#daemonNumber += 1;
    const daemon = this.daemon(`d${this.#daemonNumber}`, slot);
    this.daemons[slot] = daemon;
    if (crash !== null) {
      daemon.crashAt(crash.n, crash.side);
    }
    daemon.start();
    return true;
  }

  kill(slot: number): boolean {
    const daemon = this.daemons[slot];
    if (daemon?.alive !== true) {
      return false;
    }
    daemon.die();
    this.restart(slot);
    return true;
  }

  ask(section: SimSection, verb: string, args: Record<string, string> = {}): void {
    if (!this.#closed) {
      this.#requests += 1;
      this.request(section, { id: `r${this.#requests}`, verb, args, who: 'operator' });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.daemons.forEach((daemon) => daemon?.die());
    this.replicas.forEach((replica) => replica.close());
    await this.end();
  }

  /** As systemd would. */
  protected restart(slot: number): void {
    this.later(50 + this.random() * 1500, () => this.start(slot));
  }

  /** What a daemon says of itself. */
  protected get hears(): {
    readonly onCrash: (name: string, slot: number, point: string) => void;
    readonly onCode: (name: string, section: string, code: string, message: string) => void;
    readonly onEnd: (name: string, slot: number, end: string | Error) => void;
    readonly onDescribe: (table: string) => void;
    readonly onResync: (name: string, section: string, how: 'resync' | 'replace', reason: string) => void;
  } {
    return {
      onCrash: (name, slot, point) => {
        this.crashes.set(point, (this.crashes.get(point) ?? 0) + 1);
        this.tell(`${name} died: ${point}`);
        this.restart(slot);
      },
      onCode: (name, section, code, message) => {
        this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
        this.tell(`${name} ${section} ${code} ${message}`);
        if (WRONG_CODES.has(code)) {
          this.violations.push(`${code}: ${message}`);
        }
      },
      onEnd: (name, slot, end) => {
        this.tell(`${name} ended: ${end instanceof Error ? end.message : end}`);
        if (end instanceof Error) {
          this.violations.push(`a daemon threw ${end.stack}`);
        }
        this.restart(slot);
      },
      onResync: (name, section, how, reason) => {
        this.mended[how] += 1;
        this.tell(`${name} ${section} ${how}: ${reason}`);
      },
      onDescribe: (table) => {
        const section = this.sections.find((each) => each.table.name === table);
        if (section !== undefined) {
          section.describedAtMs = this.clock.monotonic();
        }
      },
    };
  }

  /** Sees that a section has stopped, and does what its hint says. */
  protected async operate(): Promise<void> {
    while (!this.#closed) {
      await this.clock.sleep(300 + this.random() * 700);
      if (!this.#closed) {
        this.sections.forEach((section) => this.#lookAfter(section));
      }
    }
  }

  #lookAfter(section: SimSection): void {
    const { meta, requests } = section.stored;
    const stopped = this.daemons.some((daemon) => {
      const said = daemon?.alive === true ? daemon.phases.get(section.name) : undefined;
      return said?.phase === 'stopped' && this.setting.lost === 'stop' && LOST_CODES.has(said.code ?? '');
    });
    // What was removed was meant to be: the sweep may go on.
    const held = meta?.cursor?.held ?? null;
    if (held !== null && (this.healing || this.random() < 0.3) && !requests.some(({ args }) => args['confirm'] === 'true')) {
      this.mended.held += 1;
      this.ask(section, 'resync', { confirm: 'true' });
    }
    if (this.healing && (meta?.paused ?? null) !== null && !requests.some(({ verb }) => verb === 'resume')) {
      this.ask(section, 'resume');
    }
    // Whoever skipped changes loads in the end.
    const lacks = this.healing && meta?.state === 'live' && meta.incomplete !== null;
    if ((stopped || lacks) && !requests.some(({ verb, args }) => verb === 'reset' && args['to'] === undefined)) {
      this.tell(`the operator resets ${section.name}`);
      this.ask(section, 'reset');
    }
  }
}
