/** `patchwire config check`: every problem of a configuration at once; with --online also those that only the servers know. */
import type { Command } from 'commander';
import type { Finding } from '../findings.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addConfigCheckCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('check')
    .description('Read the configuration and tell every problem at once. Changes nothing.')
    .option('--online', 'connect to SQL Server and Redis too, and look every table up')
    .addHelpText(
      'after',
      `
Ends with 0 when nothing is wrong, with 78 when the configuration is; --online with 69 when a server is out of reach, with 1
when a table cannot be followed. In Redis --online tries the daemon's commands on keys of its own and removes them.

Examples:
  $ patchwire config check
  $ patchwire config check --online
  $ patchwire config check --config base.yaml --config test.yaml --json`,
    );
  bind(command, ({ loaded, configPaths, output }) =>
    untilSignal(async (signal) => {
      const { online = false } = command.opts<{ online?: boolean }>();
      const found = loaded();
      const { config } = found;
      const { checkConnections, checkOnline } = await import('../findings.ts');
      const offline = await checkConnections(found, signal);
      const findings = online && offline.length === 0 ? await checkOnline(config, signal) : offline;
      const wrong = findings.flatMap(({ error }) => (error === null ? [] : [error]));
      const sources = Object.keys(config.sources).length;
      const size = `${sources} source${sources === 1 ? '' : 's'}, ${config.tables.length} table${config.tables.length === 1 ? '' : 's'}`;
      const verdict = wrong.length === 0 ? 'no problem' : wrong.length === 1 ? 'one problem' : `${wrong.length} problems`;
      output.result(
        { files: configPaths, sources: Object.keys(config.sources), tables: config.tables.length, findings: findings.map(toJson) },
        [...findings.flatMap(linesOf), `${configPaths.join(' + ')}: ${verdict} (${size})`].join('\n'),
      );
      return Math.max(EXIT.ok, ...wrong.map(exitCodeOf));
    }),
  );
}

function linesOf({ what, text, error, warnings, statements }: Finding): readonly string[] {
  if (error === null) {
    return [`ok    ${what}: ${text}`, ...warnings.map((warning) => `      warning: ${warning}`)];
  }
  const proposal =
    statements.length === 0
      ? [`      hint: ${error.hint}`]
      : ['      an administrator runs:', ...statements.map((line) => `        ${line}`)];
  return [`FAIL  ${what}: ${error.code} ${text}`, ...proposal];
}

function toJson({ what, text, error, warnings, statements }: Finding): unknown {
  return {
    what,
    ok: error === null,
    text,
    warnings,
    ...(error === null ? {} : { code: error.code, hint: error.hint, statements }),
  };
}
