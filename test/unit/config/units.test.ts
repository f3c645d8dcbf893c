import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatLadder, formatSize, parseDuration, parseLadder, parseSize } from '../../../src/config/units.ts';
import { formatTableName, parseTableName } from '../../../src/config/table-name.ts';

describe('units', () => {
  it.each([
    ['50ms', 50],
    ['5s', 5000],
    ['1.5s', 1500],
    ['0ms', 0],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
  ])('reads the duration %s as %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['5', 'ms', '-5s', '5 parsecs', '1.5ms', '', '5S', '5constructor', '1e3s'])('refuses the duration %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it.each([
    ['1B', 1],
    ['256KiB', 262_144],
    ['0.5KiB', 512],
    ['1GiB', 1_073_741_824],
  ])('reads the size %s as %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['256', '1KB', '1kib', '1.3B'])('refuses the size %j', (text) => {
    expect(parseSize(text)).toBeNull();
  });

  it('prints every duration and size so that it reads as the same number', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1e12 }), (n) => {
        expect(parseDuration(formatDuration(n))).toBe(n);
        expect(parseSize(formatSize(n))).toBe(n);
      }),
    );
  });

  it.each([[['50ms']], [['50ms x5', '1s']], [['1s x1', '2s x2', '3s']]])('prints the ladder %j as it was', (ladder) => {
    const parsed = parseLadder(ladder);
    expect(parsed).not.toBeNull();
    expect(formatLadder(parsed!)).toEqual(ladder);
  });

  it.each([[[]], [['50ms x5']], [['50ms', '1s']], [['0ms']], [['x5', '1s']], [['50ms x0', '1s']], [['50ms x-1', '1s']]])(
    'refuses the ladder %j',
    (ladder) => {
      expect(parseLadder(ladder)).toBeNull();
    },
  );

  it('prints every table name so that it reads as the same name', () => {
    const part = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'B', '.', ' ', '[', ']', 'é', '_') });
    fc.assert(
      fc.property(part, part, (schema, name) => {
        expect(parseTableName(formatTableName({ schema, name }))).toEqual({ schema, name });
      }),
    );
  });

  it.each(['Orders', 'a.b.c', '.b', 'a.', '[a].[b', ''])('refuses the table name %j', (text) => {
    expect(parseTableName(text)).toBeNull();
  });
});
