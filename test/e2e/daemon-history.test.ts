/** History that is lost under `onLostHistory: stop`, a script that stopped half-way, and what an operator does about it: one table stops with its code, the other goes on. */
import mssql from 'mssql';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type DaemonProcess, type DaemonWorld, daemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { testPlaces } from '../support/places.ts';
import { PROFILES, startServer, type TestDatabase } from '../support/sandbox.ts';

const at = testPlaces(startServer);

const shapeOf = (name: string): TableShape => ({
  table: `dbo.${name}`,
  section: name.toLowerCase(),
  key: ['Id'],
  columns: { Id: 'plain', A: 'plain' },
});

const STOP = { onLostHistory: 'stop' } as const;

const CREATE_LOST = 'CREATE TABLE dbo.Lost (Id int NOT NULL PRIMARY KEY, A int NOT NULL)';

let database: TestDatabase;
let world: DaemonWorld;
let daemon: DaemonProcess;
let lost: FollowedReplica;

beforeEach(async () => {
  database = await at.server.freshDatabase();
  world = daemonWorld({
    database,
    redis: at.redis,
    tables: [
      { shape: shapeOf('Lost'), entry: STOP },
      { shape: shapeOf('Kept'), entry: STOP },
    ],
  });
  await world.sql(
    CREATE_LOST,
    'CREATE TABLE dbo.Kept (Id int NOT NULL PRIMARY KEY, A int NOT NULL)',
    'ALTER TABLE dbo.Lost ENABLE CHANGE_TRACKING',
    'ALTER TABLE dbo.Kept ENABLE CHANGE_TRACKING',
    'INSERT INTO dbo.Lost VALUES (1, 1), (2, 1), (3, 1)',
    'INSERT INTO dbo.Kept VALUES (1, 1), (2, 1)',
  );
  lost = world.follow('lost');
  world.follow('kept');
  daemon = world.daemon();
  await world.equal();
});

afterEach(async () => {
  await world.close();
});

/** A world of one table whose rows are older than its tracking: no version will move by itself. It goes with the test. */
async function quietWorld(): Promise<DaemonWorld> {
  const quiet = daemonWorld({ database, redis: at.redis, tables: [{ shape: shapeOf('Quiet'), entry: STOP }] });
  onTestFinished(() => quiet.close());
  await quiet.sql(
    'CREATE TABLE dbo.Quiet (Id int NOT NULL PRIMARY KEY, A int NOT NULL)',
    'INSERT INTO dbo.Quiet VALUES (1, 1), (2, 1)',
    'ALTER TABLE dbo.Quiet ENABLE CHANGE_TRACKING',
  );
  return quiet;
}

