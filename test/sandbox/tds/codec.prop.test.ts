/**
 * What is written of a value is what is read of it, for every type and any value: exactness that no driver shows, since drivers round.
 * TYPE_INFO and values have the same form in both directions, except for text, ntext and image (a text pointer in results).
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import type { SqlType, SqlValue } from '../../../src/sandbox/sql-types.ts';
import { ByteReader } from '../../../src/sandbox/tds/byte-reader.ts';
import { ByteWriter } from '../../../src/sandbox/tds/byte-writer.ts';
import { wireCollation } from '../../../src/sandbox/tds/collation.ts';
import { readDeclarations } from '../../../src/sandbox/tds/declarations.ts';
import { asDeclared } from '../../../src/sandbox/tds/declared-values.ts';
import { readValue } from '../../../src/sandbox/tds/decode-value.ts';
import { valueEncoder } from '../../../src/sandbox/tds/encode-value.ts';
import { readTypeInfo, writeTypeInfo } from '../../../src/sandbox/tds/type-info.ts';

const collation = DEFAULT_COLLATION;
const LAST_DAY = 3_652_058;
const DAY_1753 = 639_905;
const DAY_1900 = 693_595;

function roundTrip(type: SqlType, value: SqlValue): { type: SqlType; value: SqlValue } {
  const writer = new ByteWriter();
  writeTypeInfo(writer, type);
  valueEncoder(type)(writer, value);
  const reader = new ByteReader(Buffer.from(writer.first(writer.length)));
  const wire = readTypeInfo(reader, collation);
  const read = readValue(reader, wire);
  expect(reader.left).toBe(0);
  return { type: wire.type, value: read };
}

function ticks(scale: number): fc.Arbitrary<bigint> {
  const step = 10n ** BigInt(7 - scale);
  return fc.bigInt(0n, 864_000_000_000n / step - 1n).map((steps) => steps * step);
}

const days = fc.integer({ min: 0, max: LAST_DAY });
const scales = fc.integer({ min: 0, max: 7 });
const cp1252 = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 })
  .map((bytes) => wireCollation(collation).decode(Buffer.from(bytes)));

/** A type with a value of it. */
const typed: fc.Arbitrary<readonly [SqlType, SqlValue]> = fc.oneof(
  fc.boolean().map((value) => [{ name: 'bit' }, value] as const),
  fc.integer({ min: 0, max: 255 }).map((value) => [{ name: 'tinyint' }, value] as const),
  fc.integer({ min: -32_768, max: 32_767 }).map((value) => [{ name: 'smallint' }, value] as const),
  fc.integer().map((value) => [{ name: 'int' }, value] as const),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => [{ name: 'bigint' }, value] as const),
  fc
    .tuple(fc.constantFrom('decimal' as const, 'numeric' as const), fc.integer({ min: 1, max: 38 }))
    .chain(([name, precision]) =>
      fc
        .tuple(fc.integer({ min: 0, max: precision }), fc.bigInt(-(10n ** BigInt(precision)) + 1n, 10n ** BigInt(precision) - 1n))
        .map(([scale, value]) => [{ name, precision, scale }, value] as const),
    ),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => [{ name: 'money' }, value] as const),
  fc.bigInt(-(2n ** 31n), 2n ** 31n - 1n).map((value) => [{ name: 'smallmoney' }, value] as const),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => [{ name: 'float' }, value] as const),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => [{ name: 'real' }, value] as const),
  cp1252.map((value) => [{ name: 'varchar', length: 8000, collation }, value] as const),
  cp1252.map((value) => [{ name: 'varchar', length: 'max', collation }, value] as const),
  fc.string({ unit: 'binary', maxLength: 200 }).map((value) => [{ name: 'nvarchar', length: 4000, collation }, value] as const),
  fc.string({ unit: 'binary', maxLength: 200 }).map((value) => [{ name: 'nvarchar', length: 'max', collation }, value] as const),
  fc.uint8Array({ maxLength: 200 }).map((value) => [{ name: 'varbinary', length: 8000 }, Buffer.from(value)] as const),
  fc.uint8Array({ maxLength: 200 }).map((value) => [{ name: 'varbinary', length: 'max' }, Buffer.from(value)] as const),
  days.map((value) => [{ name: 'date' }, { days: value, ticks: 0n }] as const),
  scales.chain((scale) =>
    ticks(scale).map(
      (value) =>
        [
          { name: 'time', scale },
          { days: 0, ticks: value },
        ] as const,
    ),
  ),
  scales.chain((scale) =>
    fc.tuple(days, ticks(scale)).map(
      ([day, value]) =>
        [
          { name: 'datetime2', scale },
          { days: day, ticks: value },
        ] as const,
    ),
  ),
  scales.chain((scale) =>
    fc.tuple(days, ticks(scale), fc.integer({ min: -840, max: 840 })).map(
      ([day, value, offset]) =>
        [
          { name: 'datetimeoffset', scale },
          { days: day, ticks: value, offset },
        ] as const,
    ),
  ),
  fc
    .tuple(fc.integer({ min: DAY_1753, max: LAST_DAY }), fc.integer({ min: 0, max: 25_919_999 }))
    .map(([day, steps]) => [{ name: 'datetime' }, { days: day, ticks: BigInt(Math.round((steps * 100_000) / 3)) }] as const),
  fc
    .tuple(fc.integer({ min: DAY_1900, max: DAY_1900 + 65_535 }), fc.integer({ min: 0, max: 1439 }))
    .map(([day, minutes]) => [{ name: 'smalldatetime' }, { days: day, ticks: BigInt(minutes) * 600_000_000n }] as const),
  fc.uuid().map((value) => [{ name: 'uniqueidentifier' }, value.toUpperCase()] as const),
);

