import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimalResult, decimalType } from '../../../../src/sandbox/sql/types.ts';
import { asBigint } from '../../../../src/sandbox/sql/values.ts';
import type { SqlType, SqlValue } from '../../../../src/sandbox/sql-types.ts';
import { DEFAULT_COLLATION } from '../../../../src/sandbox/sql-types.ts';
import { compiledType, evaluate, failure, holds, INT, shown } from './evaluation.ts';

const nullInt = { '@n': { type: INT, value: null } };

function int(value: number): { type: SqlType; value: SqlValue } {
  return { type: INT, value };
}

describe('arithmetic', () => {
  test.each([
    ['1 + 2 * 3', 'int', '7'],
    ['10 / 4', 'int', '2'],
    ['-7 / 2', 'int', '-3'],
    ['-7 % 3', 'int', '-1'],
    ['1.0 / 3', 'decimal(7,6)', '0.333333'],
    ['2.0 / 3', 'decimal(7,6)', '0.666666'],
    ['1.5 * 2', 'decimal(4,1)', '3.0'],
    ['1.1 % 0.3', 'decimal(1,1)', '0.2'],
    ['cast(1 as decimal(38,10)) / 3', 'decimal(38,10)', '0.3333333333'],
    ['cast(1 as decimal(38,20)) * cast(1 as decimal(38,20))', 'decimal(38,6)', '1.000000'],
    ['cast(2 as money) / 3', 'money', '0.6666'],
    ['cast(1.5 as money) * 2.0', 'decimal(22,5)', '3.00000'],
    ['1 + 1e0', 'float', '2'],
    ["'1' + 2", 'int', '3'],
    ["'a' + N'b'", 'nvarchar(2)', 'ab'],
    ['0x01 + 0x02', 'varbinary(2)', '0x0102'],
    ['cast(1 as bigint) + 1', 'bigint', '2'],
    ['2147483648', 'numeric(10,0)', '2147483648'],
    ['- -3', 'int', '3'],
    ['~5', 'int', '-6'],
    ['6 & 3 | 8 ^ 1', 'int', '11'],
    ["cast('2026-01-31' as datetime) + 1.5", 'datetime', 'Feb  1 2026 12:00PM'],
    ['$1.50', 'money', '1.5000'],
  ])('%s is %s %s', (expression, type, text) => {
    expect(compiledType(expression)).toBe(type);
    expect(shown(expression)).toBe(text);
  });

  test.each([
    ['1 / 0', '8134: Divide by zero error encountered.'],
    ['1.0 / 0', '8134: Divide by zero error encountered.'],
    ['2147483647 + 1', '8115: Arithmetic overflow error converting expression to data type int.'],
    ['100000 * 100000', '8115: Arithmetic overflow error converting expression to data type int.'],
    ['cast(9223372036854775807 as bigint) + 1', '8115: Arithmetic overflow error converting expression to data type bigint.'],
    ['cast(200 as tinyint) + cast(100 as tinyint)', '8115: Arithmetic overflow error converting expression to data type tinyint.'],
    ["'a' - 'b'", '402: The data types varchar and varchar are incompatible in the subtract operator.'],
    ["cast('2026-01-01' as date) + 1", '206: Operand type clash: date is incompatible with int'],
    ["cast('2026-01-01' as datetime2) + cast('2026-01-01' as datetime2)", '8117: Operand data type datetime2 is invalid for add operator.'],
    ['cast(1 as bit) + cast(1 as bit)', '402: The data types bit and bit are incompatible in the add operator.'],
    ["'abc' + 1", "245: Conversion failed when converting the varchar value 'abc' to data type int."],
    ['@missing', '137: Must declare the scalar variable "@missing".'],
  ])('%s is an error', (expression, message) => {
    expect(failure(expression)).toBe(message);
  });

  test.each(['@n + 1', "'a' + NULL", '1.5 * @n', '-@n', '@n / 0'])('%s is NULL', (expression) => {
    expect(shown(expression, { variables: nullInt })).toBe('NULL');
  });

  const decimal = fc
    .record({ precision: fc.integer({ min: 1, max: 18 }), digits: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), scale: fc.nat(18) })
    .map(({ precision, digits, scale }) => {
      const places = Math.min(scale, precision);
      return { type: decimalType(precision, places), value: digits % 10n ** BigInt(precision) };
    });

  test('decimals add, subtract, multiply and divide as fractions of bigints do', () => {
    fc.assert(
      fc.property(decimal, decimal, fc.constantFrom('+', '-', '*', '/', '%'), (a, b, operator) => {
        fc.pre(!((operator === '/' || operator === '%') && b.value === 0n));
        const type = decimalResult(operator as '+', a.type, b.type);
        // a / 10^sa and b / 10^sb over one denominator.
        const scale = Math.max(a.type.scale, b.type.scale);
        const x = a.value * 10n ** BigInt(scale - a.type.scale);
        const y = b.value * 10n ** BigInt(scale - b.type.scale);
        const unit = 10n ** BigInt(scale);
        const target = 10n ** BigInt(type.scale);
        const [numerator, denominator] =
          operator === '+'
            ? [x + y, unit]
            : operator === '-'
              ? [x - y, unit]
              : operator === '*'
                ? [x * y, unit * unit]
                : operator === '/'
                  ? [x, y]
                  : [x % y, unit];
        const exact = (numerator * target) / denominator;
        const value = asBigint(evaluate(`@a ${operator} @b`, { variables: { '@a': a, '@b': b } }).value);
        // Where digits were given up a sum or product is rounded: at most one unit away from the cut value.
        const distance = value - exact;
        expect(distance === 0n || distance === 1n || distance === -1n).toBe(true);
        expect(
          (operator === '+' || operator === '-' || operator === '*') && (numerator * target) % denominator === 0n ? distance : 0n,
        ).toBe(0n);
      }),
    );
  });

  test('int arithmetic is exact or an overflow', () => {
    const number = fc.integer({ min: -2_147_483_648, max: 2_147_483_647 });
    fc.assert(
      fc.property(number, number, fc.constantFrom('+', '-', '*'), (a, b, operator) => {
        const exact = operator === '+' ? BigInt(a) + BigInt(b) : operator === '-' ? BigInt(a) - BigInt(b) : BigInt(a) * BigInt(b);
        const fits = exact >= -2_147_483_648n && exact <= 2_147_483_647n;
        const variables = { '@a': int(a), '@b': int(b) };
        const overflow = '8115: Arithmetic overflow error converting expression to data type int.';
        expect(fits ? shown(`@a ${operator} @b`, { variables }) : failure(`@a ${operator} @b`, { variables })).toBe(
          fits ? exact.toString() : overflow,
        );
      }),
    );
  });
});

