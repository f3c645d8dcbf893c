/**
 * Looks at everything that a configuration names: connections, Redis, every table. Goes on after a problem, so that all of them are told at
 * once. Reads only; in Redis it tries the daemon's commands on keys of its own, which it removes.
 */
import type { LoadedConfig } from '../config/load.ts';
import type { Config, TableConfig } from '../config/schema.ts';
import { parseTableName } from '../config/table-name.ts';
import { createCheckpoints, createManager, createTracker, describeManager, describeSource } from '../daemon/parts.ts';
import { selectionOf } from '../daemon/selection.ts';
import { systemClock } from '../lib/clock.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import { enablingStatements } from './enabling.ts';
import { openTracker, silentLog } from './opening.ts';

/** One thing that was looked at. */
export interface Finding {
  /** `Redis at …`, `SQL Server (source …)`, `dbo.Orders (section orders)` */
  readonly what: string;
  /** What is known of it now; with an error the error's message. */
  readonly text: string;
  readonly error: PatchwireError | null;
  readonly warnings: readonly string[];
  /** T-SQL that would mend it. */
  readonly statements: readonly string[];
}

const found = (what: string, text: string, warnings: readonly string[] = []): Finding => ({
  what,
  text,
  error: null,
  warnings,
  statements: [],
});

function failed(
  what: string,
  error: unknown,
  signal: AbortSignal,
  statements: (error: PatchwireError) => readonly string[] = () => [],
): Finding {
  signal.throwIfAborted();
  const known = asPatchwireError(error);
  return { what, text: known.message, error: known, warnings: [], statements: statements(known) };
}

/** What is wrong with connections without connecting: a string that cannot be honoured. */
export async function checkConnections({ config, originOf }: LoadedConfig, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const source of Object.keys(config.sources)) {
    try {
      await createTracker(config, source, { clock: systemClock, log: silentLog() })[Symbol.asyncDispose]();
    } catch (error) {
      findings.push(failed(`source ${source} (${originOf(['sources', source, 'connection'])})`, error, signal));
    }
  }
  return findings;
}

/** Connects to everything and describes every table. @throws the signal's reason */
export async function checkOnline(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const findings = [await checkRedis(config, signal)];
  for (const source of Object.keys(config.sources)) {
    findings.push(...(await checkSource(config, source, signal)));
  }
  return findings;
}

async function checkRedis(config: Config, signal: AbortSignal): Promise<Finding> {
  const what = describeManager(config);
  try {
    await using manager = createManager(config, { clock: systemClock, log: silentLog() });
    const { warnings } = await manager.open({ signal });
    return found(what, `answers, and may do all that is needed in partition ${config.manager.partition}`, warnings);
  } catch (error) {
    return failed(what, error, signal);
  }
}

async function checkSource(config: Config, source: string, signal: AbortSignal): Promise<Finding[]> {
  const what = describeSource(config, source);
  const tables = config.tables.filter((table) => table.source === source);
  try {
    await using tracker = await openTracker(config, source, signal);
    const findings = [found(what, 'answers; change tracking is on'), ...(await checkCheckpoints(config, source, signal))];
    for (const table of tables) {
      findings.push(await checkTable(tracker, table, signal));
    }
    return findings;
  } catch (error) {
    const unseen = tables.length === 0 ? '' : ` (so its ${tables.length} tables were not looked at)`;
    const finding = failed(what, error, signal);
    return [{ ...finding, text: finding.text + unseen }];
  }
}

/** Whether the table of the checkpoint store is there and may be used; nothing where the configuration wants none. */
async function checkCheckpoints(config: Config, source: string, signal: AbortSignal): Promise<Finding[]> {
  const what = `checkpoint store (source ${source})`;
  await using checkpoints = createCheckpoints(config, source, { clock: systemClock, log: silentLog() });
  if (checkpoints === null) {
    return [];
  }
  try {
    await checkpoints.read('', { signal });
    return [found(what, 'the table is there, and may be read and written')];
  } catch (error) {
    return [failed(what, error, signal)];
  }
}

async function checkTable(tracker: ChangeTracker, table: TableConfig, signal: AbortSignal): Promise<Finding> {
  const what = `${table.table} (section ${table.section})`;
  try {
    const described = await tracker.describe(selectionOf(table), { signal });
    return found(what, factsOf(described), described.warnings);
  } catch (error) {
    const name = parseTableName(table.table);
    return failed(what, error, signal, ({ code }) => (name === null ? [] : enablingStatements(code, name)));
  }
}

/** `key OrderId; 6 columns; snapshot` */
export function factsOf({ key, columns, isolation }: TrackedTable): string {
  return `key ${key.map(({ name }) => name).join(', ')}; ${columns.length} columns; ${isolation}`;
}
