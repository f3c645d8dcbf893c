/**
 * Everything that loses a table's history or changes its source, under a running daemon, a real redis-server and a replica: noticed, named once by
 * its code, mended by itself, equal in the end.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { daemonWorld, until } from '../support/daemon-process.ts';
import { testPlaces } from '../support/places.ts';
import { startControlled } from '../support/sandbox.ts';
import { ITEMS, troubled, TroubledWorld } from './redis-troubles-world.ts';

const at = testPlaces(startControlled);

const CREATE = 'CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, A int NOT NULL, T nvarchar(30) NULL)';
const FILL = `INSERT INTO dbo.Items VALUES ${Array.from({ length: 28 }, (_, i) => `(${i + 1}, 0, N'row')`).join(', ')}`;

const nameOf = async (world: TroubledWorld): Promise<string> => {
  const { recordset } = await world.world.pool.request().query<{ name: string }>('SELECT DB_NAME() AS name');
  return recordset[0]?.name ?? '';
};

/** A command of the CLI, in a process of its own, over the same configuration. */
const command = (world: TroubledWorld, ...args: string[]): Promise<CliResult> => world.world.command(...args);

const http = async (world: TroubledWorld, path: string): Promise<unknown> => await (await fetch(`${world.address}${path}`)).json();

/** Waits until the section has been read anew for this reason, and is live. */
async function mended(world: TroubledWorld, reason: string, how: 'resync' | 'replace', times = 1): Promise<void> {
  const series = `patchwire_resyncs_total{section="items",table="dbo.Items",reason="${reason}",how="${how}"} ${times}`;
  let page = '';
  await until(`${series}`, async () => {
    page = await world.metrics();
    return page.includes(series);
  }).catch((error: unknown) => {
    const told = page.split('\n').filter((line) => line.startsWith('patchwire_resyncs_total{'));
    throw new Error(
      `${String(error)}; ${told.join('; ')}\n${world.lines
        .map((line) => JSON.stringify(line))
        .slice(-10)
        .join('\n')}`,
    );
  });
  await until('it is live', () => world.status.phase === 'live');
}

