/** The command line from the first table to the last, on `patchwire sandbox` and a real Redis, as an operator would type it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mssql from 'mssql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliOptions, runCli, type RunningCli, startCli } from '../support/cli.ts';
import { privateTestRedis, testRedis, type TestRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PASSWORD = 'Sand-Box-1!';

let redis: TestRedis;
let sandbox: RunningCli;
let connection: string;
let admin: mssql.ConnectionPool;

async function connect(text: string): Promise<mssql.ConnectionPool> {
  const config = mssql.ConnectionPool.parseConnectionString(text) as mssql.config;
  return await new mssql.ConnectionPool({ ...config, pool: { min: 1, max: 1, idleTimeoutMillis: 3_600_000 } }).connect();
}

beforeAll(async () => {
  redis = await testRedis();
  sandbox = startCli(['sandbox', '--password', PASSWORD]);
  connection = await sandbox.line((line) => line.startsWith('Server='));
  admin = await connect(connection);
});

afterAll(async () => {
  await admin?.close();
  await sandbox?.[Symbol.asyncDispose]();
  await redis?.flush();
  await redis?.[Symbol.asyncDispose]();
});

interface World {
  readonly database: string;
  readonly connection: string;
  readonly partition: string;
  readonly file: string;
  readonly cli: CliOptions;
  sql(...batches: string[]): Promise<void>;
}

let databases = 0;

/** A database of its own with one table, a partition, and a configuration without tables. */
async function world(): Promise<World> {
  databases += 1;
  const database = `Desk${databases}`;
  const partition = redis.partition();
  const cwd = temporaryFolder('cli');
  const file = join(cwd, 'cdc.config.yaml');
  const own = connection.replace(/Database=[^;]*/u, `Database=${database}`);
  writeFileSync(
    file,
    `# what is followed
sources:
  desk:
    connection: \${env:PATCHWIRE_MSSQL}
    polling: { ladder: [20ms], confirm: 200ms }
manager: { redis: { url: "${redis.url}" }, partition: ${partition}, heartbeat: 500ms, lease: 2s }
http: { port: 0 }
`,
  );
  const sql = async (...batches: string[]): Promise<void> => {
    for (const batch of batches) {
      await admin.request().batch(batch);
    }
  };
  await sql(
    `CREATE DATABASE [${database}]`,
    `USE [${database}]`,
    `CREATE TABLE dbo.Orders (OrderId int NOT NULL PRIMARY KEY, Status varchar(20) NOT NULL, Total decimal(10, 2) NOT NULL)`,
    `CREATE TABLE dbo.Heap (Id int NOT NULL)`,
    `INSERT INTO dbo.Orders VALUES (1, 'new', 9.90), (2, 'paid', 20.00)`,
  );
  return { database, connection: own, partition, file, cli: { cwd, env: { PATCHWIRE_MSSQL: own } }, sql };
}

/** The batches of a file of sql/, with this world's names in the places that its head names. */
function script(name: string, here: World): string[] {
  const text = readFileSync(fileURLToPath(new URL(`../../sql/${name}`, import.meta.url)), 'utf8');
  return text
    .replaceAll('OrderDesk', here.database)
    .replaceAll(/\[patchwire\]/gu, `[patchwire_${here.database}]`)
    .replaceAll("N'patchwire'", `N'patchwire_${here.database}'`)
    .split(/^GO\s*$/mu)
    .filter((batch) => /^[^-\s]/mu.test(batch));
}

async function enabled(): Promise<World> {
  const here = await world();
  await here.sql(...script('enable.sql', here));
  expect(await runCli(['table', 'add', 'dbo.Orders', '--section', 'orders'], here.cli)).toMatchObject({ code: 0 });
  return here;
}

const documentOf = async (here: World, key: string): Promise<unknown> => {
  const text = await redis.raw.get(`{${here.partition}:orders}:${key}`);
  return text === null ? null : (JSON.parse(text) as unknown);
};

/** A running daemon, and where its HTTP is. */
async function daemon(
  here: World,
): Promise<{ readonly cli: RunningCli; readonly get: (path: string) => Promise<{ status: number; body: string }> }> {
  const cli = startCli(['run'], here.cli);
  const { http } = JSON.parse(await cli.line((line) => line.includes('daemon starts'))) as { http: { host: string; port: number } };
  return {
    cli,
    get: async (path) => {
      const response = await fetch(`http://${http.host}:${http.port}${path}`);
      return { status: response.status, body: await response.text() };
    },
  };
}

