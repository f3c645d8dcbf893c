/**
 * The scripts of sql/ filled for given tables: names quoted, the batches that name a table repeated for each. Reads the shipped files, so that
 * what is printed is what is tested; runs nothing.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TableName } from '../config/table-name.ts';
import { quoteName, quoteText } from '../source/sqlserver/quote.ts';

export const SCRIPTS = ['enable', 'login', 'checkpoint-store', 'disable'] as const;
export type ScriptName = (typeof SCRIPTS)[number];

export interface Filling {
  readonly database: string;
  readonly tables: readonly TableName[];
  readonly user: string;
  /** As ALTER DATABASE takes it. */
  readonly retention: string;
}

/** The script's text, for any tool that knows GO. */
export function filledScript(name: ScriptName, filling: Filling): string {
  const text = readFileSync(fileURLToPath(new URL(`../../sql/${name}.sql`, import.meta.url)), 'utf8');
  return fillScript(text, filling);
}

/** The same for a text in the manner of sql/: OrderDesk, dbo, Orders and patchwire stand for the names. */
export function fillScript(text: string, filling: Filling): string {
  const batches = withoutInstructions(text).split(/^GO[^\S\n]*$\n?/mu);
  const filled = batches.flatMap((batch) => {
    // The remarks of a batch are said once.
    const [remarks, statements] = parted(batch);
    if (!statements.includes('[dbo].[Orders]')) {
      return [fill(batch, filling, null)];
    }
    return filling.tables.map((table, i) => fill((i === 0 ? remarks : '') + statements.trimStart(), filling, table));
  });
  return filled.map((batch) => batch.trim()).join('\nGO\n\n');
}

/** Without the lines that tell a reader what to replace. */
function withoutInstructions(text: string): string {
  const kept: string[] = [];
  let telling = false;
  for (const line of text.split('\n')) {
    telling = line.startsWith('-- Replace:') || (telling && /^-- {5}/u.test(line));
    if (telling) {
      if (line.includes('Change-This-Password1!')) {
        kept.push('-- Replace Change-This-Password1! before you run this.');
      }
    } else if (!(line === '--' && kept.at(-1) === '--')) {
      kept.push(line);
    }
  }
  return kept.join('\n');
}

function parted(batch: string): readonly [string, string] {
  const lines = batch.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('--'));
  return [lines.slice(0, first).join('\n') + (first > 0 ? '\n' : ''), lines.slice(first).join('\n')];
}

function fill(batch: string, { database, user, retention }: Filling, table: TableName | null): string {
  const name = table === null ? '' : `${quoteName(table.schema)}.${quoteName(table.name)}`;
  const names: Readonly<Record<string, string>> = {
    "N'[dbo].[Orders]'": quoteText(name),
    '[dbo].[Orders]': name,
    '[OrderDesk]': quoteName(database),
    "N'OrderDesk'": quoteText(database),
    '[patchwire]': quoteName(user),
    "N'patchwire'": quoteText(user),
    '7 DAYS': retention,
  };
  const pattern = /N'\[dbo\]\.\[Orders\]'|\[dbo\]\.\[Orders\]|\[OrderDesk\]|N'OrderDesk'|\[patchwire\]|N'patchwire'|7 DAYS/gu;
  return batch
    .split('\n')
    .map((line) => {
      const comment = line.startsWith('--');
      // A name with a line break must not end its comment.
      return line.replaceAll(pattern, (found) => {
        const value = names[found] ?? found;
        return comment ? value.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ') : value;
      });
    })
    .filter((line) => table !== null || !line.includes('[dbo].[Orders]'))
    .join('\n');
}
