/**
 * One history's world: a model database, a Redis, daemons, replicas, an operator, all in virtual time and drawn from one seed. Actions change
 * it (actions.ts); run.ts lets it live and judges it.
 */
import type { TableSelection } from '../../src/model/table.ts';
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ModelDatabase, type Row, type Value } from './model-database.ts';
import { ModelServer, type Isolation, type Profile } from './model-server.ts';
import { Oracle } from './oracle.ts';
import { PARTITION, SECTION, SimDaemon } from './sim-daemon.ts';
import { SimRedis } from './sim-redis.ts';
import { SimReplica } from './sim-replica.ts';

export interface Setting {
  readonly profile: Profile;
  readonly isolation: Isolation;
  readonly claims: 'implied' | 'confirmed';
  /** Commits may become visible later than their version. */
  readonly gaps: boolean;
  readonly keyType: 'int' | 'nvarchar';
  readonly filtered: boolean;
  readonly limits: { readonly pageRows: number; readonly pageBytes: number; readonly batchRows: number; readonly inFlight: number };
  readonly replayBytes: number;
}

/** Codes whose cure is the operator's reset, today. */
const RESET_CODES: ReadonlySet<string> = new Set(['PW-S211', 'PW-S212', 'PW-S213', 'PW-S220', 'PW-M307', 'PW-M308', 'PW-M309']);

/** Never right, whatever was done. */
const WRONG_CODES: ReadonlySet<string> = new Set(['PW-I901', 'PW-M308', 'PW-S218', 'PW-S219', 'PW-S224', 'PW-S225', 'PW-M316']);

export const KEYS = 24;

export class World {
  readonly clock = new ManualClock();
  readonly setting: Setting;
  readonly random: Random;
  readonly database: ModelDatabase;
  readonly server: ModelServer;
  readonly redis: SimRedis;
  readonly oracle: Oracle;
  readonly replicas: SimReplica[] = [];
  readonly daemons: (SimDaemon | null)[] = [null, null];
  readonly codes = new Map<string, number>();
  readonly crashes = new Map<string, number>();
  readonly happened: string[] = [];
  /** Called at every point at which something else may happen. */
  between: () => void = () => {};
  /** Nothing new happens: what was broken is mended. */
  healing = false;
  describedAtMs = 0;
  /** A break of history that no number of change tracking shows: the operator who did it resets in the end. */
  hidden = false;
  #daemonNumber = 0;
  #requests = 0;
  #closed = false;

  constructor(seed: number, setting: Setting) {
    const { clock } = this;
    this.setting = setting;
    this.random = seededRandom(seed);
    this.database = new ModelDatabase(clock, setting.keyType);
    const between = (): void => this.between();
    const { profile, isolation, filtered, gaps, claims } = setting;
    this.server = new ModelServer({ database: this.database, clock, random: this.random, profile, isolation, between });
    const exact = claims === 'confirmed' || !gaps;
    this.oracle = new Oracle({
      database: this.database,
      filtered,
      exact,
      current: isolation === 'snapshot' && !gaps,
      now: () => clock.monotonic(),
    });
    this.redis = new SimRedis({
      clock,
      random: this.random,
      between,
      onScript: () => this.oracle.script(this.stored, this.describedAtMs),
      onRewound: () => this.oracle.rewound(),
    });
    this.database.onCommit = (delta, version) => this.oracle.committed(delta, version);
    for (let n = 0; n < 2; n += 1) {
      const onInput = (replica: SimReplica): void => {
        if (this.random() < 0.15) {
          this.oracle.replica(replica, clock.now());
        }
      };
      this.replicas.push(new SimReplica({ clock, random: this.random, redis: this.redis, onInput }));
    }
    void this.#operate();
  }

  get stored(): StoredSection {
    return this.redis.store.section(PARTITION, SECTION);
  }

  get selection(): TableSelection {
    return { schema: 'dbo', name: 'Items', columns: 'all', json: [], filter: this.setting.filtered ? "State <> N'gone'" : null };
  }

