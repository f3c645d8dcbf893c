/** Every type through the real driver, as a column and as a parameter, at its extremes. What the driver itself rounds is checked in codec.prop.test.ts. */
import mssql from 'mssql';
import { expect, test } from 'vitest';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import type { ResultColumn, SqlType, SqlValue } from '../../../src/sandbox/sql-types.ts';
import type { Parameter } from '../../../src/sandbox/session.ts';
import { answerRows } from './toy-backend.ts';
import { toyServer } from './support.ts';

const collation = DEFAULT_COLLATION;
const FIRST = { days: 0, ticks: 0n };
const LAST = { days: 3_652_058, ticks: 863_999_999_999n };
const DAY_1753 = 639_905;
const DAY_1900 = 693_595;

function date(iso: string, nanosecondsDelta?: number): Date {
  const value = new Date(iso);
  return nanosecondsDelta === undefined ? value : Object.assign(value, { nanosecondsDelta });
}

/** A type, values of it, and what the driver makes of each. */
const CASES: readonly (readonly [SqlType, readonly (readonly [SqlValue, unknown])[]])[] = [
  [
    { name: 'bit' },
    [
      [true, true],
      [false, false],
    ],
  ],
  [
    { name: 'tinyint' },
    [
      [0, 0],
      [255, 255],
    ],
  ],
  [
    { name: 'smallint' },
    [
      [-32_768, -32_768],
      [32_767, 32_767],
    ],
  ],
  [
    { name: 'int' },
    [
      [-2_147_483_648, -2_147_483_648],
      [2_147_483_647, 2_147_483_647],
    ],
  ],
  [
    { name: 'bigint' },
    [
      [-(2n ** 63n), '-9223372036854775808'],
      [2n ** 63n - 1n, '9223372036854775807'],
      [2n ** 53n + 1n, '9007199254740993'],
    ],
  ],
  [
    { name: 'decimal', precision: 9, scale: 2 },
    [
      [-999_999_999n, -9_999_999.99],
      [1230n, 12.3],
    ],
  ],
  [
    { name: 'decimal', precision: 19, scale: 4 },
    [
      [-1n, -0.0001],
      [12_345_678_901_234n, 1_234_567_890.1234],
    ],
  ],
  [{ name: 'numeric', precision: 28, scale: 0 }, [[10n ** 20n, 1e20]]],
  [
    { name: 'numeric', precision: 38, scale: 10 },
    [
      [10n ** 37n, 1e27],
      [-(10n ** 37n), -1e27],
    ],
  ],
  [
    { name: 'money' },
    [
      [2n ** 63n - 1n, Number('922337203685477.5807')],
      [-(2n ** 63n), Number('-922337203685477.5808')],
      [-1n, -0.0001],
    ],
  ],
  [
    { name: 'smallmoney' },
    [
      [2_147_483_647n, 214_748.3647],
      [-2_147_483_648n, -214_748.3648],
    ],
  ],
  [
    { name: 'float' },
    [
      [Number.MAX_VALUE, Number.MAX_VALUE],
      [-5e-324, -5e-324],
      [0.1, 0.1],
    ],
  ],
  [
    { name: 'real' },
    [
      [3.4028234663852886e38, 3.4028234663852886e38],
      [Math.fround(0.1), Math.fround(0.1)],
    ],
  ],
  [
    { name: 'char', length: 4, collation },
    [
      ['ab  ', 'ab  '],
      ['é€™ß', 'é€™ß'],
    ],
  ],
  [
    { name: 'varchar', length: 8000, collation },
    [
      ['', ''],
      ['x'.repeat(8000), 'x'.repeat(8000)],
      ['naïve ‘€’', 'naïve ‘€’'],
      ['no Ω here', 'no ? here'],
    ],
  ],
  [
    { name: 'varchar', length: 'max', collation },
    [
      ['', ''],
      ['é'.repeat(200_000), 'é'.repeat(200_000)],
    ],
  ],
  [{ name: 'varchar', length: 50, collation: 'Latin1_General_100_CI_AS_SC_UTF8' }, [['Ωmega 😀', 'Ωmega 😀']]],
  [{ name: 'varchar', length: 50, collation: 'Cyrillic_General_CI_AS' }, [['Москва', 'Москва']]],
  [{ name: 'nchar', length: 3, collation }, [['日本 ', '日本 ']]],
  [
    { name: 'nvarchar', length: 4000, collation },
    [
      ['', ''],
      ['Ω'.repeat(4000), 'Ω'.repeat(4000)],
      ['😀\0\uD800', '😀\0\uD800'],
    ],
  ],
  [
    { name: 'nvarchar', length: 'max', collation },
    [
      ['', ''],
      ['😀'.repeat(150_000), '😀'.repeat(150_000)],
    ],
  ],
  [
    { name: 'text', collation },
    [
      ['', ''],
      ['old €'.repeat(900), 'old €'.repeat(900)],
    ],
  ],
  [
    { name: 'ntext', collation },
    [
      ['', ''],
      ['old Ω'.repeat(900), 'old Ω'.repeat(900)],
    ],
  ],
  [
    { name: 'image' },
    [
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.alloc(20_000, 7), Buffer.alloc(20_000, 7)],
    ],
  ],
  [
    { name: 'xml' },
    [
      ['<a b="Ω"/>', '<a b="Ω"/>'],
      ['', ''],
    ],
  ],
  [{ name: 'binary', length: 3 }, [[Buffer.of(0, 255, 1), Buffer.of(0, 255, 1)]]],
  [
    { name: 'varbinary', length: 8000 },
    [
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.alloc(8000, 255), Buffer.alloc(8000, 255)],
    ],
  ],
  [
    { name: 'varbinary', length: 'max' },
    [
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.alloc(300_000, 3), Buffer.alloc(300_000, 3)],
    ],
  ],
  [{ name: 'rowversion' }, [[Buffer.of(0, 0, 0, 0, 0, 0, 7, 208), Buffer.of(0, 0, 0, 0, 0, 0, 7, 208)]]],
  [
    { name: 'date' },
    [
      [FIRST, date('0001-01-01T00:00:00Z')],
      [{ ...LAST, ticks: 0n }, date('9999-12-31T00:00:00Z')],
    ],
  ],
  [{ name: 'time', scale: 0 }, [[{ days: 0, ticks: 863_990_000_000n }, date('1970-01-01T23:59:59Z', 0)]]],
  [{ name: 'time', scale: 3 }, [[{ days: 0, ticks: 863_999_990_000n }, date('1970-01-01T23:59:59.999Z', 0)]]],
  [{ name: 'time', scale: 7 }, [[{ days: 0, ticks: 863_999_999_999n }, date('1970-01-01T23:59:59.999Z', 0.0009999)]]],
  [{ name: 'datetime2', scale: 0 }, [[FIRST, date('0001-01-01T00:00:00Z', 0)]]],
  [{ name: 'datetime2', scale: 4 }, [[{ days: DAY_1900, ticks: 12_345_000n }, date('1900-01-01T00:00:01.234Z', 0.0005)]]],
  [{ name: 'datetime2', scale: 7 }, [[LAST, date('9999-12-31T23:59:59.999Z', 0.0009999)]]],
  [
    { name: 'datetimeoffset', scale: 7 },
    [
      [{ ...LAST, offset: -840 }, date('9999-12-31T23:59:59.999Z', 0.0009999)],
      [{ ...FIRST, offset: 840 }, date('0001-01-01T00:00:00Z', 0)],
    ],
  ],
  [
    { name: 'datetime' },
    [
      [{ days: DAY_1753, ticks: 0n }, date('1753-01-01T00:00:00Z')],
      [{ days: 3_652_058, ticks: 863_999_970_000n }, date('9999-12-31T23:59:59.997Z')],
      [{ days: DAY_1900, ticks: 33_333n }, date('1900-01-01T00:00:00.003Z')],
    ],
  ],
  [
    { name: 'smalldatetime' },
    [
      [{ days: DAY_1900, ticks: 0n }, date('1900-01-01T00:00:00Z')],
      [{ days: DAY_1900 + 65_535, ticks: 863_400_000_000n }, date('2079-06-06T23:59:00Z')],
    ],
  ],
  [{ name: 'uniqueidentifier' }, [['01234567-89AB-CDEF-FEDC-BA9876543210', '01234567-89AB-CDEF-FEDC-BA9876543210']]],
  [
    { name: 'sql_variant' },
    [
      [{ type: { name: 'int' }, variant: -5 }, -5],
      [{ type: { name: 'bigint' }, variant: 2n ** 62n }, String(2n ** 62n)],
      [{ type: { name: 'bit' }, variant: true }, true],
      [{ type: { name: 'float' }, variant: 0.1 }, 0.1],
      [{ type: { name: 'money' }, variant: 12_345n }, 1.2345],
      [{ type: { name: 'decimal', precision: 10, scale: 2 }, variant: -1230n }, -12.3],
      [{ type: { name: 'nvarchar', length: 10, collation }, variant: 'Ω😀' }, 'Ω😀'],
      [{ type: { name: 'varchar', length: 10, collation }, variant: 'plain' }, 'plain'],
      [{ type: { name: 'varbinary', length: 10 }, variant: Buffer.of(1, 2) }, Buffer.of(1, 2)],
      [{ type: { name: 'uniqueidentifier' }, variant: '01234567-89AB-CDEF-FEDC-BA9876543210' }, '01234567-89AB-CDEF-FEDC-BA9876543210'],
      [{ type: { name: 'date' }, variant: FIRST }, date('0001-01-01T00:00:00Z')],
      [{ type: { name: 'datetime' }, variant: { days: DAY_1900, ticks: 0n } }, date('1900-01-01T00:00:00Z')],
      [{ type: { name: 'datetime2', scale: 3 }, variant: { days: DAY_1900, ticks: 10_000n } }, date('1900-01-01T00:00:00.001Z', 0)],
      [{ type: { name: 'time', scale: 7 }, variant: { days: 0, ticks: 1n } }, date('1970-01-01T00:00:00Z', 0.0000001)],
      [{ type: { name: 'datetimeoffset', scale: 0 }, variant: { days: DAY_1900, ticks: 0n, offset: 60 } }, date('1900-01-01T00:00:00Z', 0)],
    ],
  ],
];

