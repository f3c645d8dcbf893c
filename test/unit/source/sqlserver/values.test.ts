import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../../src/model/document.ts';
import type { TableColumn } from '../../../../src/model/table.ts';
import { parseJsonColumn } from '../../../../src/source/sqlserver/json-column.ts';
import { columnCodec, declaredType, isPublishable, jsonCodec, keyText, type DriverValue } from '../../../../src/source/sqlserver/values.ts';

const column = (type: string, rest: Partial<TableColumn> = {}): TableColumn => ({
  name: 'c',
  columnId: 1,
  type,
  maxLength: 8,
  precision: 18,
  scale: 4,
  nullable: true,
  collation: null,
  ...rest,
});

const convert = (type: string, value: DriverValue, rest: Partial<TableColumn> = {}): JsonValue =>
  columnCodec(column(type, rest)).convert(value);
const select = (type: string, rest: Partial<TableColumn> = {}): string => columnCodec(column(type, rest)).select('t.[c]');

describe('R8: what the driver would damage is converted by the server', () => {
  it.each([
    ['int', {}, 't.[c]'],
    ['bigint', {}, 'CONVERT(nvarchar(20), t.[c])'],
    ['decimal', {}, 'CONVERT(nvarchar(42), t.[c])'],
    ['money', {}, 'CONVERT(nvarchar(30), t.[c], 2)'],
    ['datetime2', { scale: 7 }, 'CONVERT(nvarchar(27), t.[c], 126)'],
    ['datetimeoffset', { scale: 7 }, 'CONVERT(nvarchar(40), t.[c], 126)'],
    ['date', {}, 'CONVERT(nvarchar(10), t.[c], 126)'],
    ['time', { scale: 7 }, 'CONVERT(nvarchar(16), t.[c], 126)'],
    ['varchar', { maxLength: 20 }, 'CONVERT(nvarchar(20), t.[c])'],
    ['varchar', { maxLength: 8000 }, 'CONVERT(nvarchar(max), t.[c])'],
    ['nvarchar', { maxLength: 80 }, 't.[c]'],
    ['timestamp', {}, 'CONVERT(binary(8), t.[c])'],
    ['xml', { maxLength: -1 }, 'CONVERT(nvarchar(max), t.[c])'],
  ])('%s %j', (type, rest, expected) => {
    expect(select(type, rest)).toBe(expected);
  });

  it('refuses types without a lossless text', () => {
    for (const type of ['sql_variant', 'hierarchyid', 'geometry', 'geography', 'vector', 'MyType']) {
      expect(isPublishable(type)).toBe(false);
    }
  });
});

