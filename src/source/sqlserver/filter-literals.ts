/**
 * What literals a column may be compared with in a filter, and how they are written as T-SQL: typed, escaped, and meaning the same under
 * every language and date format of the session.
 */
import type { TableColumn } from '../../model/table.ts';
import { declaredType } from './values.ts';
import type { Token } from './filter-tokens.ts';

/** Columns of one family may be compared with each other; a family says which literals fit. */
export type Family = 'number' | 'text' | 'date' | 'time' | 'guid' | 'binary' | 'bit';

const FAMILIES: ReadonlyMap<string, Family> = new Map<string, Family>([
  ...['tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'float', 'real'].map(
    (type): [string, Family] => [type, 'number'],
  ),
  ...['char', 'varchar', 'nchar', 'nvarchar'].map((type): [string, Family] => [type, 'text']),
  ...['date', 'datetime', 'datetime2', 'smalldatetime', 'datetimeoffset'].map((type): [string, Family] => [type, 'date']),
  ['time', 'time'],
  ['uniqueidentifier', 'guid'],
  ['binary', 'binary'],
  ['varbinary', 'binary'],
  ['timestamp', 'binary'],
  ['bit', 'bit'],
]);

/** null: the type cannot stand in a filter (xml, text, image, json). */
export function familyOf(column: TableColumn): Family | null {
  return FAMILIES.get(column.type) ?? null;
}

/** What fits, in words for a refusal. */
export const EXPECTED: Readonly<Record<Family, string>> = {
  number: 'a number',
  text: 'a text in single quotes',
  date: "a date such as '2026-01-31' or '2026-01-31T23:59:59'",
  time: "a time such as '23:59:59'",
  guid: 'a uniqueidentifier in single quotes',
  binary: 'a binary literal such as 0xFF',
  bit: '0 or 1',
};

/** The literal as T-SQL for a comparison with the column, or null where it does not fit. `negative`: a minus stood before it. */
export function literalFor(column: TableColumn, token: Token, negative: boolean): string | null {
  const family = familyOf(column);
  if (negative && (family !== 'number' || token.kind !== 'number')) {
    return null;
  }
  switch (family) {
    case 'number':
      return token.kind === 'number' ? numberLiteral(column, token.text, negative) : null;
    case 'bit':
      return token.kind === 'number' && (token.text === '0' || token.text === '1') ? token.text : null;
    case 'text':
      return token.kind === 'string' ? textLiteral(column, token.text) : null;
    case 'binary':
      return token.kind === 'binary' && token.text.length % 2 === 0 ? `0x${token.text}` : null;
    case 'guid':
      return token.kind === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(token.text)
        ? `CONVERT(uniqueidentifier, '${token.text.toLowerCase()}')`
        : null;
    case 'time':
      return token.kind === 'string' && isTime(token.text) ? `CONVERT(${declaredType(column)}, '${token.text}')` : null;
    case 'date':
      return token.kind === 'string' ? dateLiteral(column, token.text) : null;
    case null:
      return null;
  }
}

/** A text literal; national unless the column is varchar and the text is plain ASCII. */
export function textLiteral(column: TableColumn, text: string): string {
  const national = column.type.startsWith('n') || !/^[\x20-\x7e]*$/.test(text);
  return `${national ? 'N' : ''}'${text.replaceAll("'", "''")}'`;
}

/** Digits are written as they stand, but an exponent only for float and real: 1e3 is a float in T-SQL. */
function numberLiteral(column: TableColumn, text: string, negative: boolean): string | null {
  const floating = column.type === 'float' || column.type === 'real';
  const digits = text
    .replace(/[eE].*$/, '')
    .replace('.', '')
    .replace(/^0+/, '');
  if ((!floating && /[eE]/.test(text)) || digits.length > 38 || !Number.isFinite(Number(text))) {
    return null;
  }
  return `${negative ? '-' : ''}${text}`;
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?))?(Z|[+-]\d{2}:\d{2})?$/;

function dateLiteral(column: TableColumn, text: string): string | null {
  const match = DATE.exec(text);
  if (match === null) {
    return null;
  }
  const [, year = '', month = '', day = '', time = '00:00:00', offset = ''] = match;
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const exists = Number(year) >= 1 && Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= lastDay;
  if (!exists || !isTime(time) || (offset !== '' && column.type !== 'datetimeoffset')) {
    return null;
  }
  if (column.type === 'date') {
    return match[4] === undefined ? `CONVERT(date, '${year}-${month}-${day}', 126)` : null;
  }
  const seconds = time.length === 5 ? `${time}:00` : time;
  const [whole = '', part = ''] = seconds.split('.');
  const digits = column.type === 'datetime' ? part.slice(0, 3) : part;
  const moment = `${year}-${month}-${day}T${whole}${digits === '' ? '' : `.${digits}`}`;
  if (column.type === 'datetimeoffset') {
    return `CONVERT(datetimeoffset(7), '${moment}${offset === '' || offset === 'Z' ? '+00:00' : offset}')`;
  }
  return `CONVERT(${column.type === 'datetime2' ? 'datetime2(7)' : column.type}, '${moment}', 126)`;
}

function isTime(text: string): boolean {
  const match = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,7})?)?$/.exec(text);
  return match !== null && Number(match[1]) < 24 && Number(match[2]) < 60 && Number(match[3] ?? '0') < 60;
}
