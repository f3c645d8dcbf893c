/** Registering tables as an operator does it: proposals, patterns, change tracking, plans; on `patchwire sandbox` and a real Redis. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mssql from 'mssql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliOptions, runCli, type RunningCli, startCli } from '../support/cli.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let redis: TestRedis;
let sandbox: RunningCli;
let connection: string;
let admin: mssql.ConnectionPool;

beforeAll(async () => {
  redis = await testRedis();
  sandbox = startCli(['sandbox', '--password', 'Sand-Box-1!']);
  connection = await sandbox.line((line) => line.startsWith('Server='));
  const config = mssql.ConnectionPool.parseConnectionString(connection) as mssql.config;
  admin = await new mssql.ConnectionPool({ ...config, pool: { min: 1, max: 1, idleTimeoutMillis: 3_600_000 } }).connect();
});

afterAll(async () => {
  await admin?.close();
  await sandbox?.[Symbol.asyncDispose]();
  await redis?.flush();
  await redis?.[Symbol.asyncDispose]();
});

interface World {
  readonly database: string;
  readonly partition: string;
  readonly file: string;
  readonly cli: CliOptions & { readonly env: Readonly<Record<string, string>> };
  /** The environment of a login that has what `grants` gives and no more. */
  login(...grants: string[]): Promise<CliOptions>;
  sql(...batches: string[]): Promise<void>;
}

let databases = 0;

/** A database with a table that can be followed, one without tracking, one without a key, one whose name needs care; a file without tables. */
async function world({ tracking = true }: { readonly tracking?: boolean } = {}): Promise<World> {
  databases += 1;
  const database = `Tables${databases}`;
  const sql = async (...batches: string[]): Promise<void> => {
    for (const batch of [`USE [${database}]`, ...batches]) {
      await admin.request().batch(batch);
    }
  };
  await admin.request().batch(`CREATE DATABASE [${database}]`);
  await sql(
    'CREATE SCHEMA sales',
    'CREATE TABLE dbo.Orders (OrderId int NOT NULL PRIMARY KEY, Status varchar(20) NOT NULL, Total decimal(10, 2) NOT NULL, Secret nvarchar(40) NULL)',
    'CREATE TABLE dbo.Untracked (Id int NOT NULL PRIMARY KEY)',
    'CREATE TABLE dbo.Heap (Id int NOT NULL)',
    'CREATE TABLE sales.Orders (OrderId int NOT NULL PRIMARY KEY)',
    "CREATE TABLE sales.[Order ]] 'Details] (OrderId int NOT NULL, N int NOT NULL, PRIMARY KEY (OrderId, N))",
    `INSERT INTO dbo.Orders VALUES (1, 'new', 9.90, NULL), (2, 'paid', 20.00, N'x')`,
  );
  if (tracking) {
    await sql(
      `ALTER DATABASE [${database}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)`,
      ...['dbo.Orders', 'sales.Orders', "sales.[Order ]] 'Details]"].map((table) => `ALTER TABLE ${table} ENABLE CHANGE_TRACKING`),
    );
  }
  const partition = redis.partition();
  const cwd = temporaryFolder('tables');
  const file = join(cwd, 'cdc.config.yaml');
  writeFileSync(
    file,
    `# what is followed
sources:
  desk: { connection: "\${env:PATCHWIRE_MSSQL}", polling: { ladder: [20ms], confirm: 200ms } }
manager: { redis: { url: "${redis.url}" }, partition: ${partition}, heartbeat: 500ms, lease: 2s }
http: { port: 0 }
`,
  );
  const own = connection.replace(/Database=[^;]*/u, `Database=${database}`);
  return {
    database,
    partition,
    file,
    sql,
    cli: { cwd, env: { PATCHWIRE_MSSQL: own, PATCHWIRE_REDIS: redis.url } },
    async login(...grants) {
      const user = `guest_${database}`;
      await sql(
        `CREATE LOGIN [${user}] WITH PASSWORD = N'Gu-est-1!'`,
        `CREATE USER [${user}] FOR LOGIN [${user}]`,
        ...grants.map((grant) => `${grant} TO [${user}]`),
      );
      return { cwd, env: { PATCHWIRE_MSSQL: own.replace(/User Id=[^;]*;Password=[^;]*/u, `User Id=${user};Password=Gu-est-1!`) } };
    },
  };
}

