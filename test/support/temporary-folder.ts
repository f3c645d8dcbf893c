/** A folder of a test's own under the system's folder for temporary files, gone when the test process ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

export function temporaryFolder(prefix: string): string {
  if (folders.length === 0) {
    process.once('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  }
  const folder = mkdtempSync(join(tmpdir(), `patchwire-${prefix}-`));
  folders.push(folder);
  return folder;
}
