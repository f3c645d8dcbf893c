/** AFTER triggers: when they fire, what they see, how they nest, what their errors do, and that their writes are tracked. Runs on any server. */
import type sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
});

beforeEach(async () => {
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NULL, b int NULL)');
  await db.rows('CREATE TABLE dbo.log (n int NOT NULL IDENTITY PRIMARY KEY, what nvarchar(100) NULL)');
});

afterAll(async () => {
  await server.close();
});

const log = async (): Promise<unknown[]> => (await db.rows<{ what: string }>('SELECT what FROM dbo.log ORDER BY n')).map((row) => row.what);

/** The errors of a batch, in order. */
async function errors(text: string, from: sql.ConnectionPool = db.pool): Promise<(number | undefined)[]> {
  try {
    await from.request().batch(text);
    return [];
  } catch (error) {
    const { precedingErrors, number } = error as sql.RequestError & { precedingErrors?: { number?: number }[] };
    return [...(precedingErrors ?? []).map((each) => each.number), number];
  }
}

describe('a trigger fires', () => {
  test('once for a statement, with all rows before and after it, also when there are none', async () => {
    await db.rows(`CREATE TRIGGER dbo.all_of_it ON dbo.t AFTER INSERT, UPDATE, DELETE AS
      DECLARE @rows int = @@ROWCOUNT;
      SET NOCOUNT ON;
      INSERT INTO dbo.log (what)
      SELECT CONCAT('rows ', @rows, ' in ', (SELECT COUNT(*) FROM inserted), ' out ', (SELECT COUNT(*) FROM deleted),
        ' a ', CASE WHEN UPDATE(a) THEN 1 ELSE 0 END, ' mask ', CONVERT(varchar(10), COLUMNS_UPDATED(), 2), ' @@TRANCOUNT ', @@TRANCOUNT)`);
    await db.rows(`INSERT INTO dbo.t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3); SELECT @@ROWCOUNT AS n`);
    expect(await db.rows('UPDATE dbo.t SET b = 5 WHERE id >= 2; SELECT @@ROWCOUNT AS n')).toEqual([{ n: 2 }]);
    await db.rows('UPDATE dbo.t SET a = 1 WHERE id = 99');
    await db.rows('DELETE dbo.t WHERE id = 1');
    expect(await log()).toEqual([
      'rows 3 in 3 out 0 a 1 mask 07 @@TRANCOUNT 1',
      'rows 2 in 2 out 2 a 0 mask 04 @@TRANCOUNT 1',
      'rows 0 in 0 out 0 a 1 mask 02 @@TRANCOUNT 1',
      'rows 1 in 0 out 1 a 0 mask  @@TRANCOUNT 1',
    ]);
    expect(await db.rows('SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
  });

  test('once for the rows of INSERT … SELECT and INSERT … EXEC', async () => {
    await db.rows(
      "CREATE TRIGGER dbo.counted ON dbo.t AFTER INSERT AS INSERT INTO dbo.log (what) SELECT CONCAT('in ', COUNT(*)) FROM inserted",
    );
    await db.rows('INSERT INTO dbo.t SELECT n, n, n FROM (VALUES (1), (2), (3)) AS v (n)');
    await db.rows("INSERT INTO dbo.t EXEC (N'SELECT 7, 7, 7 UNION ALL SELECT 8, 8, 8')");
    expect(await log()).toEqual(['in 3', 'in 2']);
  });

  test('with the values before and after, of keys that move too', async () => {
    await db.rows(`INSERT INTO dbo.t VALUES (1, 10, 0), (2, 20, 0)`);
    await db.rows(`CREATE TRIGGER dbo.moved ON dbo.t FOR UPDATE AS
      INSERT INTO dbo.log (what) SELECT CONCAT('out ', id, ' ', a) FROM deleted ORDER BY id;
      INSERT INTO dbo.log (what) SELECT CONCAT('in ', id, ' ', a) FROM inserted ORDER BY id`);
    await db.rows('UPDATE dbo.t SET id = id + 1, a = a + 1');
    expect(await log()).toEqual(['out 1 10', 'out 2 20', 'in 2 11', 'in 3 21']);
  });

  test('for each action that a MERGE names', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (1, 1, 1), (2, 2, 2)');
    for (const action of ['INSERT', 'UPDATE', 'DELETE']) {
      await db.rows(`CREATE TRIGGER dbo.on_${action} ON dbo.t AFTER ${action} AS INSERT INTO dbo.log (what)
        SELECT CONCAT('${action} ', (SELECT COUNT(*) FROM inserted), ' ', (SELECT COUNT(*) FROM deleted))`);
    }
    await db.rows(`MERGE dbo.t AS t USING (VALUES (1, 7), (5, 5), (6, 6)) AS s (id, a) ON s.id = t.id
      WHEN MATCHED THEN UPDATE SET a = s.a
      WHEN NOT MATCHED BY TARGET THEN INSERT (id, a) VALUES (s.id, s.a)
      WHEN NOT MATCHED BY SOURCE THEN DELETE;`);
    expect(new Set(await log())).toEqual(new Set(['DELETE 0 1', 'INSERT 2 0', 'UPDATE 1 1']));
  });

  test('on tables that a foreign key cascades to, when it meets rows there', async () => {
    await db.rows('CREATE TABLE dbo.child (id int PRIMARY KEY, t int REFERENCES dbo.t (id) ON DELETE CASCADE)');
    await db.rows('INSERT INTO dbo.t VALUES (1, 1, 1), (2, 2, 2); INSERT INTO dbo.child VALUES (10, 1), (11, 1)');
    await db.rows(
      `CREATE TRIGGER dbo.c ON dbo.child AFTER DELETE AS INSERT INTO dbo.log (what) SELECT CONCAT('child ', COUNT(*)) FROM deleted`,
    );
    await db.rows("CREATE TRIGGER dbo.p ON dbo.t AFTER DELETE AS INSERT INTO dbo.log (what) VALUES (N'parent')");
    await db.rows('DELETE dbo.t WHERE id = 2; DELETE dbo.t WHERE id = 1');
    expect(await log()).toEqual(['parent', 'parent', 'child 2']);
  });

  test('2.2-18: and what it writes has the version of what fired it', async () => {
    await db.rows('CREATE TABLE dbo.audit (id int NOT NULL PRIMARY KEY)');
    await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; ALTER TABLE dbo.audit ENABLE CHANGE_TRACKING');
    await db.rows('CREATE TRIGGER dbo.audited ON dbo.t AFTER INSERT AS INSERT INTO dbo.audit SELECT id FROM inserted');
    await db.rows('INSERT INTO dbo.t (id) VALUES (1), (2)');
    const versions = await db.rows(`SELECT SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES dbo.t, 0) AS c
      UNION SELECT SYS_CHANGE_VERSION FROM CHANGETABLE(CHANGES dbo.audit, 0) AS c`);
    expect(versions).toEqual([{ v: '1' }]);
  });

  test('not for a bulk of statements that are switched off, and again when switched on', async () => {
    await db.rows("CREATE TRIGGER dbo.one ON dbo.t AFTER INSERT AS INSERT INTO dbo.log (what) VALUES (N'one')");
    await db.rows("CREATE TRIGGER dbo.two ON dbo.t AFTER INSERT AS INSERT INTO dbo.log (what) VALUES (N'two')");
    const fired = async (id: number): Promise<unknown[]> => {
      await db.rows(`DELETE dbo.log; INSERT INTO dbo.t (id) VALUES (${id})`);
      return await log();
    };
    expect(await fired(1)).toEqual(['one', 'two']);
    await db.rows('DISABLE TRIGGER dbo.one ON dbo.t');
    expect(await fired(2)).toEqual(['two']);
    await db.rows('ALTER TABLE dbo.t DISABLE TRIGGER ALL');
    expect(await fired(3)).toEqual([]);
    await db.rows('ENABLE TRIGGER ALL ON dbo.t');
    expect(await fired(4)).toEqual(['one', 'two']);
    await db.rows('DROP TRIGGER dbo.one');
    expect(await fired(5)).toEqual(['two']);
    await db.rows("CREATE OR ALTER TRIGGER dbo.two ON dbo.t AFTER DELETE AS INSERT INTO dbo.log (what) VALUES (N'new')");
    expect(await fired(6)).toEqual([]);
    await db.rows('DELETE dbo.t');
    expect(await log()).toEqual(['new']);
  });
});

describe('nesting', () => {
  test('a trigger fires those of other tables, not itself, unless RECURSIVE_TRIGGERS is on', async () => {
    await db.rows('CREATE TABLE dbo.u (id int)');
    await db.rows(`CREATE TRIGGER dbo.first ON dbo.t AFTER INSERT, UPDATE AS
      SET NOCOUNT ON;
      INSERT INTO dbo.log (what) SELECT CONCAT('t ', TRIGGER_NESTLEVEL(), ' ', MAX(a)) FROM inserted;
      INSERT INTO dbo.u SELECT id FROM inserted;
      UPDATE dbo.t SET a = a + 1 WHERE id IN (SELECT id FROM inserted) AND a < 3`);
    await db.rows(`CREATE TRIGGER dbo.second ON dbo.u AFTER INSERT AS
      INSERT INTO dbo.log (what) VALUES (CONCAT('u ', TRIGGER_NESTLEVEL(), ' ', @@NESTLEVEL))`);
    await db.rows('INSERT INTO dbo.t VALUES (1, 1, 1)');
    expect(await log()).toEqual(['t 1 1', 'u 2 2']);
    expect(await db.rows('SELECT a FROM dbo.t')).toEqual([{ a: 2 }]);
    await db.rows(`ALTER DATABASE [${db.name}] SET RECURSIVE_TRIGGERS ON`);
    await db.rows('DELETE dbo.log; DISABLE TRIGGER dbo.second ON dbo.u');
    await db.rows('ALTER TABLE dbo.t DISABLE TRIGGER first; DELETE dbo.t; ALTER TABLE dbo.t ENABLE TRIGGER first');
    expect(await errors('INSERT INTO dbo.t VALUES (2, 1, 1)')).toContain(217);
    expect(await log()).toEqual([]);
  });

  test('ends at 32 levels with 217, and everything is undone', async () => {
    await db.rows('CREATE TABLE dbo.u (id int)');
    await db.rows('CREATE TRIGGER dbo.there ON dbo.t AFTER INSERT AS INSERT INTO dbo.u SELECT id FROM inserted');
    await db.rows('CREATE TRIGGER dbo.back ON dbo.u AFTER INSERT AS INSERT INTO dbo.t (id) SELECT id + 1 FROM inserted');
    const found = await errors("INSERT INTO dbo.t (id) VALUES (1); INSERT INTO dbo.log (what) VALUES (N'not reached')");
    expect(found.at(-1)).toBe(217);
    expect(
      await db.rows('SELECT (SELECT COUNT(*) FROM dbo.t) + (SELECT COUNT(*) FROM dbo.u) + (SELECT COUNT(*) FROM dbo.log) AS n'),
    ).toEqual([{ n: 0 }]);
  });
});

describe('an end inside a trigger', () => {
  test('ROLLBACK: 3609 after its own errors, the batch is over, the trigger went on with empty images', async () => {
    await db.rows(`CREATE TRIGGER dbo.guard ON dbo.t AFTER INSERT AS
      IF EXISTS (SELECT * FROM inserted WHERE a < 0)
      BEGIN
        RAISERROR('negative', 16, 1);
        ROLLBACK TRANSACTION;
        INSERT INTO dbo.log (what) SELECT CONCAT('after ', COUNT(*), ' ', @@TRANCOUNT) FROM inserted;
        RETURN;
      END`);
    expect(await errors("INSERT INTO dbo.t (id, a) VALUES (1, 1), (2, -2); INSERT INTO dbo.log (what) VALUES (N'no')")).toEqual([
      50_000, 3609,
    ]);
    expect(await db.rows('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 0 }]);
    expect(await log()).toEqual(['after 0 0']);
    const session = await db.session();
    expect(
      await errors("BEGIN TRAN; INSERT INTO dbo.log (what) VALUES (N'in'); INSERT INTO dbo.t (id, a) VALUES (3, -1)", session),
    ).toEqual([50_000, 3609]);
    expect((await session.request().query('SELECT @@TRANCOUNT AS n')).recordset).toEqual([{ n: 0 }]);
    expect(await log()).toEqual(['after 0 0', 'after 0 0']);
  });

  test('THROW and errors: the transaction is rolled back and the batch over, without 3609', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (1, 1, 1)');
    await db.rows(`CREATE TRIGGER dbo.throwing ON dbo.t AFTER UPDATE AS
      INSERT INTO dbo.log (what) VALUES (N'before');
      IF EXISTS (SELECT * FROM inserted WHERE a = 13) THROW 50001, N'thirteen', 1;
      DECLARE @x int = (SELECT 1 / MIN(a) FROM inserted);
      INSERT INTO dbo.log (what) VALUES (N'after');`);
    for (const [text, number] of [
      ["UPDATE dbo.t SET a = 13; INSERT INTO dbo.log (what) VALUES (N'next')", 50_001],
      ["BEGIN TRAN; UPDATE dbo.t SET a = 13; INSERT INTO dbo.log (what) VALUES (N'next')", 50_001],
      ["UPDATE dbo.t SET a = 0; INSERT INTO dbo.log (what) VALUES (N'next')", 8134],
    ] as const) {
      expect(await errors(text)).toEqual([number]);
      expect(await db.rows('SELECT @@TRANCOUNT AS n, a FROM dbo.t')).toEqual([{ n: 0, a: 1 }]);
    }
    expect(await log()).toEqual([]);
  });

  test('in TRY: CATCH finds the transaction doomed', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (1, 1, 1)');
    await db.rows("CREATE TRIGGER dbo.throwing ON dbo.t AFTER UPDATE AS THROW 50001, N'always', 1;");
    expect(
      await db.rows(`BEGIN TRAN;
        BEGIN TRY UPDATE dbo.t SET a = 2 END TRY
        BEGIN CATCH
          DECLARE @n int = ERROR_NUMBER(), @t int = @@TRANCOUNT, @x int = XACT_STATE();
          ROLLBACK;
          SELECT @n AS n, @t AS t, @x AS x;
        END CATCH`),
    ).toEqual([{ n: 50_001, t: 1, x: -1 }]);
  });

  test('its name is in what it tells, and ERROR_PROCEDURE() has it', async () => {
    await db.rows(`CREATE TRIGGER dbo.telling ON dbo.t AFTER INSERT AS
      PRINT 'printed';
      RAISERROR('raised', 16, 1);
      BEGIN TRY SELECT 1 / 0 AS x END TRY
      BEGIN CATCH DECLARE @in nvarchar(128) = ERROR_PROCEDURE(); PRINT @in; THROW END CATCH`);
    const request = (await db.session()).request();
    const told: { message: string; procName: string }[] = [];
    request.on('info', ({ message, procName }: { message: string; procName: string }) => told.push({ message, procName }));
    const refused: unknown = await request.batch('INSERT INTO dbo.t (id) VALUES (1)').catch((error: unknown) => error);
    expect(told).toEqual(['printed', 'dbo.telling'].map((message) => ({ message, procName: 'dbo.telling' })));
    expect(refused).toMatchObject({
      procName: 'dbo.telling',
      lineNumber: 4,
      number: 8134,
      precedingErrors: [{ message: 'raised', procName: 'dbo.telling', lineNumber: 3 }],
    });
    const caught =
      'BEGIN TRY INSERT INTO dbo.t (id) VALUES (1) END TRY BEGIN CATCH SELECT ERROR_PROCEDURE() AS p, ERROR_LINE() AS l END CATCH';
    expect(await db.rows(caught)).toEqual([{ p: 'dbo.telling', l: 3 }]);
    expect(await db.rows(caught.replace('INSERT INTO dbo.t (id) VALUES (1)', 'DECLARE @x int = 1 / 0'))).toEqual([{ p: null, l: 1 }]);
  });

  test('RAISERROR alone stops nothing', async () => {
    await db.rows(
      "CREATE TRIGGER dbo.warning ON dbo.t AFTER INSERT AS RAISERROR('careful', 16, 1); INSERT INTO dbo.log (what) VALUES (N'kept')",
    );
    expect(await errors("INSERT INTO dbo.t (id) VALUES (1); INSERT INTO dbo.log (what) VALUES (N'next')")).toEqual([50_000]);
    expect(await log()).toEqual(['kept', 'next']);
    expect(await db.rows('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 1 }]);
  });

  test('waiting: it waits for another session inside, and its statement is done once', async () => {
    await db.rows('CREATE TABLE dbo.counter (id int NOT NULL PRIMARY KEY, n int NOT NULL); INSERT INTO dbo.counter VALUES (1, 0)');
    await db.rows('CREATE TRIGGER dbo.counting ON dbo.t AFTER INSERT AS UPDATE dbo.counter SET n = n + 1 WHERE id = 1');
    const holder = (await db.session()).transaction();
    await holder.begin();
    await holder.request().batch('UPDATE dbo.counter SET n = 100 WHERE id = 1');
    const session = await db.session({ appName: 'waiting-in-trigger' });
    const waiting = session.request().batch('INSERT INTO dbo.t (id) VALUES (1), (2)');
    await expect
      .poll(() => db.rows(`SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'waiting-in-trigger' AND status = N'running'`))
      .toHaveLength(1);
    await holder.commit();
    await waiting;
    expect(await db.rows('SELECT n, (SELECT COUNT(*) FROM dbo.t) AS rows_ FROM dbo.counter')).toEqual([{ n: 101, rows_: 2 }]);
  });
});

describe('definitions', () => {
  test('are refused with the numbers of SQL Server', async () => {
    await db.rows('CREATE TRIGGER dbo.taken ON dbo.t AFTER INSERT AS SELECT 1 AS one');
    await db.rows('CREATE SCHEMA other');
    for (const [text, number] of [
      ['CREATE TRIGGER dbo.x ON dbo.nowhere AFTER INSERT AS SELECT 1', 8197],
      ['SELECT 1; CREATE TRIGGER dbo.x ON dbo.t AFTER INSERT AS SELECT 1', 111],
      ['CREATE TRIGGER dbo.t ON dbo.t AFTER INSERT AS SELECT 1', 2714],
      ['CREATE TRIGGER dbo.taken ON dbo.t AFTER INSERT AS SELECT 1', 2714],
      ['CREATE TRIGGER dbo.x ON dbo.t AFTER INSERT, INSERT AS SELECT 1', 1034],
      ['CREATE TRIGGER dbo.x ON dbo.t AFTER INSERT AS', 102],
      ['ALTER TRIGGER dbo.x ON dbo.t AFTER INSERT AS SELECT 1', 208],
      ['CREATE TRIGGER other.x ON dbo.t AFTER INSERT AS SELECT 1', 2103],
      ['ALTER TRIGGER dbo.taken ON dbo.log AFTER INSERT AS SELECT 1', 2110],
      ['DROP TRIGGER dbo.x', 3701],
      ['DISABLE TRIGGER dbo.x ON dbo.t', 1088],
      ['ENABLE TRIGGER ALL ON dbo.nowhere', 1088],
      ['ALTER TABLE dbo.t DISABLE TRIGGER x', 4920],
      ['INSERT INTO dbo.t (id) OUTPUT inserted.id VALUES (9)', 334],
    ] as const) {
      expect([text, await db.errorOf(text)]).toEqual([text, number]);
    }
    expect(await db.errorOf('DROP TRIGGER IF EXISTS dbo.x')).toBe(0);
    expect(await db.errorOf('DECLARE @ids TABLE (id int); INSERT INTO dbo.t (id) OUTPUT inserted.id INTO @ids VALUES (9)')).toBe(0);
  });

  test('are seen in sys.triggers and go with a rollback, or with the table', async () => {
    await db.rows('CREATE TRIGGER dbo.seen ON dbo.t AFTER INSERT, UPDATE AS SELECT 1 AS one');
    const shown = `SELECT name, OBJECT_NAME(parent_id) AS parent, type, is_disabled, is_instead_of_trigger FROM sys.triggers`;
    const seen = { name: 'seen', parent: 't', type: 'TR', is_disabled: false, is_instead_of_trigger: false };
    expect(await db.rows(shown)).toEqual([seen]);
    expect(await db.rows("SELECT OBJECT_NAME(OBJECT_ID(N'dbo.seen', N'TR')) AS name")).toEqual([{ name: 'seen' }]);
    await db.rows('DISABLE TRIGGER dbo.seen ON dbo.t');
    expect(await db.rows(shown)).toEqual([{ ...seen, is_disabled: true }]);
    await db.rows('BEGIN TRAN; DROP TABLE dbo.t; ROLLBACK');
    expect(await db.rows(shown)).toHaveLength(1);
    await db.rows('BEGIN TRAN; DROP TRIGGER dbo.seen; ROLLBACK');
    expect(await db.rows(shown)).toHaveLength(1);
    await db.rows('DROP TABLE dbo.t');
    expect(await db.rows(shown)).toEqual([]);
  });

  test.runIf(onSandbox)('of what the sandbox has not are refused by name', async () => {
    for (const [text, named] of [
      ['CREATE TRIGGER dbo.x ON dbo.t INSTEAD OF INSERT AS SELECT 1', 'INSTEAD OF triggers'],
      ['CREATE TRIGGER x ON DATABASE FOR DROP_TABLE AS SELECT 1', 'triggers on definitions'],
      ["CREATE TRIGGER dbo.x ON dbo.t WITH EXECUTE AS 'dbo' AFTER INSERT AS SELECT 1", 'CREATE TRIGGER … WITH'],
    ] as const) {
      await expect(db.pool.request().batch(text)).rejects.toMatchObject({ number: 50_001, message: expect.stringContaining(named) });
    }
  });
});
