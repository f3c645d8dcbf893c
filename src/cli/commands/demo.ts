/** `patchwire demo`: the order desk end to end, on the sandbox and a private Redis. */
import type { Command } from 'commander';
import { parseCount } from '../arguments.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addDemoCommand(program: Command, bind: Bind): void {
  const command = program
    .command('demo')
    .description('Show rows changing in a SQL Server stand-in and the patches that a subscriber receives; compare both at the end.')
    .option('--seed <number>', 'repeat a run exactly', parseCount({ name: '--seed', min: 0, max: 4_294_967_295 }), 1)
    .option('--keep-running', 'leave everything up at the end and print how to connect')
    .addHelpText(
      'after',
      `
Ends with 0 only if the replica equals the tables, every kind of change came as a patch, and nothing was reloaded; with 3 if not.

Examples:
  $ patchwire demo
  $ patchwire demo --seed 7 --keep-running`,
    );
  bind(command, async ({ output }) => {
    const { seed, keepRunning = false } = command.opts<{ seed: number; keepRunning?: boolean }>();
    // oxlint-disable-next-line no-restricted-imports -- only by await import(), as the table allows: no other command loads it
    const { runDemo } = await import('../../demo/run.ts');
    return await untilSignal((signal) =>
      runDemo({
        seed,
        keepRunning,
        color: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
        write: (line) => output.line(line),
        signal,
      }),
    );
  });
}
