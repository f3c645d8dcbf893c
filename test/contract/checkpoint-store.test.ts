/** The checkpoint store in SQL Server, with the table and the rights of sql/checkpoint-store.sql and nothing more. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fillScript } from '../../src/cli/sql-scripts.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { PatchwireError } from '../../src/model/errors.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import type { CheckpointRow, CheckpointStore } from '../../src/source/checkpoint-store.ts';
import { CHECKPOINT_APPLICATION_NAME, sqlServerCheckpointStore } from '../../src/source/sqlserver/checkpoint-store.ts';
import { startServer, type TestDatabase, type TestServer } from '../support/sandbox.ts';

let server: TestServer;
let database: TestDatabase;
const USER = 'checkpoint_writer';
const PASSWORD = 'Only-For-Tests1!';
const { signal } = new AbortController();

const script = (): string =>
  fillScript(readFileSync(new URL('../../sql/checkpoint-store.sql', import.meta.url), 'utf8'), {
    database: database.name,
    tables: [],
    user: USER,
    retention: '',
  });

async function runScript(): Promise<void> {
  for (const batch of script().split(/^GO$/mu)) {
    await database.rows(batch);
  }
}

function storeOf(partition: string, lockTimeoutMs = 5000): CheckpointStore {
  const connection = database.connectionString
    .replace(/User Id=[^;]*/u, `User Id=${USER}`)
    .replace(/Password=[^;]*/u, `Password=${PASSWORD}`);
  const logger = createLogger({ level: 'silent', pretty: false });
  const store = sqlServerCheckpointStore({
    source: 'shop',
    partition,
    connection,
    lockTimeoutMs,
    requestTimeoutMs: 30_000,
    clock: systemClock,
    logger,
  });
  onTestFinished(() => store[Symbol.asyncDispose]());
  return store;
}

const row = (changes: Partial<CheckpointRow> = {}): CheckpointRow => ({
  epoch: 'e1',
  checkpoint: 9_007_199_254_740_993n,
  confirmed: 5n,
  leader: 'me',
  mark: 1n,
  originMark: 1n,
  ...changes,
});

const failureOf = async (promise: Promise<unknown>): Promise<PatchwireError> => {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PatchwireError);
  return error as PatchwireError;
};

beforeAll(async () => {
  server = await startServer();
  database = await server.freshDatabase();
  await database.rows(`CREATE LOGIN ${USER} WITH PASSWORD = N'${PASSWORD}', DEFAULT_DATABASE = [${database.name}]`);
  await database.rows(`CREATE USER ${USER} FOR LOGIN ${USER}`);
});

afterAll(async () => {
  await database?.rows(`USE [master]; DROP LOGIN ${USER}`).catch(() => undefined);
  await server?.close();
});

