import { describe, expect, test } from 'vitest';
import type { SystemFunctions } from '../../../../src/sandbox/sql/context.ts';
import type { SqlType } from '../../../../src/sandbox/sql-types.ts';
import { compiledType, evaluate, failure, shown } from './evaluation.ts';

describe('string functions', () => {
  test.each([
    ["len('abc  ')", '3'],
    ["datalength(N'abc ')", '8'],
    ["datalength('abc ')", '4'],
    ['datalength(cast(1 as bigint))', '8'],
    ['datalength(0x010203)', '3'],
    ["substring('hello', 2, 3)", 'ell'],
    ["substring('hello', 0, 3)", 'he'],
    ['substring(0x010203, 2, 5)', '0x0203'],
    ["left('abc', 2) + right('abc', 2)", 'abbc'],
    ["charindex('b', 'aBcb', 3)", '4'],
    ["charindex('', 'abc')", '0'],
    ["patindex('%[0-9]%', 'ab1')", '3'],
    ["patindex('b%', 'ab')", '0'],
    ["replace('aXbxc', 'x', '--')", 'a--b--c'],
    ["replace('abc', '', 'x')", 'abc'],
    ["stuff('abcdef', 2, 3, 'X')", 'aXef'],
    ["stuff('abc', 9, 1, 'X')", 'NULL'],
    ["replicate('ab', 3)", 'ababab'],
    ["'[' + space(2) + ']'", '[  ]'],
    ["reverse('abc')", 'cba'],
    ["upper('aé') + lower('AÉ')", 'AÉaé'],
    ["'[' + ltrim('  a ') + rtrim(' b  ') + trim('  c  ') + ']'", '[a  bc]'],
    ["concat('a', NULL, 1, 2.5)", 'a12.5'],
    ["concat_ws('-', 'a', NULL, 'b')", 'a-b'],
    ["quotename('a]b')", '[a]]b]'],
    ["quotename('a\"b', '\"')", '"a""b"'],
    ['str(123.456, 8, 2)', '  123.46'],
    ["ascii('A')", '65'],
    ['nchar(8364)', '€'],
    ['char(128)', '€'],
    ["unicode(N'€')", '8364'],
    ["hashbytes('SHA2_256', 'abc')", '0xBA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD'],
    ["parsename('a.[b.c].d', 2)", 'b.c'],
    ['len(NULL)', 'NULL'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });

  test('the length of a (max) text is a bigint, as DATALENGTH of it', () => {
    expect(compiledType("datalength(cast('x' as nvarchar(max)))")).toBe('bigint');
    expect(compiledType("datalength('x')")).toBe('int');
  });
});

describe('mathematical functions', () => {
  test.each([
    ['round(2.345, 2)', 'numeric(4,3)', '2.350'],
    ['round(-2.5, 0)', 'numeric(2,1)', '-3.0'],
    ['round(2.349, 2, 1)', 'numeric(4,3)', '2.340'],
    ['round(1251, -2)', 'int', '1300'],
    ['ceiling(2.1)', 'decimal(2,0)', '3'],
    ['floor(-2.1)', 'decimal(2,0)', '-3'],
    ['floor(cast(-2.5 as money))', 'money', '-3.0000'],
    ['abs(-5)', 'int', '5'],
    ['abs(cast(-99999999999999999999999999999999999.5 as decimal(38,1)))', 'decimal(38,1)', '99999999999999999999999999999999999.5'],
    ['sign(-2.5)', 'numeric(2,1)', '-1.0'],
    ['power(2, 10)', 'int', '1024'],
    ['power(cast(2 as bigint), 62)', 'bigint', '4611686018427387904'],
    ['sqrt(16)', 'float', '4'],
  ])('%s is %s %s', (expression, type, text) => {
    expect(compiledType(expression)).toBe(type);
    expect(shown(expression)).toBe(text);
  });

  test('what has no value is error 3623', () => {
    expect(failure('sqrt(-1)')).toBe('3623: An invalid floating point operation occurred.');
  });
});

describe('date functions', () => {
  test.each([
    ['sysutcdatetime()', '2026-11-22 10:30:00.1234567'],
    ['convert(varchar(30), getdate(), 126)', '2026-11-22T10:30:00.123'],
    ["dateadd(month, 1, cast('2024-01-31' as date))", '2024-02-29'],
    ["dateadd(year, -1, cast('2024-02-29' as datetime2(0)))", '2023-02-28 00:00:00'],
    ["dateadd(ms, 1500, cast('2026-01-01' as datetime2(3)))", '2026-01-01 00:00:01.500'],
    ["dateadd(hour, 1, cast('2026-01-01T23:30:00+02:00' as datetimeoffset(0)))", '2026-01-02 00:30:00 +02:00'],
    ["dateadd(minute, 90, cast('23:00' as time(0)))", '00:30:00'],
    ["datediff(day, '2020-01-01', '2020-02-01')", '31'],
    ["datediff(year, '2025-12-31', '2026-01-01')", '1'],
    ["datediff(hour, '2026-01-01 10:59', '2026-01-01 11:01')", '1'],
    ["datediff_big(ms, '1900-01-01', '2026-01-01')", '3976214400000'],
    ["datepart(week, '2026-11-22')", '48'],
    ["datepart(iso_week, '2026-11-22')", '47'],
    ["datepart(weekday, '2026-11-22')", '1'],
    ["datename(month, '2026-11-22') + datename(weekday, '2026-11-22')", 'NovemberSunday'],
    ["datepart(dayofyear, '2026-12-31')", '365'],
    ["year('2026-11-22') * 10000 + month('2026-11-22') * 100 + day('2026-11-22')", '20261122'],
    ["eomonth('2024-02-10')", '2024-02-29'],
    ['datefromparts(2026, 11, 22)', '2026-11-22'],
    ['datetime2fromparts(2026, 11, 22, 10, 30, 0, 5, 3)', '2026-11-22 10:30:00.005'],
    ["isdate('2026-02-29')", '0'],
    ["isdate('2026-02-28')", '1'],
    ["switchoffset(cast('2026-01-01T12:00:00+00:00' as datetimeoffset(0)), '+02:00')", '2026-01-01 14:00:00 +02:00'],
    ["datetrunc(month, cast('2026-11-22' as date))", '2026-11-01'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });

  test.each([
    ["dateadd(foo, 1, '2026-01-01')", "155: 'foo' is not a recognized dateadd option."],
    ["dateadd(year, 9000, cast('2026-01-01' as date))", "517: Adding a value to a 'date' column caused an overflow."],
    ['datefromparts(2026, 2, 29)', '289: Cannot construct data type date, some of the arguments have values which are not valid.'],
  ])('%s is an error', (expression, message) => {
    expect(failure(expression)).toBe(message);
  });
});

describe('JSON functions', () => {
  test.each([
    [`json_value('{"a":{"b":[1,2.50]}}', '$.a.b[1]')`, '2.50'],
    [`json_value('{"n":12345678901234567890}', '$.n')`, '12345678901234567890'],
    [`json_value('{"a b":"x\\u00e9"}', '$."a b"')`, 'xé'],
    [`json_value('{"a":{}}', '$.a')`, 'NULL'],
    [`json_value('{"a":null}', '$.a')`, 'NULL'],
    [`json_query('{"a":[1, 2]}', '$.a')`, '[1, 2]'],
    [`json_query('{"a":1}', '$.a')`, 'NULL'],
    [`isjson('{"a":[1,true,null]}')`, '1'],
    [`isjson('{"a":01}')`, '0'],
    [`isjson('12')`, '0'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });

  test.each([
    [`json_value('{"a":1}', 'strict $.b')`, 13_608],
    [`json_value('nope', '$.b')`, 13_609],
    [`json_value('{}', '$.')`, 13_607],
  ])('%s is error %i', (expression, number) => {
    expect(failure(expression)).toMatch(new RegExp(`^${number}: `));
  });
});

describe('functions of the session and the catalog', () => {
  const text: SqlType = { name: 'nvarchar', length: 20, collation: 'Latin1_General_CI_AS' };
  const system: Partial<SystemFunctions> = {
    objectId: (name, type) => (name === '[dbo].[t]' && type === null ? 42 : null),
    databaseId: (name) => (name === null ? 5 : name === 'shop' ? 6 : null),
    databaseName: (id) => (id === null ? 'here' : null),
    databaseProperty: (name, property) => (name === 'here' && property === 'Updateability' ? { type: text, value: 'READ_WRITE' } : null),
    serverProperty: (name) => (name === 'ServerName' ? { type: text, value: 'sandbox' } : null),
    changeTrackingCurrentVersion: () => 9_007_199_254_740_993n,
    changeTrackingMinValidVersion: (id) => (id === 42 ? 7n : null),
    columnProperty: (id, column, property) => (id === 42 && column === 'a' && property === 'ColumnId' ? 3 : null),
    spid: () => 51,
    transactionCount: () => 2,
    rowCount: () => 3n,
    caughtError: () => ({ number: 50_000, severity: 16, state: 1, line: 4, procedure: null, message: 'no' }),
    scopeIdentity: () => 12n,
    transactionState: () => -1,
    hasPermission: (securable, kind, permission) => securable === 'dbo.t' && kind === 'OBJECT' && permission === 'SELECT',
    sessionContext: (key) => (key === 'k' ? { type: text, value: 'v' } : null),
  };

  test.each([
    ["object_id(N'[dbo].[t]')", '42'],
    ["object_id(N'[dbo].[u]')", 'NULL'],
    ['db_id()', '5'],
    ["db_id('shop')", '6'],
    ['db_name()', 'here'],
    ['db_name(NULL)', 'NULL'],
    ["convert(nvarchar(60), databasepropertyex(db_name(), 'Updateability'))", 'READ_WRITE'],
    ["serverproperty('ServerName')", 'sandbox'],
    ["serverproperty('nonsense')", 'NULL'],
    ['change_tracking_current_version()', '9007199254740993'],
    ["change_tracking_min_valid_version(object_id('[dbo].[t]'))", '7'],
    ['change_tracking_min_valid_version(CAST(NULL AS int))', 'NULL'],
    ["columnproperty(42, 'a', 'ColumnId')", '3'],
    ['@@spid', '51'],
    ['@@trancount + @@rowcount', '5'],
    ["concat(error_number(), '/', error_line(), '/', error_message())", '50000/4/no'],
    ['error_procedure()', 'NULL'],
    ['scope_identity()', '12'],
    ['xact_state()', '-1'],
    ["has_perms_by_name('dbo.t', 'OBJECT', 'SELECT')", '1'],
    ["has_perms_by_name('dbo.t', 'OBJECT', 'UPDATE')", '0'],
    ["session_context(N'k')", 'v'],
    ['newid()', 'ABABABAB-ABAB-4BAB-ABAB-ABABABABABAB'],
    ["sql_variant_property(1.50, 'Scale')", '2'],
  ])('%s is %s', (expression, value) => {
    expect(shown(expression, { system })).toBe(value);
  });

  test('2.4-05: every column is in a NULL mask, and in another mask those that it lists', () => {
    expect(evaluate('change_tracking_is_column_in_mask(3, NULL)').value).toBe(true);
    expect(evaluate('change_tracking_is_column_in_mask(3, 0x000000000200000003000000)').value).toBe(true);
    expect(evaluate('change_tracking_is_column_in_mask(4, 0x000000000200000003000000)').value).toBe(false);
    expect(failure('change_tracking_is_column_in_mask(4, 0x0102)')).toMatch(/^22101: /);
    expect(failure("change_tracking_is_column_in_mask('x', NULL)")).toMatch(/^8116: /);
  });

  test.each([
    ['nonsense(1)', "195: 'nonsense' is not a recognized built-in function name."],
    ['len()', '174: The len function requires 1 argument(s).'],
    ['concat(1)', '189: The concat function requires 2 to 254 arguments.'],
    ['@@nonsense', '137: Must declare the scalar variable "@@nonsense".'],
    ['checksum(1)', '50001: The sandbox does not support the function CHECKSUM.'],
    ['dbo.f(1)', '4121: Cannot find either column "dbo" or the user-defined function or aggregate "dbo.f", or the name is ambiguous.'],
  ])('%s is an error', (expression, message) => {
    expect(failure(expression)).toBe(message);
  });
});
