import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/manager/memory/adopt.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { doc, LEASE_MS, slowLine, World } from './world.ts';

const key = (n: number): string => String(n).padStart(3, '0');
const rows = (count: number, value: number | string): Record<string, ReturnType<typeof doc>> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), doc(n, value)]));

async function live(): Promise<World> {
  const world = new World();
  world.tracker.commit(rows(5, 0));
  world.start();
  await world.untilCaughtUp();
  return world;
}

describe('section', () => {
  it('stops in good order: the batch in hand, a heartbeat, the lead given up', async () => {
    await using world = await live();
    const heartbeats = world.told.heartbeats;
    expect(await world.stop(world.running[0]!)).toBe('stopped');
    expect(world.told.heartbeats).toBe(heartbeats + 1);
    expect(world.stored.lease).toBeNull();
    expect(world.clock.waiting).toBe(0);
  });

  it('any number of sections shares the stop signals without a warning', async () => {
    await using world = await live();
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    const stop = new AbortController();
    const kill = new AbortController();
    const many = Array.from({ length: 12 }, (_, n) => world.start({ section: `s${n}`, stop: stop.signal, kill: kill.signal }));
    await world.clock.advance(3000);
    stop.abort(new Error('stop'));
    await world.until(() => many.every(({ ended }) => ended));
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  it('lets go of every description of the table that it asked for', async () => {
    await using world = await live();
    await world.ask('reset');
    await world.until(() => world.replica.loads === 2);
    world.tracker.fail('probe', new PatchwireError('PW-S201', 'connection lost'));
    await world.until(() => world.phases.includes('retrying PW-S201'));
    await world.until(() => world.tracker.described.size === 1);
    await world.ask('reset');
    await world.until(() => world.tracker.described.size === 2);
    await world.stop(world.running[0]!);
    expect(world.tracker.described.size).toBe(0);
  });

  it('ends at once when it is killed, also while Redis does not answer', async () => {
    await using world = await live();
    world.wrap = (manager) => slowLine(manager, world.clock, () => 1e9);
    await world.stop(world.running[0]!);
    world.tracker.commit(rows(5, 'x'));
    const running = world.start();
    await world.until(() => world.tracker.calls.filter((call) => call === 'readWindow').length > 1);
    running.stop.abort(new Error('stop'));
    await world.clock.advance(1000);
    expect(running.ended).toBe(false);
    const reason = new Error('killed');
    running.kill.abort(reason);
    await expect(running.done).rejects.toBe(reason);
  });

  it('says that it stands by again after trouble: what it said of the trouble does not stay', async () => {
    await using world = await live();
    const phases: string[] = [];
    world.start({ observer: { ...world.observer, phase: (phase) => phases.push(phase) } });
    await world.until(() => phases.at(-1) === 'standby');
    const { format } = world.stored.meta!;
    world.stored.meta!.format = 99;
    await world.until(() => phases.at(-1) === 'stopped');
    world.stored.meta!.format = format;
    world.stored.lease = { holder: 'another', expiresAtMs: world.clock.now() + 1e9 };
    await world.until(() => phases.at(-1) === 'standby');
  });

  it('stands by while another daemon leads, and takes over when its lease runs out', async () => {
    await using world = await live();
    const second = world.start();
    await world.until(() => world.phases.at(-1) === 'standby');
    await world.kill(world.running[0]!);
    const at = world.clock.now();
    world.tracker.commit({ [key(1)]: doc(1, 'after') });
    await world.untilCaughtUp();
    expect(world.clock.now() - at).toBeLessThan(LEASE_MS * 1.1 + 2000);
    expect(world.replicated).toEqual(world.expected);
    expect(world.phases.filter((phase) => phase === 'standby')).toHaveLength(1);
    await world.stop(second);
  });

  it('once: resolves when the section is live and a round found nothing more', async () => {
    await using world = new World({ pageRows: 3 });
    world.tracker.commit(rows(10, 0));
    const running = world.start({ once: true });
    await world.until(() => running.ended);
    expect(await running.done).toBe('caughtUp');
    expect(world.documents).toEqual(world.expected);
    expect(world.stored).toMatchObject({ lease: null, meta: { state: 'live', upTo: 1n } });
    world.tracker.commit(rows(10, 'x'));
    const again = world.start({ once: true });
    await world.until(() => again.ended);
    expect(world.replicated).toEqual(world.expected);
    expect(world.stored.meta!.upTo).toBe(2n);
  });

  it('once: rejects where the section would stop', async () => {
    await using world = await live();
    await world.stop(world.running[0]!);
    world.tracker.fingerprint = 'f2';
    const running = world.start({ once: true });
    await world.until(() => running.ended);
    await expect(running.done).rejects.toMatchObject({ code: 'PW-S220' });
  });

  it('L5: onLostHistory stop: another source stops the section with S213, a cut history with S211, another projection with S220', async () => {
    for (const [change, code] of [
      [(world: World): void => void (world.tracker.objectId = 7), 'PW-S213'],
      [(world: World): void => void (world.tracker.beginVersion = 7n), 'PW-S211'],
      [(world: World): void => void (world.tracker.fingerprint = 'f2'), 'PW-S220'],
    ] as const) {
      await using world = await live();
      await world.stop(world.running[0]!);
      const before = world.documents;
      change(world);
      world.start();
      await world.until(() => world.phases.includes(`stopped ${code}`));
      expect(world.documents).toEqual(before);
      expect(world.stored.lease).toBeNull();
    }
  });

  it('lost history stops the section, and it goes on by itself once the cause is mended', async () => {
    await using world = await live();
    world.tracker.minValid = 100n;
    world.tracker.commit({ [key(1)]: doc(1, 'x') });
    await world.until(() => world.phases.includes('stopped PW-S211'));
    expect(world.stored.lease).toBeNull();
    world.tracker.minValid = 0n;
    const at = world.clock.now();
    await world.untilCaughtUp();
    expect(world.clock.now() - at).toBeLessThan(65_000);
    expect(world.replicated).toEqual(world.expected);
  });

  it('C5: what a script that stopped half-way left is repaired under a new epoch, without a load', async () => {
    await using world = await live();
    await world.stop(world.running[0]!);
    const { epoch, checkpoint } = world.stored.meta!;
    world.tracker.commit({ [key(1)]: doc(1, 'torn'), [key(2)]: null, [key(9)]: doc(9, 'torn') });
    // In this order the script writes: what goes, the index, the documents.
    world.stored.meta!.pending = 'publish';
    world.stored.documents.delete(key(2));
    world.stored.index.set(key(9), { version: '99', dataKey: key(9) });
    world.stored.index.set(key(1), { version: '99', dataKey: key(1) });
    const calls = world.tracker.calls.length;
    world.start();
    await world.untilCaughtUp();
    await world.until(() => world.replica.live);
    expect(world.stored.meta).toMatchObject({ pending: '', cursor: null, upTo: world.tracker.version });
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.stored.meta!.checkpoint).toBeGreaterThan(checkpoint);
    expect(world.tracker.calls.slice(calls)).not.toContain('readLoadPage');
    expect(world.documents).toEqual(world.expected);
    expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
    expect(world.errors).toContain('PW-M307');
  });

  it('C5: what is torn again and again stops the section: the fourth time within ten minutes', async () => {
    await using world = await live();
    await world.tearForGood();
    expect(world.errors.filter((code) => code === 'PW-M307')).toHaveLength(4);
    expect(world.phases.at(-1)).toBe('stopped PW-M307');
    const { epoch } = world.stored.meta!;
    // Later it is tried again.
    await world.until(() => world.stored.meta!.pending === '', 700_000);
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });

  it('C6: a version that is not the delivered one is counted and repaired under a new epoch, and never overridden', async () => {
    await using world = new World();
    let tampers = 0;
    world.wrap = (manager) =>
      new Proxy(manager, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') {
            return value;
          }
          return (...args: unknown[]): unknown => {
            if (name === 'publish' && tampers > 0) {
              // After the bases were read, as a foreign writer would.
              tampers -= 1;
              world.stored.index.set(key(1), { version: String(7000 + tampers), dataKey: key(1) });
            }
            return Reflect.apply(value, target, args);
          };
        },
      });
    world.tracker.commit(rows(5, 0));
    world.start();
    await world.untilCaughtUp();
    const { epoch } = world.stored.meta!;
    tampers = 1;
    world.tracker.commit({ [key(1)]: doc(1, 'new') });
    await world.untilCaughtUp();
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.errors).toEqual(['PW-M308']);
    expect(world.documents).toEqual(world.expected);
    expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
    // Again and again: somebody is at work whom no repair stops.
    tampers = 1000;
    for (let n = 0; world.phases.at(-1) !== 'stopped PW-M308'; n += 1) {
      world.tracker.commit({ [key(1)]: doc(1, n) });
      await world.until(() => world.phases.at(-1) === 'stopped PW-M308' || world.stored.meta!.upTo === world.tracker.version);
    }
    expect(world.errors.length).toBeLessThanOrEqual(5);
    tampers = 0;
    await world.until(() => world.stored.meta!.upTo === world.tracker.version, 700_000);
    expect(world.documents).toEqual(world.expected);
  });

  it('C7: heartbeats go on while SQL Server is down, and everything is caught up after it', async () => {
    await using world = await live();
    let down = true;
    world.tracker.before = () => (down ? Promise.reject(new PatchwireError('PW-S201', 'connection refused')) : undefined);
    world.tracker.commit({ [key(1)]: doc(1, 'x') });
    await world.until(() => world.phases.includes('retrying PW-S201'));
    const heartbeats = world.told.heartbeats;
    await world.clock.advance(60_000);
    expect(world.told.heartbeats - heartbeats).toBeGreaterThanOrEqual(11);
    expect(world.stored.lease).not.toBeNull();
    down = false;
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
    expect(world.replica.loads).toBe(1);
  });

  it('C7: a restarted daemon that finds SQL Server down leads and says so', async () => {
    await using world = await live();
    await world.stop(world.running[0]!);
    world.tracker.before = () => Promise.reject(new PatchwireError('PW-S201', 'connection refused'));
    const heartbeats = world.told.heartbeats;
    world.start();
    await world.clock.advance(30_000);
    expect(world.told.heartbeats - heartbeats).toBeGreaterThanOrEqual(5);
  });

  it('reading the same page again before the one that fails is no progress: ten times make the table faulted', async () => {
    await using world = new World({ pageRows: 3 });
    world.tracker.commit(rows(10, 0));
    world.start();
    await world.untilCaughtUp();
    world.tracker.commit(rows(10, 1));
    let pages = 0;
    world.tracker.before = (call) => {
      pages = call === 'describe' ? 0 : pages + (call === 'readWindow' ? 1 : 0);
      if (pages === 3) {
        throw new PatchwireError('PW-S216', 'too slow');
      }
    };
    await world.until(() => world.phases.includes('stopped PW-S216'));
    expect(world.phases.filter((phase) => phase === 'retrying PW-S216').length).toBeLessThanOrEqual(10);
    const { heartbeats } = world.told;
    await world.clock.advance(10_000);
    expect(world.told.heartbeats).toBeGreaterThan(heartbeats);
    world.tracker.before = null;
    await world.ask('poll');
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });

  it('a table that cannot be described gets no section in Redis', async () => {
    await using world = new World();
    world.tracker.before = () => Promise.reject(new PatchwireError('PW-S206', 'no such table'));
    world.start();
    await world.until(() => world.phases.includes('stopped PW-S206'));
    expect(world.stored.meta).toBeNull();
  });

  it('a source error in the middle of a delivery forgets what was composed and not sent', async () => {
    await using world = new World({ caseInsensitive: true });
    world.tracker.commit({ ...rows(30, 0), zz: doc(99) });
    world.start();
    await world.untilCaughtUp();
    world.tracker.fail('sameKey', new PatchwireError('PW-S201', 'connection lost'));
    world.tracker.commit({ ...rows(30, 'x'), zz: null });
    world.tracker.commit({ ZZ: doc(99, 'respelled') });
    await world.until(() => world.phases.includes('retrying PW-S201'));
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.replicated).toEqual(world.expected);
  });

  it('C2: after a refusal it waits for all outstanding, leads again and goes on from the stored position', async () => {
    await using world = await live();
    await world.stop(world.running[0]!);
    const trail: string[] = [];
    let outstanding = 0;
    let calls = 0;
    world.wrap = (manager) => {
      // Each answer comes half a second after the one before: longer than the back-off.
      const slow = slowLine(manager, world.clock, () => (calls += 1) * 500);
      return new Proxy(slow, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (name !== 'publish' && name !== 'lead') {
            return value;
          }
          return (...args: unknown[]): Promise<unknown> => {
            trail.push(`${name} with ${outstanding} outstanding`);
            outstanding += name === 'publish' ? 1 : 0;
            const answer = Reflect.apply(value as () => Promise<unknown>, target, args) as Promise<unknown>;
            return answer.finally(() => (outstanding -= name === 'publish' ? 1 : 0));
          };
        },
      });
    };
    let publishes = 0;
    world.store.intercept = ({ method }) => (method === 'publish' && ++publishes === 2 ? 'before' : null);
    world.tracker.commit(rows(60, 'x'));
    world.start();
    await world.untilCaughtUp();
    const leads = trail.filter((step) => step.startsWith('lead'));
    expect(leads).toEqual(['lead with 0 outstanding', 'lead with 0 outstanding']);
    expect(trail.some((step) => step === 'publish with 3 outstanding')).toBe(true);
    expect(world.errors.length).toBe(1);
    expect(world.documents).toEqual(world.expected);
    expect(world.replicated).toEqual(world.expected);
  });

  it('backs off while Redis refuses, and begins the back-off anew only after a round that succeeded', async () => {
    await using world = await live();
    let refusals = 0;
    const at: number[] = [];
    world.store.intercept = ({ method }) => {
      if (method === 'lead') {
        at.push(world.clock.now());
      }
      return method === 'publish' && refusals++ < 12 ? 'before' : null;
    };
    world.tracker.commit({ [key(1)]: doc(1, 'x') });
    await world.untilCaughtUp();
    const gaps = at.slice(1).map((time, i) => time - at[i]!);
    expect(at.length).toBe(12);
    expect(Math.max(...gaps)).toBeGreaterThan(1000);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
    expect(world.replicated).toEqual(world.expected);
  });
});