describe('lost history', () => {
  it.each([
    [
      'retention has passed',
      'PW-S211',
      'resync',
      async (world: TroubledWorld): Promise<void> => {
        await world.stop();
        await world.world.sql("UPDATE dbo.Items SET T = N'unseen' WHERE Id = 3", 'DELETE dbo.Items WHERE Id = 4');
        at.server.sandbox.control.cleanUp(await nameOf(world), { table: 'dbo.Items' });
        await world.start();
      },
    ],
    [
      'TRUNCATE while it was behind, and filled again',
      'PW-S211',
      'resync',
      async (world: TroubledWorld): Promise<void> => {
        await world.stop();
        await world.world.sql("UPDATE dbo.Items SET T = N'unseen' WHERE Id = 3", 'TRUNCATE TABLE dbo.Items', FILL);
        await world.start();
      },
    ],
    [
      'TRUNCATE when it was caught up, filled again to the same number',
      'PW-S211',
      'resync',
      async (world: TroubledWorld): Promise<void> => {
        await world.world.sql('TRUNCATE TABLE dbo.Items', FILL, "INSERT INTO dbo.Items VALUES (40, 1, N'new'), (41, 1, N'new')");
      },
    ],
    [
      'tracking off and on',
      'PW-S211',
      'resync',
      async (world: TroubledWorld): Promise<void> => {
        await world.world.sql(
          'ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING',
          "UPDATE dbo.Items SET T = N'hidden' WHERE Id = 5",
          'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
        );
      },
    ],
    [
      'dropped and recreated',
      'PW-S213',
      'replace',
      async (world: TroubledWorld): Promise<void> => {
        await world.world.sql('DROP TABLE dbo.Items', CREATE, 'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING', FILL);
      },
    ],
    [
      'swapped by rename',
      'PW-S213',
      'replace',
      async (world: TroubledWorld): Promise<void> => {
        await world.world.sql(
          CREATE.replace('Items', 'Next'),
          'ALTER TABLE dbo.Next ENABLE CHANGE_TRACKING',
          FILL.replace('Items', 'Next'),
          "EXEC sp_rename 'dbo.Items', 'Before'",
          "EXEC sp_rename 'dbo.Next', 'Items'",
        );
      },
    ],
    [
      'restored while the counter is below the checkpoint',
      'PW-S212',
      'replace',
      async (world: TroubledWorld): Promise<void> => {
        const name = await nameOf(world);
        const state = at.server.sandbox.control.saveState(name);
        await world.change();
        await world.world.equal();
        at.server.sandbox.control.restoreState(name, state);
      },
    ],
    [
      'another database behind the same name',
      'PW-S213',
      'replace',
      async (world: TroubledWorld): Promise<void> => {
        const name = await nameOf(world);
        await world.stop();
        const other = await at.server.freshDatabase();
        for (const batch of [CREATE, 'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING', FILL]) {
          await other.pool.request().batch(batch);
        }
        at.server.sandbox.control.restoreState(name, at.server.sandbox.control.saveState(other.name));
        await world.start();
      },
    ],
    [
      'another projection',
      'PW-S220',
      'resync',
      async (world: TroubledWorld): Promise<void> => {
        await world.stop();
        await world.world.sql('ALTER TABLE dbo.Items ALTER COLUMN T nvarchar(60) NULL');
        await world.start();
      },
    ],
    [
      'another key',
      'PW-S211',
      'replace',
      async (world: TroubledWorld): Promise<void> => {
        await world.stop();
        const { recordset } = await world.world.pool
          .request()
          .query<{ name: string }>("SELECT name FROM sys.key_constraints WHERE parent_object_id = OBJECT_ID(N'dbo.Items')");
        await world.world.sql(
          'ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING',
          `ALTER TABLE dbo.Items DROP CONSTRAINT [${recordset[0]?.name}]`,
          'ALTER TABLE dbo.Items ALTER COLUMN Id smallint NOT NULL',
          'ALTER TABLE dbo.Items ADD PRIMARY KEY (Id)',
          'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
        );
        await world.start();
      },
    ],
  ] as const)('%s: %s, mended by a %s', async (_what, code, how, happens) => {
    await using world = await troubled(at.server, at.redis);
    const epoch = await world.epoch();
    await happens(world);
    await mended(world, code, how);
    await world.endsEqual();
    expect(world.told(code)).toHaveLength(1);
    expect((await world.epoch()) === epoch).toBe(how === 'resync' && world.told('PW-S232').length === 0);
  });
});

describe('what is waited out', () => {
  it('L3: tracking that is seen to be off is named, and what was written meanwhile is looked for', async () => {
    await using world = await troubled(at.server, at.redis);
    await world.world.sql('ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING');
    await world.inTrouble('PW-S205');
    await world.world.sql("UPDATE dbo.Items SET T = N'hidden' WHERE Id = 5", 'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING');
    // A request has the table tried again now, not in a minute.
    await command(world, 'poll', 'items');
    await mended(world, 'PW-S211', 'resync');
    await world.endsEqual();
  });

  it('a permission that is taken away and given back costs nothing but time', async () => {
    const database = await at.server.freshDatabase();
    const [user, password] = [`${database.name}_u`, 'Str0ng!Passw0rd'];
    const { connectionString } = database;
    const connection = connectionString.replace(/User Id=[^;]*/iu, `User Id=${user}`).replace(/Password=[^;]*/iu, `Password=${password}`);
    const own = daemonWorld({ database, redis: at.redis, tables: [{ shape: ITEMS }], connection });
    const grant = `GRANT SELECT, VIEW CHANGE TRACKING ON dbo.Items TO [${user}]`;
    await own.sql(CREATE, 'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING', FILL);
    await own.sql(`CREATE LOGIN [${user}] WITH PASSWORD = N'${password}'`, `CREATE USER [${user}] FOR LOGIN [${user}]`, grant);
    await using world = new TroubledWorld(own);
    await world.start();
    await own.equal();
    const epoch = await world.epoch();
    await own.sql(`REVOKE VIEW CHANGE TRACKING ON dbo.Items FROM [${user}]`, "UPDATE dbo.Items SET T = N'meanwhile' WHERE Id = 2");
    await world.inTrouble('PW-S209');
    await own.sql(grant);
    await command(world, 'poll', 'items');
    await world.endsEqual();
    expect(await world.epoch()).toBe(epoch);
    expect(await world.metrics()).not.toContain('patchwire_resyncs_total{');
  });

  it('a secondary replica is waited out, whatever its versions say', async () => {
    await using world = await troubled(at.server, at.redis);
    const name = await nameOf(world);
    at.server.sandbox.control.setReplicaRole(name, 'secondary');
    onTestFinished(() => at.server.sandbox.control.setReplicaRole(name, 'primary'));
    await world.inTrouble('PW-S214');
    at.server.sandbox.control.setReplicaRole(name, 'primary');
    await world.endsEqual();
    expect(await world.metrics()).not.toContain('patchwire_resyncs_total{');
  });
});

