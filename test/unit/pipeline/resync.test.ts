import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import type { SectionOptions } from '../../../src/pipeline/section.ts';
import { RECOUNT_MS } from '../../../src/pipeline/sweep-guard.ts';
import { doc, SECTION, World } from './world.ts';

const key = (n: number): string => String(n).padStart(4, '0');
const rows = (count: number, value: number | string = 0): Record<string, ReturnType<typeof doc>> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), doc(n, value)]));

/** A section that is live, and mends by itself what it can. */
async function live(
  count = 20,
  defaults: Partial<SectionOptions> = {},
  options: ConstructorParameters<typeof World>[0] = {},
): Promise<World> {
  const world = new World({ loadRows: 5, ...options });
  world.defaults = { onLostHistory: 'resync', ...defaults };
  world.tracker.commit(rows(count));
  world.start();
  await world.untilCaughtUp();
  return world;
}

async function same(world: World): Promise<void> {
  await world.until(() => world.stored.meta?.state === 'live' && (world.stored.meta.upTo ?? -1n) >= world.tracker.version, 1_200_000);
  expect(world.documents).toEqual(world.expected);
  expect(world.replicated).toEqual(world.expected);
}

/** Retention has passed: what changed meanwhile is in no history. */
function loseHistory(world: World, values: Record<string, ReturnType<typeof doc>> = {}): void {
  world.tracker.untracked(values);
  world.tracker.elsewhere();
  world.tracker.minValid = world.tracker.version;
}

async function result(world: World, id: string): Promise<{ readonly state: string; readonly message: string; readonly code?: string }> {
  const manager = world.manager();
  await world.until(async () => ['done', 'failed'].includes((await manager.operation(SECTION, id))?.state ?? ''), 1_200_000);
  return (await manager.operation(SECTION, id))!;
}

