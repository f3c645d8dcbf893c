/** `patchwire checkpoint list`: where every registered section stands, as Redis has it. */
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { sectionJson, stateInWords } from '../section-json.ts';
import { untilSignal } from '../signals.ts';

export function addCheckpointListCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('list')
    .description('List where every registered section stands.')
    .addHelpText(
      'after',
      `
CHECKPOINT is where reading resumes, UP TO the version of which every change is contained ('-': it cannot be said). Behind the STATE stands how
far a load is, what an operator has paused, and whether rows are missing (followed without a load, or changes skipped).

Examples:
  $ patchwire checkpoint list
  $ patchwire checkpoint list --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async () => {
      const config = load();
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const sections = await Promise.all(
        config.tables.map(async (table) => sectionJson(config, table, await manager.readMeta(table.section))),
      );
      const rows = sections.map((shown) => [
        shown.section,
        shown.table,
        stateInWords(shown),
        shown.checkpoint ?? '-',
        shown.upTo ?? '-',
        shown.documents === null ? '-' : String(shown.documents),
        shown.sourceReadAt ?? '-',
      ]);
      output.result(sections, formatRows(['SECTION', 'TABLE', 'STATE', 'CHECKPOINT', 'UP TO', 'DOCUMENTS', 'SOURCE READ'], rows));
      return EXIT.ok;
    }),
  );
}
