/** The contract of the change tracker under the other two answers to what is not documented of SNAPSHOT transactions; `change-tracker.test.ts` has the first. */
import { afterAll, beforeAll, describe } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import { changeTrackerSuite } from './change-tracker-suite.ts';

describe.each(['live', 'worst'] as const)('the change tracker on the sandbox, profile %s', (profile) => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ profile });
  });
  afterAll(() => sandbox.close());
  changeTrackerSuite(() => parseConnectionString(sandbox.connectionString('master')));
});
