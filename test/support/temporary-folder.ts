/** A folder of a test's own. It lies in the run's folder (temporary-folders.ts), with which it goes. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryFolder(prefix: string): string {
  return mkdtempSync(join(tmpdir(), `patchwire-${prefix}-`));
}
