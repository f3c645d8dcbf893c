/** `patchwire table add`: looks the table up in SQL Server, then writes its entry into the configuration. */
import type { Command } from 'commander';
import type { TableEntry } from '../../config/edit.ts';
import type { Config } from '../../config/schema.ts';
import { NAME_PATTERN } from '../../config/schema.ts';
import { formatTableName, parseTableName, sameTableName, type TableName } from '../../config/table-name.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { TrackedTable } from '../../model/table.ts';
import { parseList, parseTableArgument } from '../arguments.ts';
import { enablingStatements } from '../enabling.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { addTables } from '../registration.ts';
import { untilSignal } from '../signals.ts';

interface AddOptions {
  readonly source?: string;
  readonly section?: string;
  readonly columns?: readonly string[];
  readonly exclude?: readonly string[];
  readonly jsonColumns?: readonly string[];
  readonly filter?: string;
}

export function addTableAddCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('add')
    .argument('<schema.name>', 'the table, such as dbo.Orders', parseTableArgument)
    .description('Look a table up and register it. Refused without a primary key; proposes the T-SQL when change tracking is off.')
    .option('--source <name>', 'its database; needed when the configuration has several')
    .option('--section <name>', "default: the table's name without schema, where it is a legal and free name")
    .option('--columns <a,b>', 'publish these columns only', parseList)
    .option('--exclude <a,b>', 'publish all columns but these', parseList)
    .option('--json-columns <a,b>', 'columns whose text is nested JSON in the document', parseList)
    .option('--filter <condition>', 'publish only these rows, such as "Status <> \'archived\'"')
    .addHelpText(
      'after',
      `
A running daemon takes the table up when it is restarted.

Examples:
  $ patchwire table add dbo.Orders
  $ patchwire table add sales.OrderLines --section lines --exclude RowVersion,Notes
  $ patchwire table add dbo.Products --json-columns Attributes --filter "Discontinued = 0"`,
    );
  bind(command, (context) =>
    untilSignal(async (signal) => {
      const { config: load, output } = context;
      const [table] = command.processedArgs as [TableName];
      const options = command.opts<AddOptions>();
      if (options.columns !== undefined && options.exclude !== undefined) {
        throw new PatchwireError('PW-C109', '--columns and --exclude exclude each other');
      }
      const config = load();
      const source = sourceFor(config, options.source);
      mustBeNew(config, table, source);
      const described = await lookUp(config, source, table, options, signal);
      const found = parseCatalogName(described, table);
      const section = sectionFor(config, found, options.section);
      const entry: TableEntry = {
        table: formatTableName(found),
        ...(Object.keys(config.sources).length > 1 ? { source } : {}),
        ...(section === found.name && options.section === undefined ? {} : { section }),
        ...(options.columns === undefined ? {} : { columns: options.columns }),
        ...(options.exclude === undefined ? {} : { columns: { exclude: options.exclude } }),
        ...(options.jsonColumns === undefined ? {} : { json: options.jsonColumns }),
        ...(options.filter === undefined ? {} : { filter: options.filter }),
      };
      const file = addTables(context, [entry]);
      const key = described.key.map(({ name }) => name);
      const columns = described.columns.map(({ name }) => name);
      output.result(
        { table: entry.table, source, section, key, columns, warnings: described.warnings, file },
        [
          `registered ${entry.table} as section ${section} in ${file} (key: ${key.join(', ')}; ${columns.length} columns)`,
          ...described.warnings.map((warning) => `  warning: ${warning}`),
          'a running daemon takes it up when it is restarted',
        ].join('\n'),
      );
      return EXIT.ok;
    }),
  );
}

function sourceFor(config: Config, named: string | undefined): string {
  const sources = Object.keys(config.sources);
  const source = named ?? (sources.length === 1 ? sources[0] : undefined);
  if (source === undefined || !sources.includes(source)) {
    const problem = source === undefined ? '--source is needed' : `there is no source ${source}`;
    throw new PatchwireError('PW-C109', `${problem}: the configuration has ${sources.join(', ')}`);
  }
  return source;
}

function mustBeNew(config: Config, table: TableName, source: string): void {
  const twin = config.tables.find((other) => {
    const name = parseTableName(other.table);
    return other.source === source && name !== null && sameTableName(name, table);
  });
  if (twin !== undefined) {
    throw new PatchwireError('PW-C105', `${formatTableName(table)} is registered already, as section ${twin.section}`, {
      hint: 'See the registered tables with `patchwire table list`.',
    });
  }
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

async function lookUp(
  config: Config,
  source: string,
  table: TableName,
  { columns, exclude, jsonColumns, filter }: AddOptions,
  signal: AbortSignal,
): Promise<TrackedTable> {
  const selection = columns ?? (exclude === undefined ? 'all' : { exclude });
  const { openTracker } = await import('../opening.ts');
  try {
    await using tracker = await openTracker(config, source, signal);
    return await tracker.describe({ ...table, columns: selection, json: jsonColumns ?? [], filter: filter ?? null }, { signal });
  } catch (error) {
    const statements = error instanceof PatchwireError ? enablingStatements(error.code, table) : [];
    if (!(error instanceof PatchwireError) || statements.length === 0) {
      throw error;
    }
    throw new PatchwireError(error.code, error.message, {
      cause: error,
      details: { ...error.details, statements },
      hint: `Run as an administrator of the database, then try again:\n${statements.map((line) => `    ${line}`).join('\n')}`,
    });
  }
}

/** As the catalog spells it. */
function parseCatalogName({ selection, fullName }: TrackedTable, asked: TableName): TableName {
  const found = { schema: selection.schema, name: selection.name };
  const spelled = parseTableName(fullName);
  return spelled !== null && sameTableName(spelled, asked) ? spelled : sameTableName(found, asked) ? found : asked;
}