  tell(what: string): void {
    this.happened.push(`${this.clock.monotonic().toFixed(0).padStart(6)} ${what}`);
  }

  start(slot: number, crash: { readonly n: number; readonly side: 'before' | 'after' } | null = null): void {
    if (this.#closed || this.daemons[slot]?.alive === true) {
      return;
    }
    const { setting, clock, random, redis, server, selection } = this;
    this.#daemonNumber += 1;
    const name = `d${this.#daemonNumber}`;
    const daemon = new SimDaemon({
      name,
      clock,
      random,
      redis,
      server,
      selection,
      claims: setting.claims,
      limits: setting.limits,
      replayBytes: setting.replayBytes,
      between: () => this.between(),
      onCrash: (point) => {
        this.crashes.set(point, (this.crashes.get(point) ?? 0) + 1);
        this.tell(`${name} died: ${point}`);
        this.#restart(slot);
      },
      onCode: (code, message) => {
        this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
        this.tell(`${name} ${code} ${message}`);
        if (WRONG_CODES.has(code)) {
          this.oracle.violations.push(`${code}: ${message}`);
        }
      },
      onDescribe: () => {
        this.describedAtMs = clock.monotonic();
      },
      onEnd: (end) => {
        this.tell(`${name} ended: ${end instanceof Error ? end.message : end}`);
        if (end instanceof Error) {
          this.oracle.violations.push(`a daemon threw ${end.stack}`);
        }
        this.#restart(slot);
      },
    });
    this.daemons[slot] = daemon;
    if (crash !== null) {
      daemon.crashAt(crash.n, crash.side);
    }
    daemon.start();
  }

  kill(slot: number): void {
    const daemon = this.daemons[slot];
    if (daemon?.alive === true) {
      daemon.die();
      this.#restart(slot);
    }
  }

  ask(verb: string, args: Record<string, string> = {}): void {
    this.#requests += 1;
    const { requests } = this.stored;
    requests.push({ id: `r${this.#requests}`, verb, args, who: 'operator' });
  }

  key(n: number): Value {
    return this.setting.keyType === 'int' ? n : `k${n}`;
  }

  /** A row that no other is like, but for S and State, which come again. */
  row(key: Value, random: Random): Row {
    const state = random() < 0.25 ? 'gone' : random() < 0.2 ? null : 'ok';
    const extra = Object.fromEntries(this.database.columns.slice(4).map(({ name }) => [name, random() < 0.5 ? 'x' : null]));
    return {
      Code: key,
      N: random() < 0.7 ? this.database.nextRevision() : Math.floor(random() * 2),
      S: random() < 0.5 ? 'a' : 'b',
      State: state,
      ...extra,
    };
  }

  close(): void {
    this.#closed = true;
    this.daemons.forEach((daemon) => daemon?.die());
    this.replicas.forEach((replica) => replica.close());
  }

  /** As systemd would. */
  #restart(slot: number): void {
    void this.clock.sleep(50 + this.random() * 1500).then(() => this.start(slot));
  }

  /** Sees that a section has stopped, and does what its hint says. */
  async #operate(): Promise<void> {
    while (!this.#closed) {
      await this.clock.sleep(300 + this.random() * 700);
      const stopped = this.daemons.some(
        (daemon) => daemon?.alive === true && daemon.phase.phase === 'stopped' && RESET_CODES.has(daemon.phase.code ?? ''),
      );
      if (this.healing && (this.stored.meta?.paused ?? null) !== null && !this.stored.requests.some(({ verb }) => verb === 'resume')) {
        this.ask('resume');
      }
      // Whoever skipped changes loads in the end.
      const lacks = this.healing && this.stored.meta?.state === 'live' && this.stored.meta.incomplete !== null;
      if ((stopped || lacks) && !this.stored.requests.some(({ verb, args }) => verb === 'reset' && args['to'] === undefined)) {
        this.tell('the operator resets');
        this.ask('reset');
      }
    }
  }
}