describe('patchwire sandbox', () => {
  it('prints exactly one line, a connection string whose database exists, and ends with a signal', async () => {
    await using own = startCli(['sandbox']);
    const line = await own.line(() => true);
    expect(line).toMatch(/^Server=127\.0\.0\.1,[0-9]+;User Id=[^;]+;Password=[^;]+;Encrypt=false;Database=[^;]+$/u);
    const pool = await connect(line);
    const { recordset } = await pool.request().query<{ name: string }>('SELECT DB_NAME() AS name');
    expect(recordset[0]?.name).toBe(/Database=(.*)$/u.exec(line)?.[1]);
    await pool.close();
    own.process.kill('SIGTERM');
    expect(await own.exited()).toMatchObject({ code: 0, stdout: line, stderr: '' });
  });
});

describe('patchwire sandbox --profile --visibility-gap', () => {
  it('3.6: an open view is told of later versions under `live`, and a commit takes as long as its gap', async () => {
    await using own = startCli(['sandbox', '--profile', 'live', '--visibility-gap', '400ms']);
    const line = await own.line(() => true);
    const [writer, reader] = [await connect(line), await connect(line)];
    await writer.request().batch('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON');
    await writer.request().batch('ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON');
    await writer.request().batch('CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.T ENABLE CHANGE_TRACKING');
    const transaction = reader.transaction();
    await transaction.begin(mssql.ISOLATION_LEVEL.SNAPSHOT);
    const ask = async (text: string): Promise<unknown> => (await transaction.request().query(text)).recordset;
    expect(await ask('SELECT Id FROM dbo.T')).toEqual([]);
    const begun = performance.now();
    await writer.request().batch('INSERT INTO dbo.T VALUES (1)');
    // Timers may be early by a millisecond.
    expect(performance.now() - begun).toBeGreaterThan(398);
    expect(await ask('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).toEqual([{ v: '1' }]);
    expect(await ask('SELECT c.Id FROM CHANGETABLE(CHANGES dbo.T, 0) AS c')).toEqual([]);
    await transaction.rollback();
    await Promise.all([writer.close(), reader.close()]);
    own.process.kill('SIGTERM');
    expect(await own.exited()).toMatchObject({ code: 0, stderr: '' });
  });

  it('refuses a profile that it does not have and a gap without a unit, with exit code 2', async () => {
    for (const [flag, value] of [
      ['--profile', 'best'],
      ['--visibility-gap', '50'],
    ] as const) {
      expect(await runCli(['sandbox', flag, value])).toMatchObject({ code: 2, stderr: expect.stringContaining('PW-C109') as string });
    }
  });
});

describe('table add', () => {
  it('proposes the T-SQL that is missing, which makes it work when it is run', async () => {
    const here = await world();
    const off = await runCli(['table', 'add', 'dbo.Orders', '--json'], here.cli);
    expect(off.code).toBe(1);
    const { error } = JSON.parse(off.stderr) as { error: { code: string; details: { statements: string[] } } };
    expect(error.code).toBe('PW-S204');
    await here.sql(...error.details.statements);
    expect(await runCli(['table', 'add', 'dbo.Orders'], here.cli)).toMatchObject({ code: 0, stderr: '' });
    await here.sql('ALTER TABLE dbo.Orders DISABLE CHANGE_TRACKING');
    writeFileSync(here.file, readFileSync(here.file, 'utf8').replace(/tables:[^]*/u, ''));
    const again = await runCli(['table', 'add', 'dbo.Orders'], here.cli);
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ALTER TABLE [dbo].[Orders] ENABLE CHANGE_TRACKING') as string,
    });
    expect(readFileSync(here.file, 'utf8')).not.toContain('tables:');
  });

  it('refuses a table without a primary key, one that is not there, and a column that is not', async () => {
    const here = await world();
    await here.sql(...script('enable.sql', here));
    const before = readFileSync(here.file, 'utf8');
    for (const [args, code] of [
      [['dbo.Heap'], 'PW-S207'],
      [['dbo.Nowhere'], 'PW-S206'],
      [['dbo.Orders', '--exclude', 'Nope'], 'PW-S208'],
      [['dbo.Orders', '--filter', 'Status LIKE'], 'PW-S210'],
    ] as const) {
      expect(await runCli(['table', 'add', ...args], here.cli)).toMatchObject({ code: 1, stderr: expect.stringContaining(code) as string });
    }
    expect(readFileSync(here.file, 'utf8')).toBe(before);
  });

  it('writes the entry as the catalog spells the table, keeps the comments, and refuses it a second time', async () => {
    const here = await world();
    await here.sql(...script('enable.sql', here));
    const added = await runCli(
      ['table', 'add', 'DBO.orders', '--exclude', 'Total', '--filter', "Status <> 'archived'", '--json'],
      here.cli,
    );
    expect(added.code).toBe(0);
    expect(JSON.parse(added.stdout)).toMatchObject({
      table: 'dbo.Orders',
      section: 'Orders',
      key: ['OrderId'],
      columns: ['OrderId', 'Status'],
    });
    const text = readFileSync(here.file, 'utf8');
    expect(text).toContain('# what is followed');
    expect(text).toContain("  - table: dbo.Orders\n    columns:\n      exclude: [Total]\n    filter: Status <> 'archived'\n");
    expect(await runCli(['table', 'add', 'dbo.Orders'], here.cli)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PW-C105') as string,
    });
  });
});

