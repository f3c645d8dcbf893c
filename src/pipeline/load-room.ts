/**
 * Whether Redis has room for what a load would bring, before its first row is stored: rows of the table times what the first of them take. A Redis
 * that fills up half-way would stop every section in it.
 */
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';

/** Rows that are measured. */
const SAMPLE_ROWS = 1000;

/** What Redis keeps beside the texts of a document and its index entry: two dictionary entries, their buckets, string headers. Measured on 7.0. */
const OVERHEAD_BYTES = 140;
/** Blocks of the allocator are larger than what is in them. */
const ROUNDING = 1.06;
/** A version in the index, at most. */
const VERSION_BYTES = 19;

export interface RoomOptions {
  readonly section: string;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  /** Documents that are there already: they are replaced, and only what the new ones are larger counts. */
  readonly documents: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * @param rows of the table, by sys.partitions
 * @throws PW-M318 when they will not fit; whatever tracker and manager throw
 */
export async function demandRoom(options: RoomOptions, table: TrackedTable, rows: number): Promise<void> {
  const { section, tracker, manager, documents, logger, signal } = options;
  const room = await manager.room(section);
  if (room === null || rows === 0) {
    return;
  }
  const sample = await tracker.readLoadPage(table, { after: null, rows: SAMPLE_ROWS, signal });
  const sizes = sample.rows.map((row) => storedBytes(row, manager.partition, section));
  if (sizes.length === 0) {
    return;
  }
  const rowBytes = sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length;
  const heldBytes = documents === 0 ? 0 : await averageHeld(options, sample.rows, rowBytes);
  const neededBytes = Math.max(0, Math.round(rows * rowBytes - documents * heldBytes));
  const facts = { rows, rowBytes: Math.round(rowBytes), neededBytes, freeBytes: room };
  if (neededBytes <= room) {
    logger.debug(facts, 'redis has room for the load');
    return;
  }
  if (table.selection.filter !== null) {
    // How many rows pass the filter no count tells.
    logger.warn(facts, 'redis may be too small for the load, if most rows pass the filter');
    return;
  }
  const message = `${table.fullName} needs about ${megabytes(neededBytes)} in Redis (${rows} rows of ${facts.rowBytes} bytes), and maxmemory leaves ${megabytes(room)}.`;
  throw new PatchwireError('PW-M318', message, { details: { table: table.fullName, ...facts } });
}

/** How many documents are asked for at a time: each may be as large as limits.maxDocument. */
const HELD_AT_A_TIME = 100;

/** What those of the rows that are there take now, on average: another projection may make them larger. Where none is there: `otherwise`. */
async function averageHeld({ section, manager }: RoomOptions, rows: readonly RowState[], otherwise: number): Promise<number> {
  const sizes: number[] = [];
  for (let from = 0; from < rows.length; from += HELD_AT_A_TIME) {
    const identities = rows.slice(from, from + HELD_AT_A_TIME).map(({ identity }) => identity);
    for (const [identity, { dataKey, document }] of await manager.bases(section, identities, { documents: true })) {
      sizes.push(bytesOf({ dataKey, identity }, document ?? '', manager.partition, section));
    }
  }
  return sizes.length === 0 ? otherwise : sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length;
}

/** What a row's document and index entry take in Redis, about. */
export function storedBytes(row: RowState, partition: string, section: string): number {
  return bytesOf(row, JSON.stringify(row.document), partition, section);
}

function bytesOf(
  { dataKey, identity }: Pick<RowState, 'dataKey' | 'identity'>,
  document: string,
  partition: string,
  section: string,
): number {
  const texts = partition.length + section.length + 4 + Buffer.byteLength(dataKey) + Buffer.byteLength(document);
  const entry = Buffer.byteLength(identity) + VERSION_BYTES + (identity === dataKey ? 0 : Buffer.byteLength(dataKey) + 1);
  return (texts + entry) * ROUNDING + OVERHEAD_BYTES;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
