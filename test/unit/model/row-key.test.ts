import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDataKey, encodeDataKey } from '../../../src/model/data-key.ts';
import { comparableKeyText, foldKeyValue, identityOf, parseCollation } from '../../../src/model/row-key.ts';

/** Any sequence of UTF-16 units, lone surrogates included: what nvarchar can hold. */
const unit = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0xd7f0, max: 0xe010 }),
  fc.constantFrom(0x25, 0x7c, 0x20, 0x2f),
);
const ucs2 = fc.array(unit, { maxLength: 12 }).map((units) => String.fromCharCode(...units));
const keys = fc.array(ucs2, { minLength: 1, maxLength: 4 });

describe('data keys', () => {
  it('are plain percent-encoding for ordinary texts', () => {
    expect(encodeDataKey(['42'])).toBe('42');
    expect(encodeDataKey(['a b', 'ü|%'])).toBe('a%20b|%C3%BC%7C%25');
    expect(encodeDataKey([''])).toBe('');
    expect(encodeDataKey(['', ''])).toBe('|');
  });

  it('hold lone surrogates', () => {
    expect(encodeDataKey(['a\ud800b'])).toBe('a%ED%A0%80b');
    expect(decodeDataKey('a%ED%A0%80b')).toEqual(['a\ud800b']);
    expect(decodeDataKey(encodeDataKey(['\udc00\ud800', '\ud83d\ude00\ud83d']))).toEqual(['\udc00\ud800', '\ud83d\ude00\ud83d']);
  });

  it('round-trip for every key', () => {
    fc.assert(
      fc.property(keys, (values) => {
        expect(decodeDataKey(encodeDataKey(values))).toEqual(values);
      }),
      { numRuns: 2000 },
    );
  });

  it('are injective', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const equal = a.length === b.length && a.every((value, i) => value === b[i]);
        expect(encodeDataKey(a) === encodeDataKey(b)).toBe(equal);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuse what is none', () => {
    expect(() => decodeDataKey('%zz')).toThrow(RangeError);
    expect(() => decodeDataKey('%ED%A0')).toThrow(RangeError);
  });
});

describe('identities', () => {
  const fold = (text: string, collation: string): string => foldKeyValue(text, parseCollation(collation));
  const same = (a: string, b: string, collation: string): boolean => fold(a, collation) === fold(b, collation);

  it.each([
    ['abc', 'ABC', 'SQL_Latin1_General_CP1_CI_AS', true],
    ['abc', 'ABC', 'Latin1_General_CS_AS', false],
    ['abc', 'ABC', 'Latin1_General_BIN2', false],
    ['abc', 'abc  ', 'Latin1_General_BIN2', true],
    ['abc', 'abc  ', 'Latin1_General_CS_AS', true],
    ['abc', '  abc', 'SQL_Latin1_General_CP1_CI_AS', false],
    ['resume', 'r\u00e9sum\u00e9', 'Latin1_General_CI_AS', false],
    ['resume', 'r\u00e9sum\u00e9', 'Latin1_General_CI_AI', true],
    ['e\u0301', '\u00e9', 'Latin1_General_CI_AS', true],
    ['\uff21', 'A', 'Latin1_General_CS_AS', true],
    ['\uff21', 'A', 'Latin1_General_CS_AS_WS', false],
    ['\u30a2', '\u3042', 'Japanese_CI_AS', true],
    ['\u30a2', '\u3042', 'Japanese_CI_AS_KS', false],
    ['stra\u00dfe', 'STRASSE', 'Latin1_General_CI_AS', true],
    ['i', '\u0130', 'Turkish_CI_AS', true],
    ['i', 'I', 'Turkish_CI_AS', false],
    ['i', 'I', 'Latin1_General_100_CI_AS_SC_UTF8', true],
  ])('%j and %j under %s: one identity is %s', (a, b, collation, expected) => {
    expect(same(a, b, collation)).toBe(expected);
  });

  it('ignore case and trailing spaces for every text under a case-insensitive collation', () => {
    const collation = parseCollation('SQL_Latin1_General_CP1_CI_AS');
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', 'X', 'Y', '0', ' ', '-', '|', '%') }), fc.nat(3), (text, spaces) => {
        expect(foldKeyValue(text.toUpperCase() + ' '.repeat(spaces), collation)).toBe(foldKeyValue(text, collation));
      }),
    );
  });

  it('are stable: folding twice changes nothing', () => {
    fc.assert(
      fc.property(
        ucs2,
        fc.constantFrom('Latin1_General_CI_AS', 'Latin1_General_CI_AI', 'Japanese_CS_AS_KS_WS', 'Latin1_General_BIN'),
        (text, name) => {
          const once = fold(text, name);
          expect(fold(once, name)).toBe(once);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are one for varbinary keys that differ in zeros at the end, and for moments that differ in their offset', () => {
    const bytes = (hex: string): string => comparableKeyText('varbinary', Buffer.from(hex, 'hex').toString('base64'));
    expect(bytes('0100')).toBe(bytes('01'));
    expect(bytes('0000')).toBe('');
    expect(bytes('0001')).not.toBe(bytes('01'));
    const moment = (text: string): string => comparableKeyText('datetimeoffset', text);
    expect(moment('2026-01-31T01:30:00.1234567+05:30')).toBe('2026-01-30T20:00:00.1234567Z');
    expect(moment('2026-01-30T18:00:00.1234567-02:00')).toBe('2026-01-30T20:00:00.1234567Z');
    expect(moment('0001-01-01T00:00:00+00:00')).toBe('0001-01-01T00:00:00Z');
    expect(comparableKeyText('binary', 'AQA=')).toBe('AQA=');
  });

  it('keep columns that are not characters as they are', () => {
    expect(identityOf(['42', 'aB '], [null, parseCollation('Latin1_General_CI_AS')])).toBe('42|ab');
  });
});
