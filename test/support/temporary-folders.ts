/** Before all tests: one folder for everything temporary, in place of the system's; gone when the run ends, whatever its processes leave. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function setup(): (() => void) | undefined {
  if (process.env['PATCHWIRE_TEST_FOLDER'] !== undefined) {
    // Another project of the same run has made it.
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'patchwire-tests-'));
  process.env['PATCHWIRE_TEST_FOLDER'] = folder;
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