describe('a sweep that would remove too much, and resync by hand', () => {
  it('L4: waits for `resync --confirm`, and says so in log, metrics, /ready, checkpoint show and heartbeats', async () => {
    await using world = await troubled(at.server, at.redis);
    await world.world.sql('TRUNCATE TABLE dbo.Items');
    await until('the sweep waits', () => world.status.sweepHeld?.missing === 30);
    expect(world.told('PW-S231')).toHaveLength(1);
    expect(await world.metrics()).toContain('patchwire_sweep_held_documents{section="items",table="dbo.Items"} 30');
    expect(await http(world, '/ready')).toMatchObject({ status: 'ok', notes: [{ section: 'items', code: 'PW-S231' }] });
    const shown = await command(world, 'checkpoint', 'show', 'items', '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({ state: 'resyncing', sweepHeld: { missing: 30, documents: 30 } });
    expect((await command(world, 'checkpoint', 'list')).stdout).toContain('sweep waits: 30 documents');
    const asked = await command(world, 'resync', 'items');
    expect(asked.code).toBe(1);
    expect(asked.stderr).toContain('PW-S231');
    expect(world.items.replica.size).toBe(30);
    await world.stop();
    await world.start();
    await until('it waits again', () => world.status.sweepHeld?.missing === 30);
    const confirmed = await command(world, 'resync', 'items', '--confirm');
    expect(`${confirmed.code} ${confirmed.stderr}`).toMatch(/^0 /u);
    await until('the replica is empty', () => world.items.replica.size === 0);
    await world.world.equal();
  });

  it('L6: corrects whole sections, keys and expressions, by the daemon or without one', async () => {
    await using world = await troubled(at.server, at.redis);
    const tamper = async (id: number): Promise<void> => {
      // As if it had been lost: nobody but a resync looks at it again.
      await world.world.sql('ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING');
      await world.world.sql(`UPDATE dbo.Items SET T = N'x' WHERE Id = ${id}`, 'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING');
    };
    await world.stop();
    await tamper(3);
    const alone = await command(world, 'resync', 'items', '--json');
    expect(`${alone.code} ${alone.stderr}`).toMatch(/^0 /u);
    expect(JSON.parse(alone.stdout)).toMatchObject({
      section: 'items',
      by: 'self',
      message: expect.stringContaining('1 documents corrected') as string,
    });
    await world.start();
    await world.endsEqual();
    const keys = await command(world, 'resync', 'items', '--keys', '1,2,999');
    expect(keys).toMatchObject({ code: 0, stdout: expect.stringContaining('3 rows looked at, 0 corrected') as string });
    const where = await command(world, 'resync', 'dbo.Items', '--where', "T = 'row' AND Id < 20");
    expect(`${where.code} ${where.stdout}`).toMatch(/^0 Resynced: \d+ rows looked at, 0 corrected/u);
    const wrong = await command(world, 'resync', 'items', '--where', 'GETDATE() > Id');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('PW-S210');
    expect((await command(world, 'resync', 'items', '--keys', '1', '--confirm')).code).toBe(2);
    expect((await command(world, 'resync', 'nothing')).code).not.toBe(0);
    await world.endsEqual();
  });
});
