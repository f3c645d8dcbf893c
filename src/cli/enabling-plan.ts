/** Which statements switch change tracking on for tables that do not have it, and which rights they need. Runs nothing. */
import { formatTableName, type TableName } from '../config/table-name.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import {
  type DatabaseSurvey,
  enableDatabaseStatement,
  enableSnapshotStatement,
  enableTableStatement,
} from '../source/sqlserver/administration.ts';
import { quoteName } from '../source/sqlserver/quote.ts';
import { chosenTables } from './survey.ts';
import type { TablePattern } from './table-pattern.ts';

export interface Enabling {
  readonly database: string;
  /** In the order in which they have to run. */
  readonly statements: readonly { readonly text: string; readonly on: string }[];
  /** The tables that get change tracking. */
  readonly tables: readonly TableName[];
  /** Tables that have it: left as they are. */
  readonly on: readonly string[];
  readonly skipped: readonly { readonly name: string; readonly code: ErrorCode; readonly reason: string }[];
  /** What the login may not alter. */
  readonly lacking: readonly string[];
}

/** @throws PatchwireError PW-S206 for a name that is not there, or a pattern that means nothing */
export function planEnabling(
  survey: DatabaseSurvey,
  patterns: readonly TablePattern[],
  { retention, snapshot = false }: { readonly retention: string; readonly snapshot?: boolean },
): Enabling {
  const { database } = survey;
  const chosen = chosenTables(survey, patterns);
  const skipped: { name: string; code: ErrorCode; reason: string }[] = [];
  const off = chosen.filter((table) => {
    const name = formatTableName(table);
    if (table.tracked === true) {
      return false;
    }
    if (table.memoryOptimized) {
      skipped.push({ name, code: 'PW-S222', reason: 'it is memory-optimised: change tracking does not go with that' });
      return false;
    }
    if (table.key.length === 0) {
      skipped.push({ name, code: 'PW-S207', reason: 'it has no primary key' });
      return false;
    }
    if (table.tracked === null && survey.tracking && !table.mayAlter) {
      skipped.push({ name, code: 'PW-S209', reason: 'the login may not see whether it is on' });
      return false;
    }
    return true;
  });
  const statements = [
    ...(snapshot && !survey.snapshot ? [{ text: enableSnapshotStatement(database), on: database }] : []),
    ...(survey.tracking ? [] : [{ text: enableDatabaseStatement(database, retention), on: database }]),
    ...off.map((table) => ({ text: enableTableStatement(table), on: formatTableName(table) })),
  ];
  const altersDatabase = statements.some(({ on }) => on === database);
  return {
    database,
    statements,
    tables: off.map(({ schema, name }) => ({ schema, name })),
    on: chosen.filter(({ tracked }) => tracked === true).map((table) => formatTableName(table)),
    skipped,
    lacking: [
      ...(altersDatabase && !survey.mayAlter ? [`the database ${database}`] : []),
      ...off.filter(({ mayAlter }) => !mayAlter).map((table) => formatTableName(table)),
    ],
  };
}

/** The statements as a script for any tool that knows GO. */
export function scriptOf({ database, statements, skipped, on }: Enabling): string {
  const comment = (text: string): string => `-- ${text.replaceAll(/[\r\n]+/gu, ' ')}`;
  return [
    comment('Switches change tracking on. Run as an administrator of the database.'),
    ...on.map((name) => comment(`${name} has it already.`)),
    ...skipped.map(({ name, reason }) => comment(`${name} is left out: ${reason}.`)),
    `USE ${quoteName(database)};`,
    'GO',
    ...statements.flatMap(({ text }) => [text, 'GO']),
  ].join('\n');
}
