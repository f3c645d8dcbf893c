/**
 * Proposes the tables of a database for a new configuration: what each would take in Redis, from a sample of its rows by the daemon's own
 * reader, and what keeps the others from being followed. Reads only.
 */
import type { TemplateTable } from '../config/template.ts';
import type { Config } from '../config/schema.ts';
import { PatchwireError } from '../model/errors.ts';
import { sectionKeys } from '../wire/keys.ts';
import { type Addition, lookUpMany, type Skipped } from './adding.ts';
import { estimateMemory, type MemoryEstimate, showBytes } from './memory-estimate.ts';
import { openTracker } from './opening.ts';
import { parseTablePattern } from './table-pattern.ts';

/** How many rows of each table are looked at. */
export const SAMPLE_ROWS = 200;

export interface ProposedTable {
  readonly table: string;
  readonly section: string;
  readonly key: readonly string[];
  readonly columns: number;
  readonly rows: number;
  readonly memory: MemoryEstimate;
}

export interface Proposal {
  readonly tables: readonly ProposedTable[];
  readonly skipped: readonly Skipped[];
  readonly entries: readonly TemplateTable[];
}

interface Asked {
  readonly config: Config;
  readonly source: string;
  readonly partition: string;
  readonly signal: AbortSignal;
}

/** @throws PatchwireError of the S range when the source cannot be asked */
export async function proposeTables({ config, source, partition, signal }: Asked): Promise<Proposal> {
  const { additions, skipped } = await allTables({ config, source, signal });
  const proposed: { readonly addition: Addition; readonly table: ProposedTable }[] = [];
  if (additions.length > 0) {
    await using tracker = await openTracker(config, source, signal);
    for (const addition of additions) {
      const table = await tracker.describe(addition.described.selection, { signal });
      const page = await tracker.readLoadPage(table, { after: null, rows: SAMPLE_ROWS, signal });
      tracker.forget(table);
      const { document: prefix } = sectionKeys(partition, addition.section);
      const rows = Math.max(addition.rows ?? 0, page.rows.length);
      proposed.push({
        addition,
        table: {
          table: addition.entry.table,
          section: addition.section,
          key: table.key.map(({ name }) => name),
          columns: table.columns.length,
          rows,
          memory: estimateMemory(page.rows, { total: rows, prefix }),
        },
      });
    }
  }
  return {
    tables: proposed.map(({ table }) => table),
    skipped,
    entries: [
      ...proposed.map(({ addition: { entry }, table }) => ({ entry, notes: [noteOf(table)], active: true })),
      ...skipped.map((table) => ({ entry: { table: table.table }, notes: reasonOf(table), active: false })),
    ],
  };
}

/** A database without tables is no error here. */
async function allTables(asked: Pick<Asked, 'config' | 'source' | 'signal'>) {
  const everything = parseTablePattern('*.*');
  try {
    return await lookUpMany(asked, everything === null ? [] : [everything]);
  } catch (error) {
    if (error instanceof PatchwireError && error.code === 'PW-S206') {
      return { additions: [], skipped: [] };
    }
    throw error;
  }
}

function noteOf({ key, rows, memory }: ProposedTable): string {
  const size = rows === 0 ? 'empty' : `about ${memory.documentBytes} bytes a document, ${showBytes(memory.totalBytes)} in Redis`;
  return `${rows} rows, key ${key.join(', ')}; ${size}`;
}

function reasonOf({ table, code, reason, statements, rows }: Skipped): string[] {
  const mend = statements.length === 0 ? '' : '; an administrator runs:';
  return [`${table} (${rows} rows) cannot be followed: ${code ?? ''} ${reason}${mend}`, ...statements.map((line) => `  ${line}`)];
}
