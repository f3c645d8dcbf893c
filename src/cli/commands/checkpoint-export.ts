/** `patchwire checkpoint export`: where sections stand, as a file for `checkpoint import`. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { createFile } from '../../config/replace-file.ts';
import type { TableConfig } from '../../config/schema.ts';
import type { SectionMeta } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import { type ExportedEntry, writeExported } from '../../wire/exported-sections.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addCheckpointExportCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('export')
    .argument('[names...]', 'tables (dbo.Orders) or sections; default: all')
    .description('Write where sections stand, and the digest of their documents, for another Redis. Stop the daemons first.')
    .option('--output <file>', 'write there, not to stdout')
    .option('--force', 'write over a file that is there')
    .addHelpText(
      'after',
      `
The documents themselves are moved by Redis's own means (a replica, a dump, MIGRATE); see "Move to another Redis" in the README.

Examples:
  $ patchwire checkpoint export --output checkpoints.json
  $ patchwire checkpoint export orders customers > two.json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async () => {
      const { output: file, force = false } = command.opts<{ output?: string; force?: boolean }>();
      const config = load();
      const tables = command.args.length === 0 ? config.tables : command.args.map((name) => findTable(config, name));
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const entries: ExportedEntry[] = [];
      let left = 0;
      for (const table of tables) {
        const meta = await manager.readMeta(table.section);
        const entry = meta === null ? null : exportedEntry(table, meta);
        if (entry === null) {
          left += 1;
          const why =
            meta !== null && meta.quarantined > 0 ? 'has rows in quarantine, which are no documents' : `is ${meta?.state ?? 'not there'}`;
          output.note(`${table.section} ${why}: not exported, it is loaded in the other Redis`);
          continue;
        }
        if (meta !== null && meta.leader !== '') {
          output.note(
            `${table.section} is led by a daemon: what it delivers from now on makes this export of no use; stop the daemons first`,
          );
        }
        entries.push(entry);
      }
      if (entries.length === 0) {
        throw new PatchwireError('PW-W404', `no section is live in partition ${config.manager.partition}: there is nothing to export`);
      }
      const text = writeExported(config.manager.partition, entries, new Date());
      if (file === undefined) {
        output.line(text.trimEnd());
        return left === 0 ? EXIT.ok : EXIT.failure;
      }
      createFile(resolve(file), text, { force });
      const sections = entries.map(({ section }) => section);
      output.result({ file, sections }, `${sections.length} sections are in ${file}: ${sections.join(', ')}`);
      return left === 0 ? EXIT.ok : EXIT.failure;
    }),
  );
}

/** What a live section exports; null while it has nothing to go on from. Elsewhere a row in quarantine would be missing without a word. */
function exportedEntry({ section, table }: TableConfig, meta: SectionMeta): ExportedEntry | null {
  const { seq, last, checkpoint, upTo, confirmed, high, incomplete, mark, digest, count, source, state, pending, quarantined } = meta;
  return source === null || state !== 'live' || pending || quarantined > 0
    ? null
    : { section, table, seq, last, checkpoint, upTo, confirmed, high, incomplete, mark, digest, count, source };
}
