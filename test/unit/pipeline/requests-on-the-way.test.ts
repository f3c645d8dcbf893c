/** What operators ask while something is under way: nothing that was read, cleared or asked for is lost or done twice by it. */
import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import { doc, liveWorld, World } from './world.ts';

describe('requests on the way', () => {
  it('a pause of the load of a live section takes no claim away that waits for a heartbeat', async () => {
    await using world = await liveWorld();
    // Read, proved, and waiting: nothing was written by it.
    const heartbeats = world.replica.of('heartbeat').length;
    await world.until(() => world.replica.of('heartbeat').length > heartbeats);
    world.tracker.elsewhere();
    await world.ask('pause', { what: 'load' });
    await world.until(() => world.stored.meta?.paused !== null, 10_000);
    await world.until(() => world.stored.meta?.upTo === world.tracker.version, 60_000);
    world.tracker.elsewhere();
    await world.ask('resume');
    await world.until(() => world.stored.meta?.paused === null, 10_000);
    await world.until(() => world.stored.meta?.upTo === world.tracker.version, 60_000);
  });

  it('a request that is refused does not take reading back to where the lead began', async () => {
    await using world = await liveWorld();
    for (let i = 0; i < 5; i += 1) {
      world.tracker.commit({ a: doc(1, i) });
      await world.untilCaughtUp();
      await world.clock.advance(10_000);
    }
    // Retention has passed what was current when the lead was taken.
    world.tracker.minValid = world.stored.meta!.confirmed;
    expect(await world.answer(await world.ask('set', { to: 'nonsense' }))).toMatchObject({ state: 'failed', code: 'PW-C109' });
    world.tracker.commit({ a: doc(1, 'on') });
    await world.untilCaughtUp();
    world.store.room = 0;
    world.tracker.uncommittedRows = 60;
    world.tracker.minValid = world.stored.meta!.confirmed;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'failed', code: 'PW-M318' });
    world.tracker.uncommittedRows = 0;
    world.tracker.commit({ a: doc(1, 'and on') });
    await world.untilCaughtUp();
    expect(world.errors).not.toContain('PW-S211');
    expect(world.replicated).toEqual(world.expected);
  });

  it('a reset that is refused while the section loads lets the load go on where it is', async () => {
    await using world = new World({ loadRows: 1 });
    world.tracker.commit(Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${String(n).padStart(2, '0')}`, doc(n)])));
    world.start({ load: { rowsPerSecond: 1 } });
    await world.until(() => (world.stored.meta?.cursor?.rows ?? 0) >= 8);
    world.tracker.fail('describe', new PatchwireError('PW-S208', 'the column is gone'));
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'failed', code: 'PW-S208' });
    await world.clock.advance(1500);
    expect(world.stored.meta!.cursor!.rows).toBeGreaterThanOrEqual(8);
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.tracker.calls.filter((call) => call === 'readLoadPage').length).toBeLessThanOrEqual(22);
  });

  it('a purge that is followed at once by a pause is done', async () => {
    await using world = await liveWorld();
    await world.ask('purge');
    await world.ask('pause');
    await world.until(() => world.running[0]!.ended, 60_000);
    expect(await world.running[0]!.done).toBe('purged');
  });

  it('C5: a section that was torn while it was paused is repaired, stays paused, and is equal only when it was resumed', async () => {
    await using world = await liveWorld();
    await world.answer(await world.ask('pause'));
    await world.kill(world.running[0]!);
    const { epoch } = world.stored.meta!;
    world.stored.meta!.pending = 'publish';
    world.stored.documents.delete('a');
    world.start();
    await world.until(() => world.phases.at(-1) === 'paused' && world.stored.meta!.pending === '');
    expect(world.stored.meta).toMatchObject({ paused: { what: 'all' }, state: 'resyncing', upTo: null });
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    await world.answer(await world.ask('resume'));
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });
});
