/** `patchwire table add`: looks tables up in SQL Server, then writes their entries into the configuration. */
import type { Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { Addition, Selection, Skipped } from '../adding.ts';
import { parseList, parsePatternArguments } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { addTables, fileForTables } from '../registration.ts';
import { untilSignal } from '../signals.ts';
import type { TablePattern } from '../table-pattern.ts';

interface AddOptions extends Selection {
  readonly source?: string;
  readonly section?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addTableAddCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('add')
    .argument('<schema.name...>', 'a table such as dbo.Orders, or patterns such as dbo.* and sales.Order*', parsePatternArguments)
    .description('Look tables up and register them. Refused without a primary key; proposes the T-SQL when change tracking is off.')
    .option('--source <name>', 'their database; needed when the configuration has several')
    .option('--section <name>', "default: the table's name without schema, where it is a legal and free name")
    .option('--columns <a,b>', 'publish these columns only', parseList)
    .option('--exclude <a,b>', 'publish all columns but these', parseList)
    .option('--json-columns <a,b>', 'columns whose text is nested JSON in the document', parseList)
    .option('--filter <condition>', 'publish only these rows, such as "Status <> \'archived\'"')
    .option('--dry-run', 'look up and show, write nothing')
    .option('--yes', 'do not ask (one table by its name is never asked for)')
    .addHelpText(
      'after',
      `
Patterns are resolved against the database; what they mean, and what is skipped and why, is shown before anything is written.
With several --config files the entries go into the last one that has tables. A running daemon takes them up when it is restarted.

Examples:
  $ patchwire table add dbo.Orders
  $ patchwire table add 'dbo.*' 'sales.Order*' --dry-run
  $ patchwire table add 'dbo.*' --yes
  $ patchwire table add sales.OrderLines --section lines --exclude RowVersion,Notes
  $ patchwire table add dbo.Products --json-columns Attributes --filter "Discontinued = 0"`,
    );
  bind(command, (context) =>
    untilSignal(async (signal) => {
      const patterns = command.processedArgs[0] as readonly TablePattern[];
      const options = command.opts<AddOptions>();
      if (options.columns !== undefined && options.exclude !== undefined) {
        throw new PatchwireError('PW-C109', '--columns and --exclude exclude each other');
      }
      const [only] = patterns;
      return patterns.length === 1 && only !== undefined && only.name !== null
        ? await addOne(context, only.name, options, signal)
        : await addMany(context, patterns, options, signal);
    }),
  );
}

async function addOne(
  context: CommandContext,
  table: NonNullable<TablePattern['name']>,
  options: AddOptions,
  signal: AbortSignal,
): Promise<number> {
  const { output } = context;
  const config = context.config();
  const [{ lookUpOne }, { sourceFor }] = await Promise.all([import('../adding.ts'), import('../survey.ts')]);
  const source = sourceFor(config, options.source);
  const { entry, section, described } = await lookUpOne({ config, source, signal }, table, options);
  const dryRun = options.dryRun === true;
  const file = dryRun ? fileForTables(context.configPaths) : await register(context, config, [{ entry, section }], options, signal);
  const key = described.key.map(({ name }) => name);
  const columns = described.columns.map(({ name }) => name);
  output.result(
    { table: entry.table, source, section, key, columns, warnings: described.warnings, file, dryRun },
    [
      `${dryRun ? 'would register' : 'registered'} ${entry.table} as section ${section} in ${file} (key: ${key.join(', ')}; ${columns.length} columns)`,
      ...described.warnings.map((warning) => `  warning: ${warning}`),
      dryRun ? 'nothing was written' : 'a running daemon takes it up when it is restarted',
    ].join('\n'),
  );
  return EXIT.ok;
}

async function addMany(
  context: CommandContext,
  patterns: readonly TablePattern[],
  options: AddOptions,
  signal: AbortSignal,
): Promise<number> {
  const { output } = context;
  const single = (['section', 'columns', 'exclude', 'jsonColumns', 'filter'] as const).find((name) => options[name] !== undefined);
  if (single !== undefined) {
    const flag = single === 'jsonColumns' ? 'json-columns' : single;
    throw new PatchwireError('PW-C109', `--${flag} is for one table, not for ${patterns.map(({ text }) => text).join(' ')}`);
  }
  const config = context.config();
  const [{ lookUpMany }, { sourceFor }] = await Promise.all([import('../adding.ts'), import('../survey.ts')]);
  const source = sourceFor(config, options.source);
  const { additions, skipped } = await lookUpMany({ config, source, signal }, patterns);
  const file = fileForTables(context.configPaths);
  output.note([...additions.map(additionLine), ...skipped.flatMap(skippedLines)].join('\n'));
  const told = {
    source,
    file,
    added: additions.map(({ entry, section, described }) => ({
      table: entry.table,
      section,
      key: described.key.map(({ name }) => name),
      columns: described.columns.map(({ name }) => name),
    })),
    skipped,
  };
  if (additions.length === 0) {
    output.result({ ...told, dryRun: options.dryRun === true }, 'there is nothing to register');
    return EXIT.ok;
  }
  const count = `${additions.length} table${additions.length === 1 ? '' : 's'}`;
  if (options.dryRun === true) {
    output.result({ ...told, dryRun: true }, `would register ${count} in ${file}; nothing was written`);
    return EXIT.ok;
  }
  if (options.yes !== true && !(await output.confirm(`Register ${count} in ${file}?`, signal))) {
    output.note('nothing was changed');
    return EXIT.failure;
  }
  await register(context, config, additions, options, signal);
  output.result({ ...told, dryRun: false }, `registered ${count} in ${file}; a running daemon takes them up when it is restarted`);
  return EXIT.ok;
}

/** Writes the entries into the file, and that they were into the audit. @returns the file */
async function register(
  context: CommandContext,
  config: Config,
  additions: readonly Pick<Addition, 'entry' | 'section'>[],
  { columns, exclude, jsonColumns, filter }: AddOptions,
  signal: AbortSignal,
): Promise<string> {
  const { audited, withAudit } = await import('../auditing.ts');
  const [only] = additions;
  const lists = Object.entries({ columns, exclude, jsonColumns }).flatMap(([name, list]) =>
    list === undefined ? [] : [[name, list.join(',')]],
  );
  const deed = {
    ...{ command: 'table add', section: additions.length === 1 ? (only?.section ?? null) : null },
    table: additions.map(({ entry }) => entry.table).join(', '),
    args: { ...(Object.fromEntries(lists) as Record<string, string>), ...(filter === undefined ? {} : { filter }) },
  };
  const entries = additions.map(({ entry }) => entry);
  return await withAudit(config, (audit) =>
    audited({ config, audit, note: (text) => context.output.note(text) }, deed, {
      work: () => addTables(context, entries),
      told: (file) => `registered in ${file}`,
      signal,
    }),
  );
}

function additionLine({ entry, section, described }: Addition): string {
  const key = described.key.map(({ name }) => name).join(', ');
  return `add   ${entry.table} as section ${section} (key: ${key}; ${described.columns.length} columns)`;
}

function skippedLines({ table, code, reason, statements }: Skipped): readonly string[] {
  return [`skip  ${table}: ${code === null ? '' : `${code} `}${reason}`, ...statements.map((line) => `        ${line}`)];
}
