import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CompiledExpression } from '../../../../src/sandbox/sql/compiled.ts';
import { coerce, compiled } from '../../../../src/sandbox/sql/compiled.ts';
import type { EvalContext } from '../../../../src/sandbox/sql/context.ts';
import { convert } from '../../../../src/sandbox/sql/convert.ts';
import { formatDecimal, parseDecimal, rescale } from '../../../../src/sandbox/sql/decimal.ts';
import { civilFromDays, daysFromCivil, LAST_DAY, TICKS_PER_DAY } from '../../../../src/sandbox/sql/calendar.ts';
import type { SqlType } from '../../../../src/sandbox/sql-types.ts';
import { DEFAULT_COLLATION } from '../../../../src/sandbox/sql-types.ts';
import { failure, shown } from './evaluation.ts';

const NVARCHAR: SqlType = { name: 'nvarchar', length: 'max', collation: DEFAULT_COLLATION };

describe('dates and times as text', () => {
  const datetime = "cast('2026-05-13T14:25:36.123' as datetime)";
  test.each([
    [0, 'May 13 2026  2:25PM'],
    [1, '05/13/26'],
    [101, '05/13/2026'],
    [3, '13/05/26'],
    [104, '13.05.2026'],
    [106, '13 May 2026'],
    [107, 'May 13, 2026'],
    [108, '14:25:36'],
    [109, 'May 13 2026  2:25:36:123PM'],
    [112, '20260513'],
    [113, '13 May 2026 14:25:36:123'],
    [114, '14:25:36:123'],
    [120, '2026-05-13 14:25:36'],
    [121, '2026-05-13 14:25:36.123'],
    [22, '05/13/26  2:25:36 PM'],
    [23, '2026-05-13'],
    [126, '2026-05-13T14:25:36.123'],
    [127, '2026-05-13T14:25:36.123'],
  ])('datetime in style %i is %s', (style, text) => {
    expect(shown(`convert(varchar(40), ${datetime}, ${style})`)).toBe(text);
  });

  test.each([
    ["cast('2026-11-22T10:30:00.1234567' as datetime2(7))", 126, '2026-11-22T10:30:00.1234567'],
    ["cast('2026-11-22T10:30:00' as datetime2(7))", 126, '2026-11-22T10:30:00.0000000'],
    ["cast('2026-11-22T10:30:00' as datetime2(0))", 126, '2026-11-22T10:30:00'],
    ["cast('2026-11-22T10:30:00' as datetime)", 126, '2026-11-22T10:30:00'],
    ["cast('2026-05-13T14:25:36.789' as datetime)", 126, '2026-05-13T14:25:36.790'],
    ["cast('2026-05-13T14:25:36.1234567+05:30' as datetimeoffset(7))", 126, '2026-05-13T14:25:36.1234567+05:30'],
    ["cast('2026-05-13T14:25:36.1234567+05:30' as datetimeoffset(7))", 127, '2026-05-13T08:55:36.1234567Z'],
    ["cast('2026-05-13T14:25:36.1234567-05:30' as datetimeoffset(7))", 121, '2026-05-13 14:25:36.1234567 -05:30'],
    ["cast('14:25:36.1234567' as time(7))", 0, '2:25PM'],
    ["cast('14:25:36.1234567' as time(3))", 126, '14:25:36.123'],
    ["cast('2026-05-13' as date)", 126, '2026-05-13'],
    ["cast('2024-03-15' as date)", 9, 'Mar 15 2024'],
    ["cast('2026-05-13T14:25:00' as smalldatetime)", 9, 'May 13 2026  2:25:00:000PM'],
  ])('%s in style %i is %s', (source, style, text) => {
    expect(shown(`convert(nvarchar(40), ${source}, ${style})`)).toBe(text);
  });

  test('without a style the old types have style 0 and the others 121', () => {
    expect(shown("cast(cast('2026-05-13 09:05:00' as datetime) as varchar(40))")).toBe('May 13 2026  9:05AM');
    expect(shown("cast(cast('2026-05-13 09:05:00' as datetime2(3)) as varchar(40))")).toBe('2026-05-13 09:05:00.000');
  });

  test('a style that does not exist is error 281', () => {
    expect(failure(`convert(varchar(30), ${datetime}, 999)`)).toBe(
      '281: 999 is not a valid style number when converting from datetime to a character string.',
    );
  });
});

