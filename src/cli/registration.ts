/**
 * Writes tables into the configuration files and takes them out of them. With several files a table is written into the last one that has
 * `tables` (else the last one), and taken out of every one that has it. What is written is checked as the whole configuration first.
 */
import { dirname, resolve } from 'node:path';
import { hasTables, type TableEntry, withoutTable, withTable } from '../config/edit.ts';
import { readLayers } from '../config/load.ts';
import { checkEditable, editFile } from '../config/replace-file.ts';
import type { TableName } from '../config/table-name.ts';
import { readTextFile } from '../config/text-file.ts';
import { PatchwireError } from '../model/errors.ts';
import type { CommandContext } from './context.ts';

/** The file that new tables are written into. @throws PatchwireError PW-C101, PW-C102 */
export function fileForTables(paths: readonly string[]): string {
  const last = paths.at(-1) ?? '';
  return paths.findLast((path) => hasTables(readTextFile(path).text)) ?? last;
}

/**
 * Registers the tables, all of them or none.
 * @returns the file that has them now
 * @throws PatchwireError PW-C101 to PW-C104, PW-C107: no file was changed then
 */
export function addTables({ configPaths, control, flags }: CommandContext, entries: readonly TableEntry[]): string {
  const file = fileForTables(configPaths);
  editFile(file, (text) => {
    const after = entries.reduce(withTable, text);
    const texts = configPaths.map((path) => ({
      name: path,
      folder: dirname(resolve(path)),
      text: path === file ? after : readTextFile(path).text,
    }));
    readLayers(texts, { env: control.env, flags: flags() });
    return after;
  });
  return file;
}

/**
 * Whether `removeTable` would do it, as far as it can be foreseen: asked before a purge, which nothing takes back.
 * @throws PatchwireError as `removeTable`
 */
export function checkRemovable(paths: readonly string[], table: TableName, source: string): void {
  paths.filter((path) => hasTable(readTextFile(path).text, table, source)).forEach(checkEditable);
}

function hasTable(text: string, table: TableName, source: string): boolean {
  try {
    return withoutTable(text, table, source) !== text;
  } catch (error) {
    if (error instanceof PatchwireError && error.code === 'PW-C106') {
      return false;
    }
    throw error;
  }
}

/** @returns the files that had it, the last one first. @throws PatchwireError PW-C101, PW-C102, PW-C106 when none has it, PW-C107 */
export function removeTable(paths: readonly string[], table: TableName, source: string): readonly string[] {
  // The last one first: cut short between two files, what is left is a table with fewer keys, not an overlay of nothing.
  const files = paths.toReversed().filter((path) => {
    let found = true;
    try {
      editFile(path, (text) => withoutTable(text, table, source));
    } catch (error) {
      found = !(error instanceof PatchwireError && error.code === 'PW-C106');
      if (found) {
        throw error;
      }
    }
    return found;
  });
  if (files.length === 0) {
    throw new PatchwireError('PW-C106', `${table.schema}.${table.name} is in none of ${paths.join(', ')}`);
  }
  return files;
}