describe('resync', () => {
  it('L3: lost history is mended by ordinary patches under the same epoch, and no replica loads anew', async () => {
    await using world = await live();
    const { epoch } = world.stored.meta!;
    const { length } = world.replica.messages;
    loseHistory(world, { [key(3)]: doc(3, 'x'), new: doc(99) });
    await world.until(() => world.phases.includes('resyncing'));
    await same(world);
    expect(world.stored.meta).toMatchObject({ epoch, cursor: null, state: 'live' });
    expect(world.replica.loads).toBe(1);
    const told = world.replica.messages.slice(length);
    expect(told.filter(({ type }) => type === 'reset')).toEqual([]);
    const changes = told.flatMap((message) => (message.type === 'changes' ? message.changes : []));
    expect(changes.map(({ dataKey, op }) => [dataKey, op])).toEqual([
      [key(3), 'upsert'],
      ['new', 'upsert'],
    ]);
    expect(world.errors).toEqual(['PW-S211']);
    expect(world.resyncs).toEqual(['resync PW-S211']);
  });

  it('L3: while it is resynced heartbeats say so from the first, and upTo comes back with `live` only', async () => {
    await using world = await live();
    const { length } = world.replica.messages;
    loseHistory(world, { [key(3)]: doc(3, 'x') });
    await same(world);
    const told = world.replica.messages.slice(length);
    const begun = told.findIndex((message) => message.type === 'changes' && message.state === 'resyncing');
    const ended = told.findIndex((message) => message.type === 'changes' && message.state === 'live');
    expect(told[begun + 1]).toMatchObject({ type: 'heartbeat', state: 'resyncing', upTo: null, fingerprint: 'f1' });
    for (const message of told.slice(begun, ended)) {
      expect(message).toMatchObject({ upTo: null });
    }
    expect(told[ended]).toMatchObject({ changes: [], upTo: world.stored.meta!.upTo!.toString() });
    expect(told[ended + 1]).toMatchObject({ type: 'heartbeat', state: 'live' });
  });

  it('L3: windows go on while it is resynced, a kill resumes it at its cursor, and rows are read once', async () => {
    await using world = await live(40, { load: { rowsPerSecond: 5 } });
    loseHistory(world, { [key(39)]: doc(39, 'late') });
    await world.until(() => (world.stored.meta?.cursor?.rows ?? 0) >= 10 && world.stored.meta?.state === 'resyncing');
    world.tracker.commit({ [key(0)]: doc(0, 'window') });
    await world.until(() => world.documents.get(key(0)) === JSON.stringify(doc(0, 'window')));
    expect(world.stored.meta!.state).toBe('resyncing');
    const { rows: read } = world.stored.meta!.cursor!;
    await world.kill(world.running[0]!);
    world.tracker.calls.length = 0;
    world.start();
    await same(world);
    expect(world.tracker.calls.filter((call) => call === 'readLoadPage').length).toBeLessThanOrEqual((40 - read) / 5 + 2);
    expect(world.errors).toEqual(['PW-S211']);
  });

  it('L3: what was lost twice is resynced twice', async () => {
    await using world = await live(40, { load: { rowsPerSecond: 5 } });
    loseHistory(world, { [key(1)]: doc(1, 'x') });
    await world.until(() => (world.stored.meta?.cursor?.rows ?? 0) >= 10);
    world.tracker.elsewhere();
    world.tracker.beginVersion = world.tracker.version;
    loseHistory(world, { [key(0)]: doc(0, 'y') });
    await same(world);
    expect(world.resyncs).toEqual(['resync PW-S211', 'resync PW-S211']);
  });

  it('L5: another projection is resynced, and subscribers hear of its fingerprint at once', async () => {
    await using world = await live(20);
    await world.stop(world.running[0]!);
    world.tracker.fingerprint = 'f2';
    world.tracker.keyHash = 'k1';
    world.stored.meta!.source = { ...world.stored.meta!.source!, keyHash: 'k1' };
    const { length } = world.replica.messages;
    world.start();
    await world.until(() => world.resyncs.includes('resync PW-S220'));
    await same(world);
    const beats = world.replica.messages.slice(length).filter(({ type }) => type === 'heartbeat');
    expect(beats[0]).toMatchObject({ state: 'resyncing', fingerprint: 'f2' });
  });

  it.each([
    ['another object', 'PW-S213', (world: World): void => void (world.tracker.objectId = 7)],
    ['a counter below what was written', 'PW-S212', (world: World): void => world.tracker.rewind(0n, rows(20, 'restored'))],
    ['a key of other columns', 'PW-S220', (world: World): void => void Object.assign(world.tracker, { keyHash: 'k2', fingerprint: 'f2' })],
  ])('L5: %s is a new epoch and a replacement', async (_, code, change) => {
    await using world = await live();
    const { epoch } = world.stored.meta!;
    await world.stop(world.running[0]!);
    change(world);
    world.start();
    await world.until(() => world.resyncs.length === 1);
    await same(world);
    expect(world.resyncs).toEqual([`replace ${code}`]);
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.replica.loads).toBe(2);
    expect(world.replica.of('reset').at(-1)).toMatchObject({ phase: 'end', fingerprint: world.tracker.fingerprint });
  });

  it('L5: a counter that was seen below and has overtaken since is a replacement all the same', async () => {
    await using world = await live();
    world.tracker.commit({ [key(1)]: doc(1, 'x') });
    await world.untilCaughtUp();
    world.tracker.rewind(0n, rows(20, 'restored'));
    world.tracker.before = (call) => {
      if (call === 'describe') {
        world.tracker.before = null;
        Array.from({ length: 5 }, () => world.tracker.elsewhere());
      }
    };
    await world.until(() => world.resyncs.length === 1);
    await same(world);
    expect(world.resyncs).toEqual(['replace PW-S212']);
  });

  it('goes over to a new epoch when more than half of the documents differ, where it is', async () => {
    await using world = await live(40);
    const { epoch } = world.stored.meta!;
    loseHistory(world, rows(40, 'all'));
    await same(world);
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.errors).toEqual(['PW-S211', 'PW-S232']);
    expect(world.replica.loads).toBe(2);
    expect(world.replica.changes.length).toBeGreaterThan(20);
    expect(world.replica.changes.length).toBeLessThan(40);
    expect(world.replica.of('reset').at(-2)).toMatchObject({ phase: 'begin', reason: 'resync: 25 of 40 documents differ' });
  });

  it('judges a large section by a quarter of it', async () => {
    await using world = await live(6000, {}, { loadRows: 100 });
    loseHistory(world, rows(6000, 'all'));
    await same(world);
    expect(world.errors).toEqual(['PW-S211', 'PW-S232']);
    expect(world.replica.changes.length).toBe(1500);
  });

  it('onLostHistory stop: stops, and resync by an operator mends it', async () => {
    await using world = await live(20, { onLostHistory: 'stop' });
    loseHistory(world, { [key(3)]: doc(3, 'x') });
    await world.until(() => world.phases.at(-1) === 'stopped PW-S211');
    expect(await result(world, await world.ask('resync'))).toMatchObject({ state: 'done' });
    await same(world);
    expect(world.resyncs).toEqual(['resync asked']);
  });

  it.each(['PW-S205', 'PW-S204'] as const)(
    '%s seen once: what was written meanwhile is looked for when tracking is on again',
    async (code) => {
      await using world = await live();
      world.tracker.fail('describe', new PatchwireError(code, 'off'));
      world.tracker.fail('probe', new PatchwireError('PW-S221', 'NULL'));
      await world.until(() => world.phases.includes(`stopped ${code}`));
      world.tracker.untracked({ [key(2)]: doc(2, 'hidden') });
      await world.until(() => world.resyncs.length > 0);
      await same(world);
      expect(world.resyncs).toEqual(['resync PW-S211']);
    },
  );

  it.each(['PW-S206', 'PW-S209', 'PW-S214'] as const)('NULL is told apart: %s is waited out, and nothing is resynced', async (code) => {
    await using world = await live();
    world.tracker.fail('describe', new PatchwireError(code, 'for a while'));
    world.tracker.fail('probe', new PatchwireError('PW-S221', 'NULL'));
    await world.until(() => world.phases.some((phase) => phase.endsWith(code)));
    world.tracker.commit({ [key(2)]: doc(2, 'after') });
    await same(world);
    expect(world.resyncs).toEqual([]);
  });

  it('a definition that changed while it was followed is described anew at once', async () => {
    await using world = await live();
    const at = world.clock.now();
    world.tracker.fail('probe', new PatchwireError('PW-S230', 'a column came'));
    world.tracker.fingerprint = 'f2';
    await world.until(() => world.resyncs.length === 1);
    expect(world.clock.now() - at).toBeLessThan(10_000);
    await same(world);
  });

  it('a remedy that cannot begin is tried ever later', async () => {
    await using world = await live();
    for (let i = 0; i < 30; i += 1) {
      world.tracker.fail('probe', new PatchwireError('PW-S213', 'another database'));
    }
    const before = world.tracker.calls.length;
    await world.clock.advance(10_000);
    expect(world.tracker.calls.length - before).toBeLessThan(60);
    expect(world.errors.filter((code) => code === 'PW-S213').length).toBeGreaterThan(0);
  });

  it('a section that was never loaded begins anew', async () => {
    await using world = new World();
    world.defaults = { onLostHistory: 'resync', initial: 'none' };
    world.tracker.commit(rows(5));
    world.start();
    await world.untilLive();
    world.tracker.commit({ [key(1)]: doc(1, 'x') });
    await world.until(() => world.documents.size === 1);
    loseHistory(world);
    await world.until(() => world.resyncs.length === 1);
    await world.until(() => world.stored.meta?.state === 'live' && world.documents.size === 0);
    expect(world.resyncs).toEqual(['replace PW-S211']);
  });
});

