/**
 * A world in real time: what is done to the model is repeated on a sandbox, a redis-server stands behind sockets that break, daemons use the real
 * driver and the real manager, replicas are those of the subscriber library. The judge sees what Redis holds at many moments, not at each.
 */
import { pino } from 'pino';
import { systemClock } from '../../src/lib/clock.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import type { OperatorRequest } from '../../src/manager/distributed-data-manager.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { type Replica, subscribe } from '../../src/subscriber/index.ts';
import { openTcpGate, type TcpGate } from '../support/tcp-gate.ts';
import { identityOf } from './model-table.ts';
import { RealRedis } from './real-redis.ts';
import { RealSource } from './real-source.ts';
import type { SimSection } from './section.ts';
import { SimDaemon } from './sim-daemon.ts';
import { SetClock } from './sim-world.ts';
import { type ManagedDaemon, type ManagedReplica, type Setting, type SourceSide, World } from './world.ts';

/** Shared by all histories of a run. */
export interface Servers {
  readonly sandbox: Sandbox;
  readonly redisUrl: string;
}

interface Gates {
  readonly redis: TcpGate;
  readonly source: TcpGate;
}

const TIMES = { leaseMs: 1200, heartbeatMs: 250, confirmMs: 120, stepMs: 15 };
const LOGGER = pino({ level: 'silent' });

/** Opens everything that a history needs. */
export async function openRealWorld(servers: Servers, seed: number, setting: Setting): Promise<RealWorld> {
  const redisPort = Number(new URL(servers.redisUrl).port);
  const gates = await Promise.all(
    [0, 1].map(async () => ({ redis: await openTcpGate(redisPort), source: await openTcpGate(servers.sandbox.port) })),
  );
  const listening = await Promise.all(['Items', ...(setting.others ?? [])].map(() => openTcpGate(redisPort)));
  const world = new RealWorld({ servers, seed, setting, gates, listening });
  await world.open();
  return world;
}

export class RealWorld extends World {
  readonly redis: RealRedis;
  readonly source: SourceSide;
  readonly #name: string;
  readonly #servers: Servers;
  readonly #gates: readonly Gates[];
  readonly #listening: readonly TcpGate[];
  readonly #wall = new SetClock(systemClock);
  readonly #repeated: RealSource;
  #looking: Promise<void> = Promise.resolve();
  #over = false;