function title(type: SqlType): string {
  const size =
    'length' in type ? type.length : 'precision' in type ? `${type.precision},${type.scale}` : 'scale' in type ? type.scale : null;
  const collated = 'collation' in type && type.collation !== collation ? ` ${type.collation}` : '';
  return size === null ? type.name : `${type.name}(${size})${collated}`;
}

/** Dates with what the driver hangs on them, in whole 100 ns: it computes that by floating point. */
function plain(value: unknown): unknown {
  if (!(value instanceof Date)) {
    return value;
  }
  const nanoseconds = 'nanosecondsDelta' in value ? (value.nanosecondsDelta as number) : 0;
  return { iso: value.toISOString(), ticks: Math.round(nanoseconds * 1e7) };
}

function expectSame(actual: unknown, wanted: unknown): void {
  expect(plain(actual)).toEqual(plain(wanted));
}

test.each(CASES.map(([type, values]) => ({ title: title(type), type, values })))(
  '$title: the driver reads its extremes and NULL',
  async ({ type, values }) => {
    await using toy = await toyServer();
    const columns: ResultColumn[] = [
      { name: 'before', type: { name: 'int' }, nullable: false },
      { name: 'value', type, nullable: true },
      { name: 'after', type: { name: 'int' }, nullable: false },
    ];
    const rows: SqlValue[][] = [...values.map(([value]) => value), null].map((value, i) => [i, value, -i]);
    toy.backend.on('select', (ask) => answerRows(ask, columns, rows));
    const pool = await toy.connect();
    const { recordset } = await pool.request().query<Record<string, unknown>>('select');
    expect(recordset).toHaveLength(rows.length);
    for (const [i, row] of recordset.entries()) {
      expect(row['before']).toBe(i);
      expect(row['after']).toBe(i === 0 ? 0 : -i);
      expectSame(row['value'], i < values.length ? values[i]?.[1] : null);
    }
    expect(toy.internalErrors).toEqual([]);
  },
);

