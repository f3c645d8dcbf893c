/** R8 through the real driver: every type at its extremes, as a value and as a key. */
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonValue } from '../../src/model/document.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { never, Rigs } from './change-tracker-rig.ts';

interface Case {
  readonly type: string;
  /** T-SQL literal and what it must be in a document. */
  readonly values: readonly (readonly [string, JsonValue])[];
  /** Whether the type may be a key; the values come in its order. */
  readonly key: boolean;
}

/** Texts of keys of other types, which most types cannot read. */
const FOREIGN = [
  'x'.repeat(200),
  'no%20such%20key',
  '',
  '-7',
  '123456',
  '99999999999999999999',
  '7.5',
  '1e%2B300',
  'true',
  '2026-02-30',
  '2026-13-01T00%3A00%3A00',
  'AQ%3D%3D',
  'ffffffff-ffff-ffff-ffff-fffffffffff',
] as const;

/** Of a type: a key, and texts that SQL Server takes for it, but which are not how it is written. */
const SAME: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'decimal(38,10)': ['1', '1', '1.00'],
  'numeric(5,2)': ['1', '1', '1.0000'],
  money: ['1', '1', '1.00'],
  float: ['1', '1.0', '1e0'],
  date: ["'2026-01-31'", '2026-01-31T00%3A00%3A00'],
  'datetime2(7)': ["'2026-01-31T00:00:00'", '2026-01-31T00%3A00%3A00', '2026-01-31T00%3A00%3A00.000'],
  uniqueidentifier: ["'6F9619FF-8B86-D011-B42D-00C04FC96400'", '6F9619FF-8B86-D011-B42D-00C04FC96400'],
};

const ZERO_GUID = '00000000-0000-0000-0000-000000000000';
const GUID = '6f9619ff-8b86-d011-b42d-00c04fc964ff';

