/**
 * What changes in the tables arrives, as the built daemon delivers it: every sequence of changes that change tracking makes one row of, once
 * in a single read and once step by step; keys that move or are respelled; filters; large transactions; several tables.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DaemonProcess, type DaemonWorld, daemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { testPlaces } from '../support/places.ts';
import { PROFILES, startServer } from '../support/sandbox.ts';

const at = testPlaces(startServer);

const NET: TableShape = { table: 'dbo.Net', section: 'net', key: ['Id'], columns: { Id: 'plain', A: 'plain', B: 'decimal2', T: 'plain' } };
const CHILD: TableShape = { table: 'dbo.Child', section: 'child', key: ['Id'], columns: { Id: 'plain', Parent: 'plain' } };
const WORDS: TableShape = { table: 'dbo.Words', section: 'words', key: ['Word'], columns: { Word: 'plain', N: 'plain' } };

/** What a subscriber is told of a key, in order: `add`, `remove`, or the paths of the patch. */
type Told = Readonly<Record<string, readonly string[]>>;

interface Sequence {
  readonly title: string;
  /** Each a transaction. `k` is the first of ten keys of which `k` to `k + 4` exist, with A = 1. */
  readonly steps: (k: number) => readonly string[];
  /** What is told when all steps are in one read, by the key's distance from `k`. */
  readonly told: Told;
}

const insert = (id: number, a = 7): string => `INSERT INTO dbo.Net VALUES (${id}, ${a}, 1.5, N'new')`;
const update = (id: number, set: string): string => `UPDATE dbo.Net SET ${set} WHERE Id = ${id}`;
const remove = (id: number): string => `DELETE dbo.Net WHERE Id = ${id}`;
const transaction = (...steps: readonly string[]): string => `BEGIN TRANSACTION; ${steps.join('; ')}; COMMIT`;

const SEQUENCES: readonly Sequence[] = [
  { title: '2.2-01 an insert is an add', steps: (k) => [insert(k + 5)], told: { 5: ['add'] } },
  { title: '2.2-02 an update is the columns that changed', steps: (k) => [update(k, 'A = 2')], told: { 0: ['/A'] } },
  { title: '2.2-03 a delete is a remove', steps: (k) => [remove(k)], told: { 0: ['remove'] } },
  { title: '2.2-04 insert, update: one add', steps: (k) => [insert(k + 5), update(k + 5, 'A = 9')], told: { 5: ['add'] } },
  { title: '2.2-05 insert, delete: nothing', steps: (k) => [insert(k + 5), remove(k + 5)], told: {} },
  { title: '2.2-05 insert and delete in one transaction: nothing', steps: (k) => [transaction(insert(k + 5), remove(k + 5))], told: {} },
  { title: '2.2-06 update, delete: one remove', steps: (k) => [update(k, 'A = 2'), remove(k)], told: { 0: ['remove'] } },
  { title: '2.2-07 delete, insert: an update', steps: (k) => [remove(k), insert(k)], told: { 0: ['/A /B /T'] } },
  {
    title: '2.2-07 delete, insert of the same row: nothing',
    steps: (k) => [remove(k), `INSERT INTO dbo.Net VALUES (${k}, 1, 0.5, N'old')`],
    told: {},
  },
  { title: '2.2-08 delete, insert, update: an update', steps: (k) => [remove(k), insert(k), update(k, 'A = 1')], told: { 0: ['/B /T'] } },
  {
    title: '2.2-09 delete, insert, delete, insert: an update',
    steps: (k) => [remove(k), insert(k), remove(k), insert(k, 1)],
    told: { 0: ['/B /T'] },
  },
  {
    title: '2.2-10 insert, delete, insert in one transaction: one add',
    steps: (k) => [transaction(insert(k + 5), remove(k + 5), insert(k + 5))],
    told: { 5: ['add'] },
  },
  { title: '2.2-11 update, update: one update', steps: (k) => [update(k, 'A = 2'), update(k, 'B = 3')], told: { 0: ['/A /B'] } },
  {
    title: '2.2-11 a value that changes and changes back: nothing',
    steps: (k) => [update(k, 'A = 2'), update(k, 'A = 1')],
    told: {},
  },
  {
    title: '2.2-12 a key that changes is a remove and an add',
    steps: (k) => [update(k, `Id = ${k + 5}`)],
    told: { 0: ['remove'], 5: ['add'] },
  },
  {
    title: '2.2-13 keys that shift: the first goes, the last comes, those between are updates',
    steps: (k) => [`UPDATE dbo.Net SET A = Id, Id = Id + 1 WHERE Id BETWEEN ${k} AND ${k + 4}`],
    told: { 0: ['remove'], 1: ['/A'], 2: ['/A'], 3: ['/A'], 4: ['/A'], 5: ['add'] },
  },
  { title: '2.2-14 SET key = key: nothing', steps: (k) => [update(k, 'Id = Id')], told: {} },
  { title: '2.2-15 an update to the same value: nothing', steps: (k) => [update(k, 'A = A')], told: {} },
  { title: '2.2-16 an update of no row: nothing', steps: (k) => [update(k + 9, 'A = 2'), remove(k + 9)], told: {} },
  {
    title: '2.2-17 MERGE: each row as its own action',
    steps: (k) => [
      `MERGE dbo.Net AS t USING (VALUES (${k}, 8), (${k + 5}, 8)) AS s (Id, A) ON t.Id = s.Id
       WHEN MATCHED THEN UPDATE SET A = s.A
       WHEN NOT MATCHED BY TARGET THEN INSERT (Id, A, B, T) VALUES (s.Id, s.A, 0, N'merged')
       WHEN NOT MATCHED BY SOURCE AND t.Id BETWEEN ${k + 1} AND ${k + 2} THEN DELETE;`,
    ],
    told: { 0: ['/A'], 1: ['remove'], 2: ['remove'], 5: ['add'] },
  },
  {
    title: '2.2-19 what is rolled back is nothing',
    steps: (k) => [
      `BEGIN TRANSACTION; ${remove(k)}; ${insert(k + 5)}; ROLLBACK`,
      `BEGIN TRANSACTION; ${update(k + 1, 'A = 4')}; SAVE TRANSACTION half; ${remove(k + 2)}; ROLLBACK TRANSACTION half; COMMIT`,
    ],
    told: { 1: ['/A'] },
  },
  {
    title: '2.2-22 INSERT … SELECT: an add for each row',
    steps: (k) => [`INSERT INTO dbo.Net (Id, A, B, T) SELECT Id + 5, A, B, T FROM dbo.Net WHERE Id BETWEEN ${k} AND ${k + 2}`],
    told: { 5: ['add'], 6: ['add'], 7: ['add'] },
  },
];

