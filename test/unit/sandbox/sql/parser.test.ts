import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SqlError } from '../../../../src/sandbox/session.ts';
import type { SelectStatement, Statement } from '../../../../src/sandbox/sql/ast.ts';
import { tokenize } from '../../../../src/sandbox/sql/lexer.ts';
import { parse } from '../../../../src/sandbox/sql/parser.ts';
import { UnsupportedError } from '../../../../src/sandbox/sql/unsupported.ts';
import { DAEMON_BATCHES, WINDOW_PAGE } from './daemon-statements.ts';

function kinds(text: string): string[] {
  return parse(text).statements.map((statement) => statement.kind);
}

function one<Kind extends Statement['kind']>(text: string, kind: Kind): Extract<Statement, { kind: Kind }> {
  const [statement, ...rest] = parse(text).statements;
  expect(rest).toEqual([]);
  expect(statement?.kind).toBe(kind);
  return statement as Extract<Statement, { kind: Kind }>;
}

function specification(statement: SelectStatement): Extract<SelectStatement['query']['body'], { kind: 'specification' }> {
  if (statement.query.body.kind !== 'specification') {
    throw new Error('a plain SELECT was expected');
  }
  return statement.query.body;
}

function error(text: string): string {
  try {
    parse(text);
  } catch (caught) {
    if (caught instanceof SqlError) {
      return `${caught.number} line ${caught.line}: ${caught.message}`;
    }
    throw caught;
  }
  return 'no error';
}

describe('what the daemon sends', () => {
  test.each(DAEMON_BATCHES)('parses %s', (text) => {
    expect(parse(text).statements.length).toBeGreaterThan(0);
  });

  test('a window page is the statements that it says', () => {
    expect(kinds(WINDOW_PAGE)).toEqual([
      'declare',
      'setOption',
      'setOption',
      'setOption',
      'setIsolation',
      'beginTransaction',
      'select',
      'select',
      'commit',
    ]);
  });
});

