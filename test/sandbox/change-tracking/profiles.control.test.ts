/**
 * What nobody documents of the functions of change tracking inside a SNAPSHOT transaction, answered three ways. On a sandbox in this process,
 * started with the profile that is tested.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type sql from 'mssql';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { numbersOf, startControlled } from '../../support/sandbox.ts';

/** Of a reader that began before what happened: which moment it is told of. */
type Told = 'of the view' | 'of now';

interface Profile {
  readonly profile: 'implied' | 'live' | 'worst';
  /** CHANGE_TRACKING_CURRENT_VERSION() in a view. */
  readonly version: Told;
  /** CHANGE_TRACKING_MIN_VALID_VERSION() in a view. */
  readonly minimum: Told;
  /** Whether either of them, asked first, begins the view. */
  readonly fixes: boolean;
}

const PROFILES: readonly Profile[] = [
  { profile: 'implied', version: 'of the view', minimum: 'of the view', fixes: true },
  { profile: 'live', version: 'of now', minimum: 'of now', fixes: false },
  { profile: 'worst', version: 'of now', minimum: 'of the view', fixes: false },
];

const VERSION = 'CHANGE_TRACKING_CURRENT_VERSION()';
const MINIMUM = "CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t'))";

describe.each(PROFILES)('profile $profile', ({ profile, version, minimum, fixes }) => {
  let server: ControlledServer;
  let db: TestDatabase;
  let reader: sql.Transaction;

  beforeAll(async () => {
    server = await startControlled({ profile });
  });

  beforeEach(async () => {
    db = await server.freshDatabase();
    await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.t VALUES (1)');
    reader = (await db.session()).transaction();
    await reader.begin(5);
  });

  afterAll(async () => {
    await server.close();
  });

  async function ask(expression: string): Promise<bigint> {
    const { recordset } = await reader.request().query<{ v: string }>(`SELECT ${expression} AS v`);
    return BigInt(recordset[0]!.v);
  }

  async function rowsSeen(): Promise<number> {
    return (await reader.request().query('SELECT id FROM dbo.t')).recordset.length;
  }

  test(`3.3 inside a view the current version is ${version}`, async () => {
    expect(await rowsSeen()).toBe(1);
    await db.rows('INSERT INTO dbo.t VALUES (2)');
    expect(await ask(VERSION)).toBe(version === 'of now' ? 2n : 1n);
    expect(await rowsSeen()).toBe(1);
    await reader.commit();
  });

  test(`3.3 inside a view the minimum is ${minimum}, in the catalog too`, async () => {
    expect(await rowsSeen()).toBe(1);
    server.sandbox.control.cleanUp(db.name);
    const expected = minimum === 'of now' ? 1n : 0n;
    expect(await ask(MINIMUM)).toBe(expected);
    expect(await ask('(SELECT min_valid_version FROM sys.change_tracking_tables)')).toBe(expected);
    await reader.commit();
    const [after] = await db.rows(`SELECT ${MINIMUM} AS v`);
    expect(after).toEqual({ v: '1' });
  });

  test.each([VERSION, MINIMUM])(`3.3 asked first, %s ${fixes ? 'begins the view' : 'begins no view'}`, async (asked) => {
    await ask(asked);
    await db.rows('INSERT INTO dbo.t VALUES (2)');
    expect(await rowsSeen()).toBe(fixes ? 1 : 2);
    await reader.commit();
  });
});

describe('settings', () => {
  test('3.6 the visibility gap may be there from the start', async () => {
    await using server = await closing(await startControlled({ profile: 'worst', visibilityGap: 600_000 }));
    const db = await server.freshDatabase();
    await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    const writing = (await db.session()).request().batch('INSERT INTO dbo.t VALUES (1)');
    await expect.poll(() => db.rows(`SELECT ${VERSION} AS v`), { timeout: 10_000 }).toEqual([{ v: '1' }]);
    expect(await db.rows('SELECT id FROM dbo.t WITH (READPAST)')).toEqual([]);
    server.sandbox.control.closeGaps();
    await writing;
    expect(await db.rows('SELECT id FROM dbo.t')).toEqual([{ id: 1 }]);
  });

  test('a gap that is no number of milliseconds is refused', async () => {
    await expect(startControlled({ visibilityGap: -1 })).rejects.toThrow(RangeError);
    await using server = await closing(await startControlled());
    expect(() => server.sandbox.control.setVisibilityGap(0.5)).toThrow(RangeError);
  });
});

describe('a secondary replica', () => {
  test('1.5-03, 22117 has no change tracking, says that it is read-only, takes no writes, and may become the primary', async () => {
    await using server = await closing(await startControlled());
    const db = await server.freshDatabase();
    await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.t VALUES (1)');
    const changes = 'SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c';
    const updateability = "SELECT DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS u";
    server.sandbox.control.setReplicaRole(db.name, 'secondary');
    expect(await numbersOf(db.rows(changes))).toEqual([22_117]);
    expect(await numbersOf(db.rows('SELECT v.id FROM CHANGETABLE(VERSION dbo.t, (id), (1)) AS v'))).toEqual([22_117]);
    expect(await db.rows(updateability)).toEqual([{ u: 'READ_ONLY' }]);
    expect(await db.rows('SELECT id FROM dbo.t')).toEqual([{ id: 1 }]);
    expect(await db.errorsOf('INSERT INTO dbo.t VALUES (2)')).toEqual([3906]);
    server.sandbox.control.setReplicaRole(db.name, 'primary');
    expect(await db.rows(updateability)).toEqual([{ u: 'READ_WRITE' }]);
    expect(await db.rows(changes)).toEqual([{ id: 1 }]);
  });
});

/** Closed at the end of its block. */
async function closing(server: ControlledServer): Promise<ControlledServer & AsyncDisposable> {
  return await Promise.resolve({ ...server, [Symbol.asyncDispose]: () => server.close() });
}
