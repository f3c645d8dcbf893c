import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnShape, TableColumn } from '../../../../src/model/table.ts';
import { shapeColumns, type Transform } from '../../../../src/source/sqlserver/shape.ts';

const HASH_KEY = 'a-secret-of-more-than-thirty-two-characters';

function column(columnId: number, name: string, type: string): TableColumn {
  return { name, columnId, type, maxLength: 100, precision: 0, scale: 0, nullable: true, collation: null };
}

const COLUMNS = [
  column(1, 'Id', 'int'),
  column(2, 'Email', 'nvarchar'),
  column(3, 'Phone', 'varchar'),
  column(4, 'Note', 'nvarchar'),
  column(5, 'Code', 'char'),
  column(6, 'Active', 'bit'),
  column(7, 'Attributes', 'nvarchar'),
];

interface Asked {
  readonly table?: string;
  readonly json?: readonly string[];
  readonly hashKey?: string | null;
}

function shape(shapes: Readonly<Record<string, ColumnShape>>, { table = 'dbo.Customers', json = [], hashKey = HASH_KEY }: Asked = {}) {
  return shapeColumns(COLUMNS, { table, keyIds: new Set([1]), selection: { shape: shapes, json }, hashKey });
}

function transformOf(name: string, how: ColumnShape, asked: Asked = {}): Transform {
  return shape({ [name]: how }, asked).find(({ column: each }) => each.name === name)!.transform!;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
}

describe('shapeColumns', () => {
  it('renames, and leaves what is excluded out', () => {
    const shaped = shape({ Email: { as: 'email' }, Note: { exclude: true }, Id: { as: 'id' } });
    expect(shaped.map((each) => each.column.property)).toEqual(['id', 'email', 'Phone', 'Code', 'Active', 'Attributes']);
    expect(shaped.every(({ transform }) => transform === null)).toBe(true);
  });

  it('a key column is never masked, hashed, truncated or excluded: PW-S228, and renaming it is fine', () => {
    for (const how of [{ hash: true }, { mask: true }, { truncate: 3 }, { exclude: true }] as const) {
      expect(codeOf(() => shape({ id: how }))).toBe('PW-S228');
    }
    expect(codeOf(() => shape({ Id: { as: 'id' } }))).toBe('none');
  });

  it('an unknown column is refused with the nearest', () => {
    expect(() => shape({ Emial: { hash: true } })).toThrow(/no column Emial .* the nearest is Email/);
    expect(codeOf(() => shape({ Emial: { hash: true } }))).toBe('PW-S208');
  });

  it.each<[string, Readonly<Record<string, ColumnShape>>, Asked]>([
    ['two columns with one property name', { Email: { as: 'contact' }, Phone: { as: 'contact' } }, {}],
    ['a property that another column has already', { Email: { as: 'Phone' } }, {}],
    ['one column under two spellings', { Email: { hash: true }, EMAIL: { exclude: true } }, {}],
    ['two ways at once', { Email: { hash: true, truncate: 3 } }, {}],
    ['a name for what is excluded', { Email: { exclude: true, as: 'email' } }, {}],
    ['truncating what is no text', { Active: { truncate: 3 } }, {}],
    ['masking a bit, whose length tells it', { Active: { mask: true } }, {}],
    ['hashing what is declared json', { Attributes: { hash: true } }, { json: ['attributes'] }],
    ['masking what is declared json', { Attributes: { mask: true } }, { json: ['Attributes'] }],
  ])('%s is refused with PW-S229', (_what, shapes, asked) => {
    expect(codeOf(() => shape(shapes, asked))).toBe('PW-S229');
  });

  it('hashes need a key, and one that is long enough', () => {
    expect(codeOf(() => shape({ Email: { hash: true } }, { hashKey: null }))).toBe('PW-C103');
    expect(codeOf(() => shape({ Email: { hash: true } }, { hashKey: 'x'.repeat(31) }))).toBe('PW-C103');
    expect(codeOf(() => shape({ Email: { mask: true } }, { hashKey: null }))).toBe('none');
  });
});

