import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commonType, decimalResult, decimalType, formatType, resolveType } from '../../../../src/sandbox/sql/types.ts';
import type { SqlType } from '../../../../src/sandbox/sql-types.ts';
import { DEFAULT_COLLATION } from '../../../../src/sandbox/sql-types.ts';

function declared(name: string, args: readonly (number | 'max')[], cast = false): SqlType {
  return resolveType({ line: 1, position: 0, schema: null, name, args }, DEFAULT_COLLATION, cast);
}

describe('types as declared', () => {
  test.each([
    ['integer', [], 'int'],
    ['dec', [5], 'decimal(5,0)'],
    ['decimal', [], 'decimal(18,0)'],
    ['numeric', [38, 38], 'numeric(38,38)'],
    ['varchar', [], 'varchar(1)'],
    ['nvarchar', ['max'], 'nvarchar(max)'],
    ['float', [24], 'real'],
    ['float', [53], 'float'],
    ['datetime2', [], 'datetime2(7)'],
    ['time', [0], 'time(0)'],
    ['timestamp', [], 'rowversion'],
    ['sysname', [], 'nvarchar(128)'],
  ] as const)('%s %j is %s', (name, args, text) => {
    expect(formatType(declared(name, args))).toBe(text);
  });

  test('a length left out is 30 in CAST', () => {
    expect(formatType(declared('varchar', [], true))).toBe('varchar(30)');
    expect(formatType(declared('binary', [], true))).toBe('binary(30)');
  });

  test.each([
    ['nonsense', [], 243],
    ['varchar', [8001], 131],
    ['nvarchar', [4001], 131],
    ['char', ['max'], 131],
    ['varchar', [0], 1001],
    ['datetime2', [8], 1002],
    ['decimal', [39], 2750],
    ['decimal', [5, 6], 192],
    ['int', [4], 2716],
    ['geography', [], 50_001],
  ] as const)('%s %j is error %i', (name, args, number) => {
    expect(() => declared(name, args)).toThrow(expect.objectContaining({ number }));
  });
});

describe('two types that meet', () => {
  test.each([
    [declared('int', []), declared('decimal', [5, 2]), 'decimal(12,2)'],
    [declared('decimal', [10, 4]), declared('decimal', [10, 2]), 'decimal(12,4)'],
    [declared('varchar', [10]), declared('nvarchar', [4]), 'nvarchar(10)'],
    [declared('char', [3]), declared('char', [5]), 'char(5)'],
    [declared('varchar', ['max']), declared('nvarchar', [4]), 'nvarchar(max)'],
    [declared('datetime', []), declared('datetime2', [3]), 'datetime2(3)'],
    [declared('varchar', [10]), declared('int', []), 'int'],
    [declared('money', []), declared('int', []), 'money'],
    [declared('varchar', [36]), declared('uniqueidentifier', []), 'uniqueidentifier'],
    [declared('float', []), declared('decimal', [5, 2]), 'float'],
  ])('%o and %o become %s', (a, b, text) => {
    expect(formatType(commonType(a, b))).toBe(text);
    expect(formatType(commonType(b, a))).toBe(text);
  });

  test('a decimal result never has more than 38 digits, nor more places than digits', () => {
    const type = fc
      .integer({ min: 1, max: 38 })
      .chain((precision) => fc.integer({ min: 0, max: precision }).map((scale) => decimalType(precision, scale)));
    fc.assert(
      fc.property(type, type, fc.constantFrom('+', '-', '*', '/', '%'), (a, b, operator) => {
        const { precision, scale } = decimalResult(operator as '+', a, b);
        expect(precision).toBeGreaterThanOrEqual(1);
        expect(precision).toBeLessThanOrEqual(38);
        expect(scale).toBeGreaterThanOrEqual(0);
        expect(scale).toBeLessThanOrEqual(precision);
      }),
    );
  });

  // Source: learn.microsoft.com "Precision, scale, and length", its examples of division and of what is beyond 38 digits.
  test.each([
    ['+', decimalType(38, 10), decimalType(38, 2), 'decimal(38,2)'],
    ['*', decimalType(38, 20), decimalType(38, 20), 'decimal(38,6)'],
    ['/', decimalType(18, 4), decimalType(18, 4), 'decimal(38,20)'],
    ['/', decimalType(5, 2), decimalType(5, 2), 'decimal(13,8)'],
  ] as const)('%s of %o and %o is %s', (operator, a, b, text) => {
    expect(formatType(decimalResult(operator, a, b))).toBe(text);
  });
});