describe.each(PROFILES)('net changes, profile %s', (profile) => {
  let world: DaemonWorld;
  let followed: FollowedReplica;
  let daemon: DaemonProcess;
  let quiet: number;

  const told = (from: number, section = followed): Told => {
    const result: Record<string, string[]> = {};
    for (const event of section.events.slice(quiet)) {
      const distance = event.type === 'change' ? Number(event.dataKey) - from : -1;
      if (event.type === 'change' && distance >= 0 && distance < 10) {
        const paths = event.patch.map(({ op, path }) => (path === '' ? op : path));
        (result[distance] ??= []).push(paths.toSorted().join(' '));
      }
    }
    return result;
  };

  beforeAll(async () => {
    at.server.sandbox?.control.setProfile(profile ?? 'implied');
    const database = await at.server.freshDatabase();
    world = daemonWorld({ database, redis: at.redis, tables: [{ shape: NET }, { shape: CHILD }] });
    const base = (k: number): string[] => [0, 1, 2, 3, 4].map((i) => `(${k + i}, 1, 0.5, N'old')`);
    const rows = SEQUENCES.flatMap((_, i) => [...base(100 * (i + 1)), ...base(100_000 + 100 * (i + 1))]);
    await world.sql(
      'CREATE TABLE dbo.Net (Id int NOT NULL PRIMARY KEY, A int NOT NULL, B decimal(10, 2) NOT NULL, T nvarchar(20) NULL)',
      'CREATE TABLE dbo.Child (Id int NOT NULL PRIMARY KEY, Parent int NOT NULL)',
      'ALTER TABLE dbo.Net ENABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.Child ENABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Net VALUES ${rows.join(', ')}, (50, 1, 1, NULL), (51, 1, 1, NULL)`,
      'INSERT INTO dbo.Child VALUES (1, 50), (2, 50), (3, 51)',
    );
    followed = world.follow('net');
    daemon = world.daemon();
    await world.equal();
    // While nobody reads, everything happens: the next daemon finds it in one read.
    await daemon.stop();
    quiet = followed.events.length;
    for (const [i, { steps }] of SEQUENCES.entries()) {
      await world.sql(...steps(100 * (i + 1)));
    }
    daemon = world.daemon();
    await world.caughtUp();
  });

  afterAll(async () => {
    await world?.close();
  });

  it('all of them in one read end equal, by patches alone', async () => {
    expect(await world.differences()).toEqual([]);
    expect(followed.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
  });

  for (const [i, { title, told: expected }] of SEQUENCES.entries()) {
    it(`${title}`, () => {
      expect(told(100 * (i + 1))).toEqual(expected);
    });
  }

  it('each of them step by step ends equal', async () => {
    for (const [i, { title, steps }] of SEQUENCES.entries()) {
      for (const step of steps(100_000 + 100 * (i + 1))) {
        await world.sql(step);
        await world.caughtUp('net');
      }
      expect({ title, equal: followed.replica.state().equal }).toEqual({ title, equal: true });
    }
    expect(await world.differences()).toEqual([]);
  });

  it('an update that changes nothing causes no message at all, and the checkpoint goes beyond it', async () => {
    await world.caughtUp();
    const { seq, tip, checkpoint } = await world.meta('net');
    await world.sql('UPDATE dbo.Net SET A = A, B = B');
    const version = await world.caughtUp();
    const after = await world.meta('net');
    expect({ seq: after['seq'], tip: after['tip'] }).toEqual({ seq, tip });
    expect(BigInt(after['checkpoint'] ?? 0)).toBe(version);
    expect(version).toBeGreaterThan(BigInt(checkpoint ?? 0));
  });

  it('a table that is idle for long advances with the versions of the other', async () => {
    await world.caughtUp();
    const { tip, checkpoint } = await world.meta('child');
    for (let i = 0; i < 20; i += 1) {
      await world.sql(update(51, `A = A + 1`));
    }
    const version = await world.caughtUp();
    const after = await world.meta('child');
    expect(after['tip']).toBe(tip);
    expect(BigInt(after['checkpoint'] ?? 0)).toBe(version);
    expect(version - BigInt(checkpoint ?? 0)).toBe(20n);
    await until('confirmed follows', async () => BigInt((await world.meta('child'))['confirmed'] ?? 0) === version);
  });

  it('two tables that change in one transaction both arrive', async () => {
    await world.sql(transaction(insert(60), 'INSERT INTO dbo.Child VALUES (60, 60)', 'UPDATE dbo.Child SET Parent = 60 WHERE Id = 3'));
    expect(await world.differences()).toEqual([]);
  });
});

describe('text keys', () => {
  let world: DaemonWorld;
  let followed: FollowedReplica;

  beforeAll(async () => {
    const database = await at.server.freshDatabase();
    world = daemonWorld({ database, redis: at.redis, tables: [{ shape: WORDS, entry: { columns: ['Word', 'N'] } }] });
    await world.sql(
      'CREATE TABLE dbo.Words (Word nvarchar(40) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL PRIMARY KEY, N int NOT NULL)',
      'ALTER TABLE dbo.Words ENABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Words VALUES (N'apple', 1), (N'Bread|Butter', 1), (N'ça va', 1), (N'50% off', 1), (N'{x:y}', 1)`,
    );
    followed = world.follow('words');
    world.daemon();
    await world.caughtUp();
  });

  afterAll(async () => {
    await world?.close();
  });

  it('2.2-25 a respelled key is a remove and an add in one message', async () => {
    const before = followed.events.length;
    await world.sql(`UPDATE dbo.Words SET Word = N'APPLE' WHERE Word = N'apple'`);
    expect(await world.differences()).toEqual([]);
    const changes = followed.events.slice(before).filter((event) => event.type === 'change');
    expect(changes.map(({ op, dataKey }) => `${op} ${dataKey}`)).toEqual(['remove apple', 'upsert APPLE']);
    expect(new Set(changes.map(({ seq }) => seq)).size).toBe(1);
  });

  it('a key that is deleted and inserted in another spelling, and one with the signs of the encoding, end as the table has them', async () => {
    await world.sql(
      `DELETE dbo.Words WHERE Word = N'bread|butter'`,
      `INSERT INTO dbo.Words VALUES (N'BREAD|BUTTER', 2)`,
      `UPDATE dbo.Words SET N = 5`,
      `DELETE dbo.Words WHERE Word = N'50% OFF'`,
      `UPDATE dbo.Words SET Word = N'Apple', N = 6 WHERE Word = N'apple'`,
    );
    expect(await world.differences()).toEqual([]);
    expect(followed.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
  });

  it('2.2-24 a column that is added with a default changes no row', async () => {
    const { seq, tip } = await world.meta('words');
    await world.sql('ALTER TABLE dbo.Words ADD Extra int NOT NULL DEFAULT 3', 'UPDATE dbo.Words SET Extra = 4');
    await world.caughtUp();
    const after = await world.meta('words');
    expect({ seq: after['seq'], tip: after['tip'] }).toEqual({ seq, tip });
    expect(await world.differences()).toEqual([]);
  });
});

describe('filters and large transactions', () => {
  const ACTIVE: TableShape = {
    table: 'dbo.Things',
    section: 'active',
    key: ['Shop', 'Id'],
    columns: { Shop: 'plain', Id: 'plain', Status: 'plain', At: 'datetime2' },
    where: "Status <> 'gone'",
  };
  const OTHER: TableShape = { ...NET, table: 'dbo.Other', section: 'other', columns: { Id: 'plain', A: 'plain' } };
  let world: DaemonWorld;
  let followed: FollowedReplica;

  beforeAll(async () => {
    const database = await at.server.freshDatabase();
    world = daemonWorld({
      database,
      redis: at.redis,
      tables: [{ shape: ACTIVE, entry: { filter: "Status <> 'gone'" } }, { shape: OTHER }],
    });
    await world.sql(
      `CREATE TABLE dbo.Things (Shop varchar(10) NOT NULL, Id bigint NOT NULL, Status varchar(10) NOT NULL,
        At datetime2(7) NOT NULL DEFAULT '2026-01-02T03:04:05.1234567', CONSTRAINT PK_Things PRIMARY KEY (Shop, Id))`,
      'CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY, A int NOT NULL)',
      'ALTER TABLE dbo.Things ENABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.Other ENABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Things (Shop, Id, Status) VALUES ('a', 1, 'new'), ('a', 9007199254740993, 'new'), ('b', 1, 'gone'), ('b', 2, 'new')`,
    );
    followed = world.follow('active');
    world.daemon();
    await world.equal();
  });

  afterAll(async () => {
    await world?.close();
  });

  it('a row that leaves the filter is removed, one that enters it is added, one that was never in it is not told', async () => {
    const before = followed.events.length;
    await world.sql(
      transaction(
        `UPDATE dbo.Things SET Status = 'gone' WHERE Shop = 'a' AND Id = 9007199254740993`,
        `UPDATE dbo.Things SET Status = 'new' WHERE Shop = 'b' AND Id = 1`,
        `INSERT INTO dbo.Things (Shop, Id, Status) VALUES ('c', 1, 'gone')`,
      ),
    );
    expect(await world.differences()).toEqual([]);
    const changes = followed.events.slice(before).filter((event) => event.type === 'change');
    expect(changes.map(({ op, dataKey }) => `${op} ${dataKey}`).toSorted()).toEqual(['remove a|9007199254740993', 'upsert b|1']);
  });

  it('one transaction of 100,000 rows arrives whole, while another table goes on', async () => {
    await world.sql(
      `BEGIN TRANSACTION;
       WITH d (n) AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v (n))
       INSERT INTO dbo.Other (Id, A)
       SELECT 1 + a.n + 10 * b.n + 100 * c.n + 1000 * e.n + 10000 * f.n, 1 FROM d AS a CROSS JOIN d AS b CROSS JOIN d AS c CROSS JOIN d AS e CROSS JOIN d AS f;
       COMMIT`,
      `UPDATE dbo.Things SET Status = 'busy' WHERE Shop = 'a' AND Id = 1`,
    );
    expect(await world.differences()).toEqual([]);
    const [row] = (await world.pool.request().query<{ n: number }>('SELECT COUNT(*) AS n FROM dbo.Other')).recordset;
    expect(row?.n).toBe(100_000);
    expect(await world.raw.hlen(`{${world.partition}:other}/index`)).toBe(100_000);
  });
});