describe('three-valued logic', () => {
  const TRUTHS: readonly [string, boolean | null][] = [
    ['1 = 1', true],
    ['1 = 2', false],
    ['@n = 1', null],
  ];
  const and = (a: boolean | null, b: boolean | null): boolean | null =>
    a === false || b === false ? false : a === null || b === null ? null : true;
  const not = (a: boolean | null): boolean | null => (a === null ? null : !a);

  test.each(TRUTHS.flatMap(([left, a]) => TRUTHS.map(([right, b]) => [left, right, a, b] as const)))('%s with %s', (left, right, a, b) => {
    expect(holds(`${left} AND ${right}`, { variables: nullInt })).toBe(and(a, b));
    expect(holds(`${left} OR ${right}`, { variables: nullInt })).toBe(not(and(not(a), not(b))));
    expect(holds(`NOT (${left})`, { variables: nullInt })).toBe(not(a));
  });

  test.each([
    ['1 IN (2, 1, NULL)', true],
    ['1 IN (2, NULL)', null],
    ['1 NOT IN (2, NULL)', null],
    ['1 NOT IN (2, 3)', true],
    ['NULL IN (1)', null],
    ['2 BETWEEN 1 AND 3', true],
    ['2 NOT BETWEEN 1 AND NULL', null],
    ['NULL IS NULL', true],
    ['@n IS NOT NULL', false],
    ['NULL = NULL', null],
    ['1 <> 1.0', false],
    ['1.10 = 1.1', true],
    ['cast(1 as money) < 1.00005', true],
    ["'10' = 10", true],
    ["'b' > 'A'", true],
    ["'abc' = 'ABC  '", true],
    ["N'ab' = 'AB'", true],
    ["cast('2026-01-01' as datetime) = '20260101'", true],
    ["cast('6F9619FF-8B86-D011-B42D-00C04FC964FF' as uniqueidentifier) = '6f9619ff-8b86-d011-b42d-00c04fc964ff'", true],
    ['0x01 = 0x0100', true],
    ["'a' COLLATE Latin1_General_CS_AS = 'A'", false],
    ["'a' COLLATE Latin1_General_BIN2 = 'A'", false],
    ["N'é' = N'e'", false],
    ["N'é' COLLATE Latin1_General_CI_AI = N'E'", true],
  ])('%s is %s', (condition, expected) => {
    expect(holds(condition, { variables: nullInt })).toBe(expected);
  });

  test.each([
    ["'Abc' LIKE 'a%'", true],
    ["'abc' LIKE '_b_'", true],
    ["'abc' LIKE 'a[^b]c'", false],
    ["'a5' LIKE 'a[0-9]'", true],
    ["'50%' LIKE '50!%' ESCAPE '!'", true],
    ["'50x' LIKE '50!%' ESCAPE '!'", false],
    ["'a[b' LIKE 'a[[]b'", true],
    ["'x]' LIKE 'x]'", true],
    ["'x]' LIKE 'x[]]'", false],
    ["'line' + char(10) + 'end' LIKE 'line%end'", true],
    ["'abc  ' LIKE 'abc'", true],
    ["N'abc  ' LIKE N'abc'", false],
    ["NULL LIKE 'a'", null],
    ["'a.c' LIKE 'a.c'", true],
    ["'abc' LIKE 'a.c'", false],
  ])('%s is %s', (condition, expected) => {
    expect(holds(condition)).toBe(expected);
  });

  test('quantifiers and IN over a query know NULLs', () => {
    const subquery = { type: INT, rows: [1, 2, null] };
    expect(holds('1 IN (SELECT 1)', { subquery })).toBe(true);
    expect(holds('3 IN (SELECT 1)', { subquery })).toBe(null);
    expect(holds('3 NOT IN (SELECT 1)', { subquery })).toBe(null);
    expect(holds('3 > ALL (SELECT 1)', { subquery })).toBe(null);
    expect(holds('1 > ALL (SELECT 1)', { subquery })).toBe(false);
    expect(holds('3 > ALL (SELECT 1)', { subquery: { type: INT, rows: [] } })).toBe(true);
    expect(holds('2 = ANY (SELECT 1)', { subquery: { type: { name: 'bigint' }, rows: [2n] } })).toBe(true);
    expect(holds('EXISTS (SELECT 1)', { subquery })).toBe(true);
    expect(holds('EXISTS (SELECT 1)', { subquery: { type: INT, rows: [] } })).toBe(false);
  });

  test('a scalar subquery gives its one value, NULL for none and error 512 for several', () => {
    expect(evaluate('(SELECT 1)', { subquery: { type: INT, rows: [7] } }).value).toBe(7);
    expect(evaluate('(SELECT 1)', { subquery: { type: INT, rows: [] } }).value).toBe(null);
    expect(failure('(SELECT 1)', { subquery: { type: INT, rows: [1, 2] } })).toMatch(/^512: /);
  });

  test('two explicit collations conflict', () => {
    expect(() => holds("'a' COLLATE Latin1_General_CI_AS = 'a' COLLATE Latin1_General_BIN2")).toThrow(
      'Cannot resolve the collation conflict between "Latin1_General_CI_AS" and "Latin1_General_BIN2" in the equal to operation.',
    );
    expect(() => holds("'a' COLLATE nonsense = 'a'")).toThrow("Invalid collation 'nonsense'.");
  });

  test('a value is no condition', () => {
    expect(() => holds('1')).toThrow(expect.objectContaining({ number: 4145 }));
  });
});

