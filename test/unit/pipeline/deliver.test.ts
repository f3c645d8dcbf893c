import { describe, expect, it } from 'vitest';
import { pino } from 'pino';
import type { Advance, Batch, DistributedDataManager } from '../../../src/manager/distributed-data-manager.ts';
import type { Document } from '../../../src/model/document.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { silentObserver } from '../../../src/observe/section-observer.ts';
import { BaseOverlay } from '../../../src/pipeline/base-overlay.ts';
import { Delivery } from '../../../src/pipeline/deliver.ts';
import type { Read } from '../../../src/pipeline/delivery-options.ts';
import { settled } from '../../support/manual-clock.ts';
import { SECTION, slowLine, World } from './world.ts';

const doc = (v: number | string): Document => ({ v });

/** A led, live section with a Delivery of its own. */
async function led(
  world: World,
  limits = { rows: 10, bytes: 1 << 20, inFlight: 4 },
  wrap: (manager: DistributedDataManager) => DistributedDataManager = (manager) => slowLine(manager, world.clock, () => 100),
): Promise<{
  delivery: Delivery;
  refusals: unknown[];
  scripts: Batch[];
  manager: DistributedDataManager;
  outstanding: { most: number; urgent: number };
}> {
  const manager = world.manager();
  const lead = await manager.lead(SECTION);
  if (lead.kind === 'held') {
    throw new Error('held');
  }
  const meta = await manager.transition(SECTION, {
    state: 'live',
    newEpoch: false,
    reset: { phase: 'end', reason: 'test' },
    advance: { checkpoint: 0n, confirmed: 0n, upTo: 0n },
  });
  const scripts: Batch[] = [];
  const refusals: unknown[] = [];
  const outstanding = { now: 0, most: 0, urgent: 0 };
  const slow = wrap(manager);
  const counting = new Proxy(slow, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (!['publish', 'store', 'heartbeat'].includes(String(name))) {
        return value;
      }
      return (...args: unknown[]): Promise<unknown> => {
        if (name !== 'heartbeat') {
          scripts.push(args[0] as Batch);
        }
        outstanding.now += 1;
        outstanding.most = Math.max(outstanding.most, outstanding.now);
        return (Reflect.apply(value as () => Promise<unknown>, target, args) as Promise<unknown>).finally(() => (outstanding.now -= 1));
      };
    },
  });
  const delivery = new Delivery({
    section: SECTION,
    manager: counting,
    clock: world.clock,
    limits,
    heartbeatMs: 5000,
    observer: silentObserver,
    logger: pino({ level: 'silent' }),
    meta,
    onRefusal: (error) => refusals.push(error),
    onAcknowledged: () => {},
    onUrgent: () => (outstanding.urgent += 1),
  });
  return { delivery, refusals, scripts, manager, outstanding };
}

function read(version: bigint, values: Readonly<Record<string, Document | null>>, advance: Advance = { checkpoint: version }): Read {
  return {
    rows: Object.entries(values).map(([dataKey, document]) => ({ identity: dataKey, dataKey, changeVersion: version, document })),
    to: version,
    readAtMs: 0,
    mode: 'publish',
    advance,
    sameKey: () => Promise.resolve(true),
    signal: new AbortController().signal,
  };
}