describe('statements', () => {
  test.each([
    ['ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)', ['alterDatabase']],
    ['ALTER DATABASE [shop] SET ALLOW_SNAPSHOT_ISOLATION ON', ['alterDatabase']],
    ['ALTER DATABASE shop SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE', ['alterDatabase']],
    ['ALTER TABLE dbo.t ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)', ['alterTable']],
    ['ALTER TABLE dbo.t DISABLE CHANGE_TRACKING', ['alterTable']],
    [
      `CREATE LOGIN l WITH PASSWORD = 'x', CHECK_POLICY = OFF; CREATE USER u FOR LOGIN l WITH DEFAULT_SCHEMA = dbo`,
      ['createLogin', 'createUser'],
    ],
    ['GRANT SELECT, VIEW CHANGE TRACKING ON SCHEMA::dbo TO u; DENY SELECT ON dbo.t (a, b) TO [u]', ['permission', 'permission']],
    ['REVOKE SELECT ON OBJECT::dbo.t FROM u; ALTER ROLE db_owner ADD MEMBER u', ['permission', 'alterRole']],
    ['CREATE DATABASE shop COLLATE Latin1_General_CI_AS; USE shop; DROP DATABASE IF EXISTS shop', ['createDatabase', 'use', 'drop']],
    ['CREATE SCHEMA sales AUTHORIZATION dbo', ['createSchema']],
    ['CREATE UNIQUE NONCLUSTERED INDEX i ON t (a, b DESC) INCLUDE (c) WHERE a > 1 WITH (ONLINE = ON)', ['createIndex']],
    ['DROP TABLE IF EXISTS a, s.b; DROP INDEX i ON t; TRUNCATE TABLE t', ['drop', 'dropIndex', 'truncate']],
    ['ALTER TABLE t ADD c int NOT NULL DEFAULT 0 WITH VALUES, CONSTRAINT pk PRIMARY KEY (a)', ['alterTable']],
    ['ALTER TABLE t DROP COLUMN a, b; ALTER TABLE t DROP CONSTRAINT x', ['alterTable', 'alterTable']],
    ['ALTER TABLE t ALTER COLUMN a nvarchar(50) COLLATE Latin1_General_BIN2 NOT NULL', ['alterTable']],
    ['SET NOCOUNT, XACT_ABORT ON SET DEADLOCK_PRIORITY -5 SET DATEFORMAT dmy SET TEXTSIZE 2147483647', Array(4).fill('setOption')],
    ['SET IDENTITY_INSERT dbo.t ON; SET LANGUAGE us_english; SET QUOTED_IDENTIFIER OFF', Array(3).fill('setOption')],
    ['BEGIN TRAN a; SAVE TRAN b; ROLLBACK TRAN b; COMMIT', ['beginTransaction', 'save', 'rollback', 'commit']],
    ['BEGIN TRY SELECT 1 END TRY BEGIN CATCH IF XACT_STATE() <> 0 ROLLBACK; THROW; END CATCH', ['try']],
    ["THROW 50001, N'no', 1", ['throw']],
    ["IF @a = 1 PRINT 'a'; ELSE IF @b = 2 BEGIN RETURN 1 END ELSE RETURN", ['if']],
    ['WHILE @i < 10 BEGIN SET @i += 1; IF @i = 5 BREAK; CONTINUE END', ['while']],
    ["RAISERROR('x %d', 16, 1, @a) WITH NOWAIT; WAITFOR DELAY '00:00:01'", ['raiseError', 'waitFor']],
    ["EXEC @r = dbo.p @a = 1, @b = @c OUTPUT, @d = word; EXEC('select 1')", ['execute', 'executeText']],
    ["sp_rename 'dbo.a', 'b'", ['execute']],
    ['DECLARE @t TABLE (id int PRIMARY KEY); INSERT INTO @t DEFAULT VALUES; INSERT @t (id) EXEC p', ['declareTable', 'insert', 'insert']],
    ["BACKUP DATABASE a TO DISK = 'x'; RESTORE DATABASE a FROM DISK = 'x' WITH REPLACE", ['backup', 'restore']],
    ['SELECT 1 UNION ALL (SELECT 2 EXCEPT SELECT 3) ORDER BY 1 OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY', ['select']],
    ['SELECT * FROM ((SELECT 1 AS a) UNION SELECT 2) AS d; SELECT * FROM ((SELECT 1 AS a) AS d CROSS JOIN e)', ['select', 'select']],
    ['SELECT a FROM t (NOLOCK), u WITH (UPDLOCK, HOLDLOCK, INDEX(pk)) OPTION (RECOMPILE, MAXDOP 1)', ['select']],
    ["SELECT x.* FROM t x CROSS APPLY (SELECT TOP (1) * FROM u ORDER BY 1) w OUTER APPLY STRING_SPLIT(x.a, N',') s", ['select']],
    [
      'SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS n, COUNT(DISTINCT a), SUM(b) FROM t GROUP BY a HAVING COUNT(*) > 1',
      ['select'],
    ],
    ["SELECT TOP 5 WITH TIES a = 1, N'b' AS 'c' FROM t WHERE a = ANY (SELECT 1) AND b NOT LIKE N'!%' ESCAPE N'!' ORDER BY a", ['select']],
  ])('parses %s', (text, expected) => {
    expect(kinds(text)).toEqual(expected);
  });

  test('a table keeps all that was declared', () => {
    const table = one(
      `CREATE TABLE #t (id bigint IDENTITY(10,-2) NOT NULL PRIMARY KEY CLUSTERED, a varchar(10) COLLATE Latin1_General_BIN2 NULL CONSTRAINT df DEFAULT ('x'),
        b AS (id + 1) PERSISTED, c int REFERENCES dbo.x(id) ON DELETE CASCADE, timestamp,
        CONSTRAINT u UNIQUE NONCLUSTERED (a DESC, c), CHECK (c > 0 AND a LIKE 'x%'), FOREIGN KEY (c) REFERENCES y) ON [PRIMARY]`,
      'createTable',
    );
    const [id, a, b, c, stamp] = table.columns;
    expect(table.name.name).toBe('#t');
    expect(id).toMatchObject({
      name: 'id',
      nullable: false,
      identity: { seed: '10', increment: '-2' },
      constraints: [{ kind: 'primaryKey', clustered: true }],
    });
    expect(a).toMatchObject({
      type: { name: 'varchar', args: [10] },
      collation: 'Latin1_General_BIN2',
      nullable: true,
      default: { name: 'df', text: "('x')" },
    });
    expect(b).toMatchObject({ type: null, computed: { persisted: true, text: '(id + 1)' } });
    expect(c).toMatchObject({ nullable: null, constraints: [{ kind: 'foreignKey', onDelete: 'cascade', columns: ['c'] }] });
    expect(stamp).toMatchObject({ name: 'timestamp', type: { name: 'timestamp' } });
    expect(table.constraints).toMatchObject([
      {
        kind: 'unique',
        name: 'u',
        clustered: false,
        columns: [
          { name: 'a', descending: true },
          { name: 'c', descending: false },
        ],
      },
      { kind: 'check', text: "(c > 0 AND a LIKE 'x%')" },
      { kind: 'foreignKey', referencedColumns: [], onUpdate: 'noAction' },
    ]);
  });

  test('UPDATE takes CTEs, a context, TOP, assignments of every form, OUTPUT and FROM', () => {
    const update = one(
      `WITH CHANGE_TRACKING_CONTEXT(0x01), c AS (SELECT 1 AS a)
       UPDATE TOP (10) x SET a += 1, x.b = DEFAULT, @v = c = 2, @w = d, doc.WRITE(N'x', 0, NULL) OUTPUT deleted.a, inserted.* INTO @o (a, b)
       FROM t AS x JOIN c ON c.a = x.a WHERE x.a > 0`,
      'update',
    );
    expect(update.changeTrackingContext).toMatchObject({ kind: 'literal', literal: 'binary', text: '01' });
    expect(update.ctes.map((cte) => cte.name)).toEqual(['c']);
    expect(update.assignments).toMatchObject([
      { column: ['a'], operator: '+=' },
      { column: ['x', 'b'], expression: { kind: 'default' } },
      { column: ['c'], variable: '@v' },
      { column: null, variable: '@w', expression: { kind: 'column', name: 'd' } },
      { column: ['doc'], write: { offset: { text: '0' }, length: { literal: 'null' } } },
    ]);
    expect(update.output).toMatchObject({
      items: [{ kind: 'expression' }, { kind: 'star', qualifier: ['inserted'] }],
      intoColumns: ['a', 'b'],
    });
    expect(update.from).toMatchObject({ kind: 'join', type: 'inner' });
  });

  test('MERGE has its clauses in order and needs its semicolon', () => {
    const text = `MERGE INTO t WITH (HOLDLOCK) AS d USING (VALUES (1, 2)) AS s (a, b) ON d.a = s.a
      WHEN MATCHED AND d.b <> s.b THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b)
      WHEN NOT MATCHED BY SOURCE THEN DELETE OUTPUT $action, inserted.a`;
    const merge = one(`${text};`, 'merge');
    expect(merge.clauses.map(({ when, action }) => [when, action.kind])).toEqual([
      ['matched', 'update'],
      ['notMatchedByTarget', 'insert'],
      ['notMatchedBySource', 'delete'],
    ]);
    expect(merge.target).toMatchObject({ alias: 'd', hints: ['HOLDLOCK'] });
    expect(error(text)).toBe('10713 line 3: A MERGE statement must be terminated by a semi-colon (;).');
  });

  test('AND binds stronger than OR, and * stronger than +', () => {
    const { where } = specification(one('SELECT 1 WHERE a = 1 OR b = 2 AND NOT c + 1 * 2 = 3', 'select'));
    expect(where).toMatchObject({
      operator: 'or',
      right: { operator: 'and', right: { kind: 'not', operand: { left: { operator: '+', right: { operator: '*' } } } } },
    });
  });

  test('INTERSECT binds stronger than UNION', () => {
    expect(one('SELECT 1 UNION SELECT 2 INTERSECT SELECT 3', 'select').query.body).toMatchObject({
      operator: 'union',
      right: { operator: 'intersect' },
    });
  });

  test('nodes carry the line of the batch', () => {
    const [, second] = parse('SELECT 1;\n\n  /* two\n lines */ SELECT\n a').statements;
    expect(second).toMatchObject({ line: 4 });
    expect(second?.kind === 'select' && specification(second).items[0]).toMatchObject({ line: 5 });
  });

  test('double quotes are names or strings, by QUOTED_IDENTIFIER', () => {
    const item = (quotedIdentifier: boolean): unknown => {
      const [statement] = parse('SELECT "a""b"', { quotedIdentifier }).statements;
      return statement?.kind === 'select' && specification(statement).items[0];
    };
    expect(item(true)).toMatchObject({ expression: { kind: 'column', name: 'a"b' } });
    expect(item(false)).toMatchObject({ expression: { kind: 'literal', text: 'a"b' } });
  });
});

