/** `patchwire poll`: every table named is read now, however long its next wait would be. */
import type { Command } from 'commander';
import { asPatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 60_000;

export function addPollCommand(program: Command, bind: Bind): void {
  const command = program
    .command('poll')
    .argument('[names...]', 'tables (dbo.Orders) or sections; default: all')
    .description('Read now, and say when everything that was committed before is delivered.')
    .addHelpText(
      'after',
      `
Goes through the running daemon; without one this process takes each section's lease, reads, and gives it back.

Examples:
  $ patchwire poll
  $ patchwire poll orders`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const tables = command.args.length === 0 ? config.tables : command.args.map((name) => findTable(config, name));
      const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
      await using manager = await openManager(config, signal);
      let exitCode: number = EXIT.ok;
      const answers = await Promise.all(
        tables.map(async (table) => {
          const note = (text: string): void => output.note(`${table.section}: ${text}`);
          try {
            const answer = await ask({
              config,
              manager,
              table,
              verb: 'poll',
              args: {},
              audit: null,
              note,
              signal,
              patienceMs: PATIENCE_MS,
            });
            return { section: table.section, table: table.table, ...answer };
          } catch (error) {
            signal.throwIfAborted();
            output.error(error);
            exitCode = Math.max(exitCode, exitCodeOf(error));
            const { code, message } = asPatchwireError(error);
            return { section: table.section, table: table.table, message, code };
          }
        }),
      );
      output.result(answers, answers.map(({ section, message }) => `${section}: ${message}`).join('\n'));
      return exitCode;
    }),
  );
}
