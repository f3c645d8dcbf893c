/** What a database says of its change tracking, as numbers. Runs on any SQL Server. */
import type { TestDatabase } from './sandbox.ts';

export const CURRENT = 'CHANGE_TRACKING_CURRENT_VERSION()';

/** The text that asks for a table's minimum. */
export const minimumOf = (table: string): string => `CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'${table}'))`;

/** The value of one expression that is a bigint. */
export async function bigintOf(text: string, on: TestDatabase): Promise<bigint | null> {
  const [row] = await on.rows<{ v: string | number | null }>(`SELECT ${text} AS v`);
  return row === undefined || row.v === null ? null : BigInt(row.v);
}

/** The versions between which a table's changes are kept; the table is tracked. */
export async function trackingOf(table: string, on: TestDatabase): Promise<{ begin: bigint; minimum: bigint }> {
  const [row] = await on.rows<{ begin_version: string; min_valid_version: string }>(
    `SELECT begin_version, min_valid_version FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'${table}')`,
  );
  return { begin: BigInt(row!.begin_version), minimum: BigInt(row!.min_valid_version) };
}
