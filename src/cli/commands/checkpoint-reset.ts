/** `patchwire checkpoint reset`: loads a section anew under a new epoch, or with --to reads again from an older version. */
import type { Command } from 'commander';
import type { TableConfig } from '../../config/schema.ts';
import type { SectionMeta } from '../../manager/distributed-data-manager.ts';
import type { Version } from '../../model/version.ts';
import { findTable, parseVersionArgument } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 60_000;

export function addCheckpointResetCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('reset')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Load a section anew under a new epoch; with --to read again from a version that history still reaches.')
    .option('--to <version>', 'where reading resumes', parseVersionArgument)
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
What a reset removes needs no further confirmation (limits.sweepShare). \`patchwire resync\` corrects a section by patches, under the epoch that it has.
Goes through the running daemon; without one this process takes the section's lease, begins, and leaves the rest to the next daemon.

Examples:
  $ patchwire checkpoint reset orders                 load everything again; subscribers load too
  $ patchwire checkpoint reset orders --to 99118      read again; equal rows make no patch`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const { to, yes = false } = command.opts<{ to?: Version; yes?: boolean }>();
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
      await using manager = await openManager(config, signal);
      const meta = await manager.readMeta(table.section);
      output.note(costOf(table, meta, to));
      if (!yes && !(await output.confirm('Go on?', signal))) {
        output.note('nothing was changed');
        return EXIT.failure;
      }
      const args: Record<string, string> = to === undefined ? {} : { to: to.toString() };
      const note = (text: string): void => output.note(text);
      const answer = await ask({
        config,
        manager,
        table,
        verb: 'reset',
        args,
        audit: 'checkpoint reset',
        note,
        signal,
        patienceMs: PATIENCE_MS,
      });
      const rest = answer.by === 'self' ? ' No daemon is running: the next one goes on.' : '';
      output.result({ section: table.section, table: table.table, ...answer }, `${answer.message}${rest}`);
      return EXIT.ok;
    }),
  );
}

/** What a reset will cause, in words. */
function costOf({ section, initial }: TableConfig, meta: SectionMeta | null, to: Version | undefined): string {
  if (meta === null) {
    return `The section ${section} is not in Redis yet: its first load begins.`;
  }
  if (to === undefined && initial === 'none') {
    return `The section ${section} is followed without a load (initial: none): its ${meta.count} documents are removed, and rows are published as they change from then on, under a new epoch.`;
  }
  if (to !== undefined) {
    return `The section ${section} stands at version ${meta.checkpoint}. Its changes are read again from ${to}; rows that are equal make no patch.`;
  }
  return `All rows of section ${section} (${meta.count} documents) are read and written again under a new epoch. Until that ends no patches are published; then every subscriber loads the section anew.`;
}