const many = (count: number, value: number | string): Record<string, Document> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${String(n).padStart(3, '0')}`, doc(value)]));

describe('deliver', () => {
  it('L2: two batches in flight that touch one key: the second is the diff from the first', async () => {
    const world = new World();
    const { delivery, scripts } = await led(world);
    await delivery.deliver(read(1n, { k: doc('a') }));
    await delivery.deliver(read(2n, { k: doc('b') }));
    await delivery.deliver(read(3n, { k: null }));
    await delivery.deliver(read(4n, { k: doc('b') }));
    // All four were sent before the first took effect.
    expect(world.documents.size).toBe(0);
    expect(scripts.map(({ rows }) => rows[0]!.expected?.version ?? null)).toEqual([null, '1', '2', null]);
    await world.clock.advance(10_000);
    await delivery.settle();
    expect(world.replicated).toEqual(new Map([['k', '{"v":"b"}']]));
    expect(world.documents).toEqual(world.replicated);
  });

  it('L2: a value that changes and changes back while the first script is in flight is written back', async () => {
    const world = new World();
    const { delivery } = await led(world);
    await delivery.deliver(read(1n, { k: doc('a') }));
    await world.clock.advance(1000);
    // Redis still says `a` when the third read asks for its bases.
    await delivery.deliver(read(2n, { k: doc('b') }));
    await delivery.deliver(read(3n, { k: doc('a') }));
    await world.clock.advance(1000);
    await delivery.settle();
    expect(world.documents).toEqual(new Map([['k', '{"v":"a"}']]));
    expect(world.replica.changes.length).toBe(3);
  });

  it('L2: an answer about bases that is older than an acknowledgement does not win over it', async () => {
    const world = new World();
    // Bases are answered late, as they were when they were asked for.
    const { delivery, scripts } = await led(world, { rows: 2, bytes: 1 << 20, inFlight: 4 }, (manager) => {
      const slow = slowLine(manager, world.clock, () => 10);
      return new Proxy(slow, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          return name === 'bases'
            ? async (...args: unknown[]): Promise<unknown> => {
                const answer: unknown = await Reflect.apply(value as () => Promise<unknown>, target, args);
                await world.clock.sleep(500);
                return answer;
              }
            : value;
        },
      });
    });
    let done = false;
    const work = (async () => {
      await delivery.deliver(read(1n, { x: doc('a') }));
      // Asked for while x is in flight; answered long after its acknowledgement.
      await delivery.deliver(read(2n, { x: doc('b'), y: doc(1), z: doc(1) }));
      await delivery.settle();
    })().finally(() => (done = true));
    await world.until(() => done);
    await work;
    expect(
      scripts
        .flatMap(({ rows }) => rows)
        .filter(({ identity }) => identity === 'x')
        .map(({ expected }) => expected?.version),
    ).toEqual([undefined, '1']);
    expect(world.documents).toEqual(world.replicated);
  });

  it('L2: the overlay holds a key only while it is in flight', async () => {
    const overlay = new BaseOverlay();
    const write = { identity: 'k', expected: null, next: { version: '1', dataKey: 'k', document: '{}' }, changes: [] };
    overlay.queue(write);
    overlay.queue({ ...write, next: null });
    overlay.acknowledged([write]);
    expect(overlay.base('k')).toBeNull();
    expect(overlay.size).toBe(1);
    overlay.readingBegins();
    overlay.stored(new Map([['k', { version: '1', dataKey: 'k', document: '{}' }]]));
    overlay.acknowledged([write]);
    expect(overlay.base('k')).toBeNull();
    overlay.readingEnds();
    expect(overlay.size).toBe(0);
  });

  it('L2: of a long page only the bases of the rows that are composed are held', () => {
    const overlay = new BaseOverlay();
    const base = (document: string) => ({ version: '1', dataKey: 'k', document });
    overlay.readingBegins();
    overlay.stored(new Map([['a', base('{"v":"long"}')]]));
    overlay.stored(new Map([['b', base('{}')]]));
    expect(overlay.base('a')).toBeNull();
    expect(overlay.base('b')).toEqual(base('{}'));
  });

  it('L2: two keys of one identity that come with one read are asked about too; neither is taken for a respelling of the other', async () => {
    const world = new World();
    const { delivery, scripts } = await led(world);
    const rows = ['\u00df', 'ss'].map((key) => ({ identity: 'ss', dataKey: key, changeVersion: 1n, document: doc(key) }));
    const asked: string[][] = [];
    const sameKey = (...keys: string[]): Promise<boolean> => {
      asked.push(keys);
      return Promise.resolve(false);
    };
    await expect(delivery.deliver({ ...read(1n, {}), rows, sameKey })).rejects.toMatchObject({ code: 'PW-S218' });
    expect(asked).toEqual([['\u00df', 'ss']]);
    expect(scripts).toEqual([]);
  });

  it("L2: batches hold rows of one read, and the read's position rides on its last", async () => {
    const world = new World();
    const { delivery, scripts } = await led(world);
    let done = false;
    const work = (async () => {
      await delivery.deliver(read(1n, many(25, 'a'), { checkpoint: 1n, upTo: 1n }));
      await delivery.deliver(read(2n, many(12, 'b'), { checkpoint: 2n, upTo: 2n }));
      await delivery.settle();
    })().finally(() => (done = true));
    await world.until(() => done);
    await work;
    expect(scripts.map(({ rows }) => rows.length)).toEqual([10, 10, 5, 10, 2]);
    expect(scripts.map(({ advance }) => advance.checkpoint ?? null)).toEqual([null, null, 1n, null, 2n]);
    expect(world.stored.meta).toMatchObject({ checkpoint: 2n, upTo: 2n });
  });

  it('L2: an identity that is given up and taken again in one read is written by two scripts', async () => {
    const world = new World();
    const { delivery, scripts } = await led(world);
    await delivery.deliver(read(1n, { a: doc(1) }));
    const moved = { identity: 'b', dataKey: 'b', changeVersion: 2n, document: doc(2), formerIdentity: 'a' };
    const again = { identity: 'a', dataKey: 'a', changeVersion: 2n, document: doc(3) };
    await delivery.deliver({ ...read(2n, {}), rows: [moved, again] });
    await world.clock.advance(2000);
    await delivery.settle();
    expect(scripts.map(({ rows }) => rows.map(({ identity }) => identity))).toEqual([['a'], ['a', 'b'], ['a']]);
    expect(world.documents).toEqual(world.replicated);
  });

  it('G5: no more than inFlight scripts are outstanding, heartbeats included', async () => {
    const world = new World();
    const { delivery, outstanding } = await led(world, { rows: 1, bytes: 1 << 20, inFlight: 3 });
    let done = false;
    const work = Promise.all([delivery.deliver(read(1n, many(30, 'a'))), delivery.heartbeat()]).finally(() => (done = true));
    await settled(20);
    expect(done).toBe(false);
    await world.until(() => done);
    await work;
    await world.clock.advance(5000);
    await delivery.settle();
    expect(outstanding.most).toBe(3);
    expect(world.documents.size).toBe(30);
  });

  it('C2: after a refusal nothing more is sent, and a later script that would fit does not take effect', async () => {
    const world = new World();
    const { delivery, refusals, scripts } = await led(world);
    let publishes = 0;
    world.store.intercept = ({ method }) => (method === 'publish' && ++publishes === 2 ? 'before' : null);
    await delivery.deliver(read(1n, { a: doc(1) }));
    await delivery.deliver(read(2n, { b: doc(1) }));
    await delivery.deliver(read(3n, { c: doc(1) }));
    await delivery.deliver(read(4n, { d: doc(1) }));
    await world.clock.advance(2000);
    await expect(delivery.settle()).rejects.toBeInstanceOf(PatchwireError);
    expect(refusals).toHaveLength(1);
    expect([...world.documents.keys()]).toEqual(['a']);
    await expect(delivery.deliver(read(5n, { e: doc(1) }))).rejects.toBe(refusals[0]);
    await expect(delivery.heartbeat()).rejects.toBe(refusals[0]);
    expect(scripts).toHaveLength(4);
    expect(world.stored.meta!.checkpoint).toBe(1n);
  });

  it('C7: an idle advance rides on the next heartbeat, or on a script that comes before it', async () => {
    const world = new World();
    const { delivery, scripts } = await led(world);
    await delivery.deliver(read(5n, {}, { checkpoint: 5n, upTo: 5n }));
    expect(scripts).toEqual([]);
    const beat = delivery.heartbeat();
    await world.clock.advance(1000);
    await beat;
    expect(world.stored.meta).toMatchObject({ checkpoint: 5n, upTo: 5n });
    await delivery.deliver(read(6n, {}, { checkpoint: 6n, upTo: 6n }));
    await delivery.deliver(read(7n, { k: doc(1) }, { checkpoint: 7n }));
    await world.clock.advance(1000);
    await delivery.settle();
    expect(world.stored.meta).toMatchObject({ checkpoint: 7n, upTo: 6n });
  });

  it('C7: the upTo of an empty page does not wait for the next heartbeat when full pages came before it', async () => {
    const world = new World();
    const { delivery, outstanding } = await led(world);
    await delivery.deliver(read(7n, { k: doc(1) }, { checkpoint: 6n }));
    await delivery.deliver(read(8n, {}, { checkpoint: 8n, upTo: 8n }));
    expect(outstanding.urgent).toBe(1);
    // An empty page after a page that claimed all it held may wait.
    await delivery.deliver(read(9n, {}, { checkpoint: 9n, upTo: 9n }));
    await delivery.deliver(read(10n, { l: doc(1) }, { checkpoint: 10n, upTo: 10n }));
    await delivery.deliver(read(11n, {}, { checkpoint: 11n, upTo: 11n }));
    expect(outstanding.urgent).toBe(1);
    await world.clock.advance(1000);
    await delivery.settle();
  });

  it('R5: what a restart reads again takes no stored position back', async () => {
    const world = new World();
    const { delivery } = await led(world);
    await delivery.deliver(read(9n, { k: doc(1) }, { checkpoint: 9n, upTo: 9n, confirmed: 3n, high: 9n }));
    await delivery.deliver(read(9n, { l: doc(1) }, { checkpoint: 4n, upTo: 4n, confirmed: 2n, high: 4n }));
    await world.clock.advance(1000);
    await delivery.settle();
    expect(world.stored.meta).toMatchObject({ checkpoint: 9n, upTo: 9n, confirmed: 3n, high: 9n });
  });

  it('stops between batches when it is told to, without moving the position', async () => {
    const world = new World();
    const { delivery } = await led(world, { rows: 5, bytes: 1 << 20, inFlight: 1 });
    const abort = new AbortController();
    const reason = new Error('stop');
    const work = delivery.deliver({ ...read(1n, many(40, 'a')), signal: abort.signal });
    work.catch(() => {});
    await world.clock.advance(250);
    abort.abort(reason);
    await world.clock.advance(2000);
    await expect(work).rejects.toBe(reason);
    await delivery.settle();
    expect(world.documents.size).toBeGreaterThan(0);
    expect(world.documents.size).toBeLessThan(40);
    expect(world.stored.meta!.checkpoint).toBe(0n);
  });
});
