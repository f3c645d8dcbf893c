/** `patchwire quarantine list` and `show`: what stands in quarantine, as Redis has it. No row contents, but keys. */
import type { Command } from 'commander';
import type { Config, TableConfig } from '../../config/schema.ts';
import type { DistributedDataManager, QuarantinedRow } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

const PAGE_ENTRIES = 1000;

export function addQuarantineListCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('list')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('List the rows of a section that cannot be published, the oldest first.')
    .addHelpText(
      'after',
      `
The rows exist in the table; subscribers were told that they are unavailable, and do not call themselves equal. Reads Redis only.

Exit codes: 0 also where there are none; 2 wrong arguments; 69 Redis cannot be reached.

Examples:
  $ patchwire quarantine list orders
  $ patchwire quarantine list dbo.Orders --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      await mustExist(config, manager, table);
      const held = await allQuarantined(manager, table.section, signal);
      const rows = held.map(({ entry }) => [
        entry.dataKey,
        entry.code,
        entry.versionId,
        String(entry.attempts),
        entry.firstAt,
        entry.lastAt,
      ]);
      const text = formatRows(['KEY', 'CODE', 'VERSION', 'ATTEMPTS', 'FIRST', 'LAST'], rows);
      output.result(held.map(entryJson), held.length === 0 ? `${table.section}: no row is in quarantine` : text);
      return EXIT.ok;
    }),
  );
}

export function addQuarantineShowCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('show')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .argument('<key>', 'the data key, as list shows it')
    .description('Show why one row cannot be published.')
    .addHelpText(
      'after',
      `
\`patchwire explain <code>\` says what to do about it.

Exit codes: 0 it is in quarantine; 1 it is not (PW-W405); 2 wrong arguments; 69 Redis cannot be reached.

Examples:
  $ patchwire quarantine show orders 42
  $ patchwire quarantine show orders 'DE|10%2F7' --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const [name, key] = command.args.map(String);
      const table = findTable(config, name ?? '');
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      await mustExist(config, manager, table);
      const [found] = await findQuarantined(manager, table.section, [key ?? ''], signal);
      if (found === undefined) {
        throw notHeld(table.section, key ?? '');
      }
      const shown = entryJson(found);
      output.result(
        shown,
        formatRows(
          ['FIELD', 'VALUE'],
          Object.entries(shown).map(([field, value]) => [field, String(value)]),
        ),
      );
      return EXIT.ok;
    }),
  );
}

/** @throws PatchwireError PW-W404 when the section is not there */
export async function mustExist(
  { manager: { partition } }: Config,
  manager: DistributedDataManager,
  { section }: TableConfig,
): Promise<void> {
  if ((await manager.readMeta(section)) === null) {
    throw new PatchwireError('PW-W404', `the section ${section} is not in Redis (partition ${partition})`);
  }
}

export function notHeld(section: string, key: string): PatchwireError {
  return new PatchwireError('PW-W405', `the row ${key} of ${section} is not in quarantine`, {
    hint: `See \`patchwire quarantine list ${section}\`.`,
  });
}

/** Those of the data keys or identities that are in quarantine. */
export async function findQuarantined(
  manager: DistributedDataManager,
  section: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly QuarantinedRow[]> {
  const direct = await manager.quarantined(section, keys);
  if (direct.length === keys.length) {
    return direct;
  }
  // A key may be spelled otherwise than its identity.
  const asked = new Set(keys);
  return (await allQuarantined(manager, section, signal)).filter(({ identity, entry }) => asked.has(identity) || asked.has(entry.dataKey));
}

/** The oldest first. */
export async function allQuarantined(
  manager: DistributedDataManager,
  section: string,
  signal: AbortSignal,
): Promise<readonly QuarantinedRow[]> {
  // HSCAN may answer an entry twice.
  const found = new Map<string, QuarantinedRow>();
  let cursor = '0';
  do {
    signal.throwIfAborted();
    const page = await manager.scanQuarantine(section, cursor, PAGE_ENTRIES);
    page.entries.forEach((row) => found.set(row.identity, row));
    cursor = page.cursor;
  } while (cursor !== '0');
  return [...found.values()].toSorted((a, b) => order(a).localeCompare(order(b), 'en'));
}

const order = ({ identity, entry }: QuarantinedRow): string => `${entry.firstAt} ${identity}`;

/** The fields are a contract: added to, never changed. */
function entryJson({ identity, entry }: QuarantinedRow): Readonly<Record<string, string | number>> {
  const { dataKey, reason, code, message, versionId, changeVersion, attempts, firstAt, lastAt } = entry;
  return { dataKey, identity, reason, code, message, versionId, changeVersion, attempts, firstAt, lastAt };
}
