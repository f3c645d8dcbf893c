/**
 * Describes a table: resolves what the operator selected against the catalog, with identity, version, identity again (L3). Refuses what
 * could not be followed without loss, each with its own code. Runs one request.
 */
import { createHash } from 'node:crypto';
import { PatchwireError } from '../../model/errors.ts';
import { parseCollation } from '../../model/row-key.ts';
import type { KeyColumn, TableColumn, TableSelection, TrackedTable } from '../../model/table.ts';
import type { Version } from '../../model/version.ts';
import { checkCoherent, type TableFacts } from '../checks.ts';
import { checkDatabase, collector, databaseFacts, tableFacts, textOf, versionOf, type DatabaseFacts, type Sets } from './facts.ts';
import { parseFilter, type Filter, type FilterColumn } from './filter.ts';
import type { Run } from './guest.ts';
import type { DriverRow } from './plan.ts';
import { DESCRIBE_SETS, describeQuery, tableName, type Isolation, type RequestSettings } from './queries.ts';
import { shownName } from './quote.ts';
import { findColumn, refuseKeyColumn, shapeColumns, type ShapedColumn } from './shape.ts';
import { isCharacterType, isPublishable, SERIALISER_FORMAT } from './values.ts';

export interface DescribeOptions {
  readonly source: string;
  readonly isolation: 'auto' | 'snapshot' | 'readCommitted';
  readonly request: RequestSettings;
  /** The secret of hashed columns; null: none. */
  readonly hashKey: string | null;
}

export interface Description {
  readonly table: TrackedTable;
  /** What becomes of the values of `table.columns`, in their order. */
  readonly shaped: readonly ShapedColumn[];
  /** The columns that are declared json, as the catalog spells them. */
  readonly json: readonly string[];
  readonly filter: Filter | null;
  /** Reads an expression over the table's columns, in the grammar of filters. @throws PatchwireError PW-S210 */
  readonly expression: (text: string) => Filter;
  /** The quoted name as the catalog spells it. */
  readonly name: string;
}

interface Reading {
  readonly database: DatabaseFacts;
  readonly facts: TableFacts;
  readonly version: Version | null;
  readonly name: { readonly schema: string; readonly table: string } | null;
  readonly mayTrack: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly steady: boolean;
}

interface CatalogColumn extends FilterColumn {
  /** The declared type's name, which for an alias type differs from the base type. */
  readonly declared: string;
  readonly keyOrdinal: number | null;
  /** Whether the login may read it. */
  readonly maySelect: boolean;
}

/** How often an identity that changes under our eyes is read again. */
const TRIES = 3;

/** What came of describing one table. */
export type Outcome = { readonly description: Description } | { readonly error: unknown };

/** @throws PatchwireError PW-S204 to PW-S210, PW-S214, PW-S215, PW-S219, PW-S227 to PW-S229, PW-C103 (hashes without a key) */
export async function describeTable(run: Run, selection: TableSelection, options: DescribeOptions): Promise<Description> {
  const [outcome] = await describeTables(run, [selection], options);
  if (outcome === undefined || 'error' in outcome) {
    throw outcome?.error;
  }
  return outcome.description;
}

/** Each selection by itself, all in one request. @throws what the request threw, whichever table it was about */
export async function describeTables(
  run: Run,
  selections: readonly TableSelection[],
  options: DescribeOptions,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<TableSelection, Outcome>();
  let open = selections;
  for (let attempt = 0; attempt < TRIES && open.length > 0; attempt += 1) {
    const readings = await readCatalog(run, open, options);
    for (const { selection, reading } of readings) {
      if (reading.steady) {
        outcomes.set(
          selection,
          outcomeOf(() => describe(reading, selection, options)),
        );
      }
    }
    open = open.filter((selection) => !outcomes.has(selection));
  }
  return selections.map((selection) => {
    const { schema, name } = selection;
    return outcomes.get(selection) ?? { error: new PatchwireError('PW-S215', `${schema}.${name} changes while it is described.`) };
  });
}

