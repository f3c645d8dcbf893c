/**
 * What SQL Server and Redis know of registered tables, for people. A server that cannot be asked leaves blanks and one error; the rest is told.
 */
import type { Config, TableConfig } from '../config/schema.ts';
import { parseTableName, sameTableName } from '../config/table-name.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { DatabaseSurvey } from '../source/sqlserver/administration.ts';
import { readingManager } from './opening.ts';
import { sectionJson } from './section-json.ts';
import { openAdministration } from './survey.ts';

export interface TableFacts {
  readonly table: TableConfig;
  /** By sys.partitions; null: not known. */
  readonly rows: number | null;
  readonly tracking: 'on' | 'off' | 'no table' | 'not visible' | null;
  /** What Redis has; `state` is null where it has nothing; null: not known. */
  readonly section: ReturnType<typeof sectionJson> | null;
}

/** @throws the signal's reason */
export async function lookAt(
  config: Config,
  tables: readonly TableConfig[],
  signal: AbortSignal,
): Promise<{ readonly facts: readonly TableFacts[]; readonly errors: readonly PatchwireError[] }> {
  const errors: PatchwireError[] = [];
  const failed = (error: unknown): null => {
    signal.throwIfAborted();
    errors.push(asPatchwireError(error));
    return null;
  };
  const surveys = new Map<string, DatabaseSurvey | null>();
  for (const source of new Set(tables.map((table) => table.source))) {
    surveys.set(source, await surveyOf(config, source, signal).catch(failed));
  }
  const sections = await sectionsOf(config, tables).catch(failed);
  return {
    errors,
    facts: tables.map((table, i) => ({ table, ...sourceFacts(table, surveys.get(table.source) ?? null), section: sections?.[i] ?? null })),
  };
}

async function surveyOf(config: Config, source: string, signal: AbortSignal): Promise<DatabaseSurvey> {
  await using administration = openAdministration(config, source);
  return await administration.survey({ signal });
}

async function sectionsOf(config: Config, tables: readonly TableConfig[]) {
  await using manager = readingManager(config);
  return await Promise.all(tables.map(async (table) => sectionJson(config, table, await manager.readMeta(table.section))));
}

function sourceFacts({ table }: TableConfig, survey: DatabaseSurvey | null): Pick<TableFacts, 'rows' | 'tracking'> {
  const name = parseTableName(table);
  const found = name === null ? undefined : survey?.tables.find((other) => sameTableName(other, name));
  if (survey === null) {
    return { rows: null, tracking: null };
  }
  if (found === undefined) {
    return { rows: null, tracking: 'no table' };
  }
  return { rows: found.rows, tracking: found.tracked === null ? 'not visible' : found.tracked ? 'on' : 'off' };
}
