/** The T-SQL that an administrator runs to have a table followed; printed as a proposal, never executed here. */
import type { TableName } from '../config/table-name.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';

const quote = (name: string): string => `[${name.replaceAll(']', ']]')}]`;

/** The statements that mend what `code` says of the table, or none. */
export function enablingStatements(code: ErrorCode, table: TableName): readonly string[] {
  const name = `${quote(table.schema)}.${quote(table.name)}`;
  const database = 'ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON);';
  const snapshot = 'ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON;';
  const enable = `ALTER TABLE ${name} ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF);`;
  const grants = [`GRANT SELECT ON ${name} TO [patchwire];`, `GRANT VIEW CHANGE TRACKING ON ${name} TO [patchwire];`];
  const byCode: Partial<Record<ErrorCode, readonly string[]>> = {
    'PW-S204': [snapshot, database, enable],
    'PW-S227': [snapshot],
    'PW-S205': [enable],
    'PW-S209': grants,
  };
  return byCode[code] ?? [];
}