const tracked = async ({ database }: World): Promise<readonly string[]> => {
  await admin.request().batch(`USE [${database}]`);
  const { recordset } = await admin
    .request()
    .query<{ name: string }>('SELECT OBJECT_NAME(ct.object_id) AS name FROM sys.change_tracking_tables AS ct ORDER BY name');
  return recordset.map(({ name }) => name);
};

describe('table add with patterns', () => {
  it('shows what they mean and what is skipped and why, and writes nothing without a yes', async () => {
    const here = await world();
    const before = readFileSync(here.file, 'utf8');
    for (const [args, code] of [
      [['--dry-run'], 0],
      [[], 2],
    ] as const) {
      const result = await runCli(['table', 'add', 'dbo.*', 'sales.Order*', ...args], here.cli);
      expect(result.code).toBe(code);
      expect(result.stderr).toMatch(/^add {3}dbo\.Orders as section Orders \(key: OrderId; 4 columns\)$/mu);
      expect(result.stderr).toMatch(/^add {3}sales\.Orders as section sales\.Orders /mu);
      expect(result.stderr).toMatch(/^skip {2}sales\.\[Order \]\] 'Details\]: PW-C105 .*--section/mu);
      expect(result.stderr).toMatch(/^skip {2}dbo\.Heap: PW-S207 it has no primary key$/mu);
      expect(result.stderr).toMatch(/^skip {2}dbo\.Untracked: PW-S205 .*\n +ALTER TABLE \[dbo\]\.\[Untracked\] ENABLE CHANGE_TRACKING/mu);
      expect(readFileSync(here.file, 'utf8')).toBe(before);
    }
  });

  it('registers them with --yes, says what it did as data, and passes over those that are registered', async () => {
    const here = await world();
    const added = await runCli(['table', 'add', 'dbo.Orders', 'sales.Orders', '--yes', '--json'], here.cli);
    expect(added.code).toBe(0);
    expect(JSON.parse(added.stdout)).toMatchObject({
      file: 'cdc.config.yaml',
      dryRun: false,
      added: [
        { table: 'dbo.Orders', section: 'Orders', key: ['OrderId'] },
        { table: 'sales.Orders', section: 'sales.Orders' },
      ],
    });
    const again = await runCli(['table', 'add', '*.Orders', '--yes'], here.cli);
    expect(again).toMatchObject({ code: 0, stdout: 'there is nothing to register' });
    expect(again.stderr).toContain('skip  dbo.Orders: it is registered already, as section Orders');
    expect((await runCli(['config', 'check', '--online'], here.cli)).code).toBe(0);
  });

  it('names the rights that a login lacks, and grants them to that very user', async () => {
    const here = await world();
    const guest = await here.login(
      'GRANT SELECT ON dbo.Orders',
      'GRANT SELECT ON sales.Orders',
      'GRANT VIEW CHANGE TRACKING ON sales.Orders',
    );
    const { code, stderr } = await runCli(['table', 'add', '*.Orders', '--dry-run'], guest);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^add {3}sales\.Orders/mu);
    expect(stderr).toContain(`GRANT VIEW CHANGE TRACKING ON [dbo].[Orders] TO [guest_${here.database}];`);
  });

  it('is refused for a pattern that means nothing, and with options for one table', async () => {
    const here = await world();
    expect(await runCli(['table', 'add', 'nope.*'], here.cli)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PW-S206 no table matches nope.*') as string,
    });
    expect(await runCli(['table', 'add', 'dbo.*', '--filter', 'a = 1'], here.cli)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--filter') as string,
    });
  });

  it('writes into the last file that has tables', async () => {
    const here = await world();
    const over = join(here.cli.cwd ?? '', 'over.yaml');
    writeFileSync(over, 'tables: []\n');
    writeFileSync(join(here.cli.cwd ?? '', 'top.yaml'), 'log: { level: warn }\n');
    const before = readFileSync(here.file, 'utf8');
    const files = ['cdc.config.yaml', 'over.yaml', 'top.yaml'].flatMap((file) => ['--config', file]);
    const { stdout } = await runCli(['table', 'add', 'dbo.Orders', ...files], here.cli);
    expect(stdout).toContain('in over.yaml');
    expect(readFileSync(over, 'utf8')).toContain('- table: dbo.Orders');
    expect(readFileSync(here.file, 'utf8')).toBe(before);
  });
});

