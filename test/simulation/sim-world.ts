/** A world in virtual time: the model database answers statements, the memory store stands for Redis behind lines that break, replicas are state machines. */
import type { Clock } from '../../src/lib/clock.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import { memoryDataManager } from '../../src/manager/memory/memory-data-manager.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ModelServer } from './model-server.ts';
import { ModelTracker } from './model-tracker.ts';
import type { SimSection } from './section.ts';
import { CONFIRM_MS, LEASE_MS, PARTITION, SimDaemon } from './sim-daemon.ts';
import { SimRedis } from './sim-redis.ts';
import { SimReplica } from './sim-replica.ts';
import { type ManagedDaemon, type Setting, type SourceSide, World } from './world.ts';

/** A wall clock that is set, over one that is not. */
export class SetClock implements Clock {
  offsetMs = 0;
  readonly #base: Clock;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now() + this.offsetMs;
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return this.#base.sleep(ms, options);
  }
}

export class SimWorld extends World {
  readonly manual: ManualClock;
  readonly redis: SimRedis;
  readonly source: SourceSide;
  readonly #server: ModelServer;
  readonly #wall: SetClock;

  constructor(seed: number, setting: Setting) {
    const manual = new ManualClock();
    super(seed, setting, manual);
    this.manual = manual;
    this.#wall = new SetClock(manual);
    const { database, random } = this;
    const between = (): void => this.between();
    const { profile, isolation } = setting;
    const server = new ModelServer({ database, clock: manual, random, profile, isolation, between });
    this.#server = server;
    this.source = {
      cut: (requests) => server.cuts.push(...Array.from({ length: requests }, () => Math.floor(random() * 12))),
      slowDown: (forMs, upToMs) => {
        server.slowMs = upToMs;
        this.later(forMs, () => {
          server.slowMs = 0;
        });
      },
      heal: () => {
        server.cuts.length = 0;
        server.slowMs = 0;
      },
    };
    this.redis = new SimRedis({
      clock: manual,
      random,
      between,
      onScript: ({ section }) => this.#section(section)?.oracle.script(this.storedOf(section), this.#section(section)?.describedAtMs ?? 0),
      onRewound: () => this.sections.forEach(({ oracle }) => oracle.rewound()),
    });
    for (const [i, section] of this.sections.entries()) {
      for (let n = 0; n < (i === 0 ? 2 : 1); n += 1) {
        const onInput = (replica: SimReplica): void => {
          if (random() < 0.15) {
            section.oracle.replica(replica, this.#wall.now());
          }
        };
        this.replicas.push(new SimReplica({ clock: this.#wall, random, redis: this.redis, section, onInput }));
      }
    }
    void this.operate();
  }

  get rewound(): boolean {
    return this.redis.rewinds > 0;
  }

  storedOf(section: string): StoredSection {
    return this.redis.store.section(PARTITION, section);
  }

  async until(condition: () => boolean, limitMs: number): Promise<void> {
    await this.manual.until(condition, limitMs);
  }

  async pass(ms: number): Promise<void> {
    await this.manual.advance(ms);
  }

  get restLimitMs(): number {
    return 120_000;
  }

  jump(ms: number): void {
    this.#wall.offsetMs += ms;
  }

  protected daemon(name: string, slot: number): ManagedDaemon & { start(): void } {
    const { setting, random, redis, sections, hears } = this;
    const { claims, limits, replayBytes } = setting;
    const line = redis.line();
    return new SimDaemon({
      name,
      clock: this.#wall,
      random,
      // The time of leases is Redis' own: nobody sets it.
      manager: () =>
        memoryDataManager({
          store: redis.store,
          partition: PARTITION,
          managerId: name,
          leaseMs: LEASE_MS,
          replay: { maxBytes: replayBytes, maxAgeMs: 3_600_000 },
          clock: this.manual,
          line,
        }),
      tracker: (clock) => new ModelTracker({ server: this.#server, clock, claims, confirmMs: CONFIRM_MS, ...limits }),
      sections,
      claims,
      limits,
      lost: setting.lost ?? 'resync',
      sweepShare: setting.sweepShare ?? 1,
      between: () => this.between(),
      onDeath: () => {
        line.die();
        redis.lines.delete(line);
      },
      onCrash: (point) => hears.onCrash(name, slot, point),
      onCode: (section, code, message) => hears.onCode(name, section, code, message),
      onDescribe: hears.onDescribe,
      onResync: (section, how, reason) => hears.onResync(name, section, how, reason),
      onEnd: (end) => hears.onEnd(name, slot, end),
    });
  }

  protected request(section: SimSection, request: { id: string; verb: string; args: Record<string, string>; who: string }): void {
    section.stored.requests.push(request);
  }

  protected end(): Promise<void> {
    return Promise.resolve();
  }

  #section(name: string): SimSection | undefined {
    return this.sections.find((section) => section.name === name);
  }
}
