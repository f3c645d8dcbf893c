/** Several whole daemons over one store, in time that only the test moves: who leads what, how often anybody asks, and how long nobody leads. */
import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../../src/daemon/daemon.ts';
import { Sharing, sharingTimes } from '../../../src/daemon/sharing.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { DaemonRegistry, DaemonsView } from '../../../src/manager/daemon-registry.ts';
import type { DistributedDataManager } from '../../../src/manager/distributed-data-manager.ts';
import { MemoryDataManager } from '../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../../src/manager/memory/memory-store.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedTracker } from '../../support/scripted-tracker.ts';

const LEASE_MS = 10_000;
const PARTITION = 'p';
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${String(i).padStart(2, '0')}`);
/** Every failover may cost a poll of the one who waits, and the turns of the loop. */
const POLL_MS = 1000;

interface Member {
  readonly view: () => Promise<DaemonsView>;
  readonly daemon: Daemon;
  readonly id: string;
  /** From now on nothing of it arrives any more, and no answer comes: kill -9, seen from outside. */
  readonly die: () => void;
  /** The answers that did not come are errors now, so that it can be stopped. */
  readonly bury: () => void;
}

class Fleet {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly members: Member[] = [];
  /** Calls of `lead` so far, and how many of a registry. */
  leads = 0;
  looks = 0;
  /** Whether daemons that join from now on reach their source. */
  reaches = true;
  registry: (own: DaemonRegistry) => DaemonRegistry = (own) => own;

  constructor() {
    this.store.intercept = ({ method }) => {
      this.leads += method === 'lead' ? 1 : 0;
      return null;
    };
  }

  async join(sections: readonly string[]): Promise<Member> {
    const { clock, store } = this;
    const own = new MemoryDataManager({
      store,
      partition: PARTITION,
      managerId: `m${this.members.length}`,
      leaseMs: LEASE_MS,
      replay: { maxBytes: 1e6, maxAgeMs: 3_600_000 },
      clock,
    });
    let dead = false;
    let bury = (): void => undefined;
    const grave = new Promise<never>((_, reject) => {
      bury = () => reject(new PatchwireError('PW-M311', 'the connection was lost'));
    });
    grave.catch(() => undefined);
    const mortal = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (inner, name) => {
          const value: unknown = Reflect.get(inner, name, inner);
          if (name === 'daemons') {
            return mortal(this.registry(own.daemons));
          }
          return typeof value === 'function'
            ? (...args: unknown[]) => {
                this.looks += name === 'revision' || name === 'announce' ? 1 : 0;
                return dead && name !== Symbol.asyncDispose ? grave : (value.apply(inner, args) as unknown);
              }
            : value;
        },
      });
    const text = `
