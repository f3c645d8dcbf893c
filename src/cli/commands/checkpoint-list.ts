/** `patchwire checkpoint list`: where every registered section stands, as Redis has it. */
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { sectionJson } from '../section-json.ts';
import { untilSignal } from '../signals.ts';

export function addCheckpointListCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('list')
    .description('List where every registered section stands.')
    .addHelpText(
      'after',
      `
CHECKPOINT is where reading resumes, UP TO the version of which every change is contained ('-': it cannot be said).

Examples:
  $ patchwire checkpoint list
  $ patchwire checkpoint list --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const { openManager } = await import('../opening.ts');
      await using manager = await openManager(config, signal);
      const sections = await Promise.all(
        config.tables.map(async (table) => sectionJson(config, table, await manager.readMeta(table.section))),
      );
      const rows = sections.map(({ section, table, state, checkpoint, upTo, documents, sourceReadAt }) => [
        section,
        table,
        state ?? 'not there',
        checkpoint ?? '-',
        upTo ?? '-',
        documents === null ? '-' : String(documents),
        sourceReadAt ?? '-',
      ]);
      output.result(sections, formatRows(['SECTION', 'TABLE', 'STATE', 'CHECKPOINT', 'UP TO', 'DOCUMENTS', 'SOURCE READ'], rows));
      return EXIT.ok;
    }),
  );
}