describe('dates and times from text', () => {
  test.each([
    ["cast('20261122' as date)", '2026-11-22'],
    ["cast('Nov 22, 2026' as date)", '2026-11-22'],
    ["cast('22 November 2026' as date)", '2026-11-22'],
    ["cast('11/22/2026' as date)", '2026-11-22'],
    ["convert(date, '22/11/2026', 103)", '2026-11-22'],
    ["cast('2026-11-22 1:05:06 pm' as datetime2(0))", '2026-11-22 13:05:06'],
    ["cast('2026-11-22T10:30:00Z' as datetimeoffset(0))", '2026-11-22 10:30:00 +00:00'],
    ["cast('10:20:30' as datetime2(0))", '1900-01-01 10:20:30'],
    ["cast('' as date)", '1900-01-01'],
    ["cast('9999-12-31 23:59:59.9999999' as datetime2(3))", '9999-12-31 23:59:59.999'],
    ["cast('2026-12-31 23:59:59.9999999' as datetime2(3))", '2027-01-01 00:00:00.000'],
    ["cast(cast('2026-01-01 10:00:30' as datetime2) as smalldatetime)", 'Jan  1 2026 10:01AM'],
    ["cast(cast('2026-05-13 14:25:36+05:30' as datetimeoffset) as datetime2(0))", '2026-05-13 14:25:36'],
    ['cast(1.5 as datetime)', 'Jan  2 1900 12:00PM'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });

  test.each([
    ["cast('31/12/2026' as date)", 241],
    ["cast('nope' as datetime)", 241],
    ["cast('2026-02-29' as datetime2)", 241],
    ["cast('2026-02-29' as datetime)", 242],
    ["cast('1752-12-31' as datetime)", 242],
    ["cast('2026-05-13T14:25:36.1234567' as datetime)", 241],
    ["cast(cast('1700-01-01' as datetime2) as datetime)", 242],
    ['cast(1 as date)', 529],
  ])('%s is error %i', (expression, number) => {
    expect(failure(expression)).toMatch(new RegExp(`^${number}: `));
  });

  test('every day and tick survives the way through style 126', () => {
    const type: SqlType = { name: 'datetime2', scale: 7 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST_DAY }), fc.bigInt({ min: 0n, max: TICKS_PER_DAY - 1n }), (days, ticks) => {
        expect(convert(convert({ days, ticks }, type, NVARCHAR, 126), NVARCHAR, type, 126)).toEqual({ days, ticks });
      }),
    );
  });

  test('datetime keeps its 1/300 s through datetime2(7) and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 300n * 86_400n - 1n }), (units) => {
        const value = { days: 740_000, ticks: (units * 10_000_000n + 150n) / 300n };
        const wide = convert(value, { name: 'datetime' }, { name: 'datetime2', scale: 7 });
        expect(convert(wide, { name: 'datetime2', scale: 7 }, { name: 'datetime' })).toEqual(value);
      }),
    );
  });

  test('days and civil dates are the same thing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST_DAY }), (days) => {
        const { year, month, day } = civilFromDays(days);
        expect(daysFromCivil(year, month, day)).toBe(days);
      }),
    );
  });
});

