/** sp_getapplock and sp_releaseapplock, as migration tools and job queues use them. Runs on any SQL Server. */
import sql from 'mssql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let counter = 0;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
});

afterAll(async () => {
  await server.close();
});

interface Session {
  readonly name: string;
  readonly pool: sql.ConnectionPool;
  /** Runs a batch that ends in SELECT … AS r: the value, or the number of its error. */
  run(text: string): Promise<unknown>;
  /** The return value of sp_getapplock. */
  get(resource: string, options?: string): Promise<unknown>;
}

async function connect(): Promise<Session> {
  counter += 1;
  const name = `applock-${process.pid}-${counter}`;
  const pool = await db.session({ appName: name });
  const run = async (text: string): Promise<unknown> => {
    try {
      return ((await pool.request().batch<{ r: unknown }>(text)).recordset ?? [])[0]?.r;
    } catch (error) {
      return `error ${(error as sql.RequestError).number}`;
    }
  };
  return {
    name,
    pool,
    run,
    get: (resource, options = '') =>
      run(
        `DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'${resource}', @LockMode = 'Exclusive', @LockOwner = 'Session' ${options}; SELECT @r AS r`,
      ),
  };
}

const release = (resource: string, owner = 'Session'): string =>
  `DECLARE @r int; EXEC @r = sp_releaseapplock @Resource = N'${resource}', @LockOwner = '${owner}'; SELECT @r AS r`;

async function untilWaiting({ name }: Session): Promise<void> {
  await expect
    .poll(() => db.rows(`SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'${name}' AND status = N'running'`), {
      timeout: 10_000,
    })
    .toHaveLength(1);
}

test('a session holds a name until it has given it back as often as it asked for it', async () => {
  const [one, two] = [await connect(), await connect()];
  expect(await one.get('job')).toBe(0);
  expect(await one.get('job')).toBe(0);
  expect(await two.get('job', ', @LockTimeout = 0')).toBe(-1);
  expect(await two.get('other job', ', @LockTimeout = 0')).toBe(0);
  expect(await one.run(release('job'))).toBe(0);
  expect(await two.get('job', ', @LockTimeout = 10')).toBe(-1);
  const waiting = two.get('job');
  await untilWaiting(two);
  expect(await one.run(release('job'))).toBe(0);
  expect(await waiting).toBe(1);
  expect(await one.run(release('job'))).toBe('error 1223');
  await two.pool.close();
  await expect.poll(() => one.get('job', ', @LockTimeout = 0')).toBe(0);
});

test('a transaction gives it back at its end, whatever the end is', async () => {
  const [one, two] = [await connect(), await connect()];
  const own = "DECLARE @r int; EXEC @r = sp_getapplock N'tran', 'Exclusive', 'Transaction', 0; SELECT @r AS r";
  expect(await one.run(own)).toBe('error 1227');
  for (const end of ['COMMIT', 'ROLLBACK']) {
    expect(await one.run(`BEGIN TRAN; ${own}`)).toBe(0);
    expect(await two.get('tran', ', @LockTimeout = 0')).toBe(-1);
    await one.run(end);
    expect(await two.get('tran', ', @LockTimeout = 0')).toBe(0);
    expect(await two.run(release('tran'))).toBe(0);
  }
  expect(await one.run(`BEGIN TRAN; ${own}`)).toBe(0);
  expect(await one.run(release('tran', 'Transaction'))).toBe(0);
  expect(await two.get('tran', ', @LockTimeout = 0')).toBe(0);
  await one.run('ROLLBACK');
});

test('shared ones stand beside each other, an exclusive one stands alone', async () => {
  const [one, two] = [await connect(), await connect()];
  const shared = "DECLARE @r int; EXEC @r = sp_getapplock N'read', 'Shared', 'Session', 0; SELECT @r AS r";
  expect(await one.run(shared)).toBe(0);
  expect(await two.run(shared)).toBe(0);
  expect(await one.get('read', ', @LockTimeout = 0')).toBe(-1);
  expect(await two.run(release('read'))).toBe(0);
  expect(await one.get('read', ', @LockTimeout = 0')).toBe(0);
});

test('a circle of names and rows is a deadlock: -3, without a rollback', async () => {
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.t VALUES (1)');
  const [one, two] = [await connect(), await connect()];
  await one.run('SET DEADLOCK_PRIORITY LOW; BEGIN TRAN; UPDATE dbo.t SET id = 1');
  expect(await two.get('circle')).toBe(0);
  const waiting = one.get('circle');
  await untilWaiting(one);
  const other = two.run('SELECT id AS r FROM dbo.t');
  expect(await waiting).toBe(-3);
  expect(await one.run('SELECT @@TRANCOUNT AS r')).toBe(1);
  await one.run('ROLLBACK');
  expect(await other).toBe(1);
});

test('the return value comes by RPC too; what makes no sense is -999', async () => {
  const session = await connect();
  const call = async (mode: string): Promise<unknown> =>
    (
      await session.pool
        .request()
        .input('Resource', sql.NVarChar(255), 'rpc')
        .input('LockMode', sql.VarChar(32), mode)
        .input('LockOwner', sql.VarChar(32), 'Session')
        .input('LockTimeout', sql.Int, 0)
        .execute('sp_getapplock')
    ).returnValue as unknown;
  expect(await call('Exclusive')).toBe(0);
  expect(await call('Sideways')).toBe(-999);
});