describe('the checkpoint store in SQL Server', () => {
  it('without its script says which one, and how it is printed', async () => {
    const error = await failureOf(storeOf('app').read('orders', { signal }));
    expect(error).toMatchObject({ code: 'PW-S233', retry: 'never' });
    expect(error.hint).toContain('sql/checkpoint-store.sql');
    expect(error.hint).toContain('patchwire sql checkpoint-store');
    expect((await failureOf(storeOf('app').create('orders', row(), { signal }))).code).toBe('PW-S233');
  });

  it('keeps one row for each partition and section, and writes only over the row that is expected', async () => {
    await runScript();
    await runScript();
    const store = storeOf('app');
    expect(await store.read('orders', { signal })).toBeNull();
    expect(await store.replace('orders', { leader: 'me', mark: 1n }, row({ mark: 2n }), { signal })).toBe(false);
    expect(await store.create('orders', row(), { signal })).toBe(true);
    expect(await store.create('orders', row({ mark: 7n }), { signal })).toBe(false);
    expect(await store.create('Orders', row({ mark: 20n }), { signal })).toBe(true);
    expect(await storeOf('other').create('orders', row({ mark: 30n }), { signal })).toBe(true);
    expect(await store.read('orders', { signal })).toMatchObject(row());
    expect(await store.replace('orders', { leader: 'you', mark: 1n }, row({ mark: 2n }), { signal })).toBe(false);
    expect(await store.replace('orders', { leader: 'me', mark: 2n }, row({ mark: 3n }), { signal })).toBe(false);
    const next = row({ epoch: '', leader: 'you', mark: 9_007_199_254_740_994n, originMark: 2n, confirmed: 9_007_199_254_740_995n });
    expect(await store.replace('orders', { leader: 'me', mark: 1n }, next, { signal })).toBe(true);
    const found = await store.read('orders', { signal });
    expect(found).toMatchObject(next);
    expect(Math.abs((found?.updatedAtMs ?? 0) - Date.now())).toBeLessThan(600_000);
    expect(await store.read('Orders', { signal })).toMatchObject({ mark: 20n });
    expect(await storeOf('other').read('orders', { signal })).toMatchObject({ mark: 30n });
  });

  it('may do nothing else: no row can be deleted, no table seen or made', async () => {
    await runScript();
    const session = await database.session({ user: USER, password: PASSWORD });
    const numberOf = (text: string): Promise<number> =>
      session
        .request()
        .batch(text)
        .then(
          () => 0,
          ({ number = -1 }: { number?: number }) => number,
        );
    try {
      expect(await numberOf('DELETE patchwire.checkpoints')).toBe(229);
      expect(await numberOf('CREATE TABLE patchwire.more (Id int NOT NULL)')).not.toBe(0);
      expect(await numberOf('DROP TABLE patchwire.checkpoints')).not.toBe(0);
      expect(await numberOf('ALTER TABLE patchwire.checkpoints ENABLE CHANGE_TRACKING')).not.toBe(0);
    } finally {
      await session.close();
    }
  });

  it('a right that was taken away is told with what is lacking, by reading and by writing', async () => {
    await runScript();
    await database.rows(`REVOKE UPDATE ON OBJECT::patchwire.checkpoints FROM ${USER}`);
    const store = storeOf('rights');
    expect(await failureOf(store.read('orders', { signal }))).toMatchObject({ code: 'PW-S233', details: { lacking: 'UPDATE' } });
    expect(await failureOf(store.replace('orders', { leader: 'me', mark: 1n }, row(), { signal }))).toMatchObject({ code: 'PW-S233' });
    await runScript();
    expect(await store.read('orders', { signal })).toBeNull();
  });

  it('a table that is change-tracked is refused: every checkpoint would be a change', async () => {
    await runScript();
    await database.rows('ALTER TABLE patchwire.checkpoints ENABLE CHANGE_TRACKING');
    try {
      const error = await failureOf(storeOf('tracked').read('orders', { signal }));
      expect(error).toMatchObject({ code: 'PW-S233', hint: 'ALTER TABLE patchwire.checkpoints DISABLE CHANGE_TRACKING;' });
    } finally {
      await database.rows('ALTER TABLE patchwire.checkpoints DISABLE CHANGE_TRACKING');
    }
  });

  it('moves no version of change tracking', async () => {
    await runScript();
    const version = async (): Promise<unknown> => (await database.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'))[0]?.['v'];
    const before = await version();
    const store = storeOf('feedback');
    await store.create('orders', row(), { signal });
    await store.replace('orders', { leader: 'me', mark: 1n }, row({ mark: 2n }), { signal });
    expect(await version()).toBe(before);
  });

  it('a row that another session holds is waited for no longer than the lock time-out', async () => {
    await runScript();
    const store = storeOf('locked', 100);
    await store.create('orders', row(), { signal });
    const session = await database.session();
    try {
      await session.request().batch("BEGIN TRANSACTION; UPDATE patchwire.checkpoints SET mark = mark WHERE partition_key = 'locked'");
      const error = await failureOf(store.replace('orders', { leader: 'me', mark: 1n }, row({ mark: 2n }), { signal }));
      expect(error).toMatchObject({ code: 'PW-S215', retry: 'backoff' });
    } finally {
      await session.close();
    }
    expect(await store.replace('orders', { leader: 'me', mark: 1n }, row({ mark: 2n }), { signal })).toBe(true);
  });

  it.skipIf(process.env['PATCHWIRE_TEST_MSSQL'] !== undefined)(
    'a secondary replica is refused by its name, and the connection has one',
    async () => {
      await runScript();
      const store = storeOf('secondary');
      await store.create('orders', row(), { signal });
      expect(server.sandbox?.control.sessions().map(({ appName }) => appName)).toContain(CHECKPOINT_APPLICATION_NAME);
      server.sandbox?.control.setReplicaRole(database.name, 'secondary');
      try {
        expect(await failureOf(store.read('orders', { signal }))).toMatchObject({ code: 'PW-S214' });
        expect(await failureOf(store.replace('orders', { leader: 'me', mark: 1n }, row(), { signal }))).toMatchObject({ code: 'PW-S214' });
      } finally {
        server.sandbox?.control.setReplicaRole(database.name, 'primary');
      }
    },
  );
});
