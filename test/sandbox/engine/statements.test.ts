/** What statements do to rows: keys, constraints, identities, definitions and their undoing. Runs on any SQL Server unless noted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(
    `CREATE TABLE dbo.p (id int IDENTITY(1,1) PRIMARY KEY, name nvarchar(5) NOT NULL CONSTRAINT UQ_p UNIQUE,
      qty int NOT NULL DEFAULT 3 CHECK (qty > 0), rv rowversion, total AS qty * 2)`,
  );
  await db.rows("INSERT INTO dbo.p (name) VALUES (N'a'), (N'b')");
  await db.rows(
    'CREATE TABLE dbo.c (id int PRIMARY KEY, pid int NOT NULL CONSTRAINT FK_c REFERENCES dbo.p (id)); INSERT INTO dbo.c VALUES (1, 1)',
  );
});

afterAll(async () => {
  await server.close();
});

describe('a refused statement', () => {
  test.each([
    ['a second row with a unique value, in another case', "INSERT INTO dbo.p (name) VALUES (N'A')", 2627],
    ['a text that does not fit', "INSERT INTO dbo.p (name) VALUES (N'toolong')", 2628],
    ['a row against a check', "INSERT INTO dbo.p (name, qty) VALUES (N'c', 0)", 547],
    ['NULL in a column without NULL', 'INSERT INTO dbo.p (name) VALUES (NULL)', 515],
    ['a value for an identity', "INSERT INTO dbo.p (id, name) VALUES (9, N'x')", 544],
    ['an update of an identity', 'UPDATE dbo.p SET id = 4', 8102],
    ['an update of a rowversion', 'UPDATE dbo.p SET rv = 0x01', 272],
    ['an update of a computed column', 'UPDATE dbo.p SET total = 1', 271],
    ['a reference to nothing', 'INSERT INTO dbo.c VALUES (2, 99)', 547],
    ['a delete of what is referenced', 'DELETE dbo.p WHERE id = 1', 547],
    ['an unknown column', 'SELECT nope FROM dbo.p', 207],
    ['an unknown table', 'SELECT * FROM dbo.nope', 208],
    ['an undeclared variable', 'SELECT @nope', 137],
    ['a batch that begins with an unknown word', 'SELEC 1', 2812],
    ['a text that is no number', "SELECT CAST('abc' AS int)", 245],
    ['COMMIT without a transaction', 'COMMIT', 3902],
    ['ROLLBACK without a transaction', 'ROLLBACK', 3903],
  ])('%s', async (_title, text, error) => {
    const before = await db.rows('SELECT id, name, qty FROM dbo.p ORDER BY id');
    expect(await db.errorOf(text)).toBe(error);
    expect(await db.rows('SELECT id, name, qty FROM dbo.p ORDER BY id')).toEqual(before);
  });

  test.runIf(onSandbox)('what the sandbox does not know it names', async () => {
    await expect(db.rows('SELECT 1 AS a FOR XML PATH')).rejects.toMatchObject({
      number: 50_001,
      message: expect.stringContaining('FOR XML'),
    });
    await expect(db.rows("BACKUP LOG x TO DISK = 'x'")).rejects.toMatchObject({ number: 50_001 });
  });

  test('of several rows leaves none of them', async () => {
    expect(await db.errorOf("INSERT INTO dbo.p (name) VALUES (N'm'), (N'a')")).toBe(2627);
    expect(await db.rows("SELECT id FROM dbo.p WHERE name = N'm'")).toEqual([]);
  });
});

describe('a statement', () => {
  test('tells identities, computed values and counts', async () => {
    const result = await db.pool
      .request()
      .batch(
        "INSERT INTO dbo.p (name) OUTPUT inserted.total VALUES (N'k'); SELECT SCOPE_IDENTITY() AS s, IDENT_CURRENT('dbo.p') AS i, @@ROWCOUNT AS n",
      );
    const sets = result.recordsets as Record<string, unknown>[][];
    expect(sets[0]).toEqual([{ total: 6 }]);
    expect(Number(sets[1]![0]!['s'])).toBe(Number(sets[1]![0]!['i']));
    expect(sets[1]![0]!['n']).toBe(1);
  });

  test('moves a rowversion with every update', async () => {
    const read = async (): Promise<string> => (await db.rows<{ rv: Buffer }>('SELECT rv FROM dbo.p WHERE id = 2'))[0]!.rv.toString('hex');
    const before = await read();
    await db.rows('UPDATE dbo.p SET qty = qty WHERE id = 2');
    expect((await read()) > before).toBe(true);
  });

  test('reads what stood there before it: rows that it inserts are not its own source', async () => {
    await db.rows('CREATE TABLE dbo.doubling (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.doubling VALUES (1), (2)');
    await db.rows('INSERT INTO dbo.doubling SELECT id + 2 FROM dbo.doubling');
    expect(await db.rows('SELECT COUNT(*) AS n FROM dbo.doubling')).toEqual([{ n: 4 }]);
  });

  test('groups, sorts, numbers, recurses and joins', async () => {
    expect(
      await db.rows(
        'SELECT p.id % 2 AS odd, COUNT(*) AS n FROM (VALUES (1), (2), (3)) AS p (id) GROUP BY p.id % 2 HAVING COUNT(*) > 1 ORDER BY odd',
      ),
    ).toEqual([{ odd: 1, n: 2 }]);
    expect(await db.rows('WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT SUM(i) AS s FROM n')).toEqual([
      { s: 15 },
    ]);
    expect(await db.rows('SELECT v.a, ROW_NUMBER() OVER (ORDER BY v.a DESC) AS r FROM (VALUES (1), (2)) AS v (a) ORDER BY v.a')).toEqual([
      { a: 1, r: '2' },
      { a: 2, r: '1' },
    ]);
    expect(
      await db.rows('SELECT l.a, r.b FROM (VALUES (1), (2)) AS l (a) FULL JOIN (VALUES (2), (3)) AS r (b) ON r.b = l.a ORDER BY l.a, r.b'),
    ).toEqual([
      { a: null, b: 3 },
      { a: 1, b: null },
      { a: 2, b: 2 },
    ]);
  });

  test('finds the rows after a composite key in key order, past NULL-free keysets and duplicates of the first column', async () => {
    await db.rows('CREATE TABLE dbo.keyset (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a, b))');
    await db.rows('INSERT INTO dbo.keyset SELECT x.a, y.b FROM (VALUES (1), (2), (3)) AS x (a) CROSS JOIN (VALUES (1), (2), (3)) AS y (b)');
    const rows = await db.rows<{ a: number; b: number }>(
      'SELECT TOP (4) a, b FROM dbo.keyset WHERE a > @a OR (a = @a AND b > @b) ORDER BY a, b',
      { a: 1, b: 2 },
    );
    expect(rows.map((row) => `${row.a}${row.b}`)).toEqual(['13', '21', '22', '23']);
  });
});

describe('a definition', () => {
  test('is undone with its transaction', async () => {
    await db.rows('CREATE TABLE dbo.d (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.d VALUES (1)');
    await db.rows(
      `BEGIN TRAN; ALTER TABLE dbo.d ADD z int NOT NULL DEFAULT 1; EXEC('UPDATE dbo.d SET z = 2'); EXEC sp_rename 'dbo.d.z', 'y', 'COLUMN'; CREATE TABLE dbo.e (id int); ROLLBACK`,
    );
    expect(await db.rows('SELECT * FROM dbo.d')).toEqual([{ id: 1 }]);
    expect(await db.rows("SELECT OBJECT_ID(N'dbo.e') AS o")).toEqual([{ o: null }]);
  });

  test('carries the rows over', async () => {
    await db.rows("CREATE TABLE dbo.f (id int NOT NULL PRIMARY KEY, v varchar(5)); INSERT INTO dbo.f VALUES (1, '12')");
    await db.rows('ALTER TABLE dbo.f ALTER COLUMN v int NULL');
    await db.rows("ALTER TABLE dbo.f ADD w nvarchar(5) NOT NULL DEFAULT N'new'");
    expect(await db.rows('SELECT * FROM dbo.f')).toEqual([{ id: 1, v: 12, w: 'new' }]);
  });
});

describe('1.3 rights', () => {
  test('1.3-01 to 1.3-04 without VIEW CHANGE TRACKING: 229, NULL, and fewer rows in the catalog', async () => {
    const name = `pw_reader_${Date.now().toString(36)}`;
    const password = 'Reader-1-password';
    await db.rows('ALTER TABLE dbo.p ENABLE CHANGE_TRACKING');
    await db.rows(`CREATE LOGIN ${name} WITH PASSWORD = '${password}'`);
    await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
    await db.rows(`GRANT SELECT ON dbo.p TO ${name}`);
    const reader = await db.session({ user: name, password });
    const read = async (text: string): Promise<unknown> => {
      try {
        return (await reader.request().query(text)).recordset;
      } catch (error) {
        return (error as { number?: number }).number;
      }
    };
    const minimum = "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.p')) AS v";
    expect(await read('SELECT COUNT(*) AS n FROM CHANGETABLE(CHANGES dbo.p, 0) AS c')).toBe(229);
    expect(await read(minimum)).toEqual([{ v: null }]);
    expect(await read('SELECT name FROM sys.tables')).toEqual([{ name: 'p' }]);
    expect(await read('SELECT * FROM dbo.c')).toBe(229);
    await db.rows(`GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO ${name}`);
    expect(await read('SELECT COUNT(*) AS n FROM CHANGETABLE(CHANGES dbo.p, 0) AS c')).toEqual([{ n: 0 }]);
    expect(await read(minimum)).not.toEqual([{ v: null }]);
  });
});

describe.runIf(onSandbox)('the profiles of what is not documented', () => {
  test.each([
    ['implied', '1', 1],
    ['live', '2', 2],
    ['worst', '2', 2],
  ] as const)('%s: the version, read first, then the rows', async (profile, version, rows) => {
    const own = await server.freshDatabase();
    await own.rows(
      'CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t VALUES (1)',
    );
    server.sandbox!.control.setProfile(profile);
    const reader = (await own.session()).transaction();
    await reader.begin(5);
    await reader.request().query('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    await own.rows('INSERT INTO dbo.t VALUES (2)');
    const again = await reader.request().query('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    expect(again.recordset).toEqual([{ v: version }]);
    expect((await reader.request().query('SELECT id FROM dbo.t')).recordset).toHaveLength(rows);
    await reader.commit();
    server.sandbox!.control.setProfile('implied');
  });

  test.each([
    ['implied', '0'],
    ['live', '1'],
    ['worst', '0'],
  ] as const)('%s: the minimum inside a view that was fixed before a cleanup', async (profile, minimum) => {
    const own = await server.freshDatabase();
    await own.rows(
      'CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t VALUES (1)',
    );
    server.sandbox!.control.setProfile(profile);
    const reader = (await own.session()).transaction();
    await reader.begin(5);
    await reader.request().query('SELECT id FROM dbo.t');
    server.sandbox!.control.cleanUp(own.name);
    const inside = await reader.request().query("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t')) AS v");
    expect(inside.recordset).toEqual([{ v: minimum }]);
    await reader.commit();
    expect(await own.rows("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t')) AS v")).toEqual([{ v: '1' }]);
    server.sandbox!.control.setProfile('implied');
  });

  test('versions go beyond 2^53', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    server.sandbox!.control.advanceVersion(own.name, 9_007_199_254_740_993n);
    await own.rows('INSERT INTO dbo.t VALUES (1)');
    expect(await own.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).toEqual([{ v: '9007199254740994' }]);
    const after = await own.rows('SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, @base) AS c', { base: 9_007_199_254_740_993n });
    expect(after).toEqual([{ id: 1 }]);
  });
});