const CASES: readonly Case[] = [
  {
    type: 'bit',
    key: true,
    values: [
      ['0', false],
      ['1', true],
    ],
  },
  {
    type: 'tinyint',
    key: true,
    values: [
      ['0', 0],
      ['255', 255],
    ],
  },
  {
    type: 'smallint',
    key: true,
    values: [
      ['-32768', -32_768],
      ['32767', 32_767],
    ],
  },
  {
    type: 'int',
    key: true,
    values: [
      ['-2147483648', -2_147_483_648],
      ['0', 0],
      ['2147483647', 2_147_483_647],
    ],
  },
  {
    type: 'bigint',
    key: true,
    values: [
      ['-9223372036854775808', '-9223372036854775808'],
      ['9007199254740993', '9007199254740993'],
      ['9223372036854775806', '9223372036854775806'],
      ['9223372036854775807', '9223372036854775807'],
    ],
  },
  {
    type: 'decimal(38,10)',
    key: true,
    values: [
      ['-9999999999999999999999999999.9999999999', '-9999999999999999999999999999.9999999999'],
      ['0.0000000001', '0.0000000001'],
      ['500', '500.0000000000'],
      ['1234567890123456789012345678.0123456789', '1234567890123456789012345678.0123456789'],
    ],
  },
  {
    type: 'numeric(5,2)',
    key: true,
    values: [
      ['-1.10', '-1.10'],
      ['999.99', '999.99'],
    ],
  },
  {
    type: 'money',
    key: true,
    values: [
      ['-922337203685477.5808', '-922337203685477.5808'],
      ['0.0001', '0.0001'],
      ['922337203685477.5807', '922337203685477.5807'],
    ],
  },
  {
    type: 'smallmoney',
    key: true,
    values: [
      ['-214748.3648', '-214748.3648'],
      ['214748.3647', '214748.3647'],
    ],
  },
  {
    type: 'float',
    key: true,
    values: [
      ['-1.7976931348623157E+308', -1.797_693_134_862_315_7e308],
      ['0.1E0', 0.1],
      ['1.7976931348623157E+308', 1.797_693_134_862_315_7e308],
    ],
  },
  {
    type: 'real',
    key: true,
    values: [
      ['-3.4E+38', -3.4e38],
      ['0.1E0', 0.1],
      ['16777216E0', 16_777_216],
    ],
  },
  {
    type: 'date',
    key: true,
    values: [
      ["'0001-01-01'", '0001-01-01'],
      ["'9999-12-31'", '9999-12-31'],
    ],
  },
  {
    type: 'time(7)',
    key: true,
    values: [
      ["'00:00:00'", '00:00:00.0000000'],
      ["'23:59:59.9999999'", '23:59:59.9999999'],
    ],
  },
  {
    type: 'time(0)',
    key: true,
    values: [
      ["'00:00:01'", '00:00:01'],
      ["'23:59:59'", '23:59:59'],
    ],
  },
  {
    type: 'datetime2(7)',
    key: true,
    values: [
      ["'0001-01-01T00:00:00'", '0001-01-01T00:00:00.0000000'],
      ["'2026-03-29T02:30:00.1234567'", '2026-03-29T02:30:00.1234567'],
      ["'2026-03-29T02:30:00.1234568'", '2026-03-29T02:30:00.1234568'],
      ["'9999-12-31T23:59:59.9999999'", '9999-12-31T23:59:59.9999999'],
    ],
  },
  {
    type: 'datetime2(3)',
    key: true,
    values: [
      ["'2026-01-01T00:00:00.001'", '2026-01-01T00:00:00.001'],
      ["'2026-01-01T00:00:01'", '2026-01-01T00:00:01.000'],
    ],
  },
  {
    type: 'datetime',
    key: true,
    values: [
      ["'1753-01-01T00:00:00'", '1753-01-01T00:00:00.000'],
      ["'2026-01-31T23:59:59.993'", '2026-01-31T23:59:59.993'],
      ["'2026-01-31T23:59:59.997'", '2026-01-31T23:59:59.997'],
      ["'9999-12-31T23:59:59.997'", '9999-12-31T23:59:59.997'],
    ],
  },
  {
    type: 'smalldatetime',
    key: true,
    values: [
      ["'1900-01-01T00:00:00'", '1900-01-01T00:00:00'],
      ["'2079-06-06T23:59:00'", '2079-06-06T23:59:00'],
    ],
  },
  {
    type: 'datetimeoffset(7)',
    key: true,
    values: [
      ["'2026-01-31T23:59:59.1234567+14:00'", '2026-01-31T23:59:59.1234567+14:00'],
      ["'2026-01-31T23:59:59.1234567+05:30'", '2026-01-31T23:59:59.1234567+05:30'],
      ["'2026-01-31T23:59:59+00:00'", '2026-01-31T23:59:59.0000000+00:00'],
    ],
  },
  {
    type: 'uniqueidentifier',
    key: true,
    values: [
      [`'${ZERO_GUID}'`, ZERO_GUID],
      [`'${GUID}'`, GUID],
    ],
  },
  {
    type: 'binary(4)',
    key: true,
    values: [
      ['0x00000000', 'AAAAAA=='],
      ['0x00FF0102', 'AP8BAg=='],
    ],
  },
  {
    type: 'varbinary(8)',
    key: true,
    values: [
      ['0x01', 'AQ=='],
      ['0xFF', '/w=='],
    ],
  },
  { type: 'varbinary(max)', key: false, values: [['0x00FF01', 'AP8B']] },
  {
    type: 'char(4)',
    key: true,
    values: [
      ["'ab'", 'ab  '],
      ["'abcd'", 'abcd'],
    ],
  },
  {
    type: 'nchar(4)',
    key: true,
    values: [
      ["N'ab'", 'ab  '],
      ["N'äb'", 'äb  '],
    ],
  },
  {
    type: 'varchar(20)',
    key: true,
    values: [
      ["''", ''],
      ["'a|b%c'", 'a|b%c'],
      ["'é'", 'é'],
    ],
  },
  {
    type: 'nvarchar(20)',
    key: true,
    values: [
      ["N''", ''],
      ["N'a b/c'", 'a b/c'],
      ["N'日本'", '日本'],
    ],
  },
  { type: 'nvarchar(max)', key: false, values: [["REPLICATE(CONVERT(nvarchar(max), N'日'), 5000)", '日'.repeat(5000)]] },
  { type: 'varchar(max)', key: false, values: [["REPLICATE(CONVERT(varchar(max), 'é'), 9000)", 'é'.repeat(9000)]] },
];

