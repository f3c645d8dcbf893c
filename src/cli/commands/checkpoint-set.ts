/** `patchwire checkpoint set`: moves where a section reads on: back, to read again; forward only over changes that are given up for good. */
import type { Command } from 'commander';
import type { SectionMeta } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { Version } from '../../model/version.ts';
import { findTable, parseVersionArgument } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 60_000;

export function addCheckpointSetCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('set')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .argument('<version>', 'where reading resumes', parseVersionArgument)
    .description('Move a checkpoint: back, as far as history reaches, to read again; forward only with --skip-changes.')
    .option('--skip-changes', 'give the changes up that lie between; ends the claim of upTo until the table is loaded anew')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Goes through the running daemon; without one this process takes the section's lease, moves the checkpoint, and leaves the rest to the next daemon.

Examples:
  $ patchwire checkpoint set orders 99118                    read again; equal rows make no patch
  $ patchwire checkpoint set orders 120000 --skip-changes    the changes up to 120000 are never published`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const { skipChanges = false, yes = false } = command.opts<{ skipChanges?: boolean; yes?: boolean }>();
      const [, to] = command.processedArgs as [string, Version];
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
      await using manager = await openManager(config, signal);
      const meta = await manager.readMeta(table.section);
      if (meta === null) {
        throw new PatchwireError('PW-W404', `the section ${table.section} is not in Redis (partition ${config.manager.partition})`);
      }
      output.note(effectOf(table.section, meta, to, skipChanges));
      if (!yes && !(await output.confirm('Go on?', signal))) {
        output.note('nothing was changed');
        return EXIT.failure;
      }
      const args = { to: to.toString(), ...(skipChanges ? { skipChanges: 'true' } : {}) };
      const note = (text: string): void => output.note(text);
      const answer = await ask({
        config,
        manager,
        table,
        verb: 'set',
        args,
        audit: 'checkpoint set',
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

/** What it will cause, in words. @throws PatchwireError PW-C109 where changes would be skipped and nobody said so */
function effectOf(section: string, { checkpoint }: SectionMeta, to: Version, skipChanges: boolean): string {
  if (to <= checkpoint) {
    return `The section ${section} stands at version ${checkpoint}. Its changes are read again from ${to}; rows that are equal make no patch.`;
  }
  if (!skipChanges) {
    throw new PatchwireError('PW-C109', `version ${to} is beyond the checkpoint ${checkpoint} of ${section}: that would skip changes`, {
      hint: 'Say --skip-changes if they are meant to be lost: upTo is not claimed any more until the table is loaded anew.',
    });
  }
  return `The section ${section} stands at version ${checkpoint}. The changes after it up to ${to} will never be published: rows that changed there stay as they are, or are missing, until they change again. upTo is not claimed, and no subscriber calls itself equal, until \`patchwire checkpoint reset ${section}\` has loaded the table.`;
}
