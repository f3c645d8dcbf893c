import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../../src/model/errors.ts';
import { parseFilter, type FilterColumn } from '../../../../src/source/sqlserver/filter.ts';

const column = (name: string, type: string, rest: Partial<FilterColumn> = {}): FilterColumn => ({
  name,
  type,
  columnId: 1,
  maxLength: 40,
  precision: 18,
  scale: 4,
  nullable: true,
  collation: null,
  computed: false,
  ...rest,
});

const COLUMNS = [
  column('Id', 'int'),
  column('Big', 'bigint'),
  column('Price', 'decimal'),
  column('Rate', 'float'),
  column('Status', 'nvarchar'),
  column('Code', 'varchar'),
  column('Odd ]Name', 'nvarchar'),
  column('At', 'datetime2', { scale: 7 }),
  column('Old', 'datetime'),
  column('Day', 'date'),
  column('Off', 'datetimeoffset', { scale: 7 }),
  column('Clock', 'time', { scale: 7 }),
  column('Guid', 'uniqueidentifier'),
  column('Bin', 'varbinary'),
  column('Flag', 'bit'),
  column('Doc', 'xml'),
  column('Total', 'int', { computed: true }),
  column('order', 'int'),
];

const sqlOf = (text: string): string => parseFilter(text, COLUMNS).sql;

describe('a filter is written anew as T-SQL', () => {
  it.each([
    ["Status <> 'archived'", "t.[Status] <> N'archived'"],
    ["status<>N'archived'", "t.[Status] <> N'archived'"],
    ["Status = 'it''s; DROP TABLE x --'", "t.[Status] = N'it''s; DROP TABLE x --'"],
    ["Code = 'A1'", "t.[Code] = 'A1'"],
    ["Code = 'ü'", "t.[Code] = N'ü'"],
    ["[Odd ]]Name] = ''", "t.[Odd ]]Name] = N''"],
    ['"Odd ]Name" = \'x\'', "t.[Odd ]]Name] = N'x'"],
    ['Id=1', 't.[Id] = 1'],
    ['Id >= -5 AND Id<= 10', '(t.[Id] >= -5 AND t.[Id] <= 10)'],
    ['1 < Id', '1 < t.[Id]'],
    ['Big = 9223372036854775807', 't.[Big] = 9223372036854775807'],
    ['Price > 10.50', 't.[Price] > 10.50'],
    ['Rate < 1e-3', 't.[Rate] < 1e-3'],
    ['Id = Big', 't.[Id] = t.[Big]'],
    ['Flag = 1', 't.[Flag] = 1'],
    ["Status IN ('a', 'b')", "t.[Status] IN (N'a', N'b')"],
    ['Id NOT IN (1,2,3)', 't.[Id] NOT IN (1, 2, 3)'],
    ['Id BETWEEN 1 AND 5 AND Flag = 0', '(t.[Id] BETWEEN 1 AND 5 AND t.[Flag] = 0)'],
    ['Id NOT BETWEEN -2 AND -1', 't.[Id] NOT BETWEEN -2 AND -1'],
    ["Status LIKE 'A%'", "t.[Status] LIKE N'A%'"],
    ["Status NOT LIKE '10!%' ESCAPE '!'", "t.[Status] NOT LIKE N'10!%' ESCAPE N'!'"],
    ['Status IS NULL', 't.[Status] IS NULL'],
    ['Doc IS NOT NULL', 't.[Doc] IS NOT NULL'],
    ['NOT Id = 1', '(NOT t.[Id] = 1)'],
    ['NOT (Id = 1 OR Id = 2)', '(NOT (t.[Id] = 1 OR t.[Id] = 2))'],
    ['Id = 1 OR Id = 2 AND Flag = 1', '(t.[Id] = 1 OR (t.[Id] = 2 AND t.[Flag] = 1))'],
    ['(Id = 1 OR Id = 2) AND Flag = 1', '((t.[Id] = 1 OR t.[Id] = 2) AND t.[Flag] = 1)'],
    ['((Id = 1))', 't.[Id] = 1'],
    ["At >= '2026-01-31'", "t.[At] >= CONVERT(datetime2(7), '2026-01-31T00:00:00', 126)"],
    ["At >= '2026-01-31 23:59:59.1234567'", "t.[At] >= CONVERT(datetime2(7), '2026-01-31T23:59:59.1234567', 126)"],
    ["Old < '2026-01-31T23:59'", "t.[Old] < CONVERT(datetime, '2026-01-31T23:59:00', 126)"],
    ["Day = '2024-02-29'", "t.[Day] = CONVERT(date, '2024-02-29', 126)"],
    ["Off = '2026-01-31T12:00:00+05:30'", "t.[Off] = CONVERT(datetimeoffset(7), '2026-01-31T12:00:00+05:30')"],
    ["Clock < '12:30:00'", "t.[Clock] < CONVERT(time(7), '12:30:00')"],
    ["Guid = '6F9619FF-8B86-D011-B42D-00C04FC964FF'", "t.[Guid] = CONVERT(uniqueidentifier, '6f9619ff-8b86-d011-b42d-00c04fc964ff')"],
    ['Bin = 0xff00', 't.[Bin] = 0xFF00'],
    ['[order] > 3', 't.[order] > 3'],
  ])('%s', (text, sql) => {
    expect(sqlOf(text)).toBe(sql);
  });

  it('means the same when its own names and literals are read again', () => {
    for (const text of ["Status <> 'it''s'", 'Id = 1 OR Id = 2 AND Flag = 1', "Status LIKE 'A%' AND NOT Id IN (1, -2)"]) {
      const once = sqlOf(text);
      expect(sqlOf(once.replaceAll('t.[', '['))).toBe(once);
    }
  });
});

