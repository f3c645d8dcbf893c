/** `patchwire resync`: compares a section with its table and corrects what differs, by patches; or only some rows of it. */
import type { Command } from 'commander';
import type { Config, TableConfig } from '../../config/schema.ts';
import type { SectionMeta } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable, parseList } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

/** How long this process goes on without any progress, once it serves the request itself. */
const PATIENCE_MS = 120_000;

export function addResyncCommand(program: Command, bind: Bind): void {
  const command = program
    .command('resync')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Compare a section with its table and correct what differs, by ordinary patches.')
    .option('--where <filter>', 'only rows that pass this expression (the grammar of filters); the others stay untouched')
    .option(
      '--keys <keys>',
      'only these rows, by data keys as messages show them, separated by commas; one that is gone is removed',
      parseList,
    )
    .option('--confirm', 'remove the documents whose rows are gone, however many: also where a sweep waits for it')
    .addHelpText(
      'after',
      `
Reads the whole table page by page while changes go on, at the pace of the table's load.*, and removes documents whose rows are gone. When
that would be more than limits.sweepShare of them, it removes nothing and ends with PW-S231: --confirm goes on. When more than half of the documents
differ, the section gets a new epoch and subscribers load it anew. Asked twice, the second joins the first. It goes through the running daemon; without
one this process takes the section's lease and does it. Interrupted, the daemon goes on with it. --where removes no document.

Exit codes: 0 done; 1 failed, or it waits for --confirm (PW-S231); 2 wrong arguments; 69 Redis or SQL Server cannot be reached.

Examples:
  $ patchwire resync orders                            the whole section
  $ patchwire resync orders --keys 42,43               two rows
  $ patchwire resync orders --keys 'DE|10%2F7'         a key of two columns, each percent-encoded
  $ patchwire resync orders --where "Status = 'open'"  the rows that pass
  $ patchwire resync orders --confirm                  what a waiting sweep would remove may go`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const { where, keys, confirm = false } = command.opts<{ where?: string; keys?: readonly string[]; confirm?: boolean }>();
      if ([where !== undefined, keys !== undefined, confirm].filter(Boolean).length > 1) {
        throw new PatchwireError('PW-C109', '--where, --keys and --confirm exclude each other');
      }
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
      await using manager = await openManager(config, signal);
      mustExist(config, table, await manager.readMeta(table.section));
      const args = {
        ...(where === undefined ? {} : { where }),
        ...(keys === undefined ? {} : { keys: keys.join(',') }),
        ...(confirm ? { confirm: 'true' } : {}),
      };
      const note = (text: string): void => output.note(text);
      const answer = await ask({ config, manager, table, verb: 'resync', args, audit: 'resync', note, signal, patienceMs: PATIENCE_MS });
      output.result({ section: table.section, table: table.table, ...answer }, answer.message);
      return EXIT.ok;
    }),
  );
}

function mustExist({ manager }: Config, { section }: TableConfig, meta: SectionMeta | null): void {
  if (meta === null) {
    throw new PatchwireError(
      'PW-W404',
      `the section ${section} is not in Redis (partition ${manager.partition}): the daemon loads it first`,
    );
  }
}