function outcomeOf(work: () => Description): Outcome {
  try {
    return { description: work() };
  } catch (error) {
    return { error };
  }
}

async function readCatalog(
  run: Run,
  selections: readonly TableSelection[],
  options: DescribeOptions,
): Promise<readonly { readonly selection: TableSelection; readonly reading: Reading }[]> {
  const { sets, onRow } = collector(DESCRIBE_SETS);
  const names = selections.map(({ schema, name }) => tableName(schema, name));
  await run({ text: describeQuery(names, options.request), onRow });
  const database = databaseFacts(sets.get('database'));
  const sameDatabase = databaseFacts(sets.get('databaseAgain')).serviceBrokerGuid === database.serviceBrokerGuid;
  const version = versionOf(sets.get('version'));
  const rowsOf = byNumber(sets);
  return selections.map((selection, n) => {
    const facts = tableFacts(rowsOf('table', n)[0]);
    const again = tableFacts(rowsOf('tableAgain', n)[0]);
    const name = rowsOf('name', n)[0];
    const reading: Reading = {
      database,
      facts,
      version,
      name: name === undefined ? null : { schema: textOf(name['schema_name']), table: textOf(name['table_name']) },
      mayTrack: Number(name?.['may_track'] ?? 0) === 1,
      columns: rowsOf('columns', n).map(catalogColumn),
      steady:
        sameDatabase &&
        again.objectId === facts.objectId &&
        again.beginVersion === facts.beginVersion &&
        again.definition === facts.definition &&
        again.modified === facts.modified,
    };
    return { selection, reading };
  });
}

/** The rows of a set by the number of their table. */
function byNumber(sets: Sets): (set: string, n: number) => readonly DriverRow[] {
  const groups = new Map<string, DriverRow[]>();
  for (const [set, rows] of sets) {
    for (const row of rows) {
      const key = `${set} ${Number(row['n'])}`;
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, [row]);
      } else {
        group.push(row);
      }
    }
  }
  return (set, n) => groups.get(`${set} ${n}`) ?? [];
}

function catalogColumn(row: DriverRow): CatalogColumn {
  const ordinal = row['key_ordinal'] ?? null;
  const declared = textOf(row['type_name']);
  const base = textOf(row['base_name']);
  const collation = textOf(row['collation_name']);
  return {
    name: textOf(row['name']),
    columnId: Number(row['column_id']),
    declared,
    type: (base === '' ? declared : base).toLowerCase(),
    maxLength: Number(row['max_length']),
    precision: Number(row['precision']),
    scale: Number(row['scale']),
    nullable: row['is_nullable'] === true,
    computed: row['is_computed'] === true,
    collation: collation === '' ? null : collation,
    keyOrdinal: ordinal === null || Number(ordinal) === 0 ? null : Number(ordinal),
    maySelect: Number(row['may_select'] ?? 0) === 1,
  };
}

