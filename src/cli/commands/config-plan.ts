/** `patchwire config plan`: what other configuration files would change compared with the present ones, and what that would cost. */
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import { planOf } from '../plan.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addConfigPlanCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('plan')
    .argument('<file...>', 'the new configuration; several go over each other in this order')
    .description('Compare a new configuration with the present one: what it changes, and what that costs. Changes nothing.')
    .option('--online', 'ask SQL Server and Redis what stands there, so that nothing is guessed')
    .addHelpText(
      'after',
      `
COST is one of:
  restart  the daemon has to be restarted; it goes on where it stood
  reset    the table is read anew (PW-S220, PW-S213); with onLostHistory: stop it stops until an operator acts
  load     a section that is new is loaded
  purge    what a section leaves in Redis is deleted by hand: \`patchwire table remove --purge\` with the present configuration
Environment and flags go over both configurations.

Examples:
  $ patchwire config plan new.yaml
  $ patchwire config plan cdc.config.yaml more-tables.yaml --online`,
    );
  bind(command, ({ loaded, output }) =>
    untilSignal(async (signal) => {
      const { online = false } = command.opts<{ online?: boolean }>();
      const present = loaded().config;
      const next = loaded(command.args).config;
      const offline = planOf(present, next);
      const steps = online ? await (await import('../plan-online.ts')).refine(offline, { present, next, signal }) : offline;
      output.result(
        { steps, restart: steps.length > 0 },
        steps.length === 0
          ? 'nothing changes'
          : formatRows(
              ['COST', 'KEY', 'CHANGE', 'WHAT IT MEANS'],
              steps.map(({ cost, key, change, detail }) => [cost, key, change, detail]),
            ),
      );
      return EXIT.ok;
    }),
  );
}
