/** `patchwire checkpoint show`: all that Redis has of one section but its documents, and its checkpoint row where there is one. */
import type { Command } from 'commander';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { sectionJson } from '../section-json.ts';
import { untilSignal } from '../signals.ts';

export function addCheckpointShowCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('show')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Show where one section stands: versions, state, epoch, load, source identity, checkpoint row.')
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire checkpoint show orders
  $ patchwire checkpoint show dbo.Orders --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const meta = await manager.readMeta(table.section);
      if (meta === null) {
        throw new PatchwireError('PW-W404', `the section ${table.section} is not in Redis (partition ${config.manager.partition})`);
      }
      const { storeJson } = await import('../checkpoint-store.ts');
      const shown = { ...sectionJson(config, table, meta), ...(await storeJson(config, table, meta, signal)) };
      const rows = Object.entries(shown).map(([name, value]) => [
        name,
        value === null ? '-' : typeof value === 'object' ? JSON.stringify(value) : String(value),
      ]);
      output.result(shown, formatRows(['FIELD', 'VALUE'], rows));
      return EXIT.ok;
    }),
  );
}