function describe(reading: Reading, selection: TableSelection, options: DescribeOptions): Description {
  const { database, facts, version } = reading;
  const asked = `${selection.schema}.${selection.name}`;
  checkDatabase(database, null);
  if (facts.objectId === null || reading.name === null) {
    throw new PatchwireError('PW-S206', `There is no table ${asked} in ${database.name} that the login may see.`, {
      details: { table: asked },
    });
  }
  const fullName = shownName(reading.name.schema, reading.name.table);
  if (version === null) {
    throw new PatchwireError('PW-S204', `Change tracking is off for the database ${database.name}.`, {
      hint: `ALTER DATABASE [${database.name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON);`,
    });
  }
  const keyColumns = reading.columns
    .filter(({ keyOrdinal }) => keyOrdinal !== null)
    .toSorted((a, b) => (a.keyOrdinal ?? 0) - (b.keyOrdinal ?? 0));
  if (keyColumns.length === 0) {
    throw new PatchwireError('PW-S207', `${fullName} has no primary key.`, { details: { table: fullName } });
  }
  const { beginVersion } = facts;
  const name = tableName(reading.name.schema, reading.name.table);
  // Without the permission the catalog hides the table's tracking: off and not allowed would look the same.
  if (!reading.mayTrack) {
    throw new PatchwireError('PW-S209', `The login may not see the change tracking of ${fullName}.`, {
      hint: `GRANT VIEW CHANGE TRACKING ON ${name} TO the daemon's user.`,
      details: { table: fullName },
    });
  }
  if (beginVersion === null || facts.minValidVersion === null) {
    throw new PatchwireError('PW-S205', `Change tracking is off for ${fullName}.`, {
      hint: `ALTER TABLE ${name} ENABLE CHANGE_TRACKING;`,
      details: { table: fullName },
    });
  }
  checkCoherent(fullName, facts.minValidVersion, version);

  const keyIds = new Set(keyColumns.map(({ columnId }) => columnId));
  const selected = selectColumns(reading.columns, selection, fullName, keyIds);
  const shaped = shapeColumns(selected, { table: fullName, keyIds, selection, hashKey: options.hashKey });
  const published = selected.filter(({ columnId }) => shaped.some(({ column }) => column.columnId === columnId));
  mustBeReadable(reading.columns, [...published, ...keyColumns], { fullName, name });
  for (const column of [...published, ...keyColumns]) {
    if (!isPublishable(column.type)) {
      throw new PatchwireError(
        'PW-S219',
        `The column ${column.name} of ${fullName} has the type ${column.declared}, which cannot be published.`,
        {
          details: { table: fullName, column: column.name, type: column.declared },
        },
      );
    }
  }
  const json = selection.json
    .map((name) => findColumn(published, name, { table: fullName, key: 'json' }))
    .map((column) => jsonName(column, fullName));
  const filter = selection.filter === null ? null : parseFilterOf(fullName, selection.filter, reading.columns);
  const columns = shaped.map(({ column }) => column);
  const key = keyColumns.map(keyColumn);
  const { isolation, warnings } = isolationOf(database, options.isolation);
  return {
    name,
    filter,
    json,
    expression: (text) => parseFilterOf(fullName, text, reading.columns),
    shaped,
    table: {
      source: options.source,
      selection,
      fullName,
      identity: {
        serviceBrokerGuid: database.serviceBrokerGuid,
        database: database.name,
        objectId: facts.objectId,
        beginVersion: beginVersion.toString(),
        fingerprint: fingerprintOf({ columns, key, json, filter, shaped }),
        keyHash: hashOf(key.map(columnFacts)),
        key: key.map(({ type, keyCollation }) => ({ type, collation: keyCollation?.name ?? null })),
        recorded: { serverName: database.serverName, databaseId: database.databaseId, createDate: database.createDate },
      },
      columns,
      key,
      definition: facts.definition ?? '',
      version,
      isolation,
      warnings: [...warnings, ...published.filter(({ computed }) => computed).map(computedWarning)],
    },
  };
}

/** @throws PatchwireError PW-S209 naming the columns that are needed and may not be read */
function mustBeReadable(
  columns: readonly CatalogColumn[],
  needed: readonly CatalogColumn[],
  { fullName, name }: { readonly fullName: string; readonly name: string },
): void {
  const refused = [...new Set(needed)].filter(({ maySelect }) => !maySelect).map((column) => column.name);
  if (refused.length === 0) {
    return;
  }
  const some = columns.some(({ maySelect }) => maySelect);
  throw new PatchwireError('PW-S209', `The login has no SELECT on ${fullName}${some ? `, columns ${refused.join(', ')}` : ''}.`, {
    hint: some
      ? `GRANT SELECT ON ${name} TO the daemon's user, or leave the columns out by columns: { exclude: [${refused.join(', ')}] }.`
      : `GRANT SELECT ON ${name} TO the daemon's user.`,
    details: { table: fullName, columns: refused },
  });
}