describe('run', () => {
  it('--once loads every table, brings it up to date, and exits with 0', async () => {
    const here = await enabled();
    const first = await runCli(['run', '--once'], here.cli);
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await documentOf(here, '1')).toEqual({ OrderId: 1, Status: 'new', Total: '9.90' });
    await here.sql(`UPDATE dbo.Orders SET Status = 'paid' WHERE OrderId = 1`, 'DELETE dbo.Orders WHERE OrderId = 2');
    expect((await runCli(['run', '--once'], here.cli)).code).toBe(0);
    expect(await documentOf(here, '1')).toEqual({ OrderId: 1, Status: 'paid', Total: '9.90' });
    expect(await documentOf(here, '2')).toBeNull();
    const { stdout } = await runCli(['checkpoint', 'list', '--json'], here.cli);
    expect(JSON.parse(stdout)).toMatchObject([{ section: 'orders', state: 'live', documents: 1 }]);
  });

  it('follows a table: a committed row reaches tail as a patch; a signal ends it with 0 and the lease handed over', async () => {
    const here = await enabled();
    const { cli, get } = await daemon(here);
    await using _daemon = cli;
    await expect.poll(async () => (await get('/ready')).status, { timeout: 60_000 }).toBe(200);
    await using tail = startCli(['tail', '--json'], here.cli);
    await tail.line((line) => line.includes('"type":"live"'));
    await here.sql(`INSERT INTO dbo.Orders VALUES (3, 'new', 1)`, `UPDATE dbo.Orders SET Total = 2.5 WHERE OrderId = 1`);
    const line = await tail.line((text) => text.includes('/Total'));
    expect(JSON.parse(line)).toMatchObject({ dataKey: '1', patch: [{ op: 'replace', path: '/Total', value: '2.50' }] });
    await tail.line((text) => text.includes('"dataKey":"3"'));
    expect((await get('/metrics')).body).toMatch(/patchwire_patches_total\{section="orders",table="dbo\.Orders"\} [1-9]/u);
    cli.process.kill('SIGTERM');
    const { code, stderr, stdout } = await cli.exited();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await redis.raw.exists(`{${here.partition}:orders}/lease`)).toBe(0);
    expect(stdout).not.toContain(PASSWORD);
  });

  it('with onLostHistory: stop a table whose history is lost stops, says so in /ready, and is loaded anew after `checkpoint reset`', async () => {
    const here = await enabled();
    writeFileSync(
      here.file,
      readFileSync(here.file, 'utf8').replace('  - table: dbo.Orders\n', '  - table: dbo.Orders\n    onLostHistory: stop\n'),
    );
    const { cli, get } = await daemon(here);
    await using _daemon = cli;
    await expect.poll(async () => (await get('/ready')).status, { timeout: 60_000 }).toBe(200);
    // A commit moves the version, so that tracking begins at another one when it is switched on again.
    await here.sql(`UPDATE dbo.Orders SET Total = 5 WHERE OrderId = 1`);
    await expect.poll(() => documentOf(here, '1'), { timeout: 60_000 }).toMatchObject({ Total: '5.00' });
    await here.sql(
      'ALTER TABLE dbo.Orders DISABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Orders VALUES (4, 'unseen', 1)`,
      'ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING',
      `UPDATE dbo.Orders SET Total = 7 WHERE OrderId = 1`,
    );
    await expect.poll(async () => (await get('/ready')).body, { timeout: 60_000 }).toMatch(/PW-S2(11|13|21|05)/u);
    expect((await get('/live')).status).toBe(200);
    const reset = await runCli(['checkpoint', 'reset', 'orders', '--yes'], here.cli);
    expect({ code: reset.code, stderr: reset.stderr }).toMatchObject({ code: 0 });
    await expect.poll(async () => (await get('/ready')).status, { timeout: 60_000 }).toBe(200);
    await expect.poll(() => documentOf(here, '4'), { timeout: 60_000 }).toMatchObject({ Status: 'unseen' });
    expect(await documentOf(here, '1')).toMatchObject({ Total: '7.00' });
  });
});