test('a row of every type at once, one without a NULL and one of NULLs only', async () => {
  await using toy = await toyServer();
  const columns = CASES.map(([type], i): ResultColumn => ({ name: `c${i}`, type, nullable: true }));
  const full = CASES.map(([, values]) => values[0]?.[0] ?? null);
  toy.backend.on('select', (ask) => answerRows(ask, columns, [full, full.map(() => null), full]));
  const pool = await toy.connect();
  const { recordset } = await pool.request().query<Record<string, unknown>>('select');
  for (const [i, [, values]] of CASES.entries()) {
    expectSame(recordset[0]?.[`c${i}`], values[0]?.[1]);
    expect(recordset[1]?.[`c${i}`]).toBeNull();
    expectSame(recordset[2]?.[`c${i}`], values[0]?.[1]);
  }
});

/** The driver's type for a parameter, a value to send, and how it must stand in memory. */
const SENT: readonly (readonly [string, mssql.ISqlType | (() => mssql.ISqlType), unknown, SqlType, SqlValue])[] = [
  ['bit', mssql.Bit(), true, { name: 'bit' }, true],
  ['tinyint', mssql.TinyInt(), 255, { name: 'tinyint' }, 255],
  ['smallint', mssql.SmallInt(), -32_768, { name: 'smallint' }, -32_768],
  ['int', mssql.Int(), -2_147_483_648, { name: 'int' }, -2_147_483_648],
  ['bigint', mssql.BigInt(), '9223372036854775807', { name: 'bigint' }, 2n ** 63n - 1n],
  ['decimal(38,2)', mssql.Decimal(38, 2), -12.34, { name: 'decimal', precision: 38, scale: 2 }, -1234n],
  ['numeric(9,3)', mssql.Numeric(9, 3), 1.5, { name: 'numeric', precision: 9, scale: 3 }, 1500n],
  ['money', mssql.Money(), -922_337.5808, { name: 'money' }, -9_223_375_808n],
  ['smallmoney', mssql.SmallMoney(), 214_748.3647, { name: 'smallmoney' }, 2_147_483_647n],
  ['float', mssql.Float(), 0.1, { name: 'float' }, 0.1],
  ['real', mssql.Real(), 0.5, { name: 'real' }, 0.5],
  ['char(5)', mssql.Char(5), 'ab', { name: 'char', length: 5, collation }, 'ab   '],
  ['varchar(20)', mssql.VarChar(20), 'é€™', { name: 'varchar', length: 20, collation }, 'é€™'],
  ['varchar(max)', mssql.VarChar(mssql.MAX), 'é'.repeat(50_000), { name: 'varchar', length: 'max', collation }, 'é'.repeat(50_000)],
  ['nchar(3)', mssql.NChar(3), 'Ω', { name: 'nchar', length: 3, collation }, 'Ω  '],
  ['nvarchar(10)', mssql.NVarChar(10), '😀', { name: 'nvarchar', length: 10, collation }, '😀'],
  ['nvarchar(10), empty', mssql.NVarChar(10), '', { name: 'nvarchar', length: 10, collation }, ''],
  ['nvarchar(max)', mssql.NVarChar(mssql.MAX), 'Ω'.repeat(50_000), { name: 'nvarchar', length: 'max', collation }, 'Ω'.repeat(50_000)],
  ['text', mssql.Text(), 'old é', { name: 'text', collation }, 'old é'],
  ['binary(4)', mssql.Binary(), Buffer.of(1, 2, 3, 4), { name: 'binary', length: 4 }, Buffer.of(1, 2, 3, 4)],
  ['varbinary(4)', mssql.VarBinary(4), Buffer.of(1, 2), { name: 'varbinary', length: 4 }, Buffer.of(1, 2)],
  ['varbinary(max)', mssql.VarBinary(mssql.MAX), Buffer.alloc(9000, 9), { name: 'varbinary', length: 'max' }, Buffer.alloc(9000, 9)],
  ['image', mssql.Image(), Buffer.of(3), { name: 'image' }, Buffer.of(3)],
  ['date', mssql.Date(), new Date('9999-12-31T00:00:00Z'), { name: 'date' }, { days: 3_652_058, ticks: 0n }],
  ['time(7)', mssql.Time(7), date('1970-01-01T23:59:59.999Z'), { name: 'time', scale: 7 }, { days: 0, ticks: 863_999_990_000n }],
  [
    'datetime2(7)',
    mssql.DateTime2(7),
    date('1900-01-01T00:00:00.001Z'),
    { name: 'datetime2', scale: 7 },
    { days: DAY_1900, ticks: 10_000n },
  ],
  [
    'datetimeoffset(3)',
    mssql.DateTimeOffset(3),
    date('1900-01-01T12:00:00.001Z'),
    { name: 'datetimeoffset', scale: 3 },
    { days: DAY_1900, ticks: 432_000_010_000n, offset: 0 },
  ],
  ['datetime', mssql.DateTime(), date('1900-01-01T00:00:00.003Z'), { name: 'datetime' }, { days: DAY_1900, ticks: 33_333n }],
  [
    'smalldatetime',
    mssql.SmallDateTime(),
    date('1900-01-02T00:01:00Z'),
    { name: 'smalldatetime' },
    { days: DAY_1900 + 1, ticks: 600_000_000n },
  ],
  [
    'uniqueidentifier',
    mssql.UniqueIdentifier(),
    '01234567-89ab-cdef-fedc-ba9876543210',
    { name: 'uniqueidentifier' },
    '01234567-89AB-CDEF-FEDC-BA9876543210',
  ],
];