function selectColumns(
  columns: readonly CatalogColumn[],
  selection: TableSelection,
  table: string,
  keyIds: ReadonlySet<number>,
): readonly CatalogColumn[] {
  if (selection.columns === 'all') {
    return columns;
  }
  if ('exclude' in selection.columns) {
    const excluded = selection.columns.exclude.map((name) => findColumn(columns, name, { table, key: 'columns.exclude' }));
    const keyColumn = excluded.find(({ columnId }) => keyIds.has(columnId));
    if (keyColumn !== undefined) {
      throw refuseKeyColumn(table, keyColumn.name, 'excluded');
    }
    return columns.filter((column) => !excluded.includes(column));
  }
  const wanted = new Set(selection.columns.map((name) => findColumn(columns, name, { table, key: 'columns' }).columnId));
  return columns.filter(({ columnId }) => wanted.has(columnId));
}

function jsonName(column: CatalogColumn, table: string): string {
  if (!isCharacterType(column.type) && !['text', 'ntext', 'json'].includes(column.type)) {
    throw new PatchwireError(
      'PW-S219',
      `The column ${column.name} of ${table} is declared json, but its type ${column.declared} is no text.`,
      {
        details: { table, column: column.name, type: column.declared },
        hint: 'Take the column out of json of the table.',
      },
    );
  }
  return column.name;
}

/** @throws PatchwireError PW-S210 that names the table and the filter */
function parseFilterOf(table: string, text: string, columns: readonly FilterColumn[]): Filter {
  try {
    return parseFilter(text, columns);
  } catch (error) {
    if (!(error instanceof PatchwireError)) {
      throw error;
    }
    const { code, message, details, hint } = error;
    throw new PatchwireError(code, `${table}: ${message} It is: ${text}`, { details: { ...details, table }, hint, cause: error });
  }
}

function plainColumn({ name, columnId, type, maxLength, precision, scale, nullable, collation }: CatalogColumn): TableColumn {
  return { name, columnId, type, maxLength, precision, scale, nullable, collation };
}

function keyColumn(column: CatalogColumn): KeyColumn {
  const { collation } = column;
  return { ...plainColumn(column), keyCollation: collation === null || !isCharacterType(column.type) ? null : parseCollation(collation) };
}

function isolationOf(
  database: DatabaseFacts,
  asked: DescribeOptions['isolation'],
): { readonly isolation: Isolation; readonly warnings: readonly string[] } {
  const allowed = database.snapshotState === 1;
  if (asked === 'snapshot' && !allowed) {
    throw new PatchwireError('PW-S227', `The database ${database.name} does not allow SNAPSHOT isolation.`, {
      hint: `ALTER DATABASE [${database.name}] SET ALLOW_SNAPSHOT_ISOLATION ON; or isolation: auto.`,
    });
  }
  if (asked !== 'readCommitted' && allowed) {
    return { isolation: 'snapshot', warnings: [] };
  }
  const why = asked === 'readCommitted' ? 'as configured' : `${database.name} does not allow SNAPSHOT isolation`;
  return {
    isolation: 'readCommitted',
    warnings: [`Reads use READ COMMITTED (${why}): they may wait for writers, and upTo follows only after a confirming read.`],
  };
}

function computedWarning(column: CatalogColumn): string {
  return `The column ${column.name} is computed: where its value changes without a change of the row, nobody is told.`;
}

/** A hash over all that decides which document a row gives (L5). */
function fingerprintOf(projection: {
  readonly columns: readonly TableColumn[];
  readonly key: readonly TableColumn[];
  readonly json: readonly string[];
  readonly filter: Filter | null;
  readonly shaped: readonly ShapedColumn[];
}): string {
  const shape = projection.shaped.flatMap(({ mark }) => (mark === null ? [] : [mark]));
  return hashOf({
    format: SERIALISER_FORMAT,
    columns: projection.columns.map(columnFacts),
    key: projection.key.map(columnFacts),
    json: projection.json.toSorted(),
    filter: projection.filter?.sql ?? null,
    // Left out where there is none: a section that was loaded before there was shaping keeps its fingerprint.
    ...(shape.length === 0 ? {} : { shape }),
  });
}

function columnFacts({ name, columnId, type, maxLength, precision, scale, collation }: TableColumn): unknown {
  return [name, columnId, type, maxLength, precision, scale, collation];
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}
