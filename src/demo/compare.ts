/**
 * The demo's judge: reads the tables by a plain query of the driver and compares them row by row with a replica. On purpose it shares no code
 * with the daemon: it makes its own documents from the values that the driver decodes, so that an error in src/source cannot hide here.
 */
import type { ConnectionPool } from 'mssql';
import { SECTIONS, type SectionName } from './order-desk.ts';

/** What the judge needs of a replica: every document with its data key. */
export interface ReplicaView {
  readonly size: number;
  entries(): Iterable<readonly [string, unknown]>;
}

export interface Comparison {
  readonly section: SectionName;
  readonly rows: number;
  readonly documents: number;
  /** The first few differences, one line each. */
  readonly differences: readonly string[];
  readonly different: number;
}

type Row = Record<string, unknown>;

interface TableReader {
  readonly query: string;
  readonly key: (row: Row) => readonly string[];
  readonly document: (row: Row) => Row;
}

interface DriverDate extends Date {
  /** What the driver keeps below the millisecond, in seconds. */
  readonly nanosecondsDelta?: number;
}

function dateTime2(value: unknown): string {
  const date = value as DriverDate;
  const ticks = Math.round((date.nanosecondsDelta ?? 0) * 1e7);
  return `${date.toISOString().slice(0, 23)}${ticks.toString().padStart(4, '0')}`;
}

const fixed =
  (digits: number) =>
  (value: unknown): string =>
    (value as number).toFixed(digits);

const TABLES: Readonly<Record<SectionName, TableReader>> = {
  customers: {
    query: 'SELECT CustomerId, Name, Email, Credit, Since, Vip FROM dbo.Customers',
    key: (row) => [String(row['CustomerId'])],
    document: (row) => ({ ...row, Credit: fixed(4)(row['Credit']), Since: (row['Since'] as Date).toISOString().slice(0, 10) }),
  },
  products: {
    query: 'SELECT ProductId, Title, Price, Weight, Attributes FROM dbo.Products',
    key: (row) => [String(row['ProductId'])],
    document: (row) => ({ ...row, Price: fixed(2)(row['Price']), Attributes: JSON.parse(row['Attributes'] as string) as unknown }),
  },
  orders: {
    query: 'SELECT OrderId, CustomerId, Status, Total, PlacedAt, Reference FROM dbo.Orders',
    key: (row) => [String(row['OrderId'])],
    document: (row) => ({
      ...row,
      OrderId: String(row['OrderId']),
      Total: fixed(2)(row['Total']),
      PlacedAt: dateTime2(row['PlacedAt']),
      Reference: String(row['Reference']).toLowerCase(),
    }),
  },
  orderLines: {
    query: 'SELECT OrderId, LineNumber, ProductId, Quantity, Price FROM dbo.OrderLines',
    key: (row) => [String(row['OrderId']), String(row['LineNumber'])],
    document: (row) => ({ ...row, OrderId: String(row['OrderId']), Price: fixed(2)(row['Price']) }),
  },
  coupons: {
    query: 'SELECT Code, PercentOff, CONVERT(varchar(40), ValidTo, 126) AS ValidTo, Note FROM dbo.Coupons',
    key: (row) => [row['Code'] as string],
    document: (row) => ({ ...row }),
  },
};

/** Compares every table with its replica. Reads each table whole: for the demo's sizes. @throws what the driver throws */
export async function compareAll(pool: ConnectionPool, replica: (section: SectionName) => ReplicaView): Promise<Comparison[]> {
  const results: Comparison[] = [];
  for (const section of SECTIONS) {
    const { query, key, document } = TABLES[section];
    const { recordset } = await pool.request().query<Row>(query);
    const expected = new Map(recordset.map((row) => [key(row).map(encodeURIComponent).join('|'), canonical(document(row))]));
    results.push(compareOne(section, expected, replica(section)));
  }
  return results;
}

function compareOne(section: SectionName, expected: ReadonlyMap<string, string>, replica: ReplicaView): Comparison {
  const differences: string[] = [];
  const seen = new Set<string>();
  for (const [dataKey, document] of replica.entries()) {
    seen.add(dataKey);
    const wanted = expected.get(dataKey);
    const found = canonical(document);
    if (wanted === undefined) {
      differences.push(`${section} ${dataKey}: the replica has a row that the table has not`);
    } else if (wanted !== found) {
      differences.push(`${section} ${dataKey}: the table has ${wanted}, the replica ${found}`);
    }
  }
  for (const dataKey of expected.keys()) {
    if (!seen.has(dataKey)) {
      differences.push(`${section} ${dataKey}: the table has a row that the replica has not`);
    }
  }
  return { section, rows: expected.size, documents: replica.size, differences: differences.slice(0, 5), different: differences.length };
}

/** JSON with sorted names: two documents are equal exactly when their texts are. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