/** Waits until /ready names the code for the table that lost. */
async function stoppedWith(code: RegExp): Promise<void> {
  let body = '';
  await until(`/ready says ${code.source}`, async () => {
    ({ body } = await daemon.get('/ready'));
    return code.test(body);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it says ${body}`);
  });
  expect((await daemon.get('/live')).status).toBe(200);
}

/** The other table still arrives; after a reset by the operator the first does too. */
async function goesOnAndHeals(): Promise<void> {
  await world.sql('UPDATE dbo.Kept SET A = A + 1', 'INSERT INTO dbo.Kept VALUES (9, 9)');
  expect(await world.differences('kept')).toEqual([]);
  const { epoch } = await world.meta('lost');
  const reset = await world.command('checkpoint', 'reset', 'lost', '--yes');
  expect(reset).toMatchObject({ code: 0 });
  await world.sql('UPDATE dbo.Lost SET A = A + 10');
  expect(await world.differences()).toEqual([]);
  expect((await world.meta('lost'))['epoch']).not.toBe(epoch);
  await daemon.ready();
}

describe('lost history', () => {
  it('cleanup beyond the checkpoint stops the table with PW-S211', async (context) => {
    context.skip(at.server.sandbox === null, 'cleanup on demand is the sandbox’s');
    await daemon.stop();
    await world.sql('DELETE dbo.Lost WHERE Id = 1', 'UPDATE dbo.Lost SET A = 2 WHERE Id = 2', 'UPDATE dbo.Kept SET A = 2');
    at.server.sandbox?.control.cleanUp(database.name, { table: 'dbo.Lost' });
    daemon = world.daemon();
    await stoppedWith(/"lost"[^}]*PW-S211|PW-S211[^}]*"lost"/u);
    await goesOnAndHeals();
  });

  it('TRUNCATE stops the table with PW-S211', async () => {
    await world.sql('TRUNCATE TABLE dbo.Lost', 'INSERT INTO dbo.Lost VALUES (2, 5), (7, 5)');
    await stoppedWith(/PW-S211/u);
    await goesOnAndHeals();
  });

  it('TRUNCATE is noticed also when nothing changes after it', async () => {
    await world.sql('TRUNCATE TABLE dbo.Lost');
    await stoppedWith(/PW-S211/u);
    await goesOnAndHeals();
  });

  // Under the first profile they have tests of their own.
  it.each(PROFILES.slice(1))('TRUNCATE, and cleanup beyond the checkpoint, stop the table with PW-S211, profile %s', async (profile) => {
    const control = at.server.sandbox?.control;
    onTestFinished(() => control?.setProfile('implied'));
    control?.setProfile(profile ?? 'implied');
    await world.sql('TRUNCATE TABLE dbo.Lost', 'INSERT INTO dbo.Lost VALUES (2, 5), (7, 5)');
    await stoppedWith(/PW-S211/u);
    await goesOnAndHeals();
    await daemon.stop();
    await world.sql('DELETE dbo.Lost WHERE Id = 2', 'UPDATE dbo.Kept SET A = 2');
    control?.cleanUp(database.name, { table: 'dbo.Lost' });
    daemon = world.daemon();
    await stoppedWith(/"lost"[^}]*PW-S211|PW-S211[^}]*"lost"/u);
  });

  it('R6: a TRUNCATE that change tracking shows nowhere is found by the number of rows, and swept', async () => {
    await daemon.stop();
    // The history begins at the current version, before the TRUNCATE and after it: nothing tells but the rows.
    const quiet = await quietWorld();
    const { replica } = quiet.follow('quiet');
    daemon = quiet.daemon('--set', 'limits.sweepShare=1');
    await quiet.equal();
    expect(replica.size).toBe(2);
    await quiet.sql('TRUNCATE TABLE dbo.Quiet');
    await until('the replica is empty', () => replica.size === 0);
    expect(await quiet.differences()).toEqual([]);
    await daemon.ready();
  });

  it('tracking that was switched off and on stops the table with PW-S211', async () => {
    await world.sql(
      'ALTER TABLE dbo.Lost DISABLE CHANGE_TRACKING',
      'DELETE dbo.Lost WHERE Id = 3',
      'ALTER TABLE dbo.Lost ENABLE CHANGE_TRACKING',
      'UPDATE dbo.Lost SET A = 4 WHERE Id = 1',
    );
    await stoppedWith(/PW-S2(11|21)/u);
    await goesOnAndHeals();
  });

  it('R6: rows written while tracking was off stop the table with PW-S211 also when no version shows it', async () => {
    await daemon.stop();
    // The history begins at the current version, before and after: nothing tells but the number of rows.
    const quiet = await quietWorld();
    const { replica, events } = quiet.follow('quiet');
    daemon = quiet.daemon();
    await quiet.equal();
    await quiet.sql(
      'ALTER TABLE dbo.Quiet DISABLE CHANGE_TRACKING',
      'INSERT INTO dbo.Quiet VALUES (3, 1)',
      'ALTER TABLE dbo.Quiet ENABLE CHANGE_TRACKING',
    );
    await stoppedWith(/PW-S211/u);
    expect(replica.size).toBe(2);
    expect(events.filter(({ type }) => type === 'change')).toEqual([]);
    expect(await quiet.command('checkpoint', 'reset', 'quiet', '--yes')).toMatchObject({ code: 0 });
    await until('the replica has what was written', () => replica.size === 3);
    expect(await quiet.differences()).toEqual([]);
    await daemon.ready();
  });

  it('R6: rows that stay uncommitted stop nothing, and cost at most one sweep and one count', async () => {
    const writer = new mssql.Transaction(world.pool);
    await writer.begin(mssql.ISOLATION_LEVEL.READ_COMMITTED);
    onTestFinished(() => writer.rollback().catch(() => {}));
    await writer.request().batch('INSERT INTO dbo.Lost VALUES (8, 1), (9, 1)');
    // A hundred polls and several rounds that ask for the catalog.
    const end = Date.now() + 5000;
    await until('five seconds have passed', () => Date.now() > end);
    const said = (text: string): number => daemon.cli.stdout.filter((line) => line.includes(text)).length;
    expect(said('sweep begins')).toBeLessThanOrEqual(1);
    expect(said('PW-S211')).toBe(0);
    expect((await daemon.get('/ready')).status).toBe(200);
    await writer.commit();
    expect(await world.differences()).toEqual([]);
  });

  it('a table that was dropped and created again stops with PW-S213', async () => {
    await world.sql(
      'DROP TABLE dbo.Lost',
      CREATE_LOST,
      'ALTER TABLE dbo.Lost ENABLE CHANGE_TRACKING',
      'INSERT INTO dbo.Lost VALUES (3, 3), (4, 4)',
    );
    await stoppedWith(/PW-S2(13|06|21)/u);
    await goesOnAndHeals();
  });
});

describe('a script that stopped half-way', () => {
  it('C5: a pending marker is repaired by itself under a new epoch, and told', async () => {
    await daemon.stop();
    const { epoch } = await world.meta('lost');
    await world.raw.hset(`{${world.partition}:lost}/meta`, 'pending', 'half-way');
    daemon = world.daemon();
    await daemon.line(/PW-M307/u);
    await until('a new epoch', async () => (await world.meta('lost'))['epoch'] !== epoch);
    expect(await world.differences()).toEqual([]);
    await daemon.ready();
  });
});

describe('checkpoint reset', () => {
  it('through the running daemon: a new epoch and a first load; the subscriber is told and ends equal', async () => {
    const { epoch } = await world.meta('lost');
    const reset = await world.command('checkpoint', 'reset', 'lost', '--yes', '--json');
    expect(reset).toMatchObject({ code: 0 });
    expect(await world.differences()).toEqual([]);
    expect((await world.meta('lost'))['epoch']).not.toBe(epoch);
    await until('the replica is equal under the new epoch', () => lost.replica.position()?.epoch !== epoch && lost.replica.state().equal);
    expect(lost.events.some(({ type }) => type === 'reset')).toBe(true);
  });

  it('--to reads again from a version: equal rows make no message, and the epoch stays', async () => {
    const from = await world.version();
    await world.sql('UPDATE dbo.Lost SET A = 2', 'DELETE dbo.Lost WHERE Id = 3', 'INSERT INTO dbo.Lost VALUES (4, 4)');
    await world.caughtUp();
    const before = await world.meta('lost');
    const told = lost.events.filter(({ type }) => type === 'change').length;
    const reset = await world.command('checkpoint', 'reset', 'lost', '--to', String(from), '--yes');
    expect(reset).toMatchObject({ code: 0 });
    expect(await world.differences()).toEqual([]);
    const after = await world.meta('lost');
    expect(after['epoch']).toBe(before['epoch']);
    expect(lost.events.filter(({ type }) => type === 'change').length).toBe(told);
    expect(lost.replica.state().counters.reloads).toBe(0);
  });

  it('--to a version that history does not reach, or that is not there yet, is refused and changes nothing', async (context) => {
    context.skip(at.server.sandbox === null, 'cleanup on demand is the sandbox’s');
    await world.sql('UPDATE dbo.Lost SET A = 2', 'UPDATE dbo.Lost SET A = 3');
    await world.caughtUp();
    await until('confirmed follows', async () => BigInt((await world.meta('lost'))['confirmed'] ?? 0) === (await world.version()));
    at.server.sandbox?.control.cleanUp(database.name, { table: 'dbo.Lost' });
    const { tip } = await world.meta('lost');
    for (const version of ['0', '999999']) {
      const reset = await world.command('checkpoint', 'reset', 'lost', '--to', version, '--yes');
      expect({ code: reset.code, stderr: reset.stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/PW-/u) as string });
    }
    expect((await world.meta('lost'))['tip']).toBe(tip);
    expect(await world.differences()).toEqual([]);
  });
});
