/** `patchwire quarantine retry` and `drop`: what only the section's leader may do (L6). */
import type { Command } from 'commander';
import type { TableConfig } from '../../config/schema.ts';
import type { DistributedDataManager } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';
import { allQuarantined, findQuarantined, mustExist, notHeld } from './quarantine-list.ts';

const PATIENCE_MS = 120_000;

interface Rows {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export function addQuarantineRetryCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('retry')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .argument('[keys...]', 'data keys, as list shows them')
    .description('Read rows again: one that can be published now is, the others stay, with one attempt more.')
    .option('--all', 'every row in quarantine')
    .addHelpText(
      'after',
      `
For when the cause is gone and the row has not changed since: limits.maxDocument was raised, Redis takes more. A row that changes is tried by itself, and
all are every quarantine.retryAfter. Goes through the running daemon; without one this process takes the section's lease and does it.

Exit codes: 0 they were read, whatever came of it; 1 failed, or a key is not in quarantine (PW-W405); 2 wrong arguments; 69 Redis or SQL Server
cannot be reached.

Examples:
  $ patchwire quarantine retry orders --all
  $ patchwire quarantine retry orders 42 'DE|10%2F7'`,
    );
  bind(command, (context) => request(context, command, 'retry'));
}

export function addQuarantineDropCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('drop')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .argument('[keys...]', 'data keys, as list shows them')
    .description('Forget entries: their rows stay unpublished until their next change.')
    .option('--all', 'every row in quarantine')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Nothing is read or published. Where a row exists, the section lacks it from now on: upTo is not claimed, and no subscriber calls itself equal, until
\`patchwire resync <name>\`, which tries the row again. To leave a row out for good, exclude it by the table's filter instead. Goes through the running
daemon; without one this process takes the section's lease and does it.

Exit codes: 0 dropped; 1 failed, refused by whoever was asked, or a key is not in quarantine (PW-W405); 2 wrong arguments; 69 Redis or SQL Server
cannot be reached.

Examples:
  $ patchwire quarantine drop orders 42
  $ patchwire quarantine drop orders --all --yes`,
    );
  bind(command, (context) => request(context, command, 'drop'));
}

function request({ config: load, output }: CommandContext, command: Command, verb: 'retry' | 'drop'): Promise<number> {
  return untilSignal(async (signal) => {
    const { all = false, yes = false } = command.opts<Rows>();
    const [name, ...keys] = command.args.map(String);
    if (all === keys.length > 0) {
      throw new PatchwireError('PW-C109', all ? '--all and keys exclude each other' : 'name the keys, or say --all');
    }
    const config = load();
    const table = findTable(config, name ?? '');
    const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
    await using manager = await openManager(config, signal);
    await mustExist(config, manager, table);
    const held = await chosen(manager, table, all ? null : keys, signal);
    if (held.length === 0) {
      output.result({ section: table.section, table: table.table, rows: 0 }, `${table.section}: no row is in quarantine`);
      return EXIT.ok;
    }
    if (verb === 'drop') {
      output.note(
        `${held.length} entries of ${table.section} are forgotten. Where their rows exist the section lacks them, and says so, until it is resynced.`,
      );
      if (!yes && !(await output.confirm('Go on?', signal))) {
        output.note('nothing was changed');
        return EXIT.failure;
      }
    }
    const args: Readonly<Record<string, string>> = all ? {} : { keys: held.join(',') };
    const note = (text: string): void => output.note(text);
    const answer = await ask({ config, manager, table, verb, args, audit: `quarantine ${verb}`, note, signal, patienceMs: PATIENCE_MS });
    output.result({ section: table.section, table: table.table, rows: held.length, ...answer }, answer.message);
    return EXIT.ok;
  });
}

/** The identities that are meant; keys null: all. @throws PatchwireError PW-W405 for a key that is not in quarantine */
async function chosen(
  manager: DistributedDataManager,
  { section }: TableConfig,
  keys: readonly string[] | null,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (keys === null) {
    return (await allQuarantined(manager, section, signal)).map(({ identity }) => identity);
  }
  const found = await findQuarantined(manager, section, keys, signal);
  return keys.map((key) => {
    const row = found.find(({ identity, entry }) => identity === key || entry.dataKey === key);
    if (row === undefined) {
      throw notHeld(section, key);
    }
    return row.identity;
  });
}
