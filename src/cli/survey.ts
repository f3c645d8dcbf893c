/** Asks a source which tables it has and what keeps each from being followed, for the commands that take patterns. Changes nothing. */
import type { Config } from '../config/schema.ts';
import { formatTableName } from '../config/table-name.ts';
import { createAdministration } from '../daemon/parts.ts';
import { systemClock } from '../lib/clock.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/errors.ts';
import {
  type DatabaseSurvey,
  enableDatabaseStatement,
  enableTableStatement,
  grantStatements,
  type SqlServerAdministration,
  type SurveyedTable,
} from '../source/sqlserver/administration.ts';
import { silentLog } from './opening.ts';
import type { TablePattern } from './table-pattern.ts';

/** How long changes are kept where nobody says otherwise: longer than a daemon is usually down. */
export const DEFAULT_RETENTION = '7 DAYS';

/** @throws PatchwireError PW-C103 for a connection that cannot be honoured; nothing is connected yet */
export function openAdministration(config: Config, source: string): SqlServerAdministration {
  return createAdministration(config, source, { clock: systemClock, log: silentLog() });
}

/** The source that is meant. @throws PatchwireError PW-C109 when it has to be named, or is not there */
export function sourceFor(config: Config, named: string | undefined): string {
  const sources = Object.keys(config.sources);
  const source = named ?? (sources.length === 1 ? sources[0] : undefined);
  if (source === undefined || !sources.includes(source)) {
    const problem = source === undefined ? '--source is needed' : `there is no source ${source}`;
    throw new PatchwireError('PW-C109', `${problem}: the configuration has ${sources.join(', ')}`);
  }
  return source;
}

/** What keeps a table from being followed. */
export interface Obstacle {
  readonly code: ErrorCode;
  readonly reason: string;
  /** T-SQL that an administrator runs to mend it; empty where none does. */
  readonly statements: readonly string[];
}

/** The first thing that keeps the table from being followed, or null. */
export function obstacleOf(table: SurveyedTable, survey: DatabaseSurvey): Obstacle | null {
  if (table.memoryOptimized) {
    return { code: 'PW-S222', reason: 'it is memory-optimised: change tracking does not go with that', statements: [] };
  }
  if (table.key.length === 0) {
    return { code: 'PW-S207', reason: 'it has no primary key', statements: [] };
  }
  const enable = enableTableStatement(table);
  if (!survey.tracking) {
    const statements = [enableDatabaseStatement(survey.database, DEFAULT_RETENTION), enable];
    return { code: 'PW-S204', reason: 'change tracking is off for the database', statements };
  }
  if (!table.maySelect || !table.mayTrack) {
    const lacking = [table.maySelect ? '' : 'SELECT', table.mayTrack ? '' : 'VIEW CHANGE TRACKING'].filter((right) => right !== '');
    return { code: 'PW-S209', reason: `the login lacks ${lacking.join(' and ')}`, statements: grantStatements(table, survey.user) };
  }
  return table.tracked === true ? null : { code: 'PW-S205', reason: 'change tracking is off for it', statements: [enable] };
}

/**
 * The tables that the patterns mean, each once, in the survey's order.
 * @throws PatchwireError PW-S206 for a name that is not there, or a pattern that means nothing
 */
export function chosenTables(survey: DatabaseSurvey, patterns: readonly TablePattern[]): readonly SurveyedTable[] {
  for (const { text, name, matches } of patterns) {
    if (!survey.tables.some(matches)) {
      const what = name === null ? `no table matches ${text}` : `there is no table ${formatTableName(name)}`;
      throw new PatchwireError('PW-S206', `${what} in ${survey.database} that the login may see.`, { details: { table: text } });
    }
  }
  return survey.tables.filter((table) => patterns.some(({ matches }) => matches(table)));
}