describe('R8: canonical values', () => {
  it.each([
    ['bigint', '9223372036854775807', '9223372036854775807', {}],
    ['decimal', '12345678901234567890.1200', '12345678901234567890.1200', {}],
    ['datetime2', '2026-01-31T23:59:59', '2026-01-31T23:59:59.0000000', { scale: 7 }],
    ['datetime2', '9999-12-31T23:59:59.9999999', '9999-12-31T23:59:59.9999999', { scale: 7 }],
    ['datetime2', '2026-01-31T23:59:59', '2026-01-31T23:59:59', { scale: 0 }],
    ['datetime', '2026-01-31T23:59:59', '2026-01-31T23:59:59.000', {}],
    ['datetime', '2026-01-31T23:59:59.997', '2026-01-31T23:59:59.997', {}],
    ['datetimeoffset', '2026-01-31T23:59:59.1234567+05:30', '2026-01-31T23:59:59.1234567+05:30', { scale: 7 }],
    ['datetimeoffset', '2026-01-31T23:59:59-08:00', '2026-01-31T23:59:59.000-08:00', { scale: 3 }],
    ['datetimeoffset', '2026-01-31T23:59:59Z', '2026-01-31T23:59:59+00:00', { scale: 0 }],
    ['time', '23:59:59', '23:59:59.0000000', { scale: 7 }],
    ['uniqueidentifier', '6F9619FF-8B86-D011-B42D-00C04FC964FF', '6f9619ff-8b86-d011-b42d-00c04fc964ff', {}],
    ['varbinary', Buffer.from([0, 255, 1]), 'AP8B', {}],
    ['timestamp', Buffer.from('00000000000007d1', 'hex'), '0x00000000000007D1', {}],
    ['bit', true, true, {}],
    ['float', 1.7976931348623157e308, 1.7976931348623157e308, {}],
    ['char', 'ab   ', 'ab   ', {}],
  ])('%s %j is %j', (type, value, expected, rest) => {
    expect(convert(type, value, rest)).toBe(expected);
  });

  it('real is the shortest number that is the same float32', () => {
    expect(convert('real', Math.fround(0.1))).toBe(0.1);
    expect(convert('real', Math.fround(16_777_216))).toBe(16_777_216);
    expect(convert('real', Math.fround(-3.4e38))).toBe(-3.4e38);
    expect(Object.is(convert('real', -0), 0)).toBe(true);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = JSON.stringify(convert('real', value));
        expect(Math.fround(JSON.parse(text) as number)).toBe(value === 0 ? 0 : value);
      }),
      { numRuns: 3000 },
    );
  });

  it('float survives JSON exactly', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(JSON.parse(JSON.stringify(convert('float', value)))).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  it('characters survive JSON, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
        const text = String.fromCharCode(...units);
        expect(JSON.parse(JSON.stringify(convert('nvarchar', text, { maxLength: 80 })))).toBe(text);
      }),
    );
  });

  it('key texts are the same canonical texts', () => {
    expect(keyText(42)).toBe('42');
    expect(keyText(true)).toBe('true');
    expect(keyText('10.50')).toBe('10.50');
  });

  it('declares types as T-SQL does', () => {
    expect(declaredType(column('decimal', { precision: 38, scale: 10 }))).toBe('decimal(38,10)');
    expect(declaredType(column('nvarchar', { maxLength: 80 }))).toBe('nvarchar(40)');
    expect(declaredType(column('varchar', { maxLength: 80 }))).toBe('varchar(80)');
    expect(declaredType(column('datetime2', { scale: 7 }))).toBe('datetime2(7)');
  });
});

describe('R8: a column that is declared json', () => {
  const parse = (text: string): { readonly value: JsonValue; readonly kept: number } => {
    let kept = 0;
    return { value: parseJsonColumn(text, () => (kept += 1)), kept };
  };

  it('nests objects and arrays', () => {
    expect(parse('{"a":[1,2.5,{"b":null}],"c":"x:1"}')).toEqual({ value: { a: [1, 2.5, { b: null }], c: 'x:1' }, kept: 0 });
    expect(parse(' [1.0, 0.1, 1e3, -0.000001, 1.50] ').value).toEqual([1, 0.1, 1000, -0.000001, 1.5]);
  });

  it.each([
    ['characters', 'x'],
    ['quotes', '"'],
    ['backslashes', '\\'],
  ])('nests a document with a string of twenty million %s', (_, character) => {
    const value = { a: character.repeat(20_000_000), n: 1 };
    let kept = 0;
    expect(parseJsonColumn(JSON.stringify(value), () => (kept += 1)) as typeof value).toHaveProperty('n', 1);
    expect(kept).toBe(0);
  });

  it.each(['"text"', '12', 'true', 'null', 'no json', '{"a":', ''])('leaves the scalar or invalid text %j as it is', (text) => {
    expect(parse(text)).toEqual({ value: text, kept: 0 });
  });

  it.each([
    '{"a":12345678901234567890}',
    '[0.1234567890123456789]',
    '[1e400]',
    '[9007199254740993]',
    '{"a":1,"a":2}',
    `${'['.repeat(150)}${']'.repeat(150)}`,
  ])('leaves %j as text and counts it: nesting would change it', (text) => {
    expect(parse(text)).toEqual({ value: text, kept: 1 });
  });

  it('numbers in strings and escaped quotes mislead nobody', () => {
    expect(parse('{"a":"12345678901234567890","b\\"c":"\\\\","d":":"}').kept).toBe(0);
  });

  it('what is nested says the same when it is written again', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const { value: nested } = parse(text);
        expect(typeof nested === 'string' ? nested : JSON.stringify(nested)).toBe(text);
      }),
    );
  });

  it('goes through the codec of its column', () => {
    const codec = jsonCodec(column('nvarchar', { maxLength: -1 }), () => {});
    expect(codec.convert('{"a":1}')).toEqual({ a: 1 });
  });
});
