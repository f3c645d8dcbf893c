/** `patchwire table list`: the registered tables as the configuration has them; with --online as SQL Server and Redis know them. */
import type { Command } from 'commander';
import type { TableConfig } from '../../config/schema.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addTableListCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('list')
    .description('List the registered tables. Asks no server unless --online.')
    .option('--online', 'rows and change tracking from SQL Server, state and versions from Redis')
    .addHelpText(
      'after',
      `
With --online what a server out of reach would tell is '-', the error is on stderr, and the command ends with 69.

Examples:
  $ patchwire table list
  $ patchwire table list --online
  $ patchwire table list --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const { online = false } = command.opts<{ online?: boolean }>();
      const config = load();
      if (!online || config.tables.length === 0) {
        output.result(
          config.tables.map(entryJson),
          config.tables.length === 0
            ? 'no table is registered; register one: patchwire table add dbo.Orders'
            : formatRows(['TABLE', 'SECTION', 'SOURCE', 'COLUMNS', 'JSON', 'FILTER'], config.tables.map(entryCells)),
        );
        return EXIT.ok;
      }
      const { lookAt } = await import('../table-facts.ts');
      const { facts, errors } = await lookAt(config, config.tables, signal);
      for (const error of errors) {
        output.error(error);
      }
      output.result(
        facts.map(({ table, rows, tracking, section }) => ({ ...entryJson(table), rows, tracking, redis: section })),
        formatRows(
          ['TABLE', 'SECTION', 'STATE', 'ROWS', 'DOCUMENTS', 'TRACKING', 'CHECKPOINT', 'UP TO'],
          facts.map(({ table, rows, tracking, section }) => [
            table.table,
            table.section,
            section === null ? '-' : (section.state ?? 'not there'),
            rows === null ? '-' : String(rows),
            String(section?.documents ?? '-'),
            tracking ?? '-',
            section?.checkpoint ?? '-',
            section?.upTo ?? '-',
          ]),
        ),
      );
      return Math.max(EXIT.ok, ...errors.map(exitCodeOf));
    }),
  );
}

function entryCells({ table, section, source, columns, json, filter }: TableConfig): readonly string[] {
  return [
    table,
    section,
    source,
    columns === 'all' ? 'all' : 'exclude' in columns ? `all but ${columns.exclude.join(', ')}` : columns.join(', '),
    json.length === 0 ? '-' : json.join(', '),
    filter ?? '-',
  ];
}

function entryJson({ table, section, source, columns, json, filter }: TableConfig) {
  return { table, section, source, columns, json, filter: filter ?? null };
}