  constructor(options: {
    readonly servers: Servers;
    readonly seed: number;
    readonly setting: Setting;
    readonly gates: readonly Gates[];
    readonly listening: readonly TcpGate[];
  }) {
    // When a commit becomes visible is the server's to decide: of its gaps all databases have the same.
    super(
      options.seed,
      { ...options.setting, gaps: false, isolation: options.setting.isolation === 'snapshot' ? 'snapshot' : 'readCommitted' },
      systemClock,
    );
    const { servers, seed, gates, listening } = options;
    this.#servers = servers;
    this.#gates = gates;
    this.#listening = listening;
    this.#name = `sim_${process.pid}_${String(seed).padStart(8, '0')}_${Date.now().toString(36)}`;
    const { random, database, setting } = this;
    this.redis = new RealRedis({
      url: servers.redisUrl,
      partition: this.#name,
      gates: gates.map(({ redis }) => redis),
      sections: () => this.sections,
      later: (ms, what) => this.later(ms, what),
      random,
    });
    this.source = {
      cut: () => gates.forEach(({ source }) => source.cut()),
      slowDown: () => false,
      heal: () => {},
    };
    this.#repeated = new RealSource({
      sandbox: servers.sandbox,
      name: this.#name,
      database,
      snapshot: setting.isolation === 'snapshot',
      // What was described before the server had it is not sound.
      onDefined: (table) =>
        this.sections.filter((section) => table === null || section.table === table).forEach(({ oracle }) => oracle.breakAgain()),
      onWrong: (what) => this.violations.push(what),
    });
  }

  async open(): Promise<void> {
    await this.#repeated.open();
    this.#listening.forEach((gate, i) => {
      const section = this.sections[i];
      if (section !== undefined) {
        this.replicas.push(this.#replica(section, gate));
      }
    });
    this.#looking = this.#look();
    void this.operate();
  }

  get rewound(): boolean {
    return this.redis.rewinds > 0;
  }

  storedOf(section: string): StoredSection {
    return this.redis.storedOf(section);
  }

  async until(condition: () => boolean, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      await this.#repeated.settled;
      if (condition()) {
        return;
      }
      if (performance.now() > deadline) {
        throw new Error('the condition did not come to hold');
      }
      await this.clock.sleep(30);
    }
  }

  async pass(ms: number): Promise<void> {
    await this.clock.sleep(ms);
  }

  /** Five histories beside each other on a machine that does something else: commands time out, and are made again. */
  get restLimitMs(): number {
    return 240_000;
  }

  jump(ms: number): void {
    this.#wall.offsetMs += ms;
  }

  protected daemon(name: string, slot: number): ManagedDaemon & { start(): void } {
    const { setting, random, sections, hears } = this;
    const { claims, limits, replayBytes } = setting;
    const gates = this.#gates[slot] as Gates;
    const connection = this.#servers.sandbox.connectionString(this.#name).replace(/Server=[^;]*/u, `Server=127.0.0.1,${gates.source.port}`);
    return new SimDaemon({
      name,
      clock: this.#wall,
      random,
      manager: () =>
        redisDataManager({
          url: `redis://127.0.0.1:${gates.redis.port}`,
          partition: this.#name,
          managerId: `${name}-${this.#name}`,
          leaseMs: TIMES.leaseMs,
          replay: { maxBytes: replayBytes, maxAgeMs: 3_600_000 },
          commandTimeoutMs: 1500,
          clock: this.#wall,
        }),
      tracker: (clock) =>
        sqlServerChangeTracker({
          source: 'model',
          connection,
          claims,
          confirmMs: TIMES.confirmMs,
          limits: { pageRows: limits.pageRows, pageBytes: limits.pageBytes, timeShare: 1, lockTimeoutMs: 300, requestTimeoutMs: 5000 },
          clock,
          logger: LOGGER,
        }),
      sections,
      claims,
      limits,
      lost: setting.lost ?? 'resync',
      sweepShare: setting.sweepShare ?? 1,
      times: TIMES,
      between: () => this.between(),
      onDeath: (tracker, manager) => {
        gates.redis.cut();
        gates.source.cut();
        void Promise.allSettled([tracker[Symbol.asyncDispose](), manager[Symbol.asyncDispose]()]);
      },
      onCrash: (point) => hears.onCrash(name, slot, point),
      onCode: (section, code, message) => hears.onCode(name, section, code, message),
      onDescribe: hears.onDescribe,
      onResync: (section, how, reason) => hears.onResync(name, section, how, reason),
      // Opening it may fail, as starting a process may.
      onEnd: (end) => hears.onEnd(name, slot, end instanceof Error && 'code' in end ? String(end.code) : end),
    });
  }

  protected request(section: SimSection, request: { id: string; verb: string; args: Record<string, string>; who: string }): void {
    section.stored.requests.push(request);
    void this.#put(section.name, request);
  }

  protected async end(): Promise<void> {
    this.#over = true;
    await this.#looking;
    await this.redis.close();
    await this.#repeated.close();
    await Promise.all(
      [...this.#gates.flatMap(({ redis, source }) => [redis, source]), ...this.#listening].map((gate) => gate[Symbol.asyncDispose]()),
    );
  }

  /** Asks again while Redis takes nothing: an operator would. */
  async #put(section: string, request: OperatorRequest): Promise<void> {
    for (let tries = 0; tries < 40 && !this.#over; tries += 1) {
      try {
        await this.redis.admin.request(section, request);
        return;
      } catch {
        await this.clock.sleep(50);
      }
    }
  }

  async #look(): Promise<void> {
    while (!this.#over) {
      try {
        await this.redis.look();
      } catch (error) {
        this.tell(`no look: ${String(error)}`);
      }
      await this.clock.sleep(20);
    }
  }

  #replica(section: SimSection, gate: TcpGate): ManagedReplica {
    const replica: Replica = subscribe({
      redis: `redis://127.0.0.1:${gate.port}`,
      partition: this.#name,
      section: section.name,
      commandTimeoutMs: 1500,
      pageBytes: 600,
      onEvent: () => {
        if (this.random() < 0.3 && !this.#over) {
          section.oracle.replica(judged, Date.now());
        }
      },
    });
    const judged: ManagedReplica = {
      section,
      position: () => replica.position(),
      state: () => replica.state(),
      documents: function* documents() {
        for (const [dataKey, document] of replica.entries()) {
          yield { identity: identityOf(dataKey.split('|').map((part) => decodeURIComponent(part))), dataKey, document };
        }
      },
      cut: () => gate.cut(),
      deafen: () => {
        gate.hold('replies');
        this.later(400 + this.random() * 1200, () => gate.cut());
      },
      garble: (text) => this.redis.garble(section, text),
      close: () => void replica.close(),
    };
    return judged;
  }
}