describe('the baseline of CHANGETABLE', () => {
  test.each(['0', '2147483647', 'NULL', '@since'])('may be %s', (version) => {
    expect(kinds(`SELECT * FROM CHANGETABLE(CHANGES dbo.t, ${version}, FORCESEEK) AS c (a, b)`)).toEqual(['select']);
  });

  test.each([
    ['@since + 1', '+'],
    ['-1', '-'],
    ['1.5', '1.5'],
    ['f(1)', 'f'],
    ["'1'", '1'],
    ['2147483648', '2147483648'],
  ])('may not be %s: error 102', (version, near) => {
    expect(error(`SELECT * FROM CHANGETABLE(CHANGES dbo.t, ${version}) AS c`)).toBe(`102 line 1: Incorrect syntax near '${near}'.`);
  });

  test('VERSION takes keys and values', () => {
    const { from } = specification(one('SELECT * FROM CHANGETABLE(VERSION dbo.t, (a, b), (1, @x)) AS v', 'select'));
    expect(from).toMatchObject({ kind: 'version', keys: ['a', 'b'], values: [{ text: '1' }, { name: '@x' }], alias: 'v' });
  });

  test('a missing alias is left to the executor, who raises 22104', () => {
    expect(specification(one('SELECT * FROM CHANGETABLE(CHANGES t, 0)', 'select')).from).toMatchObject({ alias: null });
  });
});

