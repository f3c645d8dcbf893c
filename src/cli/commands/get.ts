/** `patchwire get`: one document as Redis has it, by its key in any spelling that the table's collation takes for the same. */
import type { Command } from 'commander';
import type { Config, TableConfig } from '../../config/schema.ts';
import { selectionOf } from '../../daemon/selection.ts';
import type { Base, DistributedDataManager } from '../../manager/distributed-data-manager.ts';
import { PatchwireError } from '../../model/errors.ts';
import { encodeDataKey } from '../../model/data-key.ts';
import { comparableKeyText, identityOf } from '../../model/row-key.ts';
import type { TrackedTable } from '../../model/table.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addGetCommand(program: Command, bind: Bind): void {
  const command = program
    .command('get')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .argument('<key...>', 'the values of its key, in key order; or the data key as `tail` shows it')
    .description('Print one document as it is in Redis. Ends with 1 when there is none.')
    .addHelpText(
      'after',
      `
A key as the row spells it is found without SQL Server; another spelling of it asks the database for the key's collation.

Examples:
  $ patchwire get orders 42
  $ patchwire get orderLines 42 3 --json
  $ patchwire get dbo.Customers ann@example.org`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const [name = '', ...values] = command.args;
      const table = findTable(config, name);
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const found = (await asSpelled(manager, table, values)) ?? (await folded(config, manager, table, values, signal));
      if (found === null) {
        throw await absent(config, manager, table, values);
      }
      const { identity, base } = found;
      const { dataKey, version } = base;
      const document: unknown = JSON.parse(base.document ?? 'null');
      if (!output.json) {
        output.note(`${table.section} ${dataKey}, as of version ${version}`);
      }
      output.result(
        { section: table.section, table: table.table, dataKey, identity, version, document },
        JSON.stringify(document, null, 2),
      );
      return EXIT.ok;
    }),
  );
}

interface Found {
  readonly identity: string;
  readonly base: Base;
}

async function lookUp(manager: DistributedDataManager, { section }: TableConfig, identities: readonly string[]): Promise<Found | null> {
  const bases = await manager.bases(section, identities, { documents: true });
  const [first] = [...bases].map(([identity, base]) => ({ identity, base }));
  return first ?? null;
}

/** Values, or one data key: where that is its own identity nobody needs to be asked. */
function asSpelled(manager: DistributedDataManager, table: TableConfig, values: readonly string[]): Promise<Found | null> {
  const [only] = values;
  return lookUp(manager, table, [encodeDataKey(values), ...(values.length === 1 && only !== undefined ? [only] : [])]);
}

async function folded(
  config: Config,
  manager: DistributedDataManager,
  table: TableConfig,
  values: readonly string[],
  signal: AbortSignal,
): Promise<Found | null> {
  const { openTracker } = await import('../opening.ts');
  await using tracker = await openTracker(config, table.source, signal);
  const described = await tracker.describe(selectionOf(table), { signal });
  return lookUp(manager, table, [identityIn(described, values)]);
}

/** @throws PatchwireError PW-C109 when it is no key of the table */
function identityIn({ key, fullName }: TrackedTable, values: readonly string[]): string {
  const [only = ''] = values;
  const parts = values.length === 1 && key.length > 1 ? only.split('|').map(decoded) : values;
  if (parts.length !== key.length) {
    const columns = key.map(({ name }) => name).join(', ');
    throw new PatchwireError('PW-C109', `the key of ${fullName} is ${columns}: it takes ${key.length} values, not ${parts.length}`);
  }
  const comparable = parts.map((text, i) => {
    const type = key[i]?.type ?? '';
    return comparableKeyText(type, type === 'uniqueidentifier' ? text.toLowerCase() : text);
  });
  return identityOf(
    comparable,
    key.map(({ keyCollation }) => keyCollation),
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function absent(
  config: Config,
  manager: DistributedDataManager,
  table: TableConfig,
  values: readonly string[],
): Promise<PatchwireError> {
  const meta = await manager.readMeta(table.section);
  if (meta === null) {
    return new PatchwireError('PW-W404', `the section ${table.section} is not in Redis (partition ${config.manager.partition})`);
  }
  const lacking = meta.incomplete !== null || meta.state !== 'live';
  return new PatchwireError('PW-W405', `${table.section} holds no document of the key ${values.join(', ')}`, {
    details: { section: table.section, key: values },
    ...(lacking ? { hint: 'The section does not hold every row (yet): see `patchwire checkpoint show`.' } : {}),
  });
}
