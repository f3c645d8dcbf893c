import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collationKey, collationOf, isCollationName } from '../../../../src/sandbox/sql/collation.ts';
import { comparator, compareValues } from '../../../../src/sandbox/sql/compare.ts';

const COLLATIONS = [
  'SQL_Latin1_General_CP1_CI_AS',
  'Latin1_General_CS_AS',
  'Latin1_General_CI_AI',
  'Latin1_General_100_CI_AS_KS_WS',
  'Latin1_General_BIN2',
  'Latin1_General_100_CI_AS_SC_UTF8',
];

const text = fc.string({
  unit: fc.constantFrom('a', 'A', 'b', 'é', 'É', 'e', 'E', 'ß', 's', 'S', ' ', '1', 'ａ', '-', 'ア', 'あ'),
  maxLength: 6,
});

describe('collations', () => {
  test.each([
    ['SQL_Latin1_General_CP1_CI_AS', 'abc', 'ABC  ', true],
    ['SQL_Latin1_General_CP1_CI_AS', 'e', 'é', false],
    ['Latin1_General_CS_AS', 'a', 'A', false],
    ['Latin1_General_CS_AS', 'a', 'a ', true],
    ['Latin1_General_CI_AI', 'É', 'e', true],
    ['Latin1_General_CI_AS', 'ａ', 'A', true],
    ['Latin1_General_100_CI_AS_KS_WS', 'ａ', 'a', false],
    ['Latin1_General_CI_AS', 'ア', 'あ', true],
    ['Latin1_General_CI_AS_KS', 'ア', 'あ', false],
    ['Latin1_General_CI_AS', 'ss', 'ß', true],
    ['Latin1_General_CS_AS', 'SS', 'ß', false],
    ['Latin1_General_CI_AS', 'a', 'a\u3000', true],
    ['Latin1_General_CI_AS', 'e\u0301', 'é', true],
    ['Latin1_General_BIN2', 'a', 'a  ', true],
    ['Latin1_General_BIN2', 'a', 'A', false],
    ['Latin1_General_CI_AS', ' a', 'a', false],
  ])('under %s "%s" and "%s" are equal: %s', (name, a, b, equal) => {
    expect(collationOf(name).compare(a, b) === 0).toBe(equal);
    expect(collationKey(a, name) === collationKey(b, name)).toBe(equal);
  });

  test.each(COLLATIONS)('under %s keys are equal exactly when texts compare as equal', (name) => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(collationKey(a, name) === collationKey(b, name)).toBe(collationOf(name).compare(a, b) === 0);
      }),
    );
  });

  test.each(COLLATIONS)('%s orders totally', (name) => {
    const compare = comparator({ name: 'nvarchar', length: 'max', collation: name });
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(0 - Math.sign(compare(b, a)));
        const [x = '', y = '', z = ''] = [a, b, c].sort(compare);
        expect(compare(x, y)).toBeLessThanOrEqual(0);
        expect(compare(y, z)).toBeLessThanOrEqual(0);
        expect(compare(x, z)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('letters come after digits, and case decides last', () => {
    const compare = comparator({ name: 'nvarchar', length: 'max', collation: 'Latin1_General_CS_AS' });
    expect(['b', 'B', 'a', 'A', '1', ' '].sort(compare)).toEqual([' ', '1', 'a', 'A', 'b', 'B']);
  });

  test('names have the form of collations, or are error 448', () => {
    expect(isCollationName('Finnish_Swedish_100_CS_AS')).toBe(true);
    expect(isCollationName('nonsense')).toBe(false);
    expect(() => collationOf('nonsense')).toThrow("Invalid collation 'nonsense'.");
  });
});

describe('the order of other values', () => {
  test('uniqueidentifiers are ordered by their last group first', () => {
    const type = { name: 'uniqueidentifier' } as const;
    const low = 'FFFFFFFF-FFFF-FFFF-FFFF-000000000001';
    const high = '00000000-0000-0000-0000-000000000002';
    expect(compareValues(low, high, type)).toBeLessThan(0);
    expect(compareValues('01000000-0000-0000-0000-000000000000', '00000001-0000-0000-0000-000000000000', type)).toBeLessThan(0);
  });

  test('binaries are padded with zero bytes', () => {
    const type = { name: 'varbinary', length: 8 } as const;
    expect(compareValues(Buffer.of(1), Buffer.of(1, 0), type)).toBe(0);
    expect(compareValues(Buffer.of(1), Buffer.of(1, 1), type)).toBeLessThan(0);
    expect(compareValues(Buffer.of(2), Buffer.of(1, 1), type)).toBeGreaterThan(0);
  });

  test('bigints and dates compare beyond 2^53', () => {
    expect(compareValues(9_007_199_254_740_993n, 9_007_199_254_740_992n, { name: 'bigint' })).toBe(1);
    expect(compareValues({ days: 1, ticks: 1n }, { days: 1, ticks: 2n }, { name: 'datetime2', scale: 7 })).toBe(-1);
  });
});