test.each(SENT)('%s: a parameter arrives exactly, and its NULL', async (_, sentType, value, expectedType, expectedValue) => {
  await using toy = await toyServer();
  let seen: readonly Parameter[] = [];
  toy.backend.on('echo', ({ parameters, sink }) => {
    seen = parameters;
    sink.done({ rowCount: null, select: false, error: false, inTransaction: false });
  });
  const pool = await toy.connect();
  for (const [given, expected] of [
    [value, expectedValue],
    [null, null],
  ] as const) {
    await pool.request().input('p', sentType, given).query('echo');
    // A driver describes the NULL of a type without a length as it likes.
    const type = given === null ? { ...seen[0]?.type, name: expectedType.name } : expectedType;
    expect(seen).toEqual([{ name: '@p', type, value: expected, output: false }]);
  }
  expect(toy.internalErrors).toEqual([]);
});

test('output parameters come back with their type, in the order of the call', async () => {
  await using toy = await toyServer();
  toy.backend.on('fill', ({ sink }) => {
    sink.done({ rowCount: 1, select: false, error: false, inTransaction: false });
    return new Map<string, SqlValue>([
      ['@big', 2n ** 62n],
      ['@text', 'Ω'.repeat(5000)],
      ['@when', LAST],
    ]);
  });
  const pool = await toy.connect();
  const result = await pool
    .request()
    .output('big', mssql.BigInt)
    .input('in', mssql.Int, 5)
    .output('text', mssql.NVarChar(mssql.MAX))
    .output('when', mssql.DateTime2(7))
    .output('kept', mssql.Int, 42)
    .query('fill');
  expect(result.output['big']).toBe(String(2n ** 62n));
  expect(result.output['text']).toBe('Ω'.repeat(5000));
  expectSame(result.output['when'], date('9999-12-31T23:59:59.999Z', 0.0009999));
  expect(result.output['kept']).toBe(42);
});