describe('a refusal names the position and what was expected (S210)', () => {
  it.each([
    ['', 1, 'a column'],
    ['Id', 3, '='],
    ['Id =', 5, 'a number'],
    ['Id = 1 AND', 11, 'a column'],
    ['Id = 1 Flag = 1', 8, 'AND, OR or the end'],
    ['(Id = 1', 8, ')'],
    ["Id = '1'", 6, 'a number'],
    ['Status = 1', 10, 'a text'],
    ['Status = NULL', 10, 'IS NULL'],
    ['Nope = 1', 1, 'there is no Nope'],
    ['Id = GETDATE()', 6, 'there is no GETDATE'],
    ['LEN(Status) > 3', 1, 'there is no LEN'],
    ['Id IN (SELECT 1)', 8, 'a number'],
    ['Id = (SELECT 1)', 6, 'a number'],
    ['Id = 1; DROP TABLE x', 7, 'a column, a literal or an operator'],
    ['Id = 1 -- x', 8, 'AND, OR or the end'],
    ['Id = 1 /* x */', 8, 'a column, a literal or an operator'],
    ['Id = @p', 6, 'a column, a literal or an operator'],
    ['Id != 1', 4, 'a column, a literal or an operator'],
    ['Id + 1 = 2', 4, 'a column, a literal or an operator'],
    ['t.Id = 1', 2, 'a column, a literal or an operator'],
    ['Total = 1', 1, 'is computed'],
    ["Doc = 'x'", 1, 'is xml'],
    ['Id LIKE 5', 4, 'a column of characters'],
    ['Id = Status', 6, 'compares with Id'],
    ['1 = 1', 5, 'a column'],
    ["Status = 'open", 10, 'a column, a literal or an operator'],
    ['Id = 1e3', 6, 'a number'],
    ["Day = '2026-02-30'", 7, 'a date'],
    ["At = '31.01.2026'", 6, 'a date'],
    ["At = '2026-01-31T10:00:00+01:00'", 6, 'a date'],
    ["Guid = 'x'", 8, 'uniqueidentifier'],
    ['Bin = 0xf', 7, 'a binary literal'],
    ['Flag = 2', 8, '0 or 1'],
    ['Flag = -1', 8, '0 or 1'],
    ["Status LIKE 'a' ESCAPE 'xy'", 24, 'one character'],
    ['Id NOT = 1', 8, 'IN, BETWEEN or LIKE'],
    [`${'('.repeat(300)}Id = 1${')'.repeat(300)}`, 201, 'levels'],
  ])('%s', (text, position, expected) => {
    let refusal: unknown = null;
    try {
      sqlOf(text);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(PatchwireError);
    expect(refusal).toMatchObject({ code: 'PW-S210', details: { position } });
    expect((refusal as PatchwireError).message).toContain(expected);
    expect((refusal as PatchwireError).message).toContain(`position ${position}`);
  });

  it('never anything but a refusal, and never a text that leaves its literal', () => {
    const word = fc.constantFrom(
      'Id',
      'Status',
      '=',
      '<>',
      "'",
      "''",
      "'a'",
      '1',
      '-',
      '(',
      ')',
      'AND',
      'OR',
      'NOT',
      'IN',
      ',',
      'IS',
      'NULL',
      ';',
      '[',
      ']',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        let sql = '';
        let refusal: unknown = { code: 'PW-S210' };
        try {
          sql = sqlOf(words.join(' '));
        } catch (error) {
          refusal = error;
        }
        expect(refusal).toMatchObject({ code: 'PW-S210' });
        // Without its literals what is left are names, numbers and the grammar's own words.
        const bare = sql.replaceAll(/N?'(?:[^']|'')*'/g, '').replaceAll(/t\.\[(?:[^\]]|\]\])*\]/g, '');
        expect(bare).toMatch(/^(?:NOT|AND|OR|IN|IS|NULL|LIKE|BETWEEN|[\s\d()=<>,-])*$/);
      }),
      { numRuns: 3000 },
    );
  });
});
