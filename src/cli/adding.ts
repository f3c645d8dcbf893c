/**
 * Looks tables up that are to be registered and says what becomes of each: its entry, or why it is skipped. Writes nothing; the one place
 * that decides which section a new table gets.
 */
import type { TableEntry } from '../config/edit.ts';
import { type Config, NAME_PATTERN } from '../config/schema.ts';
import { formatTableName, parseTableName, sameTableName, type TableName } from '../config/table-name.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import { enablingStatements } from './enabling.ts';
import { openTracker } from './opening.ts';
import { chosenTables, obstacleOf, openAdministration } from './survey.ts';
import type { TablePattern } from './table-pattern.ts';

export interface Selection {
  readonly columns?: readonly string[];
  readonly exclude?: readonly string[];
  readonly jsonColumns?: readonly string[];
  readonly filter?: string;
}

export interface Addition {
  readonly entry: TableEntry;
  readonly section: string;
  readonly described: TrackedTable;
  /** By sys.partitions; null: not asked. */
  readonly rows: number | null;
}

export interface Skipped {
  readonly table: string;
  /** null: there is nothing wrong with it, it is registered already. */
  readonly code: string | null;
  readonly reason: string;
  readonly statements: readonly string[];
  /** By sys.partitions. */
  readonly rows: number;
}

interface Lookup {
  readonly config: Config;
  readonly source: string;
  readonly signal: AbortSignal;
}

/** One table, as it is to be registered. @throws PatchwireError PW-C105, PW-C109, those of `describe` with the T-SQL that would mend it */
export async function lookUpOne(
  { config, source, signal }: Lookup,
  table: TableName,
  options: Selection & { readonly section?: string },
): Promise<Addition> {
  const twin = registered(config, source, table);
  if (twin !== null) {
    throw new PatchwireError('PW-C105', `${formatTableName(table)} is registered already, as section ${twin}`, {
      hint: 'See the registered tables with `patchwire table list`.',
    });
  }
  const described = await describeOne({ config, source, signal }, table, options);
  const found = catalogName(described, table);
  const section = sectionFor(config, found, options.section);
  return { entry: entryOf(config, { source, found, section, options }), section, described, rows: null };
}

/** All tables that the patterns mean. @throws PatchwireError PW-S201 and so on when the source cannot be asked, PW-S206 when nothing matches */
export async function lookUpMany(
  { config, source, signal }: Lookup,
  patterns: readonly TablePattern[],
): Promise<{ readonly additions: readonly Addition[]; readonly skipped: readonly Skipped[] }> {
  await using administration = openAdministration(config, source);
  const survey = await administration.survey({ signal });
  const additions: Addition[] = [];
  const skipped: Skipped[] = [];
  const taken = new Set(config.tables.map(({ section }) => section));
  let tracker: ChangeTracker | null = null;
  try {
    for (const table of chosenTables(survey, patterns)) {
      const name = formatTableName(table);
      const { rows } = table;
      const twin = registered(config, source, table);
      const obstacle = obstacleOf(table, survey);
      const section = twin === null && obstacle === null ? freeSection(table, taken) : null;
      if (twin !== null) {
        skipped.push({ table: name, code: null, reason: `it is registered already, as section ${twin}`, statements: [], rows });
      } else if (obstacle !== null) {
        skipped.push({ table: name, ...obstacle, rows });
      } else if (section === null) {
        const reason = 'neither its name nor its name with schema is free and legal for a section: add it by itself with --section';
        skipped.push({ table: name, code: 'PW-C105', reason, statements: [], rows });
      } else {
        tracker ??= await openTracker(config, source, signal);
        const outcome = await described(tracker, table, signal);
        if (outcome instanceof PatchwireError) {
          skipped.push({
            table: name,
            code: outcome.code,
            reason: outcome.message,
            statements: enablingStatements(outcome.code, table),
            rows,
          });
        } else {
          taken.add(section);
          additions.push({ entry: entryOf(config, { source, found: table, section, options: {} }), section, described: outcome, rows });
        }
      }
    }
  } finally {
    await tracker?.[Symbol.asyncDispose]();
  }
  return { additions, skipped };
}

