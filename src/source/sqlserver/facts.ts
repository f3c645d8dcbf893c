/** What result sets of the checks and of the catalog say, as values. Pure. */
import { PatchwireError } from '../../model/errors.ts';
import { parseVersion, type Version } from '../../model/version.ts';
import type { DriverRow } from './plan.ts';
import type { TableFacts } from '../checks.ts';

export interface DatabaseFacts {
  readonly name: string;
  readonly databaseId: number;
  readonly createDate: string;
  readonly serviceBrokerGuid: string;
  /** 0 off, 1 on, 2 going off, 3 going on. Source: learn.microsoft.com, sys.databases. */
  readonly snapshotState: number;
  readonly readCommittedSnapshot: boolean;
  readonly collation: string;
  readonly updateability: string;
  readonly serverName: string;
}

export type Sets = ReadonlyMap<string, readonly DriverRow[]>;

/** Collects the rows of result sets by name. */
export function collector(names: readonly string[]): { readonly sets: Sets; readonly onRow: (set: number, row: DriverRow) => 'more' } {
  const sets = new Map<string, DriverRow[]>(names.map((name) => [name, []]));
  return {
    sets,
    onRow(set, row) {
      sets.get(names[set] ?? '')?.push(row);
      return 'more';
    },
  };
}

/** A version column of the first row; null where it is NULL. */
export function versionOf(rows: readonly DriverRow[] | undefined, column: string = 'version'): Version | null {
  const value = rows?.[0]?.[column] ?? null;
  return value === null ? null : parseVersion(textOf(value));
}

/** What one row of the checks says. */
export interface TableRow extends TableFacts {
  /** When the table was last altered; compared within one read only: indexes move it too. Source: learn.microsoft.com, sys.objects. */
  readonly modified: string | null;
  /** Rows by sys.partitions; null also where they were not asked for. */
  readonly rows: number | null;
}

/** No row is a table that is not there. */
export function tableFacts(row: DriverRow | undefined): TableRow {
  const number = (column: string): number | null => ((row?.[column] ?? null) === null ? null : Number(row?.[column]));
  const text = (column: string): string | null => ((row?.[column] ?? null) === null ? null : textOf(row?.[column]));
  const rows = row === undefined ? [] : [row];
  return {
    objectId: number('object_id'),
    minValidVersion: versionOf(rows, 'min_valid'),
    beginVersion: versionOf(rows, 'begin_version'),
    definition: text('definition'),
    modified: text('modified'),
    rows: number('row_count'),
  };
}

/** @throws PatchwireError PW-S203 when the login cannot see the database's own row */
export function databaseFacts(rows: readonly DriverRow[] | undefined): DatabaseFacts {
  const row = rows?.[0];
  if (row === undefined) {
    throw new PatchwireError('PW-S203', 'The database does not show its own row in sys.databases.');
  }
  const text = (column: string): string => textOf(row[column]);
  return {
    name: text('name'),
    databaseId: Number(row['database_id']),
    createDate: text('create_date'),
    serviceBrokerGuid: text('service_broker_guid').toLowerCase(),
    snapshotState: Number(row['snapshot_isolation_state']),
    readCommittedSnapshot: row['is_read_committed_snapshot_on'] === true,
    collation: text('collation_name'),
    updateability: text('updateability'),
    serverName: text('server_name'),
  };
}

/**
 * The database must be writable (a secondary answers with versions that do not belong together) and the one that was described.
 * @throws PatchwireError PW-S214, PW-S213
 */
export function checkDatabase(
  facts: DatabaseFacts,
  described: { readonly serviceBrokerGuid: string; readonly database: string } | null,
): void {
  const details = { database: facts.name, server: facts.serverName, updateability: facts.updateability };
  if (facts.updateability.toUpperCase() !== 'READ_WRITE') {
    throw new PatchwireError(
      'PW-S214',
      `The database ${facts.name} on ${facts.serverName} is ${facts.updateability || 'not known to be writable'}.`,
      {
        details,
      },
    );
  }
  if (described !== null && (facts.serviceBrokerGuid !== described.serviceBrokerGuid || facts.name !== described.database)) {
    throw new PatchwireError(
      'PW-S213',
      `The database ${facts.name} on ${facts.serverName} is not the one that was described (${described.database}).`,
      {
        details: { ...details, serviceBrokerGuid: facts.serviceBrokerGuid, described: described.serviceBrokerGuid },
      },
    );
  }
}

export function textOf(value: DriverRow[string] | undefined): string {
  if (value === null || value === undefined) {
    return '';
  }
  return Buffer.isBuffer(value) ? value.toString('hex') : String(value);
}
