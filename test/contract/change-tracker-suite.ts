/** What any SQL Server must do for the change tracker: R1 to R9 through the real driver. Every test has a database of its own. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ChangePage, RowState } from '../../src/model/change.ts';
import type { PollPacing } from '../../src/source/change-tracker.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { never, Rigs, selection } from './change-tracker-rig.ts';

/** Waits as long as it is told, for real. */
export const pacing = (ms: number): PollPacing => ({
  wait: (outcome) => (outcome === 'full' ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))),
});

const TRACKED = 'ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF)';
const ITEMS = [`CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL)`, `ALTER TABLE dbo.Items ${TRACKED}`];

export function changeTrackerSuite(server: () => SqlServerConnection): void {
  const rigs = new Rigs(server);
  afterEach(() => rigs[Symbol.asyncDispose]());
  const short = (rows: readonly RowState[]) => rows.map(({ dataKey, document }) => [dataKey, document]);

  describe('windows', () => {
    it('R2: a page has each changed row once, with its document or without', async () => {
      const { database, describe: look, window } = await rigs.start(ITEMS);
      const table = await look('Items');
      await database.run("INSERT dbo.Items VALUES (1, N'a'), (2, N'b'), (3, N'c')");
      await database.run("UPDATE dbo.Items SET Name = N'x' WHERE Id = 2");
      await database.run('DELETE dbo.Items WHERE Id = 3');
      const page = await window(table, table.version);
      expect(page.full).toBe(false);
      expect(page.to).toBe(table.version + 3n);
      expect(short(page.rows)).toEqual([
        ['1', { Id: 1, Name: 'a' }],
        ['2', { Id: 2, Name: 'x' }],
        ['3', null],
      ]);
      expect(page.rows.map(({ changeVersion }) => changeVersion - table.version)).toEqual([1n, 2n, 3n]);
    });

    it('R2: pages by rows go on by version and key, also inside one version', async () => {
      const { database, describe: look, window, changes } = await rigs.start(ITEMS, { limits: { pageRows: 4 } });
      const table = await look('Items');
      await database.run(`INSERT dbo.Items VALUES ${Array.from({ length: 10 }, (_, i) => `(${i + 1}, N'n')`).join(', ')}`);
      await database.run("INSERT dbo.Items VALUES (11, N'm')");
      const first = await window(table, table.version);
      expect(first).toMatchObject({ full: true, last: { version: table.version + 1n, dataKey: '4' } });
      expect((await changes(table, table.version)).map(({ dataKey }) => dataKey)).toEqual([
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
        '8',
        '9',
        '10',
        '11',
      ]);
    });

    it('R2: pages by bytes are cut, checked, and leave nothing open', async () => {
      const {
        database,
        describe: look,
        window,
        changes,
        openTransactions,
      } = await rigs.start(
        [`CREATE TABLE dbo.Fat (Id int NOT NULL PRIMARY KEY, Text nvarchar(max) NOT NULL)`, `ALTER TABLE dbo.Fat ${TRACKED}`],
        { limits: { pageBytes: 20_000 } },
      );
      const table = await look('Fat');
      await database.run(`INSERT dbo.Fat VALUES ${Array.from({ length: 30 }, (_, i) => `(${i + 1}, REPLICATE(N'x', 3000))`).join(', ')}`);
      const first = await window(table, table.version);
      expect(first.full).toBe(true);
      expect(first.rows.length).toBeGreaterThanOrEqual(1);
      expect(first.rows.length).toBeLessThan(15);
      const all = await changes(table, table.version);
      expect(all.map(({ dataKey }) => dataKey)).toEqual(Array.from({ length: 30 }, (_, i) => String(i + 1)));
      expect(await openTransactions()).toBe(0);
    });

    it('R2: a value above maxDocument is flagged and not read', async () => {
      const {
        database,
        describe: look,
        window,
        load,
      } = await rigs.start(
        [
          `CREATE TABLE dbo.Fat (Id int NOT NULL PRIMARY KEY, Text nvarchar(max) NULL, Bin varbinary(max) NULL)`,
          `ALTER TABLE dbo.Fat ${TRACKED}`,
        ],
        { maxDocumentBytes: 1000 },
      );
      const table = await look('Fat');
      await database.run("INSERT dbo.Fat VALUES (1, REPLICATE(N'x', 1000), NULL), (2, REPLICATE(N'x', 1001), NULL), (3, NULL, 0x00FF)");
      for (const rows of [(await window(table, table.version)).rows, await load(table)]) {
        expect(rows.map(({ document }) => (document === null ? null : Object.keys(document).length))).toEqual([3, null, 3]);
        expect(rows.map(({ oversizeBytes }) => oversizeBytes)).toEqual([undefined, 2002, undefined]);
        expect(rows[2]?.document).toEqual({ Id: 3, Text: null, Bin: 'AP8=' });
      }
    });

    it('a row that left the filter comes without its document; a load does not have it', async () => {
      const { database, describe: look, window, load, tracker } = await rigs.start(ITEMS);
      const table = await look('Items', { filter: "Name <> 'gone'" });
      await database.run("INSERT dbo.Items VALUES (1, N'a'), (2, N'gone'), (3, NULL)");
      expect(short((await window(table, table.version)).rows)).toEqual([
        ['1', { Id: 1, Name: 'a' }],
        ['2', null],
        ['3', null],
      ]);
      expect(short(await load(table))).toEqual([['1', { Id: 1, Name: 'a' }]]);
      expect(await tracker.existing(table, ['1', '2', '4'], { signal: never })).toEqual([true, false, false]);
    });

    it('the row spells the data key; change tracking keeps the old spelling, which is the same identity', async () => {
      const {
        database,
        describe: look,
        window,
        tracker,
      } = await rigs.start([
        `CREATE TABLE dbo.Codes (Code nvarchar(20) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL PRIMARY KEY, N int NOT NULL)`,
        `ALTER TABLE dbo.Codes ${TRACKED}`,
      ]);
      const table = await look('Codes');
      await database.run("INSERT dbo.Codes VALUES (N'abc', 1)");
      await database.run("UPDATE dbo.Codes SET Code = N'ABC' WHERE Code = N'abc'");
      const rows = (await window(table, table.version)).rows.filter(({ document }) => document !== null);
      expect(rows).toMatchObject([{ dataKey: 'ABC', identity: 'abc', document: { Code: 'ABC', N: 1 } }]);
      expect(rows[0]).not.toHaveProperty('formerIdentity');
      const same = (a: string, b: string): Promise<boolean> => tracker.sameKey(table, a, b, { signal: never });
      expect(await same('abc', 'ABC')).toBe(true);
      expect(await same('abc', 'abd')).toBe(false);
    });
  });

  describe('keys that SQL Server compares by rules', () => {
    it.each([
      ['varbinary(8)', '0x01', '0x0100'],
      ['datetimeoffset(3)', "'2026-01-31T00:00:00+00:00'", "'2026-01-31T05:30:00+05:30'"],
      ['varchar(8) COLLATE Latin1_General_CI_AI', "'e'", "'\u00c9 '"],
    ])('a respelled %s is one row before and after, and gone when it is deleted', async (type, first, second) => {
      const rig = await rigs.start([
        `CREATE TABLE dbo.Keyed (K ${type} NOT NULL PRIMARY KEY, N int NULL)`,
        `ALTER TABLE dbo.Keyed ${TRACKED}`,
      ]);
      const table = await rig.describe('Keyed');
      await rig.database.run(`INSERT dbo.Keyed VALUES (${first}, 1)`);
      const [before] = await rig.changes(table, table.version);
      await rig.database.run(`UPDATE dbo.Keyed SET K = ${second} WHERE K = ${first}`);
      const after = (await rig.changes(table, table.version)).filter(({ document }) => document !== null);
      const [loaded] = await rig.load(table);
      expect(after).toMatchObject([{ identity: before?.identity, dataKey: loaded?.dataKey, document: loaded?.document }]);
      expect(loaded?.dataKey).not.toBe(before?.dataKey);
      expect(loaded?.identity).toBe(before?.identity);
      await rig.database.run('DELETE dbo.Keyed');
      const gone = await rig.changes(table, table.version);
      expect(gone.map(({ identity, document }) => ({ identity, document }))).toEqual(
        gone.map(() => ({ identity: before?.identity, document: null })),
      );
    });

    it('L4: keys under another collation than the database are found', async () => {
      const rig = await rigs.start([
        `CREATE TABLE dbo.Keyed (K nvarchar(20) COLLATE Latin1_General_100_CS_AS NOT NULL PRIMARY KEY)`,
        `ALTER TABLE dbo.Keyed ${TRACKED}`,
      ]);
      const table = await rig.describe('Keyed');
      await rig.database.run("INSERT dbo.Keyed VALUES (N'a'), (N'B')");
      expect(await rig.tracker.existing(table, ['a', 'A', 'B'], { signal: never })).toEqual([true, false, true]);
    });
  });

  describe('probes', () => {
    it('R6: one round tells the version, and of each table identity, history and rows', async () => {
      const { database, describe: look, tracker } = await rigs.start(ITEMS);
      const table = await look('Items');
      await database.run("INSERT dbo.Items VALUES (1, N'a'), (2, N'b')");
      const { version, tables } = await tracker.probe({ catalog: true, signal: never });
      expect(version).toBe(table.version + 1n);
      expect(tables?.get('dbo.Items')).toEqual({
        objectId: table.identity.objectId,
        beginVersion: BigInt(table.identity.beginVersion),
        minValidVersion: 0n,
        definition: table.definition,
        rows: 2,
      });
      tracker.forget(table);
      expect((await tracker.probe({ catalog: true, signal: never })).tables?.size).toBe(0);
    });

    it('R6: a TRUNCATE, which moves no counter, is seen by the probe and refused by the next read', async () => {
      const { database, describe: look, window, tracker } = await rigs.start(ITEMS);
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      await database.run('TRUNCATE TABLE dbo.Items');
      const { tables } = await tracker.probe({ catalog: true, signal: never });
      expect(tables?.get('dbo.Items')).toMatchObject({ beginVersion: table.version, rows: 0 });
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S211' });
    });
  });

  describe('checks', () => {
    it('R3: tracking switched off and on again, a new table of the name, no tracking at all', async () => {
      const { database, describe: look, window } = await rigs.start(ITEMS);
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      await database.run('ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING');
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S205' });
      await database.run(`ALTER TABLE dbo.Items ${TRACKED}`);
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S211' });
      await database.run('DROP TABLE dbo.Items');
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S230' });
      await expect(look('Items')).rejects.toMatchObject({ code: 'PW-S206' });
      for (const batch of ITEMS) {
        await database.run(batch);
      }
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S213' });
    });

    it('R3: a version that lies ahead of the counter is a rewound source', async () => {
      const { describe: look, window } = await rigs.start(ITEMS);
      const table = await look('Items');
      await expect(window(table, table.version + 1n)).rejects.toMatchObject({ code: 'PW-S212' });
    });

    it.each([
      ['PW-S206', 'Nothing', {}],
      ['PW-S205', 'Untracked', {}],
      ['PW-S207', 'Keyless', {}],
      ['PW-S208', 'Items', { columns: ['Id', 'Nope'] }],
      ['PW-S208', 'Items', { json: ['Nope'] }],
      ['PW-S219', 'Items', { json: ['Id'] }],
      ['PW-S210', 'Items', { filter: 'Id >' }],
    ] as const)('describing refuses with %s: %s %j', async (code, name, rest) => {
      const { describe: look } = await rigs.start([
        ...ITEMS,
        'CREATE TABLE dbo.Untracked (Id int NOT NULL PRIMARY KEY)',
        'CREATE TABLE dbo.Keyless (Id int NOT NULL)',
      ]);
      await expect(look(name, rest)).rejects.toMatchObject({ code });
    });

    it('opening refuses a database without change tracking, and a login that fails', async () => {
      const { database, another } = await rigs.start([]);
      const wrong = another({ connection: { ...database.connection, password: 'not this one' } });
      await expect(wrong.open({ signal: never })).rejects.toMatchObject({ code: 'PW-S202' });
      await expect(rigs.start([], {}, { tracking: false })).rejects.toMatchObject({ code: 'PW-S204' });
    });

    it('a login without VIEW CHANGE TRACKING or SELECT is told what it lacks', async () => {
      const { database, another } = await rigs.start(ITEMS);
      const login = `${database.name}_reader`;
      await database.run(`CREATE LOGIN [${login}] WITH PASSWORD = N'Str0ng!Passw0rd'`);
      try {
        await database.run(`CREATE USER [${login}] FOR LOGIN [${login}]`);
        await database.run(`GRANT SELECT ON dbo.Items TO [${login}]`);
        const tracker = another({ connection: { ...database.connection, user: login, password: 'Str0ng!Passw0rd' } });
        const look = (): Promise<unknown> => tracker.describe(selection('Items'), { signal: never });
        await expect(look()).rejects.toMatchObject({ code: 'PW-S209' });
        await database.run(`GRANT VIEW CHANGE TRACKING ON dbo.Items TO [${login}]`);
        await expect(look()).resolves.toMatchObject({ fullName: 'dbo.Items' });
        await tracker[Symbol.asyncDispose]();
      } finally {
        // The sandbox forgets its logins with the process and has no DROP LOGIN.
        await database.run(`DROP LOGIN [${login}]`).catch(() => {});
      }
    });

    it('R2: without SNAPSHOT in the database reads fall back, with a warning, unless SNAPSHOT was asked for', async () => {
      const rig = await rigs.start(ITEMS, {}, { snapshot: false });
      const table = await rig.describe('Items');
      expect(table.isolation).toBe('readCommitted');
      expect(table.warnings).toHaveLength(1);
      await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
      expect((await rig.window(table, table.version)).rows).toHaveLength(1);
      const strict = rig.another({ isolation: 'snapshot' });
      await expect(strict.describe(selection('Items'), { signal: never })).rejects.toMatchObject({ code: 'PW-S227' });
    });

    it('R2: SNAPSHOT that is taken away later is named', async () => {
      const { database, describe: look, window } = await rigs.start(ITEMS);
      const table = await look('Items');
      await database.run(`ALTER DATABASE [${database.name}] SET ALLOW_SNAPSHOT_ISOLATION OFF`);
      await expect(window(table, table.version)).rejects.toMatchObject({ code: 'PW-S227' });
    });

    it('L3: the projection makes the fingerprint, the rows do not', async () => {
      const { database, describe: look } = await rigs.start(ITEMS);
      const { fingerprint } = (await look('Items')).identity;
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      expect((await look('Items')).identity.fingerprint).toBe(fingerprint);
      expect((await look('Items', { filter: 'Id > 0' })).identity.fingerprint).not.toBe(fingerprint);
      expect((await look('Items', { columns: ['Id'] })).identity.fingerprint).not.toBe(fingerprint);
      expect((await look('Items', { json: ['Name'] })).identity.fingerprint).not.toBe(fingerprint);
      await database.run('ALTER TABLE dbo.Items ADD Extra int NULL');
      expect((await look('Items')).identity.fingerprint).not.toBe(fingerprint);
    });
  });

  describe('counting rows', () => {
    it.each(['snapshot', 'readCommitted'] as const)('R6: counts what is committed, at one version (%s)', async (isolation) => {
      const rig = await rigs.start(ITEMS, { isolation, limits: { lockTimeoutMs: 200 } });
      await rig.database.run("INSERT dbo.Items VALUES (1, N'a'), (2, N'b')");
      const table = await rig.describe('Items', { filter: "Name <> 'b'" });
      const count = () => rig.tracker.countRows(table, { signal: never });
      expect(await count()).toEqual({ rows: 2, version: table.version });
      const writer = await rig.database.transaction();
      await writer.request().batch("INSERT dbo.Items VALUES (3, N'c')");
      const meanwhile = await count().catch((error: unknown) => error);
      expect(meanwhile).toMatchObject(
        isolation === 'snapshot' ? { rows: 2, version: table.version } : { code: 'PW-S215', retry: 'backoff' },
      );
      await writer.rollback();
      expect(await count()).toEqual({ rows: 2, version: table.version });
      expect(await rig.openTransactions()).toBe(0);
    });

    it('R6: a count during which the version moved is none', async () => {
      const rig = await rigs.start([...ITEMS, 'CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY)', `ALTER TABLE dbo.Other ${TRACKED}`], {
        isolation: 'readCommitted',
        limits: { lockTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
      });
      const table = await rig.describe('Items');
      const writer = await rig.database.transaction();
      await writer.request().batch("INSERT dbo.Items VALUES (1, N'a')");
      let ended = false;
      const counting = rig.tracker.countRows(table, { signal: never }).finally(() => (ended = true));
      await expect.poll(() => rig.openTransactions(), { timeout: 20_000 }).toBeGreaterThan(1);
      await rig.database.run('INSERT dbo.Other VALUES (1)');
      expect(ended).toBe(false);
      await writer.rollback();
      expect(await counting).toBeNull();
    });
  });

  describe('a good guest', () => {
    it('R9: waits for a lock no longer than it says, under READ COMMITTED, and leaves nothing open', async () => {
      const {
        database,
        describe: look,
        window,
        openTransactions,
      } = await rigs.start(ITEMS, { isolation: 'readCommitted', limits: { lockTimeoutMs: 200 } });
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      expect(table).toMatchObject({ isolation: 'readCommitted' });
      expect(table.warnings).toHaveLength(1);
      const writer = await database.transaction();
      await writer.request().batch("UPDATE dbo.Items SET Name = N'held' WHERE Id = 1");
      await expect(window(table, table.version - 1n)).rejects.toMatchObject({ code: 'PW-S215' });
      await writer.commit();
      expect(await openTransactions()).toBe(0);
      expect(short((await window(table, table.version - 1n)).rows)).toEqual([['1', { Id: 1, Name: 'held' }]]);
    });

    it('R9: a SNAPSHOT read does not wait for a writer', async () => {
      const { database, describe: look, window } = await rigs.start(ITEMS);
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      expect(table.isolation).toBe('snapshot');
      const writer = await database.transaction();
      await writer.request().batch("UPDATE dbo.Items SET Name = N'held' WHERE Id = 1");
      expect(short((await window(table, table.version - 1n)).rows)).toEqual([['1', { Id: 1, Name: 'a' }]]);
      await writer.rollback();
    });

    it('R9: an abort cancels the request at the server and rejects with its reason', async () => {
      const {
        database,
        describe: look,
        tracker,
        openTransactions,
      } = await rigs.start(ITEMS, { isolation: 'readCommitted', limits: { lockTimeoutMs: 60_000 } });
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      const writer = await database.transaction();
      await writer.request().batch("UPDATE dbo.Items SET Name = N'held' WHERE Id = 1");
      const abort = new AbortController();
      const from = table.version - 1n;
      const read = tracker.readWindow(table, {
        from,
        cursor: null,
        position: { checkpoint: from, confirmed: from, high: from },
        signal: abort.signal,
      });
      setTimeout(() => abort.abort(new Error('enough')), 100);
      await expect(read).rejects.toThrow('enough');
      await writer.commit();
      expect(await openTransactions()).toBe(0);
    });

    it('R9: the watchdog ends a request that hangs', async () => {
      const {
        database,
        describe: look,
        window,
        openTransactions,
      } = await rigs.start(ITEMS, {
        isolation: 'readCommitted',
        limits: { lockTimeoutMs: 60_000, requestTimeoutMs: 1000 },
      });
      await database.run("INSERT dbo.Items VALUES (1, N'a')");
      const table = await look('Items');
      const writer = await database.transaction();
      await writer.request().batch("UPDATE dbo.Items SET Name = N'held' WHERE Id = 1");
      await expect(window(table, table.version - 1n)).rejects.toMatchObject({ code: 'PW-S216', retry: 'reconnect' });
      await writer.rollback();
      expect(await openTransactions()).toBe(0);
      expect(short((await window(table, table.version - 1n)).rows)).toEqual([['1', { Id: 1, Name: 'a' }]]);
    });
  });

  describe('following', () => {
    it('R5: what is written while it follows arrives, and the claims move up to the last version', async () => {
      const { database, describe: look, tracker } = await rigs.start(ITEMS, { confirmMs: 200, limits: { pageRows: 7 } });
      const table = await look('Items');
      const abort = new AbortController();
      const from = { checkpoint: table.version, confirmed: table.version, high: table.version };
      const replica = new Map<string, unknown>();
      const write = async (): Promise<void> => {
        for (let i = 0; i < 40; i += 1) {
          await database.run(`INSERT dbo.Items VALUES (${i}, N'first')`);
          await database.run(`UPDATE dbo.Items SET Name = N'second' WHERE Id % 3 = 0 AND Id <= ${i}`);
          await database.run(`DELETE dbo.Items WHERE Id % 5 = 0 AND Id < ${i}`);
        }
      };
      const writing = write().then(() => database.run('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'));
      let target: bigint | null = null;
      void writing.then(({ recordset }) => {
        target = BigInt(String(recordset[0]?.['v']));
      });
      let last: ChangePage | null = null;
      for await (const page of tracker.trackChanges({ table, from, backoff: pacing(5), signal: abort.signal })) {
        for (const { identity, document } of page.rows) {
          if (document === null) {
            replica.delete(identity);
          } else {
            replica.set(identity, document);
          }
        }
        last = page;
        if (target !== null && page.position.confirmed >= target) {
          break;
        }
      }
      await writing;
      const { recordset } = await database.run('SELECT Id, Name FROM dbo.Items');
      expect(replica).toEqual(new Map(recordset.map((row) => [String(row['Id']), { ...row }])));
      expect(last?.position.checkpoint).toBe(target);
    });
  });
}
