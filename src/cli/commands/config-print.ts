/** `patchwire config print`: the effective configuration, its secrets masked; with --origin where every value comes from. */
import type { Command } from 'commander';
import { flatten, formatConfig, redactConfig } from '../../config/print.ts';
import { formatPath } from '../../config/problems.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';

export function addConfigPrintCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('print')
    .description('Print the effective configuration: defaults, files, environment and flags together. Secrets are ***.')
    .option('--origin', 'one line a value, with where it comes from: default, file:line, environment variable or flag')
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire config print
  $ patchwire config print --origin
  $ patchwire config print --config base.yaml --config test.yaml --json`,
    );
  bind(command, ({ loaded, output }) => {
    const { origin = false } = command.opts<{ origin?: boolean }>();
    const { config, originOf, writtenAt } = loaded();
    const shown = redactConfig(config);
    if (!origin) {
      output.result(shown, formatConfig(config));
      return Promise.resolve(EXIT.ok);
    }
    const values = flatten(shown).map(({ path, value }) => {
      const written = writtenAt(path);
      const references = typeof written === 'string' ? (written.match(/\$\{(?:env|file):[^}]*\}/gu) ?? []) : [];
      return { key: formatPath(path), value, origin: [originOf(path), ...references].join(' ') };
    });
    output.result(
      values,
      formatRows(
        ['KEY', 'VALUE', 'ORIGIN'],
        values.map((each) => [each.key, typeof each.value === 'string' ? each.value : JSON.stringify(each.value), each.origin]),
      ),
    );
    return Promise.resolve(EXIT.ok);
  });
}