describe('a sweep that would remove too much', () => {
  /** Truncated with nothing else written: only the row count tells. */
  async function held(defaults: Partial<SectionOptions> = {}): Promise<World> {
    const world = await live(20, defaults);
    world.tracker.truncate();
    await world.until(() => world.stored.meta?.cursor?.held?.missing !== undefined, 1_200_000);
    return world;
  }

  it('L4: waits for an operator and says so everywhere, while windows go on', async () => {
    await using world = await held();
    expect(world.errors).toEqual(['PW-S223', 'PW-S231']);
    expect(world.sweepHeld).toMatchObject({ missing: 20, documents: 20 });
    await world.until(() => world.replica.of('heartbeat').at(-1)?.sweepHeld === 20);
    expect(world.stored.meta).toMatchObject({ state: 'live', cursor: { held: { missing: 20, documents: 20 } } });
    world.tracker.commit({ [key(1)]: doc(1, 'back') });
    await world.until(() => world.documents.get(key(1)) === JSON.stringify(doc(1, 'back')));
    expect(world.documents.size).toBe(20);
  });

  it('L4: survives a kill, and goes on with `resync --confirm`', async () => {
    await using world = await held();
    await world.kill(world.running[0]!);
    world.errors.length = 0;
    world.start();
    await world.until(() => world.errors.includes('PW-S231'));
    expect(await result(world, await world.ask('resync'))).toMatchObject({ state: 'failed', code: 'PW-S231' });
    expect(world.documents.size).toBe(20);
    expect(await result(world, await world.ask('resync', { confirm: 'true' }))).toMatchObject({
      state: 'done',
      message: 'Swept: 20 documents whose rows are gone were removed.',
    });
    await same(world);
    expect(world.sweepHeld).toBeNull();
    await world.until(() => world.replica.of('heartbeat').at(-1)?.sweepHeld === null);
    expect(world.replica.loads).toBe(1);
  });

  it('L4: counts again now and then, and goes on when it is no longer too much', async () => {
    await using world = await held();
    world.tracker.commit(rows(19, 'back'));
    await world.clock.advance(RECOUNT_MS);
    await same(world);
    expect(world.sweepHeld).toBeNull();
    expect(world.documents.size).toBe(19);
  });

  it('L4: of a resync waits too, in its state; once confirmed it goes over to a new epoch when that is more than half', async () => {
    await using world = await live(20);
    world.tracker.truncate();
    world.tracker.elsewhere();
    world.tracker.beginVersion = world.tracker.version;
    await world.until(() => world.stored.meta?.cursor?.held?.missing !== undefined);
    expect(world.stored.meta!.state).toBe('resyncing');
    world.tracker.commit({ [key(5)]: doc(5, 'alive') });
    await world.until(() => world.documents.get(key(5)) === JSON.stringify(doc(5, 'alive')));
    expect(await result(world, await world.ask('resync', { confirm: 'true' }))).toMatchObject({ state: 'done' });
    await same(world);
    expect(world.errors).toEqual(['PW-S211', 'PW-S231', 'PW-S232']);
    expect(world.documents.size).toBe(1);
  });

  it('L4: of a replaced source waits as well; an operator’s reset is itself the confirmation', async () => {
    await using world = await live(20);
    world.tracker.truncate();
    world.tracker.objectId = 7;
    await world.until(() => world.stored.meta?.cursor?.held?.missing !== undefined);
    expect(world.stored.meta!.state).toBe('loading');
    await world.ask('reset');
    await same(world);
    expect(world.documents.size).toBe(0);
  });

  it('L4: what goes while it sweeps counts too', async () => {
    await using world = await live(20, {}, {});
    // Few enough to go by itself; more go as soon as it has counted.
    world.tracker.commit({});
    let looks = 0;
    world.tracker.before = (call) => {
      if (call === 'existing' && (looks += 1) === 2) {
        world.tracker.truncate();
      }
    };
    const gone = [key(1), key(2)];
    const kept = Object.fromEntries(Object.entries(rows(20)).filter(([name]) => !gone.includes(name)));
    world.tracker.truncate();
    world.tracker.untracked(kept);
    await world.until(() => world.stored.meta?.cursor?.held?.missing !== undefined, 1_200_000);
    expect(world.documents.size).toBe(20);
  });

  it('removes up to the configured share by itself', async () => {
    await using world = await live(20, { sweepShare: 0.5 });
    world.tracker.truncate();
    world.tracker.untracked(rows(10));
    await world.until(() => world.documents.size === 10, 1_200_000);
    await same(world);
    expect(world.errors).toEqual(['PW-S223']);
  });

  it('is no obstacle to `once`: it ends, and says why', async () => {
    await using world = await held();
    await world.stop(world.running[0]!);
    const once = world.start({ once: true });
    await world.until(() => once.ended);
    expect(await once.done).toBe('caughtUp');
  });
});

