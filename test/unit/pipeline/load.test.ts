import { describe, expect, it } from 'vitest';
import { doc, slowLine, World } from './world.ts';

const key = (n: number): string => String(n).padStart(3, '0');

function fill(world: World, count: number, value: number | string = 0): void {
  world.tracker.commit(Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), doc(n, value)])));
}

describe('first load', () => {
  it('L3: loads every row without messages, then goes live with upTo', async () => {
    await using world = new World({ loadRows: 7 });
    fill(world, 40);
    world.start();
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.replica.of('reset').map(({ phase }) => phase)).toEqual(['begin', 'end']);
    expect(world.replica.changes).toEqual([]);
    expect(world.phases).toEqual(['starting', 'loading', 'live']);
    expect(world.stored.meta).toMatchObject({ cursor: null, upTo: 1n });
  });

  it('L3: state, cursor, source identity and the version are stored before the first page', async () => {
    await using world = new World();
    fill(world, 3);
    let meta: unknown = null;
    world.tracker.before = (call) => {
      if (call === 'readLoadPage' && meta === null) {
        meta = structuredClone(world.stored.meta);
      }
    };
    world.start();
    await world.untilLive();
    expect(meta).toMatchObject({
      state: 'loading',
      upTo: null,
      checkpoint: 1n,
      confirmed: 1n,
      cursor: { phase: 'load', after: null, rows: 0, estimate: 3 },
      source: { objectId: 1, fingerprint: 'f1' },
    });
  });

  it('L3: its version was current `confirm` before the first page', async () => {
    await using world = new World();
    fill(world, 3);
    const at = { described: 0, read: 0 };
    world.tracker.after = (call) => {
      if (call === 'describe') {
        at.described = world.clock.now();
      }
    };
    world.tracker.before = (call) => {
      if ((call === 'readLoadPage' || call === 'readWindow') && at.read === 0) {
        at.read = world.clock.now();
      }
    };
    world.start();
    await world.untilLive();
    expect(at.read - at.described).toBeGreaterThanOrEqual(1000);
  });

  it('L3: beside writers with a value that changes and changes back while its page is on the way', async () => {
    await using world = new World({ loadRows: 2 });
    world.wrap = (manager) => slowLine(manager, world.clock, () => 40);
    fill(world, 6, 'A');
    let pages = 0;
    world.tracker.before = (call) => {
      if (call === 'readLoadPage') {
        world.tracker.commit({ [key(2 * pages)]: doc(2 * pages, 'B') });
      }
    };
    world.tracker.after = (call) => {
      if (call === 'readLoadPage') {
        world.tracker.commit({ [key(2 * pages)]: doc(2 * pages, 'A') });
        pages += 1;
      }
    };
    world.start();
    await world.untilCaughtUp();
    expect(pages).toBeGreaterThanOrEqual(3);
    expect(world.documents).toEqual(world.expected);
    expect(world.replicated).toEqual(world.expected);
  });

  it('L3: a key deleted before its page is read, and one deleted after, are both gone; one moved behind the cursor is not lost', async () => {
    await using world = new World({ loadRows: 3 });
    fill(world, 9);
    let pages = 0;
    world.tracker.after = (call) => {
      if (call === 'readLoadPage') {
        pages += 1;
        if (pages === 1) {
          world.tracker.commit({ [key(7)]: null, [key(1)]: null, [key(8)]: null, '000a': doc(8) });
        }
      }
    };
    world.start();
    await world.untilCaughtUp();
    expect([...world.documents.keys()]).toEqual(['000', '000a', '002', '003', '004', '005', '006']);
    expect(world.documents).toEqual(world.expected);
  });

  it('L3: windows go on between load pages, so the checkpoint moves while loading', async () => {
    await using world = new World({ loadRows: 1 });
    fill(world, 5);
    const checkpoints: bigint[] = [];
    const claims: (bigint | null)[] = [];
    world.tracker.before = (call) => {
      if (call === 'readLoadPage') {
        checkpoints.push(world.stored.meta!.checkpoint);
        claims.push(world.stored.meta!.upTo);
        world.tracker.commit({ [key(0)]: doc(0, checkpoints.length) });
      }
    };
    world.start();
    await world.untilCaughtUp();
    expect(new Set(checkpoints).size).toBeGreaterThan(3);
    expect(new Set(claims)).toEqual(new Set([null]));
    expect(world.documents).toEqual(world.expected);
  });

  it('L3: a kill resumes the load at its cursor', async () => {
    await using world = new World({ loadRows: 2 });
    world.wrap = (manager) => slowLine(manager, world.clock, () => 10);
    fill(world, 20);
    const first = world.start();
    await world.until(() => (world.stored.meta?.cursor?.rows ?? 0) >= 8);
    await world.kill(first);
    const epoch = world.stored.meta!.epoch;
    const after = world.stored.meta!.cursor!.after;
    const pages = (): number => world.tracker.calls.filter((call) => call === 'readLoadPage').length;
    const before = pages();
    world.tracker.commit({ [key(0)]: doc(0, 'late'), [key(19)]: null });
    world.start();
    await world.untilCaughtUp();
    expect(after).not.toBeNull();
    expect(pages() - before).toBeLessThan(9);
    expect(world.stored.meta!.epoch).toBe(epoch);
    expect(world.documents).toEqual(world.expected);
  });

  it('L3: upTo is not claimed while loading, and comes with the first window after the sweep that is not full', async () => {
    await using world = new World({ loadRows: 4, pageRows: 3 });
    fill(world, 12);
    let sweptAt = -1;
    world.tracker.after = (call) => {
      if (call === 'existing') {
        sweptAt = world.tracker.calls.length;
        // The window after the sweep is full, and full again.
        world.tracker.commit(Object.fromEntries(Array.from({ length: 7 }, (_, n) => [key(n), doc(n, 'after the sweep')])));
        world.tracker.after = null;
      }
    };
    world.start();
    await world.until(() => sweptAt >= 0);
    await world.untilCaughtUp();
    const end = world.replica.of('reset').at(-1)!;
    expect(end.phase).toBe('end');
    const windows = world.tracker.calls.slice(sweptAt).filter((call) => call === 'readWindow').length;
    expect(windows).toBeGreaterThanOrEqual(3);
    // All seven are in the load, not in messages after it: live came after the last of those windows.
    expect(world.replica.changes).toEqual([]);
    expect(world.documents).toEqual(world.expected);
  });

  it('L3: going live takes along a position that no script had carried yet: upTo is never above the checkpoint', async () => {
    await using world = new World({ loadRows: 4, pageRows: 3 });
    fill(world, 6);
    world.tracker.after = (call) => {
      if (call === 'existing') {
        // A change that writes nothing: the row was never here.
        world.tracker.commit({ nobody: null });
        world.tracker.after = null;
      }
    };
    const claims: boolean[] = [];
    world.store.listen((_, text) => {
      if (text.includes('"phase":"end"')) {
        const { checkpoint, upTo } = world.stored.meta!;
        claims.push(upTo !== null && upTo <= checkpoint);
      }
    });
    world.start();
    await world.untilCaughtUp();
    expect(claims).toEqual([true]);
  });

  it('L4: the sweep removes what the source no longer has, never by version', async () => {
    await using world = new World({ loadRows: 4 });
    fill(world, 10);
    const first = world.start();
    await world.untilCaughtUp();
    await world.stop(first);
    // History is lost for the rows that vanish: only the sweep can notice them.
    world.tracker.truncate();
    world.tracker.commit({ [key(3)]: doc(3, 'new'), [key(50)]: doc(50) });
    world.start();
    await world.ask('reset');
    await world.until(() => world.replica.loads === 2);
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect([...world.documents.keys()]).toEqual([key(3), key(50)]);
    expect(world.replicated).toEqual(world.expected);
  });

  it('L3: no polling delay lies between load pages', async () => {
    await using world = new World({ loadRows: 1 });
    fill(world, 100);
    const at = world.clock.now();
    world.start();
    await world.untilLive();
    expect(world.clock.now() - at).toBeLessThan(1500);
  });

  it('L3: windows that are always full do not hold up the load', async () => {
    await using world = new World({ loadRows: 1, pageRows: 2 });
    fill(world, 6);
    let pages = 0;
    let value = 0;
    world.tracker.before = (call) => {
      if (call === 'readLoadPage') {
        pages += 1;
      } else if (call === 'readWindow' && pages < 6) {
        value += 1;
        world.tracker.commit({ [key(0)]: doc(0, value), [key(1)]: doc(1, value), [key(2)]: doc(2, value) });
      }
    };
    world.start();
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });

  it('L1: reads are never concurrent and every page is delivered before the next kind of read', async () => {
    await using world = new World({ loadRows: 2, pageRows: 2 });
    world.wrap = (manager) => slowLine(manager, world.clock, () => 30);
    fill(world, 10);
    world.tracker.after = async (call) => {
      if (call === 'readWindow' || call === 'readLoadPage') {
        await world.clock.sleep(20);
      }
    };
    world.start();
    await world.untilLive();
    fill(world, 10, 'again');
    await world.untilCaughtUp();
    expect(world.tracker.mostReading).toBe(1);
    expect(world.documents).toEqual(world.expected);
  });
});
