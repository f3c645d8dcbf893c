/**
 * Before the project `conformance`: a SQL Server of another process. The one that PATCHWIRE_TEST_MSSQL names; without it `patchwire sandbox`
 * as it was built, for as long as the run. Its tests know only a connection string, so what holds here holds for any server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- it joins vitest's own
  interface ProvidedContext {
    readonly mssql: string;
  }
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const named = process.env['PATCHWIRE_TEST_MSSQL'] ?? '';
  if (named !== '') {
    project.provide('mssql', named);
    return undefined;
  }
  const sandbox = spawn(process.execPath, [MAIN, 'sandbox'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(sandbox, 'exit');
  const [line] = await Promise.race([
    once(createInterface(sandbox.stdout), 'line') as Promise<[string]>,
    ended.then(() => {
      throw new Error('patchwire sandbox ended before it listened: npm run build');
    }),
  ]);
  project.provide('mssql', line);
  return async () => {
    sandbox.kill('SIGTERM');
    await ended;
  };
}
