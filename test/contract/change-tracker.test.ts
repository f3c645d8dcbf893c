/** The contract of the change tracker, on the SQL Server that PATCHWIRE_TEST_MSSQL names: part of the project `conformance`, which sees to it. */
import { describe } from 'vitest';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { driftSuite } from './change-tracker-drift.ts';
import { statementsSuite } from './change-tracker-statements.ts';
import { changeTrackerSuite } from './change-tracker-suite.ts';
import { valuesSuite } from './change-tracker-types.ts';

describe('the change tracker on a SQL Server', () => {
  const server = (): SqlServerConnection => parseConnectionString(process.env['PATCHWIRE_TEST_MSSQL'] ?? '');
  statementsSuite(server);
  changeTrackerSuite(server);
  driftSuite(server);
  valuesSuite(server);
});