sources: { a: { connection: "Server=a", polling: { ladder: [1s] } } }
manager: { redis: { url: "redis://nowhere" }, partition: ${PARTITION}, lease: 10s }
tables: [${sections.map((section) => `{ table: dbo.${section}, section: ${section} }`).join(', ')}]
daemon: { shutdown: 1s }
http: { port: 0 }`;
    const daemon = createDaemon(parseConfig(text, { origin: 'test', env: {}, folder: '/' }), {
      clock,
      random: seededRandom(this.members.length + 1),
      log: createLogger({ level: 'silent', pretty: false }),
      tracker: () => {
        const tracker = new ScriptedTracker({ clock });
        if (!this.reaches) {
          tracker.open = () => (this.reaches ? Promise.resolve() : Promise.reject(new PatchwireError('PW-S201', 'no route to the server')));
        }
        return tracker;
      },
      manager: () => mortal(own as DistributedDataManager),
    });
    const member: Member = {
      daemon,
      id: own.managerId,
      die: () => {
        dead = true;
      },
      bury: () => bury(),
      view: () => own.daemons.view(),
    };
    this.members.push(member);
    await daemon.start();
    return member;
  }

  /** Who holds the lease of a section; '' when nobody does. */
  holder(section: string): string {
    const { lease } = this.store.section(PARTITION, section);
    return lease !== null && lease.expiresAtMs > this.clock.now() ? lease.holder : '';
  }

  /** How many sections each leads, as `3 2 2`. */
  counts(sections: readonly string[]): string {
    const holders = sections.map((section) => this.holder(section));
    return this.members.map(({ id }) => holders.filter((holder) => holder === id).length).join(' ');
  }

  async until(sections: readonly string[], counts: string): Promise<void> {
    await this.clock
      .until(() => this.counts(sections) === counts)
      .catch((error: unknown) => {
        throw new Error(`${String(error)}: ${this.counts(sections)}, not ${counts}`);
      });
  }

  /** Lets time pass in small steps. @returns for how long a section had no leader at most, in ms */
  async leaderless(sections: readonly string[], ms: number): Promise<number> {
    const since = new Map<string, number>();
    let longest = 0;
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.advance(100);
      for (const section of sections) {
        if (this.holder(section) !== '') {
          since.delete(section);
        } else {
          since.set(section, since.get(section) ?? this.clock.now() - 100);
          longest = Math.max(longest, this.clock.now() - (since.get(section) ?? 0));
        }
      }
    }
    return longest;
  }

  async close(): Promise<void> {
    for (const { daemon, bury } of this.members) {
      bury();
      let over = false;
      void daemon.stop().then(() => {
        over = true;
      });
      await this.clock.until(() => over);
    }
  }
}

let fleet: Fleet;
afterEach(async () => {
  await fleet.close();
});

describe('sharing', () => {
  it('shares become even when daemons join, one section at a time, and then stand still', async () => {
    fleet = new Fleet();
    const sections = names(12);
    await fleet.join(sections);
    await fleet.until(sections, '12');
    await fleet.join(sections);
    const begun = fleet.clock.monotonic();
    await fleet.until(sections, '6 6');
    const { paceMs } = sharingTimes(LEASE_MS);
    expect(fleet.clock.monotonic() - begun, 'gently').toBeGreaterThanOrEqual(5 * paceMs);
    await fleet.join(sections);
    await fleet.until(sections, '4 4 4');
    const before = sections.map((section) => fleet.holder(section));
    expect(await fleet.leaderless(sections, 60_000)).toBe(0);
    expect(sections.map((section) => fleet.holder(section))).toEqual(before);
    expect(fleet.members.map(({ daemon }) => daemon.status().sharing)).toMatchObject(
      Array.from({ length: 3 }, () => ({ led: 4, standby: 8, daemons: [{ id: 'm0' }, { id: 'm1' }, { id: 'm2' }] })),
    );
  });

  it('a section counts only for the daemons that know it', async () => {
    fleet = new Fleet();
    const sections = names(9);
    await fleet.join(sections.slice(0, 6));
    await fleet.until(sections, '6');
    await fleet.join(sections.slice(4));
    // The second alone knows the last three; of the two that both know it is given none: 6 and 3, then 5 and 4.
    await fleet.until(sections, '5 4');
    await fleet.leaderless(sections, 20_000);
    expect(fleet.counts(sections)).toBe('5 4');
  });

  it('a clean stop hands over at once, evenly, and to nobody who is stopping too', async () => {
    fleet = new Fleet();
    const sections = names(9);
    for (const counts of ['9', '5 4', '3 3 3']) {
      await fleet.join(sections);
      await fleet.until(sections, counts);
    }
    const stopping = fleet.members[1]!.daemon.stop();
    const longest = await fleet.leaderless(sections, 3000);
    await stopping;
    expect(longest).toBeLessThanOrEqual(2 * sharingTimes(LEASE_MS).lookMs);
    const [first = 0, gone, third = 0] = fleet.counts(sections).split(' ').map(Number);
    expect(gone).toBe(0);
    expect(Math.abs(first - third)).toBeLessThanOrEqual(1);
    expect(fleet.members[0]!.daemon.status().sharing?.daemons).toHaveLength(2);
  });

  it('after a death every section is led again within the lease and a poll, divided among all who remain', async () => {
    fleet = new Fleet();
    const sections = names(12);
    for (const counts of ['12', '6 6', '4 4 4']) {
      await fleet.join(sections);
      await fleet.until(sections, counts);
    }
    fleet.members[0]!.die();
    const died = fleet.clock.monotonic();
    await fleet.until(sections, '0 6 6');
    expect(fleet.clock.monotonic() - died).toBeLessThanOrEqual(LEASE_MS + POLL_MS);
    const moved = fleet.leads;
    await fleet.leaderless(sections, 5000);
    expect(fleet.counts(sections), 'it was divided at once, not moved later').toBe('0 6 6');
    expect(fleet.leads - moved).toBeLessThan(20);
  });

  it('standbys ask for a lease at most once in half of it, and look with one command', async () => {
    fleet = new Fleet();
    const sections = names(30);
    for (const counts of ['30', '15 15', '10 10 10']) {
      await fleet.join(sections);
      await fleet.until(sections, counts);
    }
    const [leads, looks] = [fleet.leads, fleet.looks];
    await fleet.leaderless(sections, 60_000);
    // 60 standbys in 60 s, with a heartbeat of 5 s that leaves at least half of the lease.
    expect(fleet.leads - leads).toBeLessThanOrEqual((60 * 60_000) / (LEASE_MS / 2));
    const { lookMs, announceMs } = sharingTimes(LEASE_MS);
    const perLook = 60_000 / (0.9 * lookMs) + 60_000 / announceMs;
    expect(fleet.looks - looks).toBeLessThanOrEqual(3 * perLook);
  });

  it('a daemon that stops is given nothing any more, and says what it still leads', async () => {
    fleet = new Fleet();
    const { clock, store } = fleet;
    const manager = new MemoryDataManager({ store, partition: PARTITION, leaseMs: LEASE_MS, replay: { maxBytes: 1, maxAgeMs: 1 }, clock });
    await using sharing = new Sharing({
      registry: manager.daemons,
      id: manager.managerId,
      self: { host: 'h', pid: 1, version: '1', startedAtMs: 0 },
      sections: ['a', 'b'],
      leaseMs: LEASE_MS,
      clock,
      random: seededRandom(1),
      log: createLogger({ level: 'silent', pretty: false }),
    });
    const said = async () => (await manager.daemons.view()).daemons.map(({ sections, led }) => ({ sections, led: Object.keys(led) }));
    await sharing.join();
    sharing.share('a').leading();
    await clock.advance(1000);
    expect(await said()).toEqual([{ sections: ['a', 'b'], led: ['a'] }]);
    sharing.stop();
    await clock.advance(100);
    expect(await said()).toEqual([{ sections: [], led: ['a'] }]);
    sharing.share('a').released();
    await clock.advance(100);
    expect(await said()).toEqual([{ sections: [], led: [] }]);
  });

  it('a daemon that does not reach the source is given nothing of it until it does', async () => {
    fleet = new Fleet();
    const sections = names(4);
    await fleet.join(sections);
    await fleet.until(sections, '4');
    fleet.reaches = false;
    await fleet.join(sections);
    expect(await fleet.leaderless(sections, 30_000)).toBe(0);
    expect(fleet.counts(sections)).toBe('4 0');
    expect((await fleet.members[0]!.view()).daemons[1]?.unable).toEqual(sections);
    fleet.reaches = true;
    await fleet.until(sections, '2 2');
  });

  it('what nobody takes comes back, and who does not take is given less and less', async () => {
    fleet = new Fleet();
    const sections = names(6);
    await fleet.join(sections);
    await fleet.until(sections, '6');
    const ghost = new MemoryDataManager({
      store: fleet.store,
      partition: PARTITION,
      managerId: 'ghost',
      leaseMs: LEASE_MS,
      replay: { maxBytes: 1, maxAgeMs: 1 },
      clock: fleet.clock,
    });
    const said = { host: 'h', pid: 1, version: '1', startedAtMs: 0, sections, led: {}, busy: [], unable: [] };
    await ghost.daemons.announce(said, { ttlMs: 3_600_000 });
    const leads = fleet.leads;
    const { graceMs, lookMs } = sharingTimes(LEASE_MS);
    expect(await fleet.leaderless(sections, 600_000)).toBeLessThanOrEqual(graceMs + 2 * lookMs + 200);
    expect(fleet.leads - leads).toBeGreaterThan(0);
    // After 10 s, 20 s, 40 s …
    expect(fleet.leads - leads).toBeLessThanOrEqual(7);
    expect(fleet.counts(sections)).toBe('6');
  });

  it('where nobody can tell who is alive, whoever gets a lease leads', async () => {
    fleet = new Fleet();
    fleet.registry = (own) =>
      new Proxy(own, {
        get: (_, name) => () =>
          name === 'depart' ? Promise.resolve() : Promise.reject(new PatchwireError('PW-M312', 'the key is of another type')),
      });
    const sections = names(4);
    const first = await fleet.join(sections);
    await fleet.until(sections, '4');
    await fleet.join(sections);
    await fleet.leaderless(sections, 5000);
    expect(fleet.counts(sections)).toBe('4 0');
    expect(first.daemon.status().sharing).toMatchObject({ daemons: null, led: 4, standby: 0 });
    first.die();
    const died = fleet.clock.monotonic();
    await fleet.until(sections, '0 4');
    expect(fleet.clock.monotonic() - died).toBeLessThanOrEqual(LEASE_MS + POLL_MS);
  });
});
