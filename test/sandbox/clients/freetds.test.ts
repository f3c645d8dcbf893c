/** FreeTDS's programs do with the sandbox what they do with SQL Server. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';
import type { FreeTds } from './freetds-programs.ts';
import { freeTds, reasonToSkip } from './freetds-programs.ts';

/** freebcp sets TEXTSIZE to 4096 unless it is told otherwise. */
const UNCUT = ['-T', '1000000'];

// Named in the title of what is skipped; under CI nothing is skipped, and `freeTds` fails.
const skipped = reasonToSkip !== null && process.env['CI'] === undefined;

describe.skipIf(skipped)(`FreeTDS${reasonToSkip === null ? '' : ` (${reasonToSkip})`}`, () => {
  let server: ControlledServer;
  let db: TestDatabase;
  let tds: FreeTds;

  beforeAll(async () => {
    server = await startControlled();
    db = await server.freshDatabase();
    tds = await freeTds(server.sandbox, db.name);
    await db.rows(`
      CREATE TABLE dbo.people (
        id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_people PRIMARY KEY, name nvarchar(30) NOT NULL, city varchar(20) NULL,
        amount decimal(9, 2) NULL, born date NULL, seen datetime2(3) NULL, weight float NULL, active bit NULL, code uniqueidentifier NULL,
        photo varbinary(10) NULL, story nvarchar(max) NULL, note text NULL, twice AS amount * 2, stamp rowversion);
      ALTER TABLE dbo.people ENABLE CHANGE_TRACKING`);
  });

  afterAll(async () => {
    await tds?.[Symbol.asyncDispose]();
    await server?.close();
  });

  beforeEach(async () => {
    await db.rows(`
      DELETE dbo.people;
      INSERT INTO dbo.people (name, city, amount, born, seen, weight, active, code, photo, story, note) VALUES
        (N'Zoë 日', 'Málaga', 12.34, '2001-02-03', '2020-01-02T03:04:05.678', 1.5, 1, '6F9619FF-8B86-D011-B42D-00C04FC964FF', 0x010203,
         REPLICATE(CAST(N'x' AS nvarchar(max)), 20000), 'a note'),
        (N'Bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`);
  });

  describe('tsql', () => {
    test('shows results, messages and errors of several batches', async () => {
      const { out, errors, code } = await tds.run(
        'tsql',
        ['-o', 'q'],
        "SELECT name, city, amount FROM people ORDER BY id\nSELECT COUNT(*) AS n FROM people\ngo\nPRINT 'hello'\ngo\nSELECT 1/0\ngo\nSELECT\n nosuch FROM people\ngo\n",
      );
      expect(code).toBe(0);
      expect(out).toContain('Zoë 日\tMálaga\t12.34\n');
      expect(out).toContain('Bob\tNULL\tNULL\n');
      expect(out).toMatch(/\nn\n2\n/);
      expect(errors).toContain('hello');
      expect(errors).toMatch(/Msg 8134 \(severity 16, state \d+\) from \S+ Line 1:\s+"Divide by zero error encountered\."/);
      expect(errors).toMatch(/Msg 207 \(severity 16, state \d+\) from \S+ Line 2:\s+"Invalid column name 'nosuch'\."/);
    });

    test('keeps a transaction over batches', async () => {
      const input =
        "BEGIN TRAN\ngo\nUPDATE people SET city = 'x'\ngo\nSELECT @@TRANCOUNT AS depth\ngo\nROLLBACK\ngo\nSELECT COUNT(*) AS left_over FROM people WHERE city = 'x'\ngo\n";
      const { out } = await tds.run('tsql', ['-o', 'q'], input);
      expect(out).toMatch(/depth\n1\n/);
      expect(out).toMatch(/left_over\n0\n/);
    });

    test('is told that its password is wrong', async () => {
      await using stranger = await freeTds(server.sandbox, db.name, 'wrong');
      const { code, errors } = await stranger.run('tsql', [], 'SELECT 1\ngo\n');
      expect(code).not.toBe(0);
      expect(errors).toContain('Msg 18456');
    });

    test('reads changes', async () => {
      const { out } = await tds.run(
        'tsql',
        ['-o', 'q'],
        'DECLARE @v bigint = CHANGE_TRACKING_CURRENT_VERSION() - 1\nSELECT SYS_CHANGE_OPERATION AS op, COUNT(*) AS n FROM CHANGETABLE(CHANGES dbo.people, @v) AS ct GROUP BY SYS_CHANGE_OPERATION\ngo\n',
      );
      expect(out).toMatch(/op\tn\nI\t2\n/);
    });
  });

  describe('bsqldb', () => {
    test('runs a script of batches and writes rows with its separator', async () => {
      await writeFile(
        tds.file('script.sql'),
        "CREATE TABLE #t (a int, b varchar(10))\nINSERT INTO #t VALUES (1, 'one'), (2, NULL)\ngo\nSELECT a, b FROM #t ORDER BY a\ngo\nEXEC sp_executesql N'SELECT @p * 2 AS doubled', N'@p int', @p = 21\ngo\n",
      );
      const { code, out } = await tds.run('bsqldb', ['-i', tds.file('script.sql'), '-t', '|', '-h']);
      expect(code).toBe(0);
      expect(out.split('\n').map((line) => line.trim())).toEqual(expect.arrayContaining(['1|one', '42']));
    });

    test('ends with an error where a batch fails', async () => {
      const { code, errors } = await tds.run('bsqldb', [], "INSERT INTO people (id, name) VALUES (1, 'x')\ngo\n");
      expect(code).not.toBe(0);
      expect(errors).toContain('Msg 544');
    });
  });

  describe('freebcp', () => {
    const whole = 'SELECT id, name, city, amount, born, seen, weight, active, code, photo, story, note FROM dbo.people ORDER BY id';

    test('takes a table out and back in, with the identities of the file', async () => {
      const before = await db.rows(whole);
      expect(await tds.run('freebcp', ['dbo.people', 'out', tds.file('people.txt'), '-c', ...UNCUT])).toMatchObject({
        code: 0,
        out: expect.stringContaining('2 rows copied'),
      });
      await db.rows('DELETE dbo.people');
      expect(await tds.run('freebcp', ['dbo.people', 'in', tds.file('people.txt'), '-c', '-E'])).toMatchObject({ code: 0 });
      expect(await db.rows(whole)).toEqual(before);
    });

    test('gives new identities without -E, in batches of their own', async () => {
      await tds.run('freebcp', ['dbo.people', 'out', tds.file('people.txt'), '-c']);
      const from = (await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'))[0]?.v;
      const { code, out } = await tds.run('freebcp', ['dbo.people', 'in', tds.file('people.txt'), '-c', '-b', '1']);
      expect(code).toBe(0);
      expect(out).toContain('2 rows copied');
      expect(await db.rows('SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids FROM dbo.people')).toEqual([{ n: 4, ids: 4 }]);
      expect(
        await db.rows(
          `SELECT SYS_CHANGE_OPERATION AS op, SYS_CHANGE_VERSION - ${from} AS v FROM CHANGETABLE(CHANGES dbo.people, ${from}) AS ct ORDER BY id`,
        ),
      ).toEqual([
        { op: 'I', v: '1' },
        { op: 'I', v: '2' },
      ]);
    });

    test('brings native values, as a format file says', async () => {
      await db.rows('CREATE TABLE dbo.pairs (a int NOT NULL, b float NOT NULL)');
      await writeFile(tds.file('pairs.fmt'), '10.0\n2\n1 SYBINT4 0 4 "" 1 a\n2 SYBFLT8 0 8 "" 2 b\n');
      const data = Buffer.alloc(24);
      data.writeInt32LE(7, 0);
      data.writeDoubleLE(1.5, 4);
      data.writeInt32LE(-8, 12);
      data.writeDoubleLE(2.25, 16);
      await writeFile(tds.file('pairs.bin'), data);
      expect(await tds.run('freebcp', ['dbo.pairs', 'in', tds.file('pairs.bin'), '-f', tds.file('pairs.fmt')])).toMatchObject({ code: 0 });
      expect(await db.rows('SELECT a, b FROM dbo.pairs ORDER BY b')).toEqual([
        { a: 7, b: 1.5 },
        { a: -8, b: 2.25 },
      ]);
    });

    test('takes the rows of a query out', async () => {
      const { code } = await tds.run('freebcp', [
        'SELECT id, name FROM dbo.people WHERE city IS NULL',
        'queryout',
        tds.file('some.txt'),
        '-c',
        '-t',
        '|',
      ]);
      expect(code).toBe(0);
      expect(await readFile(tds.file('some.txt'), 'utf8')).toMatch(/^\d+\|Bob\n$/);
    });

    test('is told of a key that is there, and leaves nothing of the batch', async () => {
      await tds.run('freebcp', ['dbo.people', 'out', tds.file('people.txt'), '-c']);
      await db.rows("DELETE dbo.people WHERE name <> N'Bob'");
      const { errors } = await tds.run('freebcp', ['dbo.people', 'in', tds.file('people.txt'), '-c', '-E']);
      expect(errors).toContain('Msg 2627');
      expect(await db.rows('SELECT name FROM dbo.people')).toEqual([{ name: 'Bob' }]);
    });
  });
});