describe('table enable', () => {
  it('prints a script that does it, and changes nothing', async () => {
    const here = await world({ tracking: false });
    const { code, stdout } = await runCli(['table', 'enable', 'dbo.*', '--print', '--retention', '3d'], here.cli);
    expect(code).toBe(0);
    expect(await tracked(here)).toEqual([]);
    expect(stdout).toContain('-- dbo.Heap is left out: it has no primary key.');
    await here.sql(...stdout.split(/^GO$/mu).filter((batch) => /^[A-Z]/mu.test(batch)));
    expect(await tracked(here)).toEqual(['Orders', 'Untracked']);
  });

  it('without names means every registered table, and stands in the audit', async () => {
    const here = await world();
    expect((await runCli(['table', 'add', 'dbo.Orders'], here.cli)).code).toBe(0);
    await here.sql('ALTER TABLE dbo.Orders DISABLE CHANGE_TRACKING');
    expect(await runCli(['table', 'enable', '--yes'], here.cli)).toMatchObject({
      code: 0,
      stdout: 'change tracking is on for dbo.Orders',
    });
    expect(await tracked(here)).toContain('Orders');
    const { stdout } = await runCli(['audit', '--json'], here.cli);
    expect(JSON.parse(stdout)).toMatchObject([
      { command: 'table enable', table: 'dbo.Orders', outcome: 'done', arguments: { source: 'desk' } },
      { command: 'table add', section: 'Orders', outcome: 'done' },
    ]);
  });

  it('runs it under the login of the environment, for the database too, and never touches what is on', async () => {
    const here = await world({ tracking: false });
    const first = await runCli(['table', 'enable', 'dbo.Orders', '--snapshot', '--yes'], here.cli);
    expect(first).toMatchObject({ code: 0, stdout: 'change tracking is on for dbo.Orders' });
    expect(first.stderr).toMatch(
      /ran {3}ALTER DATABASE .*SNAPSHOT[^]*ran {3}ALTER DATABASE .*7 DAYS[^]*ran {3}ALTER TABLE \[dbo\]\.\[Orders\]/u,
    );
    const second = await runCli(['table', 'enable', 'dbo.*', '--yes', '--json'], here.cli);
    expect(JSON.parse(second.stdout)).toMatchObject({
      ran: true,
      on: ['dbo.Orders'],
      enabled: ['dbo.Untracked'],
      statements: [expect.stringContaining('[Untracked]')],
    });
    expect(await runCli(['table', 'enable', 'dbo.*', '--yes'], here.cli)).toMatchObject({
      code: 0,
      stdout: 'there is nothing to switch on',
    });
    expect(await tracked(here)).toEqual(['Orders', 'Untracked']);
  });

  it('is refused without ALTER, and prints what an administrator runs; without a terminal it needs --yes', async () => {
    const here = await world({ tracking: false });
    const guest = await here.login('GRANT SELECT ON dbo.Orders');
    const refused = await runCli(['table', 'enable', 'dbo.Orders', '--yes'], guest);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /PW-S209 The login may not ALTER the database Tables\d+, dbo\.Orders: nothing was changed\.[^]*An administrator runs:\n +ALTER DATABASE[^]*ALTER TABLE \[dbo\]\.\[Orders\]/u,
    );
    expect(await runCli(['table', 'enable', 'dbo.Orders'], here.cli)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('PW-C110') as string,
    });
    expect(await tracked(here)).toEqual([]);
  });
});

