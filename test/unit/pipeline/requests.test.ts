import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import { doc, liveWorld, slowLine } from './world.ts';

describe('requests', () => {
  it('L6: a poll is taken within a second, however long the ladder, and answered after a round that began later', async () => {
    await using world = await liveWorld();
    await world.clock.advance(300_000);
    const reads = world.tracker.calls.length;
    const at = world.clock.now();
    const id = await world.ask('poll');
    const result = await world.answer(id);
    expect(world.clock.now() - at).toBeLessThanOrEqual(1100);
    expect(result).toMatchObject({ state: 'done', verb: 'poll' });
    expect(world.tracker.calls.length).toBeGreaterThan(reads);
  });

  it('L6: a poll is answered when what its round found is stored', async () => {
    await using world = await liveWorld();
    await world.stop(world.running[0]!);
    world.wrap = (manager) => slowLine(manager, world.clock, () => 700);
    world.start();
    await world.clock.advance(300_000);
    world.tracker.commit({ a: doc(1, 'x') });
    await world.answer(await world.ask('poll'));
    expect(world.documents).toEqual(world.expected);
  });

  it('L6: reset begins a new epoch and a first load, and subscribers load anew', async () => {
    await using world = await liveWorld();
    const { epoch } = world.stored.meta!;
    world.stored.documents.set('a', '{"tampered":true}');
    const id = await world.ask('reset');
    expect(await world.answer(id)).toMatchObject({ state: 'done' });
    await world.until(() => world.replica.loads === 2);
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.replica.of('reset').map(({ phase }) => phase)).toEqual(['begin', 'end', 'begin', 'end']);
    expect(world.documents).toEqual(world.expected);
    world.tracker.commit({ c: doc(3) });
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });

  it('L6: reset to a version reads again from it, without a new epoch', async () => {
    await using world = await liveWorld();
    world.tracker.commit({ a: doc(1, 'x') });
    world.tracker.commit({ b: doc(2, 'y') });
    await world.untilCaughtUp();
    await world.clock.advance(20_000);
    const { epoch } = world.stored.meta!;
    const froms: bigint[] = [];
    const readWindow = world.tracker.readWindow.bind(world.tracker);
    world.tracker.readWindow = (table, options) => {
      froms.push(options.from);
      return readWindow(table, options);
    };
    expect(world.stored.meta!.confirmed).toBe(3n);
    expect(await world.answer(await world.ask('reset', { to: '1' }))).toMatchObject({ state: 'done' });
    await world.until(() => froms.length > 0);
    expect(froms[0]).toBe(1n);
    expect(world.stored.meta!.epoch).toBe(epoch);
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });

  it('L6: reset to a version refuses what history does not reach, what would skip changes, and what is no version', async () => {
    await using world = await liveWorld();
    world.tracker.commit({ a: doc(1, 'x') });
    world.tracker.commit({ a: doc(1, 'y') });
    await world.untilCaughtUp();
    await world.clock.advance(10_000);
    world.tracker.minValid = 2n;
    const before = { ...world.stored.meta! };
    expect(await world.answer(await world.ask('reset', { to: '1' }))).toMatchObject({ state: 'failed', code: 'PW-S211' });
    expect(await world.answer(await world.ask('reset', { to: '99' }))).toMatchObject({ state: 'failed', code: 'PW-C109' });
    expect(await world.answer(await world.ask('reset', { to: '1.5' }))).toMatchObject({ state: 'failed', code: 'PW-C109' });
    expect(world.stored.meta).toMatchObject({ epoch: before.epoch, checkpoint: before.checkpoint, state: 'live' });
    world.tracker.commit({ a: doc(1, 'z') });
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });

  it('L6: a verb that nobody knows is answered as failed', async () => {
    await using world = await liveWorld();
    expect(await world.answer(await world.ask('dance'))).toMatchObject({ state: 'failed', code: 'PW-M317' });
  });

  it('L6: purge deletes the section, tells subscribers, and ends it for good', async () => {
    await using world = await liveWorld();
    await world.ask('purge');
    await world.until(() => world.running[0]!.ended);
    expect(await world.running[0]!.done).toBe('purged');
    expect(world.stored.meta).toBeNull();
    expect(world.documents.size).toBe(0);
    expect(world.replica.messages.at(-1)).toMatchObject({ type: 'removed' });
    await world.clock.advance(60_000);
    expect(world.stored.meta).toBeNull();
  });

  it('L6: purge is done even while SQL Server does not answer', async () => {
    await using world = await liveWorld();
    world.tracker.before = () => Promise.reject(new PatchwireError('PW-S201', 'down'));
    await world.until(() => world.phases.includes('retrying PW-S201'));
    await world.ask('purge');
    await world.until(() => world.running[0]!.ended);
    expect(await world.running[0]!.done).toBe('purged');
  });

  it('L6: requests come one after another, each done once', async () => {
    await using world = await liveWorld();
    const ids = [await world.ask('poll'), await world.ask('reset'), await world.ask('poll')];
    for (const id of ids) {
      expect(await world.answer(id)).toMatchObject({ state: 'done' });
    }
    await world.clock.advance(30_000);
    expect(world.replica.loads).toBe(2);
  });

  it('L6: a request taken before the lead was lost for a moment is answered once', async () => {
    await using world = await liveWorld();
    const answers: string[] = [];
    await world.stop(world.running[0]!);
    world.wrap = (manager) => {
      const progress = manager.progress.bind(manager);
      manager.progress = (section, said) => {
        answers.push(`${said.verb} ${said.state}`);
        return progress(section, said);
      };
      return slowLine(manager, world.clock, () => 300);
    };
    world.start();
    let refusals = 0;
    world.store.intercept = ({ method }) => (method === 'publish' && refusals++ === 0 ? 'before' : null);
    // Up the ladder, so that the poll's own round is the one that finds the change.
    await world.clock.advance(300_000);
    world.tracker.commit({ a: doc(1, 'x') });
    const id = await world.ask('poll');
    expect(await world.answer(id)).toMatchObject({ state: 'done' });
    await world.clock.advance(10_000);
    expect(refusals).toBe(2);
    expect(answers).toEqual(['poll running', 'poll done']);
  });

  it('L6: a stopped section goes on taking requests: a poll fails with its code, a reset mends it', async () => {
    await using world = await liveWorld();
    world.tracker.objectId = 2;
    await world.stop(world.running[0]!);
    world.start();
    await world.until(() => world.phases.includes('stopped PW-S213'));
    const at = world.clock.now();
    expect(await world.answer(await world.ask('poll'))).toMatchObject({ state: 'failed', code: 'PW-S213' });
    expect(world.clock.now() - at).toBeLessThan(3000);
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    await world.until(() => world.replica.loads === 2);
    await world.untilCaughtUp();
    expect(world.stored.meta!.source).toMatchObject({ objectId: 2 });
    expect(world.replicated).toEqual(world.expected);
  });

  it('L6: a purge whose script was lost is done by the same daemon when it leads again', async () => {
    await using world = await liveWorld();
    let lost = 0;
    world.store.intercept = ({ method }) => (method === 'purge' && lost++ === 0 ? 'before' : null);
    await world.ask('purge');
    await world.until(() => world.running[0]!.ended);
    expect(await world.running[0]!.done).toBe('purged');
    expect(lost).toBe(2);
  });

  it('L6: a reset that the source interrupts is done when the source is back, however often it is looked for meanwhile', async () => {
    await using world = await liveWorld();
    for (let n = 0; n < 8; n += 1) {
      world.tracker.fail('describe', new PatchwireError('PW-S201', 'connection lost'));
    }
    const { epoch } = world.stored.meta!;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    expect(world.stored.meta!.epoch).not.toBe(epoch);
  });

  it.each(['resume', 'pause', 'set'])('L6: a %s before it does not keep a reset from mending a torn section', async (verb) => {
    await using world = await liveWorld();
    await world.tearForGood();
    world.stored.meta!.paused = { what: 'load', who: 'x', atMs: 0 };
    const before = await world.ask(verb, { to: '1' });
    const reset = await world.ask('reset');
    expect(await world.answer(before)).toMatchObject({ state: 'failed', code: 'PW-M307' });
    expect(await world.answer(reset)).toMatchObject({ state: 'done' });
    expect(world.stored.meta!.pending).toBe('');
  });

  it('L6: a reset of a torn section that its daemon had taken when it was killed is done by the next', async () => {
    await using world = await liveWorld();
    await world.kill(world.running[0]!);
    Object.assign(world.stored.meta!, { pending: 'torn', leader: 'dead' });
    const id = await world.ask('reset');
    world.stored.operations.set(id, { id, verb: 'reset', state: 'running', message: '', atMs: 0, leader: 'dead' });
    world.start();
    expect(await world.answer(id)).toMatchObject({ state: 'done' });
    await world.untilCaughtUp();
  });

  it('L6: a section that was torn half-way is mended by a reset', async () => {
    await using world = await liveWorld();
    await world.stop(world.running[0]!);
    world.start({ heartbeatMs: 300 });
    await world.untilCaughtUp();
    await world.tearForGood();
    const { loads } = world.replica;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    await world.until(() => world.replica.loads === loads + 1);
    expect(world.documents).toEqual(world.expected);
  });
});