/** The table as the source describes it, or why it cannot be followed; what concerns the connection is thrown. */
async function described(tracker: ChangeTracker, table: TableName, signal: AbortSignal): Promise<TrackedTable | PatchwireError> {
  try {
    const found = await tracker.describe({ schema: table.schema, name: table.name, columns: 'all', json: [], filter: null }, { signal });
    tracker.forget(found);
    return found;
  } catch (error) {
    if (error instanceof PatchwireError && error.retry === 'never') {
      return error;
    }
    throw error;
  }
}

/** The table's name without its schema where that is legal and free, else with it, else null. */
function freeSection({ schema, name }: TableName, taken: ReadonlySet<string>): string | null {
  return [name, `${schema}.${name}`].find((section) => NAME_PATTERN.test(section) && !taken.has(section)) ?? null;
}

/** The section that the table is registered as, or null. */
function registered(config: Config, source: string, table: TableName): string | null {
  const twin = config.tables.find((other) => {
    const name = parseTableName(other.table);
    return other.source === source && name !== null && sameTableName(name, table);
  });
  return twin?.section ?? null;
}

function entryOf(
  config: Config,
  {
    source,
    found,
    section,
    options,
  }: {
    readonly source: string;
    readonly found: TableName;
    readonly section: string;
    readonly options: Selection & { readonly section?: string };
  },
): TableEntry {
  return {
    table: formatTableName(found),
    ...(Object.keys(config.sources).length > 1 ? { source } : {}),
    ...(section === found.name && options.section === undefined ? {} : { section }),
    ...(options.columns === undefined ? {} : { columns: options.columns }),
    ...(options.exclude === undefined ? {} : { columns: { exclude: options.exclude } }),
    ...(options.jsonColumns === undefined ? {} : { json: options.jsonColumns }),
    ...(options.filter === undefined ? {} : { filter: options.filter }),
  };
}

function sectionFor(config: Config, table: TableName, named: string | undefined): string {
  const section = named ?? table.name;
  if (!NAME_PATTERN.test(section)) {
    const hint = 'Name one with --section: letters, digits, dot, dash and underscore.';
    throw new PatchwireError(named === undefined ? 'PW-C105' : 'PW-C109', `${JSON.stringify(section)} is no name for a section`, { hint });
  }
  const other = config.tables.find((item) => item.section === section);
  if (other !== undefined) {
    throw new PatchwireError('PW-C105', `the section ${section} is ${other.table}'s`);
  }
  return section;
}

async function describeOne({ config, source, signal }: Lookup, table: TableName, options: Selection): Promise<TrackedTable> {
  const { columns, exclude, jsonColumns, filter } = options;
  const selection = {
    ...table,
    columns: columns ?? (exclude === undefined ? 'all' : { exclude }),
    json: jsonColumns ?? [],
    filter: filter ?? null,
  } as const;
  try {
    await using tracker = await openTracker(config, source, signal);
    return await tracker.describe(selection, { signal });
  } catch (error) {
    const statements = error instanceof PatchwireError ? enablingStatements(error.code, table) : [];
    if (!(error instanceof PatchwireError) || statements.length === 0) {
      throw error;
    }
    throw new PatchwireError(error.code, error.message, {
      cause: error,
      details: { ...error.details, statements },
      hint: `Run as an administrator of the database (\`patchwire table enable\` does it, too), then try again:\n${statements.map((line) => `    ${line}`).join('\n')}`,
    });
  }
}

/** As the catalog spells it. */
function catalogName({ selection, fullName }: TrackedTable, asked: TableName): TableName {
  const found = { schema: selection.schema, name: selection.name };
  const spelled = parseTableName(fullName);
  return spelled !== null && sameTableName(spelled, asked) ? spelled : sameTableName(found, asked) ? found : asked;
}