describe('errors', () => {
  test.each([
    ['SELECT * FROM', "102 line 1: Incorrect syntax near 'FROM'."],
    ['SELECT 1\n\nFROM WHERE', "156 line 3: Incorrect syntax near the keyword 'WHERE'."],
    ['SELECT * FROM t WHERE a == 1', "102 line 1: Incorrect syntax near '='."],
    ['selec 1 from t', "156 line 1: Incorrect syntax near the keyword 'from'."],
    ['SELECT 1; sp_who', "102 line 1: Incorrect syntax near 'sp_who'."],
    ['INSERT INTO t VALUES (1', "102 line 1: Incorrect syntax near '1'."],
    ["SELECT 'abc", "105 line 1: Unclosed quotation mark after the character string 'abc'."],
    ['SELECT 1 /* x', "113 line 1: Missing end comment mark '*/'."],
    ['SET FOO ON', "195 line 1: 'FOO' is not a recognized SET option."],
    [
      'ALTER DATABASE x SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 1 DAY)',
      "155 line 1: 'DAY' is not a recognized CHANGE_RETENTION option.",
    ],
    ['SELECT a FROM t AS', "102 line 1: Incorrect syntax near 'AS'."],
  ])('%s', (text, message) => {
    expect(error(text)).toBe(message);
  });

  test.each([
    ['CREATE PROCEDURE p AS SELECT 1', 'CREATE PROCEDURE'],
    ['SELECT * FROM t TABLESAMPLE (10 PERCENT)', 'TABLESAMPLE'],
    ['SELECT * FROM t FOR XML PATH', 'FOR XML'],
    ['DECLARE c CURSOR FOR SELECT 1', 'cursors'],
    ['DBCC CHECKDB', 'DBCC CHECKDB'],
    ['SELECT a FROM t FOR XML AUTO', 'FOR XML'],
  ])('what is outside of the subset is refused by name: %s', (text, construct) => {
    const refuse = (): unknown => parse(text);
    expect(refuse).toThrow(UnsupportedError);
    expect(refuse).toThrow(`The sandbox does not support ${construct}.`);
    expect(refuse).toThrow(expect.objectContaining({ number: 50_001 }));
  });

  test('any text is parsed or refused with a SqlError', () => {
    const word = fc.constantFrom(
      ..."SELECT FROM WHERE ( ) , a @b 1 1.5 'x' [c] = + - * . ; BEGIN END CASE WHEN THEN AS IN (SELECT INSERT INTO VALUES SET JOIN ON NOT NULL".split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 25 }), (words) => {
        expect(error(words.join(' '))).toMatch(/^(?:no error|\d+ line \d+: )/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('tokens', () => {
  test('cover the text without overlap, and their lines count its newlines', () => {
    const piece = fc.constantFrom(
      'a',
      '[b]]c]',
      "N'it''s'",
      '0x1F',
      '1.5e3',
      '@v',
      '@@SPID',
      '--c\n',
      '/* /* x */ \n */',
      '\n',
      ' ',
      '<>',
      '$1.50',
      '$action',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join(' ');
        const tokens = tokenize(text, true);
        let last = 0;
        for (const token of tokens) {
          expect(token.position).toBeGreaterThanOrEqual(last);
          expect(token.line).toBe(text.slice(0, token.position).split('\n').length);
          last = token.end;
        }
        expect(tokens.at(-1)?.type).toBe('end');
      }),
    );
  });
});