test('any value of any type is read as it was written, and so is its NULL', () => {
  fc.assert(
    fc.property(typed, ([type, value]) => {
      expect(roundTrip(type, value)).toEqual({ type, value });
      expect(roundTrip(type, null)).toEqual({ type, value: null });
    }),
    { numRuns: 2000 },
  );
});

test('a decimal of any precision is read as it was written at both ends of its range', () => {
  for (let precision = 1; precision <= 38; precision++) {
    for (const value of [10n ** BigInt(precision) - 1n, -(10n ** BigInt(precision)) + 1n, 0n]) {
      const type: SqlType = { name: 'decimal', precision, scale: precision };
      expect(roundTrip(type, value)).toEqual({ type, value });
    }
  }
});

describe('collations', () => {
  test.each([
    ['SQL_Latin1_General_CP1_CI_AS', '0904d00034'],
    ['SQL_Latin1_General_CP1_CS_AS', '0904c00033'],
    ['Latin1_General_CI_AS', '0904d00000'],
    ['Latin1_General_100_CI_AS', '0904d02000'],
    ['Latin1_General_100_CI_AI_KS_WS', '0904302000'],
    ['Latin1_General_BIN', '0904000100'],
    ['Latin1_General_100_BIN2', '0904002200'],
    ['Latin1_General_100_CI_AS_SC_UTF8', '0904d02400'],
    ['Finnish_Swedish_CI_AS', '0b04d00000'],
  ])('%s is %s on the wire', (name, bytes) => {
    expect(wireCollation(name).bytes.toString('hex')).toBe(bytes);
  });

  test.each(['SQL_Latin1_General_CP1_CI_AS', 'Cyrillic_General_CI_AS', 'Polish_CI_AS', 'Greek_CI_AS', 'Turkish_CI_AS', 'Hebrew_CI_AS'])(
    'every character that a byte of %s stands for is that byte again',
    (name) => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const text = wireCollation(name).decode(all);
      const again = wireCollation(name).encode(text);
      const undefinedBytes = [...all.keys()].filter((i) => text.charAt(i) === '\uFFFD');
      expect([...all.keys()].filter((i) => again[i] !== i)).toEqual(undefinedBytes);
    },
  );
});

describe('declared parameters', () => {
  test.each([
    ['', []],
    ['@a int', [['@a', { name: 'int' }]]],
    [
      '@a AS Decimal ( 10 , 2 ) = 1.5 OUTPUT , @b nvarchar(MAX) out',
      [
        ['@a', { name: 'decimal', precision: 10, scale: 2 }],
        ['@b', { name: 'nvarchar', length: 'max', collation }],
      ],
    ],
    [
      "@s varchar(9) = 'a,b(', @t datetime2",
      [
        ['@s', { name: 'varchar', length: 9, collation }],
        ['@t', { name: 'datetime2', scale: 7 }],
      ],
    ],
    [
      '@f float(24),@g float,@n sysname,@v timestamp',
      [
        ['@f', { name: 'real' }],
        ['@g', { name: 'float' }],
        ['@n', { name: 'nvarchar', length: 128, collation }],
        ['@v', { name: 'rowversion' }],
      ],
    ],
    ['@x dbo.MyType READONLY', [['@x', null]]],
  ])('%s', (text, expected) => {
    expect(readDeclarations(text, collation).map(({ name, type }) => [name, type])).toEqual(expected);
  });

  test.each<readonly [SqlType, SqlValue, SqlType, SqlValue]>([
    [{ name: 'int' }, 5, { name: 'decimal', precision: 5, scale: 2 }, 500n],
    [{ name: 'decimal', precision: 5, scale: 3 }, -1255n, { name: 'decimal', precision: 5, scale: 2 }, -126n],
    [{ name: 'decimal', precision: 5, scale: 3 }, 1254n, { name: 'numeric', precision: 5, scale: 2 }, 125n],
    [{ name: 'bigint' }, 7n, { name: 'tinyint' }, 7],
    [{ name: 'nchar', length: 3, collation }, 'ab ', { name: 'varchar', length: 2, collation }, 'ab'],
    [{ name: 'binary', length: 1 }, Buffer.of(1), { name: 'binary', length: 2 }, Buffer.of(1, 0)],
    [
      { name: 'datetime2', scale: 7 },
      { days: 9, ticks: 863_999_999_999n },
      { name: 'datetime2', scale: 3 },
      { days: 10, ticks: 0n },
    ],
    [
      { name: 'time', scale: 7 },
      { days: 0, ticks: 15_000_000n },
      { name: 'time', scale: 0 },
      { days: 0, ticks: 20_000_000n },
    ],
    [{ name: 'float' }, 0.1, { name: 'real' }, Math.fround(0.1)],
  ])('%o %o as %o', (type, value, declared, expected) => {
    expect(asDeclared({ type, value }, declared)).toEqual({ type: declared, value: expected });
  });

  test('between families the sent type stays, and what does not fit is error 8114', () => {
    const sent = { type: { name: 'nvarchar', length: 10, collation }, value: '2020-01-01' } as const;
    expect(asDeclared(sent, { name: 'date' })).toBe(sent);
    expect(() => asDeclared({ type: { name: 'int' }, value: 256 }, { name: 'tinyint' })).toThrow(expect.objectContaining({ number: 8114 }));
    expect(() => asDeclared({ type: { name: 'int' }, value: 100 }, { name: 'decimal', precision: 4, scale: 2 })).toThrow(
      expect.objectContaining({ number: 8114 }),
    );
  });
});