describe('resync by an operator', () => {
  it('L6: reads the whole section anew by patches, tells how far it is, and answers when it is live', async () => {
    await using world = await live(40, { load: { rowsPerSecond: 5 } });
    world.tracker.untracked({ [key(2)]: doc(2, 'x') });
    const id = await world.ask('resync');
    const manager = world.manager();
    const messages = new Set<string>();
    await world.until(async () => {
      const operation = await manager.operation(SECTION, id);
      messages.add(operation?.message ?? '');
      return operation?.state === 'done';
    });
    expect([...messages].filter((text) => /^Resync: \d+ %, \d+ rows, \d+ corrected\.$/.test(text)).length).toBeGreaterThan(1);
    expect([...messages].at(-1)).toBe(
      `Resynced: 40 rows read, 1 documents corrected, 0 removed; live up to version ${world.tracker.version}.`,
    );
    await same(world);
  });

  it('L6: asked twice it joins the one that is running, and says so', async () => {
    await using world = await live(40, { load: { rowsPerSecond: 5 } });
    const first = await world.ask('resync');
    await world.until(() => world.stored.meta?.state === 'resyncing');
    const second = await world.ask('resync');
    const manager = world.manager();
    await world.until(async () => (await manager.operation(SECTION, second))?.message.includes('joined') === true);
    expect((await result(world, second)).message).toBe((await result(world, first)).message);
    expect(world.resyncs).toEqual(['resync asked']);
  });

  it('L6: the leader after a kill answers, having gone on where the other was', async () => {
    await using world = await live(40, { load: { rowsPerSecond: 5 } });
    const id = await world.ask('resync');
    await world.until(() => (world.stored.meta?.cursor?.rows ?? 0) >= 10);
    await world.kill(world.running[0]!);
    world.start();
    expect(await result(world, id)).toMatchObject({ state: 'done', message: /^Resynced: 40 rows/ });
    expect(world.resyncs).toEqual(['resync asked']);
  });

  it('L6: by keys reads just these rows; one that is not there any more is removed', async () => {
    await using world = await live(20);
    world.tracker.untracked(rows(20, 'x'));
    const { length } = world.replica.changes;
    const id = await world.ask('resync', { keys: `${key(3)},${key(5)},nowhere` });
    expect(await result(world, id)).toMatchObject({ state: 'done', message: 'Resynced: 3 rows looked at, 2 corrected.' });
    expect(world.replica.changes.slice(length).map(({ dataKey, op }) => [dataKey, op])).toEqual([
      [key(3), 'upsert'],
      [key(5), 'upsert'],
    ]);
    expect(world.documents.get(key(4))).toBe(JSON.stringify(doc(4)));
  });

  it('L6: by keys removes a row that is gone', async () => {
    await using world = await live(20);
    world.tracker.truncate();
    world.tracker.untracked(Object.fromEntries(Object.entries(rows(20)).slice(1)));
    const id = await world.ask('resync', { keys: key(0) });
    expect(await result(world, id)).toMatchObject({ state: 'done' });
    expect(world.documents.has(key(0))).toBe(false);
    expect(world.replicated).toEqual(world.expected);
  });

  it('L6: by an expression reads the rows that pass it, and leaves the others as they are', async () => {
    const expressions = { "v = 'x'": ({ v }: Record<string, unknown>) => v === 'x' };
    await using world = await live(20, {}, { expressions });
    world.tracker.untracked({ [key(1)]: doc(1, 'x'), [key(2)]: doc(2, 'y') });
    const id = await world.ask('resync', { where: "v = 'x'" });
    expect(await result(world, id)).toMatchObject({ state: 'done', message: 'Resynced: 1 rows looked at, 1 corrected.' });
    expect(world.documents.get(key(1))).toBe(JSON.stringify(doc(1, 'x')));
    expect(world.documents.get(key(2))).toBe(JSON.stringify(doc(2)));
    expect(world.stored.meta!.state).toBe('live');
    expect(await result(world, await world.ask('resync', { where: 'nonsense' }))).toMatchObject({ state: 'failed', code: 'PW-S210' });
    expect(world.phases.at(-1)).toBe('live');
  });

  it('L6: a section that is only followed has nothing to compare with', async () => {
    await using world = new World();
    world.defaults = { initial: 'none' };
    world.start();
    await world.untilLive();
    expect(await result(world, await world.ask('resync'))).toMatchObject({ state: 'failed', code: 'PW-C109' });
  });
});
