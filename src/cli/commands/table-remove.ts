/** `patchwire table remove`: takes a table out of the configuration; with --purge also its keys out of Redis. */
import type { Command } from 'commander';
import { parseTableName } from '../../config/table-name.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { removeTable } from '../registration.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 120_000;

export function addTableRemoveCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('remove')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Take a table out of the configuration. Its documents stay in Redis unless they are purged.')
    .option('--purge', 'delete its documents and all its keys, and tell subscribers that it is gone')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
The purge goes through the running daemon, which stops following the table; without a daemon it is done here, under the section's lease.

Examples:
  $ patchwire table remove dbo.Orders
  $ patchwire table remove orders --purge --yes`,
    );
  bind(command, ({ config: load, configPaths, output }) =>
    untilSignal(async (signal) => {
      const { purge = false, yes = false } = command.opts<{ purge?: boolean; yes?: boolean }>();
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const name = parseTableName(table.table);
      if (name === null) {
        throw new PatchwireError('PW-C106', `${table.table} is not registered`);
      }
      let purged: { readonly by: string; readonly documents: number } | null = null;
      if (purge) {
        const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
        await using manager = await openManager(config, signal);
        const meta = await manager.readMeta(table.section);
        const documents = meta?.count ?? 0;
        const question = `This deletes ${documents} documents of section ${table.section} from Redis and tells its subscribers that it is gone. Go on?`;
        if (meta !== null && !yes && !(await output.confirm(question, signal))) {
          output.note('nothing was changed');
          return EXIT.failure;
        }
        const answer =
          meta === null
            ? { by: 'nobody' }
            : await ask({
                config,
                manager,
                table,
                verb: 'purge',
                args: {},
                note: (text) => output.note(text),
                signal,
                patienceMs: PATIENCE_MS,
              });
        purged = { by: answer.by, documents };
      }
      const files = removeTable(configPaths, name, table.source);
      output.result(
        { table: table.table, section: table.section, purged, files },
        purged === null
          ? `removed ${table.table} from ${files.join(' and ')}; its documents stay in Redis (section ${table.section}); a running daemon follows it until it is restarted`
          : `removed ${table.table} from ${files.join(' and ')} and purged section ${table.section} (${purged.documents} documents)`,
      );
      return EXIT.ok;
    }),
  );
}
