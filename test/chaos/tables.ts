/**
 * The tables that the writers write and the judge compares: what each is there for, how it is made, and its documents' shape. A column that is
 * added while it runs is found in the catalog, not assumed.
 */
import type { ConnectionPool } from 'mssql';
import type { TableShape } from '../support/equality.ts';

export const DATABASE = 'Chaos';
export const PARTITION = 'chaos';

export interface ChaosTable {
  readonly shape: TableShape;
  readonly create: string;
  /** What the daemon's configuration has beside table and section. */
  readonly entry?: Readonly<Record<string, unknown>>;
}

/** One number a writer, which only grows: what a subscriber that claims a version must hold at least. Its history is never touched by actions. */
export const MARKS = 'marks';

export const TABLES: readonly ChaosTable[] = [
  {
    shape: {
      table: 'dbo.Goods',
      section: 'goods',
      key: ['Id'],
      columns: { Id: 'plain', Amount: 'decimal2', Note: 'plain', At: 'datetime2', N: 'plain' },
    },
    create: `CREATE TABLE dbo.Goods (Id int NOT NULL PRIMARY KEY, Amount decimal(10, 2) NULL, Note nvarchar(max) NULL, At datetime2(7) NULL,
      N bigint NOT NULL)`,
  },
  {
    shape: { table: 'dbo.Names', section: 'names', key: ['Name'], columns: { Name: 'plain', Stock: 'plain', Price: 'decimal2' } },
    create: `CREATE TABLE dbo.Names (Name nvarchar(40) COLLATE Latin1_General_100_CI_AS NOT NULL PRIMARY KEY, Stock int NULL,
      Price decimal(10, 2) NULL)`,
  },
  {
    shape: { table: 'dbo.Pairs', section: 'pairs', key: ['Code', 'Part'], columns: { Code: 'plain', Part: 'plain', V: 'plain' } },
    create: `CREATE TABLE dbo.Pairs (Code nvarchar(20) COLLATE Latin1_General_100_CI_AS NOT NULL, Part bigint NOT NULL, V nvarchar(60) NULL,
      PRIMARY KEY (Code, Part))`,
  },
  {
    shape: {
      table: 'dbo.Orders',
      section: 'orders',
      key: ['Id'],
      columns: { Id: 'plain', Status: 'plain', Quantity: 'plain' },
      where: "Status <> 'archived'",
    },
    create: 'CREATE TABLE dbo.Orders (Id bigint NOT NULL PRIMARY KEY, Status varchar(10) NOT NULL, Quantity int NULL)',
    entry: { filter: "Status <> 'archived'" },
  },
  {
    shape: { table: 'dbo.Marks', section: MARKS, key: ['Writer'], columns: { Writer: 'plain', N: 'plain' } },
    create: 'CREATE TABLE dbo.Marks (Writer int NOT NULL PRIMARY KEY, N int NOT NULL)',
  },
];

export const SECTIONS: readonly string[] = TABLES.map(({ shape }) => shape.section);

/** Names of columns that an action adds; all are int NULL. */
export const ADDED_COLUMN = 'Extra';

/** The shape with the columns that the table has now. */
export async function shapeNow(pool: ConnectionPool, { shape }: ChaosTable): Promise<TableShape> {
  const { recordset } = await pool
    .request()
    .query<{ name: string }>(
      `SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(N'${shape.table}') AND name LIKE N'${ADDED_COLUMN}%'`,
    );
  return { ...shape, columns: { ...shape.columns, ...Object.fromEntries(recordset.map(({ name }) => [name, 'plain' as const])) } };
}