describe('numbers', () => {
  test.each([
    ["cast('12.345' as decimal(5,2))", '12.35'],
    ["cast('-0.005' as decimal(5,2))", '-0.01'],
    ['cast(-0.05 as decimal(18,4))', '-0.0500'],
    ['cast(12.9 as int)', '12'],
    ['cast(cast(12.9 as money) as int)', '13'],
    ['cast(-12.9e0 as int)', '-12'],
    ["cast(' +42 ' as int)", '42'],
    ["cast('' as int)", '0'],
    ["cast('9223372036854775807' as bigint)", '9223372036854775807'],
    ["cast('$1,234.5' as money)", '1234.5000'],
    ['cast(1234567.891 as money)', '1234567.8910'],
    ['convert(varchar(40), cast(1234567.891 as money), 1)', '1,234,567.89'],
    ['convert(varchar(40), cast(-12.5 as money), 0)', '-12.50'],
    ['cast(1e0 as varchar(30))', '1'],
    ['cast(0.1e0 as varchar(30))', '0.1'],
    ['cast(1234567e0 as varchar(30))', '1.23457e+006'],
    ['cast(0.00001e0 as varchar(30))', '1e-005'],
    ['convert(varchar(30), 1.5e0, 1)', '1.5000000e+000'],
    ['convert(varchar(30), 1.5e0, 2)', '1.500000000000000e+000'],
    ['convert(varchar(30), 0.1e0, 3)', '1.0000000000000001e-001'],
    ['cast(12345 as varchar(3))', '*'],
    ["cast('true' as bit)", '1'],
    ['cast(0.5 as bit)', '1'],
    ['cast(99999999999999999999999999999999999999 as decimal(38,0))', '99999999999999999999999999999999999999'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });

  test.each([
    ["cast('12.5' as int)", "245: Conversion failed when converting the varchar value '12.5' to data type int."],
    ["cast(N'abc' as int)", "245: Conversion failed when converting the nvarchar value 'abc' to data type int."],
    ["cast('99999999999' as int)", "248: The conversion of the varchar value '99999999999' overflowed an int column."],
    ["cast('300' as tinyint)", "244: The conversion of the varchar value '300' overflowed an INT1 column. Use a larger integer column."],
    ["cast('x' as bigint)", '8114: Error converting data type varchar to bigint.'],
    ["cast('x' as decimal(5,2))", '8114: Error converting data type varchar to numeric.'],
    ["cast('x' as float)", '8114: Error converting data type varchar to float.'],
    ["cast('x' as money)", '235: Cannot convert a char value to money. The char value has incorrect syntax.'],
    ['cast(300 as tinyint)', '220: Arithmetic overflow error for data type tinyint, value = 300.'],
    ['cast(3000000000 as int)', '8115: Arithmetic overflow error converting numeric to data type int.'],
    ['cast(1234.5 as decimal(4,1))', '8115: Arithmetic overflow error converting numeric to data type numeric.'],
    ["cast('x' as uniqueidentifier)", '8169: Conversion failed when converting from a character string to uniqueidentifier.'],
    ['cast(12345 as nvarchar(3))', '8115: Arithmetic overflow error converting expression to data type nvarchar.'],
    ['cast(1 as uniqueidentifier)', '529: Explicit conversion from data type int to uniqueidentifier is not allowed.'],
  ])('%s is an error', (expression, message) => {
    expect(failure(expression)).toBe(message);
  });

  test('a decimal survives the way through text at every scale', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 38 }), fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), (scale, value) => {
        const type: SqlType = { name: 'decimal', precision: 38, scale };
        expect(convert(convert(value, type, NVARCHAR), NVARCHAR, type)).toBe(value);
      }),
    );
  });

  test('a float survives the way through style 3', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = convert(value, { name: 'float' }, NVARCHAR, 3);
        expect(convert(text, NVARCHAR, { name: 'float' })).toBe(value + 0);
      }),
    );
  });

  test('rescaling rounds half away from zero, as a model on text shows', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 1, max: 20 }), (value, drop) => {
        const magnitude = value < 0n ? -value : value;
        const digits = magnitude.toString().padStart(drop + 1, '0');
        const up = Number(digits[digits.length - drop]) >= 5 ? 1n : 0n;
        const kept = BigInt(digits.slice(0, -drop)) + up;
        expect(rescale(value, drop, 0)).toBe(value < 0n ? -kept : kept);
      }),
    );
  });

  test('text of a decimal is read back with its scale', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.integer({ min: 0, max: 38 }), (value, scale) => {
        expect(parseDecimal(formatDecimal(value, scale))).toEqual({ value, scale });
      }),
    );
  });
});