describe('a server that comes late', () => {
  it('is waited for, by name, and then followed', async () => {
    await using late = await privateTestRedis();
    const here = await enabled();
    writeFileSync(here.file, readFileSync(here.file, 'utf8').replace(redis.url, late.url));
    await late.stop();
    const { cli, get } = await daemon(here);
    await using _daemon = cli;
    await cli.line((line) => line.includes(`"what":"Redis at ${new URL(late.url).host}"`));
    expect((await get('/live')).status).toBe(200);
    expect(await get('/ready')).toMatchObject({ status: 503, body: expect.stringContaining('waiting for Redis') as string });
    await late.start();
    await cli.line((line) => line.includes('"reached"'));
    await expect.poll(async () => (await get('/ready')).status, { timeout: 60_000 }).toBe(200);
    cli.process.kill('SIGINT');
    expect(await cli.exited()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a signal while the daemon is loaded', () => {
  it('ends it with 0: nothing was begun', async () => {
    const cwd = temporaryFolder('early');
    const fifo = join(cwd, 'password');
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
    writeFileSync(
      join(cwd, 'cdc.config.yaml'),
      'sources: { shop: { server: 127.0.0.1, port: 1, database: x, user: sa, password: "${file:password}" } }\nmanager: { redis: { url: "redis://127.0.0.1:1" }, partition: p }\ntables: [{ table: dbo.A }]\nhttp: { port: 0 }\n',
    );
    await using cli = startCli(['run'], { cwd });
    // Open once it reads the other end: it waits for what is written.
    const pipe = await open(fifo, 'w');
    cli.process.kill('SIGTERM');
    await pipe.write('hush-hush');
    await pipe.close();
    expect(await cli.exited(30_000)).toMatchObject({ code: 0, signal: null, stdout: '', stderr: 'stopped before anything was begun' });
  });
});

describe('a server that hangs', () => {
  it('G5: does not keep a stop from ending within daemon.shutdown', async () => {
    const here = await enabled();
    await using cli = startCli(['run', '--set', 'daemon.shutdown=20s'], here.cli);
    await cli.line((line) => line.includes('load ended: live'));
    sandbox.process.kill('SIGSTOP');
    try {
      cli.process.kill('SIGTERM');
      // The driver gives a cancellation 5 s to be answered; the request time-out of 30 s plays no part, and a socket that closes none either.
      const { code, stdout } = await cli.exited(60_000);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('daemon stopped') as string });
      expect(stdout).not.toContain('PW-I901');
    } finally {
      sandbox.process.kill('SIGCONT');
    }
  });
});

describe('checkpoint reset without a daemon', () => {
  it('L6: takes the lease, begins the load under a new epoch, and the next daemon ends it', async () => {
    const here = await enabled();
    expect((await runCli(['run', '--once'], here.cli)).code).toBe(0);
    const shown = async (): Promise<Record<string, unknown>> =>
      JSON.parse((await runCli(['checkpoint', 'show', 'orders', '--json'], here.cli)).stdout) as Record<string, unknown>;
    const before = await shown();
    const reset = await runCli(['checkpoint', 'reset', 'orders', '--yes', '--json'], here.cli);
    expect({ code: reset.code, answer: JSON.parse(reset.stdout) as unknown }).toMatchObject({ code: 0, answer: { by: 'self' } });
    expect(await redis.raw.exists(`{${here.partition}:orders}/lease`)).toBe(0);
    const between = await shown();
    expect(between['epoch']).not.toBe(before['epoch']);
    expect((await runCli(['run', '--once'], here.cli)).code).toBe(0);
    expect(await shown()).toMatchObject({ state: 'live', epoch: between['epoch'], documents: 2 });
  });
});

describe('sql/', () => {
  it('G6: enable.sql and login.sql are accepted, give the daemon just enough, and disable.sql takes everything back, the login too', async () => {
    const here = await enabled();
    await here.sql(...script('login.sql', here), `USE [${here.database}]`);
    const user = `patchwire_${here.database}`;
    const least = here.connection.replace(/User Id=[^;]*;Password=[^;]*/u, `User Id=${user};Password=Change-This-Password1!`);
    const followed = await runCli(['run', '--once'], { ...here.cli, env: { PATCHWIRE_MSSQL: least } });
    expect({ code: followed.code, stderr: followed.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await documentOf(here, '2')).toEqual({ OrderId: 2, Status: 'paid', Total: '20.00' });
    const pool = await connect(least);
    await expect(pool.request().batch('DELETE dbo.Orders')).rejects.toMatchObject({ number: 229 });
    await pool.close();
    await here.sql(...script('disable.sql', here));
    await expect(connect(least)).rejects.toMatchObject({ code: 'ELOGIN' });
    const { recordset } = await admin
      .request()
      .query<{ n: number }>(`SELECT COUNT(*) AS n FROM sys.change_tracking_databases WHERE database_id = DB_ID('${here.database}')`);
    expect(recordset[0]?.n).toBe(0);
  });
});