export function valuesSuite(server: () => SqlServerConnection): void {
  const rigs = new Rigs(server);
  afterEach(() => rigs[Symbol.asyncDispose]());

  describe('R8, G3: values', () => {
    it('every type at its extremes is in the document exactly, from a window and from a load', async () => {
      const columns = CASES.map(({ type }, i) => `C${i} ${type} NULL`);
      const rig = await rigs.start([
        `CREATE TABLE dbo.Types (Id int NOT NULL PRIMARY KEY, ${columns.join(', ')})`,
        'ALTER TABLE dbo.Types ENABLE CHANGE_TRACKING',
      ]);
      const table = await rig.describe('Types');
      const height = Math.max(...CASES.map(({ values }) => values.length));
      const expected = new Map<string, unknown>();
      for (let row = 0; row <= height; row += 1) {
        const cells = CASES.map(({ values }) => values[row] ?? (['NULL', null] as const));
        await rig.database.run(`INSERT dbo.Types VALUES (${row}, ${cells.map(([literal]) => literal).join(', ')})`);
        expected.set(String(row), Object.fromEntries([['Id', row], ...cells.map(([, value], i) => [`C${i}`, value])]));
      }
      for (const rows of [await rig.changes(table, table.version), await rig.load(table)]) {
        expect(new Map(rows.map(({ dataKey, document }) => [dataKey, document]))).toEqual(expected);
      }
    });

    it('a rowversion is its sixteen digits, and a row without it is refused nothing', async () => {
      const rig = await rigs.start([
        'CREATE TABLE dbo.Versioned (Id int NOT NULL PRIMARY KEY, Rv rowversion NOT NULL)',
        'ALTER TABLE dbo.Versioned ENABLE CHANGE_TRACKING',
      ]);
      const table = await rig.describe('Versioned');
      await rig.database.run('INSERT dbo.Versioned (Id) VALUES (1)');
      const [row] = await rig.changes(table, table.version);
      const { recordset } = await rig.database.run('SELECT CONVERT(binary(8), Rv) AS rv FROM dbo.Versioned');
      expect(row?.document?.['Rv']).toBe(`0x${(recordset[0]!['rv'] as Buffer).toString('hex').toUpperCase()}`);
    });

    it('a json column is nested where nothing changes by it, and counted where it would', async () => {
      let kept = 0;
      const rig = await rigs.start(
        ['CREATE TABLE dbo.Docs (Id int NOT NULL PRIMARY KEY, Doc nvarchar(max) NULL)', 'ALTER TABLE dbo.Docs ENABLE CHANGE_TRACKING'],
        { onJsonKept: () => (kept += 1) },
      );
      const table = await rig.describe('Docs', { json: ['Doc'] });
      await rig.database.run(`INSERT dbo.Docs VALUES (1, N'{"a":[1,2.50]}'), (2, N'{"a":12345678901234567890}'), (3, N'"x"'), (4, NULL)`);
      const rows = await rig.changes(table, table.version);
      expect(rows.map(({ document }) => document?.['Doc'])).toEqual([{ a: [1, 2.5] }, '{"a":12345678901234567890}', '"x"', null]);
      expect(kept).toBe(1);
    });
  });

  describe('R8: keys', () => {
    it.each(CASES.filter(({ key }) => key))(
      '$type: pages of one row go through all of them, and each is found again',
      async ({ type, values }) => {
        const rig = await rigs.start(
          [
            `CREATE TABLE dbo.Keyed (K ${type} NOT NULL, L smallint NOT NULL, N int NOT NULL, PRIMARY KEY (K, L))`,
            'ALTER TABLE dbo.Keyed ENABLE CHANGE_TRACKING',
          ],
          { limits: { pageRows: 1, timeShare: 1 } },
        );
        const table = await rig.describe('Keyed');
        const literals = values.flatMap(([literal]) => [`(${literal}, 1, 0)`, `(${literal}, 2, 0)`]);
        await rig.database.run(`INSERT dbo.Keyed VALUES ${literals.join(', ')}`);
        const expected = values.flatMap(([, value]) => [
          { K: value, L: 1, N: 0 },
          { K: value, L: 2, N: 0 },
        ]);
        const loaded = await rig.load(table);
        expect(loaded.map(({ document }) => document)).toEqual(expected);
        const changed = await rig.changes(table, table.version);
        expect(changed.map(({ document }) => document)).toEqual(expected);
        const dataKeys = loaded.map(({ dataKey }) => dataKey);
        expect(changed.map(({ dataKey }) => dataKey)).toEqual(dataKeys);
        expect(new Set(dataKeys).size).toBe(expected.length);
        expect(await rig.tracker.existing(table, dataKeys, { signal: never })).toEqual(dataKeys.map(() => true));
        const [first = '', second = ''] = dataKeys;
        expect(await rig.tracker.sameKey(table, first, first, { signal: never })).toBe(true);
        expect(await rig.tracker.sameKey(table, first, second, { signal: never })).toBe(false);
      },
    );

    it('L4: many keys are asked for in one call, also in more than one request', async () => {
      const rig = await rigs.start(['CREATE TABLE dbo.Many (Id int NOT NULL PRIMARY KEY)', 'ALTER TABLE dbo.Many ENABLE CHANGE_TRACKING']);
      const table = await rig.describe('Many');
      await rig.database.run(`INSERT dbo.Many VALUES ${Array.from({ length: 900 }, (_, i) => `(${3 * i})`).join(', ')}`);
      const keys = Array.from({ length: 2500 }, (_, i) => String(i));
      const found = await rig.tracker.existing(table, keys, { signal: never });
      expect(found).toEqual(keys.map((key) => Number(key) % 3 === 0 && Number(key) < 2700));
    });

    it.each(CASES.filter(({ key }) => key))(
      'L4: what was a key of another type is no key of a table whose key is $type, and no error of the others',
      async ({ type, values }) => {
        const rig = await rigs.start([
          `CREATE TABLE dbo.Keyed (K ${type} NOT NULL PRIMARY KEY)`,
          'ALTER TABLE dbo.Keyed ENABLE CHANGE_TRACKING',
        ]);
        const table = await rig.describe('Keyed');
        const more = Object.entries(SAME).filter(([of]) => of === type);
        await rig.database.run(
          `INSERT dbo.Keyed VALUES ${[...values, ...more.map(([, [literal]]) => [literal])].map(([v]) => `(${v})`).join(', ')}`,
        );
        const mine = (await rig.load(table)).map(({ dataKey }) => dataKey);
        const others = [...FOREIGN, ...more.flatMap(([, [, ...spellings]]) => spellings)].filter((key) => !mine.includes(key));
        const found = await rig.tracker.existing(table, [...others, ...mine], { signal: never });
        expect([...others, ...mine].filter((_, i) => found[i])).toEqual(mine);
      },
    );

    it('a key under another code page than the database keeps its characters', async () => {
      const rig = await rigs.start(
        ['CREATE TABLE dbo.Greek (K varchar(20) COLLATE Greek_CI_AS NOT NULL PRIMARY KEY)', 'ALTER TABLE dbo.Greek ENABLE CHANGE_TRACKING'],
        { limits: { pageRows: 1 } },
      );
      const table = await rig.describe('Greek');
      await rig.database.run("INSERT dbo.Greek VALUES (N'αβγ'), (N'δεζ')");
      const rows = await rig.load(table);
      expect(rows.map(({ document }) => document?.['K'])).toEqual(['αβγ', 'δεζ']);
      expect(
        await rig.tracker.existing(
          table,
          rows.map(({ dataKey }) => dataKey),
          { signal: never },
        ),
      ).toEqual([true, true]);
    });
  });
}
