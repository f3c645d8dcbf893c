import { afterAll, beforeAll, describe } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { statementsSuite } from './change-tracker-statements.ts';
import { changeTrackerSuite } from './change-tracker-suite.ts';
import { valuesSuite } from './change-tracker-types.ts';

const real = process.env['PATCHWIRE_TEST_MSSQL'];

describe.skipIf(real !== undefined && real !== '')('the change tracker on the sandbox', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox();
  });
  afterAll(async () => {
    await sandbox.close();
  });
  const server = (): SqlServerConnection => parseConnectionString(sandbox.connectionString('master'));
  statementsSuite(server);
  changeTrackerSuite(server);
  valuesSuite(server);
});

describe.skipIf(real === undefined || real === '')('the change tracker on a SQL Server', () => {
  const server = (): SqlServerConnection => parseConnectionString(real ?? '');
  statementsSuite(server);
  changeTrackerSuite(server);
  valuesSuite(server);
});
