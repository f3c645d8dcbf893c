/**
 * Shaping: what becomes of a column's value before anything else sees the document. Resolves what was asked against the table's columns, and
 * makes the functions that hash, mask and truncate the value as it would be published. Values are in no error and in no log.
 */
import { createHash, createHmac } from 'node:crypto';
import { nearestName } from '../../lib/nearest.ts';
import type { JsonValue } from '../../model/document.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { ColumnShape, PublishedColumn, TableColumn, TableSelection } from '../../model/table.ts';
import { isCharacterType, keyText } from './values.ts';

/** Of a value that is not null, as it would be published. */
export type Transform = (value: JsonValue) => JsonValue;

export interface ShapedColumn {
  readonly column: PublishedColumn;
  /** null: the value stays as it is. */
  readonly transform: Transform | null;
  /** What the fingerprint says of the shape (L5); null: there is none. */
  readonly mark: unknown;
}

export interface ShapeOptions {
  readonly table: string;
  /** Of the key's columns. */
  readonly keyIds: ReadonlySet<number>;
  readonly selection: Pick<TableSelection, 'shape' | 'json'>;
  /** The secret of all hashes; null: none is configured. */
  readonly hashKey: string | null;
}

/** Shorter secrets can be guessed. */
export const HASH_KEY_MIN = 32;

const KINDS = ['exclude', 'hash', 'mask', 'truncate'] as const;

/**
 * The columns that are published, in their order, with what becomes of them.
 * @throws PatchwireError PW-S208 (no such column), PW-S228 (a key's column), PW-S229 (does not fit), PW-C103 (no key for hashes)
 */
export function shapeColumns<T extends TableColumn>(columns: readonly T[], options: ShapeOptions): readonly ShapedColumn[] {
  const { table, selection } = options;
  const shapes = new Map<number, ColumnShape>();
  for (const [name, shape] of Object.entries(selection.shape ?? {})) {
    const column = findColumn(columns, name, { table, key: 'shape' });
    if (shapes.has(column.columnId)) {
      throw misfit(table, column.name, 'has two shapes, under names that differ in case only', 'Name the column once in shape.');
    }
    check(column, shape, options);
    shapes.set(column.columnId, shape);
  }
  const shaped = columns
    .filter(({ columnId }) => shapes.get(columnId)?.exclude !== true)
    .map((column): ShapedColumn => shapedColumn(column, shapes.get(column.columnId), options));
  const seen = new Map<string, string>();
  for (const { column } of shaped) {
    const other = seen.get(column.property);
    if (other !== undefined) {
      const problem = `and the column ${other} would both be the property ${JSON.stringify(column.property)}`;
      throw misfit(table, column.name, problem, 'Give one of them another name with shape.<column>.as.');
    }
    seen.set(column.property, column.name);
  }
  return shaped;
}

/**
 * By its exact name, else without case where that names one.
 * @param key of the table's configuration, which names the column
 * @throws PatchwireError PW-S208 with the key and the nearest name
 */
export function findColumn<T extends TableColumn>(columns: readonly T[], name: string, { table, key }: { table: string; key: string }): T {
  const similar = columns.filter((column) => column.name.toLowerCase() === name.toLowerCase());
  const found = columns.find((column) => column.name === name) ?? (similar.length === 1 ? similar[0] : undefined);
  if (found === undefined) {
    const names = columns.map((column) => column.name);
    const nearest = nearestName(name, names);
    const meant = nearest === null ? '' : `; the nearest is ${nearest}`;
    throw new PatchwireError('PW-S208', `${table} has no column ${name} among those that are published, and \`${key}\` names it${meant}.`, {
      details: { table, column: name, key, nearest, columns: names },
      hint: `Correct ${key} of the table, or give it the column again.`,
    });
  }
  return found;
}

/** A column of the key stands in the data key of every message: it cannot be kept out of anything. */
export function refuseKeyColumn(table: string, column: string, what: string): PatchwireError {
  return new PatchwireError(
    'PW-S228',
    `${table}: the column ${column} belongs to the primary key and cannot be ${what}: the data key shows it.`,
    {
      details: { table, column },
    },
  );
}

