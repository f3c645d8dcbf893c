/** All that can be told of one table: what its source says of it, its columns as they are published, and what Redis has of its section. */
import type { Config, TableConfig } from '../config/schema.ts';
import { selectionOf } from '../daemon/selection.ts';
import { PatchwireError } from '../model/errors.ts';
import type { PublishedColumn, TrackedTable } from '../model/table.ts';
import { declaredType } from '../source/sqlserver/values.ts';
import { enablingStatements } from './enabling.ts';
import { probedTable } from '../source/change-tracker.ts';
import { openTracker, readingManager } from './opening.ts';
import { sectionJson } from './section-json.ts';
import { parseTableName } from '../config/table-name.ts';

export interface ColumnFacts {
  readonly name: string;
  /** As it is declared: `nvarchar(40)`. */
  readonly type: string;
  /** Its place in the primary key, from 1; null: it is not part of it. */
  readonly key: number | null;
  /** Property and form of its values in the documents; null: it is not published. */
  readonly published: string | null;
}

/** @throws PatchwireError of the S range, with the T-SQL that would mend it */
export async function describedFacts(
  config: Config,
  table: TableConfig,
  signal: AbortSignal,
): Promise<{ readonly facts: Readonly<Record<string, unknown>>; readonly columns: readonly ColumnFacts[] }> {
  await using tracker = await openTracker(config, table.source, signal);
  let described: TrackedTable;
  try {
    described = await tracker.describe(selectionOf(table), { signal });
  } catch (error) {
    const name = parseTableName(table.table);
    const statements = error instanceof PatchwireError && name !== null ? enablingStatements(error.code, name) : [];
    throw error instanceof PatchwireError && statements.length > 0
      ? new PatchwireError(error.code, error.message, {
          cause: error,
          details: error.details,
          hint: `An administrator runs: ${statements.join(' ')}`,
        })
      : error;
  }
  const probe = await tracker.probe({ catalog: true, signal });
  const probed = probedTable(probe, described.fullName);
  const { identity, key, isolation, warnings } = described;
  return {
    facts: {
      table: described.fullName,
      database: identity.database,
      server: identity.recorded.serverName,
      key: key.map(({ name }) => name).join(', '),
      rows: probed?.rows ?? null,
      version: probe.version.toString(),
      historyFrom: probed?.minValidVersion?.toString() ?? null,
      isolation,
      objectId: identity.objectId,
      beginVersion: identity.beginVersion,
      fingerprint: identity.fingerprint,
      warnings,
    },
    columns: columnFacts(described, table),
  };
}

/** What Redis has of its section. @throws PatchwireError of the M range */
export async function sectionFacts(config: Config, table: TableConfig): Promise<Readonly<Record<string, unknown>>> {
  await using manager = readingManager(config);
  const meta = await manager.readMeta(table.section);
  const { table: _table, source: _source, ...facts } = sectionJson(config, table, meta);
  return meta === null ? { section: table.section, partition: config.manager.partition, state: 'not there' } : facts;
}

/** The published columns in table order, then those of the key that are not published. */
function columnFacts({ columns, key }: TrackedTable, { json }: TableConfig): ColumnFacts[] {
  const ordinal = (id: number): number | null => {
    const at = key.findIndex(({ columnId }) => columnId === id);
    return at < 0 ? null : at + 1;
  };
  const hidden = key.filter(({ columnId }) => !columns.some((column) => column.columnId === columnId));
  return [
    ...columns.map((column) => ({
      name: column.name,
      type: declaredType(column),
      key: ordinal(column.columnId),
      published: `${column.property}: ${column.shaped === null ? formOf(column, json) : shapedForm(column.shaped)}`,
    })),
    ...hidden.map((column) => ({ name: column.name, type: declaredType(column), key: ordinal(column.columnId), published: null })),
  ];
}

function shapedForm(shaped: NonNullable<PublishedColumn['shaped']>): string {
  const forms = { hash: 'keyed hash, base64url', mask: 'masked text', truncate: 'text cut short' } as const;
  return forms[shaped];
}

/** What stands in the document, as source/sqlserver/values.ts makes it (R8). */
function formOf({ type, name, nullable }: PublishedColumn, json: readonly string[]): string {
  const forms: Readonly<Record<string, string>> = {
    int: 'number',
    smallint: 'number',
    tinyint: 'number',
    float: 'number',
    real: 'number',
    bit: 'true or false',
    bigint: 'text of digits',
    decimal: 'text of digits',
    numeric: 'text of digits',
    money: 'text of digits',
    smallmoney: 'text of digits',
    date: 'ISO 8601 text',
    time: 'ISO 8601 text',
    datetime: 'ISO 8601 text',
    smalldatetime: 'ISO 8601 text',
    datetime2: 'ISO 8601 text',
    datetimeoffset: 'ISO 8601 text with offset',
    binary: 'base64 text',
    varbinary: 'base64 text',
    image: 'base64 text',
    timestamp: '0x text',
    rowversion: '0x text',
    uniqueidentifier: 'text in lower case',
  };
  const nested = json.some((each) => each.toLowerCase() === name.toLowerCase());
  return `${nested ? 'nested JSON' : (forms[type] ?? 'text')}${nullable ? ' or null' : ''}`;
}
