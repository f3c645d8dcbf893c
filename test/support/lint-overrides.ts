/** The import table as oxlint's overrides: what .oxlintrc.json must contain. `npx tsx test/support/lint-overrides.ts` prints it. */
import { pathToFileURL } from 'node:url';
import { IMPORT_TABLE } from './import-table.ts';

interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
}

export function lintOverrides(): Override[] {
  const folders = Object.keys(IMPORT_TABLE);
  const packages = [...new Set(Object.values(IMPORT_TABLE).flatMap((rule) => Object.values(rule.packages).flat()))].toSorted();
  return folders.map((folder) => {
    const rule = IMPORT_TABLE[folder];
    const wholly = folders.filter((other) => other !== folder && !(rule?.folders.includes(other) ?? false));
    const partly = wholly.filter((other) => rule?.folders.some((entry) => entry.startsWith(`${other}/`)));
    const allowedPackages = new Set(Object.values(rule?.packages ?? {}).flat());
    const patterns = [
      ...wholly.filter((other) => !partly.includes(other)).map((other) => ({ regex: `^(\\.\\./)+${other}/` })),
      ...partly.map((other) => ({
        group: [`**/${other}/**`, ...(rule?.folders ?? []).filter((entry) => entry.startsWith(`${other}/`)).map((entry) => `!**/${entry}`)],
      })),
    ].map((pattern) => ({ ...pattern, message: `src/${folder} may not import this: see the table in src/README.md` }));
    return {
      files: [`src/${folder}/**`],
      rules: { 'no-restricted-imports': ['error', { paths: packages.filter((name) => !allowedPackages.has(name)), patterns }] },
    };
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify(lintOverrides(), null, 2));
}
