/** The T-SQL that an administrator runs to have a table followed; printed as a proposal, never executed here. */
import type { TableName } from '../config/table-name.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import { enableTableStatement, grantStatements } from '../source/sqlserver/administration.ts';

/** The statements that mend what `code` says of the table, or none. The database is the one that the administrator is in. */
export function enablingStatements(code: ErrorCode, table: TableName): readonly string[] {
  const database = 'ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON);';
  const snapshot = 'ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON;';
  const byCode: Partial<Record<ErrorCode, readonly string[]>> = {
    'PW-S204': [snapshot, database, enableTableStatement(table)],
    'PW-S227': [snapshot],
    'PW-S205': [enableTableStatement(table)],
    'PW-S209': grantStatements(table, 'patchwire'),
  };
  return byCode[code] ?? [];
}
