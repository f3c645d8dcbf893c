/** The version of this package, as package.json beside src/ or dist/ has it. */
import { readFileSync } from 'node:fs';

let version: string | null = null;

export function packageVersion(): string {
  if (version === null) {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const manifest = JSON.parse(text) as { readonly version: string };
    version = manifest.version;
  }
  return version;
}