describe('what the servers know', () => {
  it('table list and table show tell it; config check --online tells every problem at once', async () => {
    const here = await world();
    await runCli(['table', 'add', 'dbo.Orders', '--exclude', 'Secret'], here.cli);
    expect((await runCli(['run', '--once'], here.cli)).code).toBe(0);
    writeFileSync(here.file, `${readFileSync(here.file, 'utf8')}  - table: dbo.Untracked\n  - table: dbo.Heap\n  - table: dbo.Nope\n`);
    const list = JSON.parse((await runCli(['table', 'list', '--online', '--json'], here.cli)).stdout) as unknown;
    expect(list).toMatchObject([
      { table: 'dbo.Orders', rows: 2, tracking: 'on', redis: { state: 'live', documents: 2 } },
      { table: 'dbo.Untracked', tracking: 'off', redis: { state: null } },
      { table: 'dbo.Heap', tracking: 'off' },
      { table: 'dbo.Nope', rows: null, tracking: 'no table' },
    ]);
    const show = await runCli(['table', 'show', 'Orders', '--json'], here.cli);
    expect(show.code).toBe(0);
    expect(JSON.parse(show.stdout)).toMatchObject({
      source: {
        table: 'dbo.Orders',
        rows: 2,
        columns: [
          { name: 'OrderId', type: 'int', key: 1, published: 'OrderId: number' },
          { name: 'Status', type: 'varchar(20)', key: null, published: 'Status: text' },
          { name: 'Total', type: 'decimal(10,2)', published: 'Total: text of digits' },
        ],
      },
      redis: { state: 'live', documents: 2 },
    });
    const check = await runCli(['config', 'check', '--online'], here.cli);
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(
      /ok {4}dbo\.Orders[^]*FAIL {2}dbo\.Untracked .*PW-S205[^]*ALTER TABLE[^]*FAIL {2}dbo\.Heap .*PW-S207[^]*FAIL {2}dbo\.Nope .*PW-S206[^]*3 problems/u,
    );
  });

  it('a server out of reach leaves blanks, one error and 69', async () => {
    const here = await world();
    await runCli(['table', 'add', 'dbo.Orders'], here.cli);
    const away = { ...here.cli, env: { ...here.cli.env, PATCHWIRE_MANAGER__REDIS__URL: 'redis://127.0.0.1:1' } };
    const { code, stdout, stderr } = await runCli(['table', 'list', '--online'], away);
    expect({ code, stderr }).toMatchObject({ code: 69, stderr: expect.stringMatching(/^PW-M301 /u) as string });
    expect(stdout).toMatch(/dbo\.Orders +Orders +- +2 +- +on +- +-/u);
  });

  it('config plan --online asks Redis whether the fingerprint changes, and SQL Server how much is to be loaded', async () => {
    const here = await world();
    await runCli(['table', 'add', 'dbo.Orders'], here.cli);
    expect((await runCli(['run', '--once'], here.cli)).code).toBe(0);
    const text = readFileSync(here.file, 'utf8');
    const plan = async (next: string): Promise<readonly Record<string, string>[]> => {
      writeFileSync(join(here.cli.cwd ?? '', 'next.yaml'), next);
      const { stdout } = await runCli(['config', 'plan', 'next.yaml', '--online', '--json'], here.cli);
      return (JSON.parse(stdout) as { steps: Record<string, string>[] }).steps;
    };
    expect(await plan(`${text}    columns: [Status, OrderId, Total, Secret]\n`)).toMatchObject([
      { cost: 'restart', detail: expect.stringContaining('2 documents') as string },
    ]);
    expect(await plan(`${text}    columns: { exclude: [Secret] }\n`)).toMatchObject([
      { cost: 'reset', detail: expect.stringMatching(/PW-S220.*2 documents.*2 rows/u) as string },
    ]);
    expect(await plan(`${text}  - table: sales.Orders\n    section: more\n`)).toMatchObject([
      { cost: 'load', detail: expect.stringContaining('0 rows') as string },
    ]);
    expect(await plan(text.replace(/tables:[^]*/u, ''))).toMatchObject([
      { cost: 'purge', detail: expect.stringContaining('2 documents') as string },
    ]);
  });
});

