/** One row as it would be published: for `table show --sample`. What the table holds is shown only where it was asked for in so many words. */
import type { Config, TableConfig } from '../config/schema.ts';
import { selectionOf } from '../daemon/selection.ts';
import type { Document, JsonValue } from '../model/document.ts';
import { PatchwireError } from '../model/errors.ts';
import { encodeDataKey } from '../model/data-key.ts';
import { declaredType } from '../source/sqlserver/values.ts';
import { openTracker } from './opening.ts';

export interface SampledColumn {
  readonly column: string;
  readonly type: string;
  /** The property in the document; null: it is not published. */
  readonly property: string | null;
  readonly shape: 'hash' | 'mask' | 'truncate' | 'exclude' | null;
  readonly value: JsonValue;
  /** Only with `raw`. */
  readonly raw?: JsonValue;
}

export interface Sample {
  readonly table: string;
  readonly dataKey: string;
  readonly columns: readonly SampledColumn[];
}

export interface SampleOptions {
  /** The key's values; null: the first row. */
  readonly key: readonly string[] | null;
  readonly raw: boolean;
  readonly signal: AbortSignal;
}

/** @throws PatchwireError PW-W405 when there is no such row, PW-S225 for one that is too large, and of the S range */
export async function sampleRow(config: Config, table: TableConfig, { key, raw, signal }: SampleOptions): Promise<Sample> {
  await using tracker = await openTracker(config, table.source, signal);
  const selection = selectionOf(table);
  const { shape: _, ...unshaped } = selection;
  const described = await tracker.describe(selection, { signal });
  const plain = await tracker.describe(unshaped, { signal });
  const asked = key === null ? null : encodeDataKey(key);
  const row = await tracker.readRow(described, { dataKey: asked, signal });
  if (row === null) {
    const what =
      key === null
        ? `${described.fullName} has no row that passes its filter`
        : `${described.fullName} has no row ${key.join(', ')} that passes its filter`;
    throw new PatchwireError('PW-W405', what);
  }
  if (row.document === null) {
    throw new PatchwireError(
      'PW-S225',
      `The row ${row.dataKey} holds a value of ${row.oversizeBytes ?? 0} bytes, above limits.maxDocument.`,
    );
  }
  const before = raw ? ((await tracker.readRow(plain, { dataKey: row.dataKey, signal }))?.document ?? null) : null;
  const columns = plain.columns.map((column): SampledColumn => {
    const published = described.columns.find(({ columnId }) => columnId === column.columnId);
    return {
      column: column.name,
      type: declaredType(column),
      property: published?.property ?? null,
      shape: published === undefined ? 'exclude' : published.shaped,
      value: published === undefined ? null : valueOf(row.document, published.property),
      ...(raw ? { raw: valueOf(before, column.property) } : {}),
    };
  });
  return { table: described.fullName, dataKey: row.dataKey, columns };
}

function valueOf(document: Document | null, property: string): JsonValue {
  return document !== null && Object.hasOwn(document, property) ? (document[property] ?? null) : null;
}

const SHOWN_CHARACTERS = 60;

/** The rows of a table for people; long values cut. */
export function sampleCells(
  { columns }: Sample,
  raw: boolean,
): { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] } {
  const rows = columns.map(({ column, type, property, shape, value, raw: before }) => [
    column,
    type,
    shape ?? '-',
    ...(raw ? [cut(before ?? null)] : []),
    property ?? '-',
    property === null ? 'not published' : cut(value),
  ]);
  return { header: ['COLUMN', 'TYPE', 'SHAPE', ...(raw ? ['RAW'] : []), 'PROPERTY', 'PUBLISHED AS'], rows };
}

function cut(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS - 1)}…`;
}