describe('hash', () => {
  it('is HMAC-SHA-256 under a key of its domain, the same in every process', () => {
    // openssl: HMAC under the domain's key, which is the HMAC of "patchwire/hash/1\ncolumn\ndbo.Customers\nEmail" under the secret.
    expect(transformOf('Email', { hash: true })('ada@example.org')).toBe('T9M_vBruY8cXqhFJRC4g-pjx0HcIWrYfhnchGXgtwic');
  });

  it('differs by column, table, key and value, and is shared in a domain', () => {
    const value = 'ada@example.org';
    const shared = { hash: { domain: 'person' } } as const;
    const hashes = [
      transformOf('Email', { hash: true })(value),
      transformOf('Phone', { hash: true })(value),
      transformOf('Email', { hash: true }, { table: 'dbo.Leads' })(value),
      transformOf('Email', { hash: true }, { hashKey: `${HASH_KEY}2` })(value),
      transformOf('Email', { hash: true })('Ada@example.org'),
      transformOf('Email', shared)(value),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.every((hash) => /^[A-Za-z0-9_-]{43}$/.test(hash as string))).toBe(true);
    expect(transformOf('Phone', shared, { table: 'dbo.Leads' })(value)).toBe(hashes.at(-1));
  });

  it('takes the value as it would be published', () => {
    expect(transformOf('Active', { hash: true })(true)).toBe(transformOf('Active', { hash: true })('true'));
  });
});

describe('mask', () => {
  it.each<[ColumnShape['mask'], string, string]>([
    [true, 'secret', '******'],
    [{ keepLast: 4 }, '+49 170 1234567', '***********4567'],
    [{ keepFirst: 1, keepLast: 1 }, 'Lovelace', 'L******e'],
    [{ keepLast: 4 }, '4567', '****'],
    [{ keepLast: 4 }, '67', '**'],
    [{ keepLast: 1 }, '😀😀😁', '**😁'],
    [{ keepLast: 4 }, '', ''],
  ])('%j makes of %s %s', (how, value, masked) => {
    expect(transformOf('Phone', { mask: how! })(value)).toBe(masked);
  });

  it('does not count the padding of char(n)', () => {
    expect(transformOf('Code', { mask: { keepLast: 2 } })('AB1234    ')).toBe('****34    ');
    expect(transformOf('Phone', { mask: { keepLast: 2 } })('AB1234  ')).toBe('******  ');
  });

  it('shows at most what was to be kept, and never a whole value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.nat(5), fc.nat(5), (text, keepFirst, keepLast) => {
        const masked = transformOf('Phone', { mask: { keepFirst, keepLast } })(text) as string;
        const [before, after] = [Array.from(text), Array.from(masked)];
        expect(after.length).toBe(before.length);
        const hidden = after.filter((character) => character === '*').length;
        expect(hidden).toBeGreaterThanOrEqual(Math.max(1, before.length - keepFirst - keepLast));
      }),
    );
  });
});

describe('truncate', () => {
  it.each([
    ['abcdef', 3, 'abc'],
    ['abc', 3, 'abc'],
    ['😀😁😂', 2, '😀😁'],
    ['a😀b', 2, 'a😀'],
  ])('counts characters: %s to %d is %s', (text, length, cut) => {
    expect(transformOf('Note', { truncate: length })(text)).toBe(cut);
  });
});

describe('L5: the fingerprint covers the shape', () => {
  const mark = (shapes: Readonly<Record<string, ColumnShape>>, asked: Asked = {}): string =>
    JSON.stringify(shape(shapes, asked).flatMap((each) => (each.mark === null ? [] : [each.mark])));

  it('every change of a shape or of the hash key is another mark; no shape is none', () => {
    expect(mark({})).toBe('[]');
    const marks = [
      mark({ Email: { hash: true } }),
      mark({ Email: { hash: true } }, { hashKey: `${HASH_KEY}2` }),
      mark({ Email: { hash: { domain: 'person' } } }),
      mark({ Email: { hash: true, as: 'email' } }),
      mark({ Email: { mask: true } }),
      mark({ Email: { mask: { keepLast: 1 } } }),
      mark({ Email: { mask: { keepFirst: 1 } } }),
      mark({ Email: { truncate: 1 } }),
      mark({ Email: { as: 'email' } }),
      mark({ Phone: { mask: true } }),
    ];
    expect(new Set(marks).size).toBe(marks.length);
    expect(marks.every((text) => !text.includes(HASH_KEY))).toBe(true);
  });
});
