/** The catalog as tools read it: the shapes of the questions that object-relational mappers and migration tools ask. Runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(
    `CREATE TABLE dbo.parent (id int IDENTITY(1,1) NOT NULL CONSTRAINT PK_parent PRIMARY KEY, code varchar(10) NOT NULL CONSTRAINT UQ_parent UNIQUE,
      made datetime NOT NULL CONSTRAINT DF_made DEFAULT GETDATE(), qty int NOT NULL CONSTRAINT DF_qty DEFAULT 0 CONSTRAINT CK_qty CHECK (qty >= 0 AND qty < 100),
      low int NOT NULL CONSTRAINT DF_low DEFAULT -1, word nvarchar(10) NULL CONSTRAINT DF_word DEFAULT N'x', twice AS (qty * 2) PERSISTED, mark rowversion)`,
  );
  await db.rows(
    `CREATE TABLE dbo.child (id uniqueidentifier NOT NULL CONSTRAINT PK_child PRIMARY KEY, parent int NOT NULL CONSTRAINT FK_child REFERENCES dbo.parent (id) ON DELETE CASCADE, name nvarchar(50) NULL);
     CREATE INDEX IX_child ON dbo.child (name DESC) INCLUDE (parent); CREATE UNIQUE INDEX UX_child ON dbo.child (name) WHERE name IS NOT NULL;
     INSERT INTO dbo.parent (code) VALUES ('a'), ('b')`,
  );
  await db.rows('CREATE VIEW dbo.parents AS SELECT id, code FROM dbo.parent');
  await db.rows("EXEC sp_addextendedproperty N'MS_Description', N'how many', N'SCHEMA', N'dbo', N'TABLE', N'parent', N'COLUMN', N'qty'");
});

afterAll(async () => {
  await server.close();
});

describe('an object id in a condition', () => {
  const names = 'SELECT c.object_id, c.column_id FROM sys.columns AS c';

  test('gives the rows that a look at all objects gives, each once', async () => {
    const [ids] = await db.rows<Record<string, number>>(
      "SELECT OBJECT_ID(N'dbo.parent') AS [table], OBJECT_ID(N'dbo.parents') AS [view], OBJECT_ID(N'dbo.child') AS child",
    );
    const all = await db.rows<{ object_id: number }>(`${names} ORDER BY c.object_id, c.column_id`);
    const some = all.filter(({ object_id: id }) => id === ids?.['table'] || id === ids?.['view']);
    expect(some).toHaveLength(10);
    const { table, view } = ids as { table: number; view: number };
    const twice = `c.object_id IN (${table}, ${view}, ${table}, NULL) ORDER BY c.object_id, c.column_id`;
    expect(await db.rows(`${names} WHERE ${twice}`)).toEqual(some);
    expect(
      await db.rows(
        `SELECT c.object_id, c.column_id FROM (VALUES (${table}), (${view}), (-7)) AS v (id) LEFT JOIN sys.columns AS c ON c.object_id = v.id
         WHERE c.object_id IS NOT NULL ORDER BY c.object_id, c.column_id`,
      ),
    ).toEqual(some);
  });

  test('asks for many tables in one statement: what tracks, counts and defines each', async () => {
    const rows = await db.rows(
      `SELECT o.n, COUNT(i.index_id) AS indexes, (SELECT SUM(pt.rows) FROM sys.partitions AS pt WHERE pt.object_id = o.id AND pt.index_id IN (0, 1)) AS row_count,
         (SELECT c.name, ic.key_ordinal FROM sys.columns AS c LEFT JOIN sys.index_columns AS ic ON ic.object_id = c.object_id AND ic.index_id = 1 AND ic.column_id = c.column_id
          WHERE c.object_id = o.id AND c.column_id < 3 ORDER BY c.column_id FOR JSON PATH) AS definition
       FROM (SELECT v.n, OBJECT_ID(v.name) AS id FROM (VALUES (0, N'[dbo].[parent]'), (1, N'[dbo].[none]'), (2, N'[dbo].[child]')) AS v (n, name)) AS o
       LEFT JOIN sys.indexes AS i ON i.object_id = o.id GROUP BY o.n, o.id ORDER BY o.n`,
    );
    expect(rows).toEqual([
      { n: 0, indexes: 2, row_count: '2', definition: '[{"name":"id","key_ordinal":1},{"name":"code"}]' },
      { n: 1, indexes: 0, row_count: null, definition: null },
      { n: 2, indexes: 3, row_count: '0', definition: '[{"name":"id","key_ordinal":1},{"name":"parent"}]' },
    ]);
  });
});

describe('a mapper asks', () => {
  test('which tables and views there are', async () => {
    expect(
      await db.rows(
        "SELECT SCHEMA_NAME(t.schema_id) AS [schema], t.name, CAST(t.temporal_type AS int) AS temporal FROM sys.tables AS t WHERE t.is_ms_shipped = 0 AND NOT EXISTS (SELECT * FROM sys.extended_properties AS e WHERE e.major_id = t.object_id AND e.minor_id = 0 AND e.class = 1 AND e.name = N'microsoft_database_tools_support') ORDER BY t.name",
      ),
    ).toEqual([
      { schema: 'dbo', name: 'child', temporal: 0 },
      { schema: 'dbo', name: 'parent', temporal: 0 },
    ]);
    expect(
      await db.rows("SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'dbo' ORDER BY 1"),
    ).toEqual([
      { name: 'child', type: 'BASE TABLE' },
      { name: 'parent', type: 'BASE TABLE' },
      { name: 'parents', type: 'VIEW' },
    ]);
  });

  test('for columns with their types, defaults, comments and what makes their values', async () => {
    const rows = await db.rows<Record<string, unknown>>(
      `SELECT c.name, tp.name AS type, CAST(c.max_length AS int) AS length, CAST(c.precision AS int) AS precision, c.is_nullable, c.is_identity, dc.definition AS [default], cc.definition AS computed, CAST(e.value AS nvarchar(100)) AS comment
       FROM sys.columns AS c JOIN sys.types AS tp ON tp.user_type_id = c.user_type_id
       LEFT JOIN sys.extended_properties AS e ON e.major_id = c.object_id AND e.minor_id = c.column_id AND e.class = 1 AND e.name = N'MS_Description'
       LEFT JOIN sys.computed_columns AS cc ON cc.object_id = c.object_id AND cc.column_id = c.column_id
       LEFT JOIN sys.default_constraints AS dc ON dc.parent_object_id = c.object_id AND dc.parent_column_id = c.column_id
       WHERE c.object_id = OBJECT_ID(N'dbo.parent') ORDER BY c.column_id`,
    );
    expect(
      rows.map((row) => [row['name'], row['type'], row['length'], row['is_nullable'], row['default'] ?? row['computed'], row['comment']]),
    ).toEqual([
      ['id', 'int', 4, false, null, null],
      ['code', 'varchar', 10, false, null, null],
      ['made', 'datetime', 8, false, '(getdate())', null],
      ['qty', 'int', 4, false, '((0))', 'how many'],
      ['low', 'int', 4, false, '((-1))', null],
      ['word', 'nvarchar', 20, true, "(N'x')", null],
      ['twice', 'int', 4, true, '([qty]*(2))', null],
      ['mark', 'timestamp', 8, false, null, null],
    ]);
    expect(rows.filter((row) => row['is_identity'] === true).map((row) => row['name'])).toEqual(['id']);
  });

  test('for the columns of views', async () => {
    expect(
      await db.rows(
        "SELECT c.name, TYPE_NAME(c.user_type_id) AS type FROM sys.views AS v JOIN sys.columns AS c ON c.object_id = v.object_id WHERE v.name = N'parents' ORDER BY c.column_id",
      ),
    ).toEqual([
      { name: 'id', type: 'int' },
      { name: 'code', type: 'varchar' },
    ]);
    expect(await db.rows("SELECT definition FROM sys.sql_modules WHERE object_id = OBJECT_ID(N'dbo.parents')")).toEqual([
      { definition: 'CREATE VIEW dbo.parents AS SELECT id, code FROM dbo.parent' },
    ]);
  });

  test('for indexes with their columns and filters', async () => {
    expect(
      await db.rows(
        `SELECT i.name, i.is_unique, i.has_filter, i.filter_definition, COL_NAME(ic.object_id, ic.column_id) AS col, ic.is_descending_key, ic.is_included_column
         FROM sys.indexes AS i JOIN sys.index_columns AS ic ON i.object_id = ic.object_id AND i.index_id = ic.index_id
         WHERE i.object_id = OBJECT_ID(N'dbo.child') AND i.is_primary_key = 0 AND i.is_hypothetical = 0 ORDER BY i.name, ic.is_included_column, ic.key_ordinal`,
      ),
    ).toEqual([
      {
        name: 'IX_child',
        is_unique: false,
        has_filter: false,
        filter_definition: null,
        col: 'name',
        is_descending_key: true,
        is_included_column: false,
      },
      {
        name: 'IX_child',
        is_unique: false,
        has_filter: false,
        filter_definition: null,
        col: 'parent',
        is_descending_key: false,
        is_included_column: true,
      },
      {
        name: 'UX_child',
        is_unique: true,
        has_filter: true,
        filter_definition: '([name] IS NOT NULL)',
        col: 'name',
        is_descending_key: false,
        is_included_column: false,
      },
    ]);
  });

  test('for foreign keys and what they do', async () => {
    expect(
      await db.rows(
        `SELECT f.name, OBJECT_NAME(f.parent_object_id) AS t, COL_NAME(c.parent_object_id, c.parent_column_id) AS col, OBJECT_NAME(f.referenced_object_id) AS r, COL_NAME(c.referenced_object_id, c.referenced_column_id) AS rc, REPLACE(f.delete_referential_action_desc, '_', ' ') AS d
         FROM sys.foreign_keys AS f JOIN sys.foreign_key_columns AS c ON c.constraint_object_id = f.object_id`,
      ),
    ).toEqual([{ name: 'FK_child', t: 'child', col: 'parent', r: 'parent', rc: 'id', d: 'CASCADE' }]);
    expect(
      await db.rows(
        'SELECT CONSTRAINT_NAME AS c, UNIQUE_CONSTRAINT_NAME AS u, DELETE_RULE AS d FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS',
      ),
    ).toEqual([{ c: 'FK_child', u: 'PK_parent', d: 'CASCADE' }]);
  });

  test('for the primary key by OBJECTPROPERTY', async () => {
    expect(
      await db.rows(
        "SELECT COLUMN_NAME AS c FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE OBJECTPROPERTY(OBJECT_ID(CONSTRAINT_SCHEMA + '.' + QUOTENAME(CONSTRAINT_NAME)), 'IsPrimaryKey') = 1 AND TABLE_NAME = 'parent'",
      ),
    ).toEqual([{ c: 'id' }]);
  });

  test('for checks, and the number of rows', async () => {
    expect(
      await db.rows('SELECT name, definition, COL_NAME(parent_object_id, parent_column_id) AS col FROM sys.check_constraints'),
    ).toEqual([{ name: 'CK_qty', definition: '([qty]>=(0) AND [qty]<(100))', col: 'qty' }]);
    expect(
      await db.rows(
        'SELECT t.name, CAST(SUM(p.rows) AS int) AS n FROM sys.tables AS t JOIN sys.partitions AS p ON p.object_id = t.object_id AND p.index_id IN (0, 1) GROUP BY t.name ORDER BY t.name',
      ),
    ).toEqual([
      { name: 'child', n: 0 },
      { name: 'parent', n: 2 },
    ]);
  });
});

describe('a migration tool', () => {
  test('makes its table once', async () => {
    const text = `IF OBJECT_ID(N'[__History]') IS NULL BEGIN CREATE TABLE [__History] ([MigrationId] nvarchar(150) NOT NULL, [ProductVersion] nvarchar(32) NOT NULL, CONSTRAINT [PK___History] PRIMARY KEY ([MigrationId])); END;`;
    expect(await db.errorOf(text)).toBe(0);
    expect(await db.errorOf(text)).toBe(0);
    await db.rows("INSERT INTO [__History] ([MigrationId], [ProductVersion]) VALUES (N'1', N'8.0.0')");
    expect(
      await db.rows(
        "SELECT CASE WHEN EXISTS (SELECT * FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = '__History') THEN 1 ELSE 0 END AS there",
      ),
    ).toEqual([{ there: 1 }]);
  });

  test('drops a default whose name it has to look up', async () => {
    await db.rows('CREATE TABLE dbo.moved (a int NOT NULL, b int NOT NULL DEFAULT 5)');
    await db.rows(
      `DECLARE @var0 sysname;
       SELECT @var0 = [d].[name] FROM [sys].[default_constraints] [d] INNER JOIN [sys].[columns] [c] ON [d].[parent_column_id] = [c].[column_id] AND [d].[parent_object_id] = [c].[object_id]
       WHERE ([d].[parent_object_id] = OBJECT_ID(N'[dbo].[moved]') AND [c].[name] = N'b');
       IF @var0 IS NOT NULL EXEC(N'ALTER TABLE [dbo].[moved] DROP CONSTRAINT [' + @var0 + '];');
       ALTER TABLE [dbo].[moved] DROP COLUMN [b];`,
    );
    expect(await db.rows("SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(N'dbo.moved')")).toEqual([{ name: 'a' }]);
  });

  test('keeps descriptions of columns', async () => {
    const place = "N'SCHEMA', N'dbo', N'TABLE', N'parent', N'COLUMN', N'code'";
    expect(await db.errorOf(`EXEC sp_updateextendedproperty N'MS_Description', N'x', ${place}`)).toBe(15217);
    await db.rows(`EXEC sp_addextendedproperty N'MS_Description', N'one', ${place}`);
    expect(await db.errorOf(`EXEC sp_addextendedproperty N'MS_Description', N'two', ${place}`)).toBe(15233);
    await db.rows(`EXEC sp_updateextendedproperty N'MS_Description', N'two', ${place}`);
    const read = `SELECT CAST(value AS nvarchar(10)) AS v FROM sys.extended_properties WHERE major_id = OBJECT_ID(N'dbo.parent') AND minor_id = COLUMNPROPERTY(OBJECT_ID(N'dbo.parent'), N'code', 'ColumnId')`;
    expect(await db.rows(read)).toEqual([{ v: 'two' }]);
    await db.rows(`EXEC sp_dropextendedproperty N'MS_Description', ${place}`);
    expect(await db.rows(read)).toEqual([]);
  });
});

test('a schema-bound view holds what it shows', async () => {
  await db.rows('CREATE TABLE dbo.held (a int, b int)');
  await expect(db.rows('CREATE VIEW dbo.holder WITH SCHEMABINDING AS SELECT a FROM held')).rejects.toMatchObject({ number: 4512 });
  await db.rows('CREATE VIEW dbo.holder WITH SCHEMABINDING AS SELECT h.a FROM dbo.held AS h');
  expect(await db.errorOf('DROP TABLE dbo.held')).toBe(3729);
  expect(await db.errorOf('ALTER TABLE dbo.held DROP COLUMN a')).toBe(4922);
  expect(await db.errorOf('ALTER TABLE dbo.held DROP COLUMN b; DROP VIEW dbo.holder; DROP TABLE dbo.held')).toBe(0);
});

test('a view whose table is gone says so', async () => {
  await db.rows('CREATE TABLE dbo.going (a int)');
  await db.rows('CREATE VIEW dbo.left_behind AS SELECT a FROM dbo.going');
  await db.rows('DROP TABLE dbo.going');
  expect(await db.errorOf('SELECT * FROM dbo.left_behind')).toBe(4413);
  await db.rows('DROP VIEW dbo.left_behind');
});
