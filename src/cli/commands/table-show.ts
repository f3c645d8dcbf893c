/** `patchwire table show`: one table as the configuration, SQL Server and Redis have it. */
import type { Command } from 'commander';
import { formatPath } from '../../config/problems.ts';
import { flatten, redactConfig } from '../../config/print.ts';
import { asPatchwireError, PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

interface ShowOptions {
  readonly offline?: boolean;
  readonly sample?: boolean;
  readonly key?: readonly string[];
  readonly raw?: boolean;
}

export function addTableShowCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('show')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Show one table: its entry with the defaults, the columns as they are published, where it stands in Redis.')
    .option('--offline', 'only what the configuration says')
    .option('--sample', 'one row as it is published, column by column')
    .option('--key <value...>', 'with --sample: the row of this key (its values in key order); default: the first one')
    .option('--raw', 'with --sample: also what the table holds, which may be personal data')
    .addHelpText(
      'after',
      `
What a server out of reach would tell is left out, the error is on stderr, and the command ends with 69.

Examples:
  $ patchwire table show dbo.Orders
  $ patchwire table show orders --json
  $ patchwire table show orders --offline
  $ patchwire table show customers --sample
  $ patchwire table show customers --sample --key 4711 --raw`,
    );
  bind(command, ({ loaded, output }) =>
    untilSignal(async (signal) => {
      const { offline = false, sample = false, key, raw = false } = command.opts<ShowOptions>();
      if ((key !== undefined || raw) && !sample) {
        throw new PatchwireError('PW-C109', '--key and --raw belong to --sample');
      }
      const { config, originOf } = loaded();
      const table = findTable(config, String(command.args[0]));
      if (sample) {
        const { sampleRow, sampleCells } = await import('../table-sample.ts');
        const found = await sampleRow(config, table, { key: key ?? null, raw, signal });
        const { header, rows } = sampleCells(found, raw);
        output.result(found, formatRows(header, rows));
        return EXIT.ok;
      }
      const index = config.tables.indexOf(table);
      const entry = (redactConfig(config)['tables'] as readonly unknown[])[index];
      const values = flatten(entry).map(({ path, value }) => ({
        key: formatPath(path),
        value,
        origin: originOf(['tables', index, ...path]),
      }));
      const errors: PatchwireError[] = [];
      const failed = (error: unknown): null => {
        signal.throwIfAborted();
        errors.push(asPatchwireError(error));
        return null;
      };
      const { describedFacts, sectionFacts } = await import('../table-details.ts');
      const source = offline ? null : await describedFacts(config, table, signal).catch(failed);
      const section = offline ? null : await sectionFacts(config, table).catch(failed);
      for (const error of errors) {
        output.error(error);
      }
      const shown = (value: unknown): string => (value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value));
      const facts = (title: string, map: Readonly<Record<string, unknown>>): string =>
        formatRows(
          [title, ''],
          Object.entries(map).map(([name, value]) => [name, shown(value)]),
        );
      const parts = [
        formatRows(
          ['ENTRY', 'VALUE', 'ORIGIN'],
          values.map(({ key, value, origin }) => [key, shown(value), origin]),
        ),
        ...(source === null
          ? []
          : [
              facts('SQL SERVER', source.facts),
              formatRows(
                ['COLUMN', 'TYPE', 'KEY', 'PUBLISHED AS'],
                source.columns.map(({ name, type, key, published }) => [
                  name,
                  type,
                  key === null ? '' : String(key),
                  published ?? 'not published',
                ]),
              ),
            ]),
        ...(section === null ? [] : [facts('REDIS', section)]),
      ];
      output.result(
        { entry: values, source: source === null ? null : { ...source.facts, columns: source.columns }, redis: section },
        parts.join('\n\n'),
      );
      return Math.max(EXIT.ok, ...errors.map(exitCodeOf));
    }),
  );
}