function check(column: TableColumn, shape: ColumnShape, { table, keyIds, selection }: ShapeOptions): void {
  const { name, type } = column;
  const kinds = KINDS.filter((kind) => shape[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined) {
    return;
  }
  if (keyIds.has(column.columnId)) {
    throw refuseKeyColumn(table, name, { exclude: 'excluded', hash: 'hashed', mask: 'masked', truncate: 'truncated' }[kind]);
  }
  if (kinds.length > 1 || (kind === 'exclude' && shape.as !== undefined)) {
    const asked = [...kinds, ...(shape.as === undefined ? [] : ['as'])].join(' and ');
    throw misfit(
      table,
      name,
      `cannot be shaped by ${asked} at once`,
      'Keep one of them; only `as` may stand beside hash, mask or truncate.',
    );
  }
  if (kind === 'exclude') {
    return;
  }
  if (selection.json.some((other) => other.toLowerCase() === name.toLowerCase())) {
    throw misfit(table, name, `is declared json, which ${kind} would break`, 'Take the column out of json: its text is shaped then.');
  }
  if (kind === 'truncate' && !isText(type)) {
    throw misfit(table, name, `is ${type}, and only text can be truncated`, 'Use hash, mask or exclude for it.');
  }
  if (kind === 'mask' && (type === 'bit' || type === 'json' || type === 'xml')) {
    throw misfit(table, name, `is ${type}, which cannot be masked`, 'Use hash or exclude for it.');
  }
}

function isText(type: string): boolean {
  return isCharacterType(type) || type === 'text' || type === 'ntext';
}

function misfit(table: string, column: string, problem: string, hint: string): PatchwireError {
  return new PatchwireError('PW-S229', `${table}: the column ${column} ${problem}.`, { hint, details: { table, column } });
}

function shapedColumn(column: TableColumn, shape: ColumnShape | undefined, options: ShapeOptions): ShapedColumn {
  const { name, columnId, type, maxLength, precision, scale, nullable, collation } = column;
  const property = shape?.as ?? name;
  const plain = { name, columnId, type, maxLength, precision, scale, nullable, collation, property };
  if (shape?.hash !== undefined) {
    const domain = shape.hash === true ? `column\n${options.table}\n${name}` : `domain\n${shape.hash.domain}`;
    const secret = demandKey(options);
    const mark = [name, property, 'hash', domain, digestOfKey(secret)];
    return { column: { ...plain, shaped: 'hash' }, transform: hasher(secret, domain), mark };
  }
  if (shape?.mask !== undefined) {
    const { keepFirst = 0, keepLast = 0 } = shape.mask === true ? {} : shape.mask;
    const padded = type === 'char' || type === 'nchar';
    const mark = [name, property, 'mask', keepFirst, keepLast];
    return { column: { ...plain, shaped: 'mask' }, transform: (value) => mask(keyText(value), { keepFirst, keepLast, padded }), mark };
  }
  if (shape?.truncate !== undefined) {
    const length = shape.truncate;
    const mark = [name, property, 'truncate', length];
    return { column: { ...plain, shaped: 'truncate' }, transform: (value) => truncate(keyText(value), length), mark };
  }
  return { column: { ...plain, shaped: null }, transform: null, mark: property === name ? null : [name, property] };
}

function demandKey({ table, hashKey }: ShapeOptions): string {
  if (hashKey === null || hashKey.length < HASH_KEY_MIN) {
    const problem = hashKey === null ? 'is missing' : `is shorter than ${HASH_KEY_MIN} characters`;
    throw new PatchwireError('PW-C103', `${table} has columns to be hashed, and shaping.hashKey ${problem}.`, {
      hint: 'Set shaping.hashKey, such as ${env:PATCHWIRE_HASH_KEY} with the output of `openssl rand -base64 32`.',
      details: { table },
    });
  }
  return hashKey;
}

/** Each domain has a key of its own, so that no hash of one is a hash of another. */
function hasher(secret: string, domain: string): Transform {
  const key = createHmac('sha256', secret).update(`patchwire/hash/1\n${domain}`).digest();
  return (value) => createHmac('sha256', key).update(keyText(value)).digest('base64url');
}

/** Tells that the key changed, and not what it is: it goes into a digest again (L5). */
function digestOfKey(secret: string): string {
  return createHash('sha256').update(createHmac('sha256', secret).update('patchwire/fingerprint/1').digest()).digest('hex');
}

interface Mask {
  readonly keepFirst: number;
  readonly keepLast: number;
  /** char(n) and nchar(n): the spaces that fill it up are no characters. */
  readonly padded: boolean;
}

function mask(text: string, { keepFirst, keepLast, padded }: Mask): string {
  const content = padded ? text.replace(/ +$/u, '') : text;
  const characters = Array.from(content);
  const hidden = characters.length - keepFirst - keepLast;
  const masked =
    hidden <= 0
      ? '*'.repeat(characters.length)
      : `${characters.slice(0, keepFirst).join('')}${'*'.repeat(hidden)}${characters.slice(keepFirst + hidden).join('')}`;
  return masked + text.slice(content.length);
}

function truncate(text: string, length: number): string {
  if (text.length <= length) {
    return text;
  }
  let end = 0;
  for (let taken = 0; taken < length && end < text.length; taken += 1) {
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(0, end);
}
