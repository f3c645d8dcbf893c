/** checkpoint.store: sqlserver as an operator sets it up: the printed scripts, the least login, the built daemon killed and restarted, a restore, the CLI. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DaemonWorld, daemonWorld, until } from '../support/daemon-process.ts';
import { testPlaces } from '../support/places.ts';
import { startControlled, type TestDatabase } from '../support/sandbox.ts';

const at = testPlaces(startControlled);

const SHAPE = { table: 'dbo.Orders', section: 'orders', key: ['Id'], columns: { Id: 'plain', A: 'plain' } } as const;
const STORE = ['--set', 'checkpoint.store=sqlserver'] as const;
const USER = 'patchwire_e2e';
const PASSWORD = 'Only-For-Tests1!';

async function given(): Promise<{ readonly world: DaemonWorld; readonly database: TestDatabase }> {
  const database = await at.server.freshDatabase();
  const connection = database.connectionString
    .replace(/User Id=[^;]*/u, `User Id=${USER}`)
    .replace(/Password=[^;]*/u, `Password=${PASSWORD}`);
  const world = daemonWorld({ database, redis: at.redis, tables: [{ shape: SHAPE }], connection });
  onTestFinished(() => world.close());
  await world.sql(
    'CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, A int NOT NULL)',
    'ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING',
    'INSERT INTO dbo.Orders VALUES (1, 1), (2, 1), (3, 1)',
  );
  await run(world, database, 'login');
  return { world, database };
}

/** Prints a script and runs it as an administrator. */
async function run(world: DaemonWorld, database: TestDatabase, script: string): Promise<void> {
  const { code, stdout, stderr } = await world.command('sql', script, '--user', USER, '--database', database.name);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // One connection, as a tool that knows GO has: USE counts for the batches after it.
  const session = await database.session();
  try {
    for (const batch of stdout.split(/^GO$/mu).filter((text) => text.trim() !== '')) {
      await session.request().batch(batch.replace('Change-This-Password1!', PASSWORD));
    }
  } finally {
    await session.close();
  }
}

const shown = async (world: DaemonWorld): Promise<Record<string, unknown>> => {
  const { stdout } = await world.command('checkpoint', 'show', 'orders', '--json', ...STORE);
  return JSON.parse(stdout) as Record<string, unknown>;
};

describe('checkpoint.store: sqlserver', () => {
  it('waits for its script by name, then follows, is killed and restarted, and proves a restore that the counter has overtaken', async () => {
    const { world, database } = await given();
    const before = await world.command('config', 'check', '--online', ...STORE);
    expect(before.stdout).toMatch(/FAIL {2}checkpoint store .*PW-S233/u);
    await run(world, database, 'checkpoint-store');
    const killed = world.daemon(...STORE);
    await world.equal();
    await world.sql('UPDATE dbo.Orders SET A = 2 WHERE Id = 1');
    await world.equal();
    await killed.kill();
    await world.sql('UPDATE dbo.Orders SET A = 3 WHERE Id = 1');
    const second = world.daemon(...STORE);
    await world.equal();
    const healthy = await shown(world);
    expect(healthy).toMatchObject({ store: 'sqlserver', row: { epoch: healthy['epoch'], leader: healthy['leader'] } });
    expect(healthy).not.toHaveProperty('proves');
    expect(second.cli.stdout.some((line) => line.includes('PW-S234'))).toBe(false);

    const state = at.server.sandbox.control.saveState(database.name);
    await world.sql('UPDATE dbo.Orders SET A = 99 WHERE Id = 2', 'DELETE dbo.Orders WHERE Id = 3');
    await world.equal();
    await second.stop();
    at.server.sandbox.control.restoreState(database.name, state);
    await world.sql(...Array.from({ length: 12 }, (_, i) => `UPDATE dbo.Orders SET A = ${i} WHERE Id = 1`));
    expect(await shown(world)).toMatchObject({ proves: { code: 'PW-S234' } });
    const third = world.daemon(...STORE);
    await third.line('PW-S234');
    await until('another epoch', async () => (await world.meta('orders'))['epoch'] !== healthy['epoch']);
    await world.equal();
    await third.stop();
    await run(world, database, 'disable');
    const [left] = await database.rows<{ n: number }>("SELECT COUNT(*) AS n FROM sys.schemas WHERE name = 'patchwire'");
    expect(left?.n).toBe(0);
  });
});
