/** `patchwire table list`: the registered tables as the configuration has them. */
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';

export function addTableListCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('list')
    .description('List the registered tables. Asks no server: see `checkpoint list` for where they stand.')
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire table list
  $ patchwire table list --json`,
    );
  bind(command, ({ config: load, output }) => {
    const { tables } = load();
    const rows = tables.map(({ table, section, source, columns, json, filter }) => [
      table,
      section,
      source,
      columns === 'all' ? 'all' : 'exclude' in columns ? `all but ${columns.exclude.join(', ')}` : columns.join(', '),
      json.length === 0 ? '-' : json.join(', '),
      filter ?? '-',
    ]);
    output.result(
      tables.map(({ table, section, source, columns, json, filter }) => ({
        table,
        section,
        source,
        columns,
        json,
        filter: filter ?? null,
      })),
      tables.length === 0
        ? 'no table is registered; register one: patchwire table add dbo.Orders'
        : formatRows(['TABLE', 'SECTION', 'SOURCE', 'COLUMNS', 'JSON', 'FILTER'], rows),
    );
    return Promise.resolve(EXIT.ok);
  });
}