describe('init --from-database', () => {
  it('proposes the tables with keys, rows and memory, the others in comments with the reason and the T-SQL, and passes config check', async () => {
    const here = await world();
    const { code, stdout } = await runCli(['init', '--from-database', '--output', 'new.yaml', '--name', here.partition], here.cli);
    expect(code).toBe(0);
    expect(stdout).toMatch(/dbo\.Orders +Orders +OrderId +2 +\d+ +\d+ bytes/u);
    const text = readFileSync(join(here.cli.cwd ?? '', 'new.yaml'), 'utf8');
    expect(text).toMatch(/# 2 rows, key OrderId; about \d+ bytes a document, \d+ bytes in Redis\n {2}- table: dbo\.Orders\n/u);
    expect(text).toMatch(/# dbo\.Heap \(0 rows\) cannot be followed: PW-S207 .*\n {2}# - table: dbo\.Heap\n/u);
    expect(text).toMatch(
      /# dbo\.Untracked .*PW-S205 .*an administrator runs:\n {2}# +ALTER TABLE \[dbo\]\.\[Untracked\].*\n {2}# - table: dbo\.Untracked/u,
    );
    expect(text).not.toContain('Sand-Box');
    const check = await runCli(['config', 'check', '--online', '--config', 'new.yaml'], here.cli);
    expect({ code: check.code, stdout: check.stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('(1 source, 2 tables)') as string,
    });
  });

  it('writes nothing where the server is out of reach, and a proposal in comments where tracking is off', async () => {
    const here = await world({ tracking: false });
    const away = {
      ...here.cli,
      env: { PATCHWIRE_MSSQL: 'Server=127.0.0.1,1;Database=x;User Id=u;Password=hush-hush;Encrypt=false;Connect Timeout=2' },
    };
    expect(await runCli(['init', '--from-database', '--output', 'new.yaml'], away)).toMatchObject({ code: 69 });
    expect(existsSync(join(here.cli.cwd ?? '', 'new.yaml'))).toBe(false);
    expect(await runCli(['init', '--from-database', '--output', 'new.yaml'], here.cli)).toMatchObject({ code: 0 });
    expect(readFileSync(join(here.cli.cwd ?? '', 'new.yaml'), 'utf8')).toMatch(/PW-S204[^]*ALTER DATABASE \[Tables/u);
  });

  it.each([400, 900])('estimates the memory of %i rows in Redis to within a fifth', async (count) => {
    const here = await world();
    const rows = Array.from({ length: count }, (_, i) => `(${i + 100}, 'status ${i % 7}', ${i}.25, N'${'x'.repeat(i % 40)}')`);
    await here.sql('DELETE dbo.Orders', `INSERT INTO dbo.Orders VALUES ${rows.join(', ')}`);
    const init = await runCli(['init', '--from-database', '--output', 'new.yaml', '--name', here.partition, '--json'], here.cli);
    const { tables } = JSON.parse(init.stdout) as { tables: { table: string; rows: number; memory: { totalBytes: number } }[] };
    const estimate = tables.find(({ table }) => table === 'dbo.Orders');
    const run = await runCli(['run', '--once', '--config', 'new.yaml', '--set', 'http.port=0'], here.cli);
    expect(run.code).toBe(0);
    const prefix = `{${here.partition}:Orders}`;
    const keys = await redis.raw.keys(`${prefix}:*`);
    const usage = async (key: string): Promise<number> => Number(await redis.raw.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
    // MEMORY USAGE counts a key's entry in the keyspace but not the bucket that points to it.
    const documents = (await Promise.all(keys.map(usage))).reduce((sum, bytes) => sum + bytes, 0) + keys.length * 12;
    const real = documents + (await usage(`${prefix}/index`));
    expect(keys).toHaveLength(count);
    expect(estimate).toMatchObject({ rows: count });
    expect((estimate?.memory.totalBytes ?? 0) / real).toBeGreaterThan(0.8);
    expect((estimate?.memory.totalBytes ?? 0) / real).toBeLessThan(1.2);
  });
});