describe('CASE, COALESCE and their kin', () => {
  test.each([
    ["CASE WHEN @n = 1 THEN 'a' ELSE 'bc' END", 'varchar(2)', 'bc'],
    ["CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN N'b' END", 'nvarchar(1)', 'b'],
    ['CASE WHEN 1 = 1 THEN 1 ELSE 2.50 END', 'decimal(3,2)', '1.00'],
    ['CASE WHEN 1 = 2 THEN 1 END', 'int', 'NULL'],
    ['COALESCE(@n, NULL, 3)', 'int', '3'],
    ["ISNULL(cast(NULL as varchar(2)), 'abc')", 'varchar(2)', 'ab'],
    ["ISNULL(NULL, 'abc')", 'varchar(3)', 'abc'],
    ['NULLIF(1, 1)', 'int', 'NULL'],
    ['NULLIF(2, 1)', 'int', '2'],
    ["IIF(1 > 2, 'a', 'b')", 'varchar(1)', 'b'],
    ["CHOOSE(2, 'a', 'b')", 'varchar(1)', 'b'],
    ['GREATEST(1, 3.5, 2)', 'decimal(2,1)', '3.5'],
  ])('%s is %s %s', (expression, type, text) => {
    expect(compiledType(expression, { variables: nullInt })).toBe(type);
    expect(shown(expression, { variables: nullInt })).toBe(text);
  });

  test('branches that are not taken raise nothing', () => {
    expect(shown('CASE WHEN 1 = 1 THEN 1 ELSE 1 / 0 END')).toBe('1');
    expect(shown("COALESCE(1, cast('x' as int))")).toBe('1');
  });

  test('all NULL has no type: error 8133', () => {
    expect(failure('CASE WHEN 1 = 1 THEN NULL END')).toMatch(/^8133: /);
  });
});

describe('string types', () => {
  test('the collation of a column goes through functions', () => {
    const collated: SqlType = { name: 'nvarchar', length: 10, collation: 'Latin1_General_BIN2' };
    const variables = { '@c': { type: collated, value: 'aB' } };
    expect(evaluate('upper(@c)', { variables }).type).toMatchObject({ collation: 'Latin1_General_BIN2' });
    expect(evaluate("charindex('b', @c)", { variables }).value).toBe(0);
    expect(evaluate("charindex('b', 'aB')").value).toBe(2);
    expect(evaluate("'x'").type).toMatchObject({ collation: DEFAULT_COLLATION });
  });
});
