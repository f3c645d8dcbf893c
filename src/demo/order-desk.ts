/**
 * The order desk: the demo's database, as a script for any SQL Server, and its seeded first rows. Five tables, each for a reason: an identity
 * key, nested JSON, exact times and money, a composite key, and a natural text key under the case-insensitive default collation.
 */
import type { Random } from '../lib/random.ts';

export const DATABASE = 'OrderDesk';

/** The demo's sections, in the order in which they are shown. */
export const SECTIONS = ['customers', 'products', 'orders', 'orderLines', 'coupons'] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Creates the tables and switches change tracking on. One batch a line: ALTER DATABASE wants its own. */
export const CREATE_TABLES: readonly string[] = [
  `ALTER DATABASE [${DATABASE}] SET ALLOW_SNAPSHOT_ISOLATION ON`,
  `ALTER DATABASE [${DATABASE}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)`,
  `CREATE TABLE dbo.Customers (
     CustomerId int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_Customers PRIMARY KEY,
     Name nvarchar(80) NOT NULL,
     Email nvarchar(120) NULL,
     Credit money NOT NULL,
     Since date NOT NULL,
     Vip bit NOT NULL)`,
  `CREATE TABLE dbo.Products (
     ProductId int NOT NULL CONSTRAINT PK_Products PRIMARY KEY,
     Title nvarchar(80) NOT NULL,
     Price decimal(10, 2) NOT NULL,
     Weight float NULL,
     Attributes nvarchar(max) NOT NULL)`,
  `CREATE TABLE dbo.Orders (
     OrderId bigint NOT NULL CONSTRAINT PK_Orders PRIMARY KEY,
     CustomerId int NOT NULL,
     Status varchar(20) NOT NULL,
     Total decimal(18, 2) NOT NULL,
     PlacedAt datetime2(7) NOT NULL,
     Reference uniqueidentifier NOT NULL)`,
  `CREATE TABLE dbo.OrderLines (
     OrderId bigint NOT NULL,
     LineNumber smallint NOT NULL,
     ProductId int NOT NULL,
     Quantity int NOT NULL,
     Price decimal(10, 2) NOT NULL,
     CONSTRAINT PK_OrderLines PRIMARY KEY (OrderId, LineNumber))`,
  `CREATE TABLE dbo.Coupons (
     Code nvarchar(30) NOT NULL CONSTRAINT PK_Coupons PRIMARY KEY,
     PercentOff tinyint NOT NULL,
     ValidTo datetimeoffset(0) NULL,
     Note nvarchar(200) NULL)`,
  ...['Customers', 'Products', 'Orders', 'OrderLines', 'Coupons'].map((table) => `ALTER TABLE dbo.${table} ENABLE CHANGE_TRACKING`),
];

const FIRST_NAMES = ['Ada', 'Bruno', 'Chiara', 'Dilek', 'Emil', 'Fatou', 'Göran', 'Hana', 'İpek', 'José', 'Kenji', 'Zoë'];
const LAST_NAMES = ['Almeida', 'Berg', "D'Angelo", 'Fischer', 'Kowalska', 'Nakamura', 'Öztürk', 'Petrov', 'Sørensen', 'Watts'];
const NOUNS = ['lamp', 'desk', 'chair', 'kettle', 'notebook', 'backpack', 'clock', 'mirror', 'shelf', 'rug'];
const COLOURS = ['amber', 'black', 'green', 'ivory', 'red', 'teal'];
const COUPONS = ['WELCOME10', 'SUMMER-25', 'Straße', 'ночь', 'FREE SHIP', 'staff'];

export function pick<T>(random: Random, items: readonly [T, ...T[]] | readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) {
    throw new RangeError('nothing to pick from');
  }
  return item;
}

export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

export function cents(random: Random, low: number, high: number): string {
  return (between(random, low * 100, high * 100) / 100).toFixed(2);
}

/** A literal nvarchar: the demo writes plain statements so that what it shows can be typed again. */
export function text(value: string): string {
  return `N'${value.replaceAll("'", "''")}'`;
}

export function customerName(random: Random): string {
  return `${pick(random, FIRST_NAMES)} ${pick(random, LAST_NAMES)}`;
}

export function attributes(random: Random): string {
  return JSON.stringify({
    colour: pick(random, COLOURS),
    sizes: Array.from({ length: between(random, 1, 3) }, () => between(random, 10, 200)),
    eco: random() < 0.5,
    'a/b~c': { note: pick(random, ['fragile', 'flat-pack', 'boxed']) },
  });
}

/** A time of day with all seven digits of datetime2(7). */
export function moment(random: Random): string {
  const two = (high: number): string => between(random, 0, high).toString().padStart(2, '0');
  return `2026-${between(random, 1, 12).toString().padStart(2, '0')}-${between(random, 1, 28).toString().padStart(2, '0')}T${two(23)}:${two(59)}:${two(59)}.${between(random, 0, 9_999_999).toString().padStart(7, '0')}`;
}

export function guid(random: Random): string {
  const hex = (digits: number): string => Array.from({ length: digits }, () => between(random, 0, 15).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

/** The seeded first rows, as batches. */
export function seedRows(random: Random): string[] {
  const rows = (count: number, row: (n: number) => string): string =>
    Array.from({ length: count }, (_, i) => `(${row(i + 1)})`).join(',\n  ');
  return [
    `INSERT INTO dbo.Customers (Name, Email, Credit, Since, Vip) VALUES\n  ${rows(
      40,
      (n) =>
        `${text(customerName(random))}, ${random() < 0.8 ? text(`c${n}@example.com`) : 'NULL'}, ${cents(random, 0, 5000)}, '20${between(random, 10, 25)}-0${between(random, 1, 9)}-1${between(random, 0, 9)}', ${between(random, 0, 1)}`,
    )}`,
    `INSERT INTO dbo.Products (ProductId, Title, Price, Weight, Attributes) VALUES\n  ${rows(
      25,
      (n) =>
        `${n}, ${text(`${pick(random, COLOURS)} ${pick(random, NOUNS)}`)}, ${cents(random, 1, 900)}, ${random() < 0.7 ? (random() * 40).toFixed(3) : 'NULL'}, ${text(attributes(random))}`,
    )}`,
    `INSERT INTO dbo.Orders (OrderId, CustomerId, Status, Total, PlacedAt, Reference) VALUES\n  ${rows(
      60,
      (n) =>
        `${9_007_199_254_740_990n + BigInt(n)}, ${between(random, 1, 40)}, '${pick(random, ['new', 'paid', 'shipped'])}', ${cents(random, 5, 4000)}, '${moment(random)}', '${guid(random)}'`,
    )}`,
    `INSERT INTO dbo.OrderLines (OrderId, LineNumber, ProductId, Quantity, Price) VALUES\n  ${rows(
      120,
      (n) =>
        `${9_007_199_254_740_990n + BigInt(Math.ceil(n / 2))}, ${((n - 1) % 2) + 1}, ${between(random, 1, 25)}, ${between(random, 1, 9)}, ${cents(random, 1, 900)}`,
    )}`,
    `INSERT INTO dbo.Coupons (Code, PercentOff, ValidTo, Note) VALUES\n  ${COUPONS.map(
      (code) =>
        `(${text(code)}, ${between(random, 5, 50)}, '2027-0${between(random, 1, 9)}-01T00:00:00+0${between(random, 0, 9)}:30', NULL)`,
    ).join(',\n  ')}`,
  ];
}