describe('binary and text', () => {
  test.each([
    ['convert(varchar(20), 0x01AbFF, 1)', '0x01ABFF'],
    ['convert(varchar(20), 0x01AbFF, 2)', '01ABFF'],
    ['convert(nvarchar(18), convert(binary(8), cast(0x00000000000007D1 as rowversion)), 1)', '0x00000000000007D1'],
    ["convert(varbinary(8), '0x0A0b', 1)", '0x0A0B'],
    ["convert(varbinary(8), '0A0b', 2)", '0x0A0B'],
    ["cast('abc' as varbinary(8))", '0x616263'],
    ["cast(N'ab' as varbinary(8))", '0x61006200'],
    ['cast(258 as varbinary(4))', '0x00000102'],
    ['cast(258 as binary(2))', '0x0102'],
    ['cast(258 as binary(6))', '0x000000000102'],
    ['cast(0xFF as int)', '255'],
    ['cast(0x0000000100000002 as int)', '2'],
    ['cast(cast(1 as decimal(5,2)) as varbinary(20))', '0x0502000164000000'],
    ["cast(cast('6f9619ff-8b86-d011-b42d-00c04fc964ff' as uniqueidentifier) as binary(16))", '0xFF19966F868B11D0B42D00C04FC964FF'],
    ["cast('abcdef' as char(3))", 'abc'],
    ["cast('a' as char(3)) + '|'", 'a  |'],
    ["cast(N'Łódź €' as varchar(20))", '?ód? €'],
    ["cast('6f9619ff-8b86-d011-b42d-00c04fc964ff' as uniqueidentifier)", '6F9619FF-8B86-D011-B42D-00C04FC964FF'],
  ])('%s is %s', (expression, text) => {
    expect(shown(expression)).toBe(text);
  });
});

describe('TRY_CAST and TRY_CONVERT', () => {
  test.each([
    "try_cast('x' as int)",
    'try_convert(tinyint, 300)',
    "try_cast('99999999999' as int)",
    "try_convert(date, 'nope')",
    "try_convert(int, '42', null)",
  ])('%s is NULL', (expression) => {
    expect(shown(expression)).toBe('NULL');
  });

  test('a pair of types that never converts is an error all the same', () => {
    expect(failure('try_convert(date, 0)')).toMatch(/^529: /);
  });
});

test('a conversion asks for SET DATEFORMAT only where a text may become a date: making what answers is dear', () => {
  const asked = (from: CompiledExpression, to: SqlType): boolean => {
    let system = false;
    const ctx = {
      rows: [],
      variables: [],
      get system() {
        system = true;
        return { dateFormat: () => 'mdy' };
      },
    } as unknown as EvalContext;
    coerce(from, to).evaluate(ctx);
    return system;
  };
  const text: SqlType = { name: 'varchar', length: 20, collation: 'Latin1_General_CI_AS' };
  expect(
    asked(
      compiled({ name: 'int' }, () => 1),
      { name: 'bigint' },
    ),
  ).toBe(false);
  expect(
    asked(
      compiled({ name: 'int' }, () => 1, { constant: true }),
      { name: 'int' },
    ),
  ).toBe(false);
  expect(
    asked(
      compiled(text, () => '1'),
      { name: 'int' },
    ),
  ).toBe(false);
  expect(
    asked(
      compiled(text, () => '1/2/2026'),
      { name: 'date' },
    ),
  ).toBe(true);
});
