/**
 * What is worked out once per described table: which expression is selected under which alias, and how a row of the driver becomes the
 * state of a row. Pure; the statements are in queries.ts.
 */
import { decodeDataKey, encodeDataKey } from '../../model/data-key.ts';
import { comparableKeyText, identityOf, type KeyCollation } from '../../model/row-key.ts';
import type { RowState } from '../../model/change.ts';
import type { JsonValue } from '../../model/document.ts';
import type { KeyColumn, TableColumn } from '../../model/table.ts';
import { parseVersion, type Version } from '../../model/version.ts';
import { type Filter, parseFilter } from './filter.ts';
import { keyPlan, type KeyPlan } from './key-parameters.ts';
import type { Isolation } from './queries.ts';
import { quoteName } from './quote.ts';
import type { ShapedColumn, Transform } from './shape.ts';
import { columnCodec, isCharacterType, jsonCodec, keyText, type ColumnCodec, type DriverValue } from './values.ts';

export type DriverRow = Readonly<Record<string, DriverValue>>;

/** How one kind of page turns driver rows into row states. */
export interface RowReader {
  /** Approximate bytes of the row in memory are added to `size.bytes`. @throws an Error only for what is a bug */
  read(row: DriverRow, size: { bytes: number }): RowState;
}

export interface TablePlan {
  readonly name: string;
  readonly isolation: Isolation;
  readonly key: readonly KeyPlan[];
  readonly filter: Filter | null;
  /** Reads an expression over the table's columns. @throws PatchwireError PW-S210 */
  readonly expression: (text: string) => Filter;
  /** Select lists with their aliases. */
  readonly windowSelect: readonly string[];
  readonly loadSelect: readonly string[];
  /** Whether the statements use @maxValue. */
  readonly unbounded: boolean;
  window(): RowReader;
  /** @param to the version that stands for all rows of a load page */
  load(to: Version): RowReader;
  /** The identity of a row of which only the key was selected. */
  found(row: DriverRow): string;
  /** The identity of a data key. @throws RangeError when it is none */
  identityOf(dataKey: string): string;
}

export interface PlanOptions {
  /** The table's quoted name. */
  readonly name: string;
  readonly isolation: Isolation;
  readonly shaped: readonly ShapedColumn[];
  readonly key: readonly KeyColumn[];
  readonly json: readonly string[];
  readonly filter: Filter | null;
  readonly expression?: (text: string) => Filter;
  readonly onJsonKept: () => void;
}

interface Published {
  readonly property: string;
  /** What becomes of a value that is not null; null: it stays. */
  readonly transform: Transform | null;
  readonly codec: ColumnCodec;
  readonly alias: string;
  /** The alias of DATALENGTH where the column is unbounded. */
  readonly lengthAlias: string | null;
}

/** Where change tracking's spelling of a key may differ from the row's: SQL Server compares these types by rules, not by bytes. */
function isRespellable({ type }: TableColumn): boolean {
  return isCharacterType(type) || type === 'varbinary' || type === 'datetimeoffset';
}

export function tablePlan({ name, isolation, shaped, key, json, filter, expression, onJsonKept }: PlanOptions): TablePlan {
  const columns = shaped.map(({ column }) => column);
  const keys = key.map(keyPlan);
  const collations = key.map(({ keyCollation }) => keyCollation);
  const codecs = columns.map((column) => (json.includes(column.name) ? jsonCodec(column, onJsonKept) : columnCodec(column)));
  const keyIndex = (column: TableColumn): number => key.findIndex(({ columnId }) => columnId === column.columnId);
  const columnIndex = (column: TableColumn): number => columns.findIndex(({ columnId }) => columnId === column.columnId);

  const select = (taken: (column: TableColumn) => boolean): string[] =>
    columns.flatMap((column, i) => {
      const codec = codecs[i];
      return codec === undefined || taken(column) ? [] : selectColumn(column, codec, i);
    });
  const published = (alias: (column: TableColumn, i: number) => string): Published[] =>
    shaped.flatMap(({ column, transform }, i) => {
      const codec = codecs[i];
      const { property } = column;
      return codec === undefined
        ? []
        : [{ property, transform, codec, alias: alias(column, i), lengthAlias: codec.unbounded ? `b${i}` : null }];
    });

  // In a window the key comes from change tracking; what cannot be spelled in two ways is not selected twice.
  const fromChange = (column: TableColumn): boolean => keyIndex(column) >= 0 && !isRespellable(column);
  const rowAliases = key.map((column, i) =>
    !isRespellable(column) ? `k${i}` : columnIndex(column) >= 0 ? `c${columnIndex(column)}` : `r${i}`,
  );
  const windowPublished = published((column, i) => (fromChange(column) ? `k${keyIndex(column)}` : `c${i}`));
  const loadAliases = key.map((column, i) => (columnIndex(column) >= 0 ? `c${columnIndex(column)}` : `k${i}`));
  const loadPublished = published((_, i) => `c${i}`);
  const foundAliases = key.map((_, i) => `k${i}`);
  const identify = identifier(keys, collations);
  const first = key[0];
  const gone = `t.${quoteName(first?.name ?? '')} IS NULL`;

  return {
    name,
    isolation,
    key: keys,
    filter,
    expression: expression ?? ((text) => parseFilter(text, [])),
    unbounded: codecs.some(({ unbounded }) => unbounded),
    windowSelect: [
      'w.SYS_CHANGE_VERSION AS v',
      'w.SYS_CHANGE_CONTEXT AS x',
      filter === null ? `CASE WHEN ${gone} THEN 0 ELSE 1 END AS p` : `CASE WHEN ${gone} THEN 0 WHEN ${filter.sql} THEN 1 ELSE 2 END AS p`,
      ...keys.map(({ column, codec }, i) => `${codec.select(`w.${quoteName(column.name)}`)} AS k${i}`),
      ...keys.flatMap(({ column, codec }, i) =>
        rowAliases[i] === `r${i}` ? [`${codec.select(`t.${quoteName(column.name)}`)} AS r${i}`] : [],
      ),
      ...select(fromChange),
    ],
    loadSelect: [
      ...keys.flatMap(({ column, codec }, i) =>
        loadAliases[i] === `k${i}` ? [`${codec.select(`t.${quoteName(column.name)}`)} AS k${i}`] : [],
      ),
      ...select(() => false),
    ],
    window: () => windowReader({ keys, collations, rowAliases, columns: windowPublished }),
    load: (to) => loadReader({ keys, collations, rowAliases: loadAliases, columns: loadPublished }, to),
    found: (row) => identify(row, foundAliases).identity,
    identityOf: (dataKey) =>
      identityOf(
        decodeDataKey(dataKey).map((text, i) => comparableKeyText(key[i]?.type ?? '', text)),
        collations,
      ),
  };
}

/** c<i>, and for an unbounded column b<i>: its length. The value itself is selected only below the limit (R2). */
function selectColumn(column: TableColumn, codec: ColumnCodec, i: number): string[] {
  const name = `t.${quoteName(column.name)}`;
  if (!codec.unbounded) {
    return [`${codec.select(name)} AS c${i}`];
  }
  const limit = codec.bytesPerDocumentByte === 1 ? '@maxValue' : `@maxValue * ${codec.bytesPerDocumentByte}`;
  return [`CASE WHEN DATALENGTH(${name}) <= ${limit} THEN ${codec.select(name)} END AS c${i}`, `DATALENGTH(${name}) AS b${i}`];
}

interface ReaderOptions {
  readonly keys: readonly KeyPlan[];
  readonly collations: readonly (KeyCollation | null)[];
  readonly rowAliases: readonly string[];
  readonly columns: readonly Published[];
}

function windowReader(options: ReaderOptions): RowReader {
  const { keys, collations, rowAliases } = options;
  const changeAliases = keys.map((_, i) => `k${i}`);
  const respellable = rowAliases.some((alias, i) => alias !== changeAliases[i]);
  const versionOf = versionReader();
  const identify = identifier(keys, collations);
  return {
    read(row, size) {
      const changeVersion = versionOf(row['v']);
      const context = row['x'];
      const change = identify(row, changeAliases);
      size.bytes += 64 + change.dataKey.length;
      const present = row['p'];
      const current = present === 0 || !respellable ? change : identify(row, rowAliases);
      const { identity, dataKey } = current;
      const content = present === 0 || present === 2 ? GONE : documentOf(row, options.columns, size);
      // A literal, and not spreads: this runs for every row. What few rows have is added only there.
      const state: RowState = { identity, dataKey, changeVersion, document: content.document };
      if (content.unavailable === null && identity === change.identity && !Buffer.isBuffer(context)) {
        return state;
      }
      return {
        ...state,
        ...content.unavailable,
        ...(Buffer.isBuffer(context) ? { context: context.toString('hex') } : {}),
        ...(identity === change.identity ? {} : { formerIdentity: change.identity }),
      };
    },
  };
}

function loadReader(options: ReaderOptions, to: Version): RowReader {
  const identify = identifier(options.keys, options.collations);
  return {
    read(row, size) {
      const { identity, dataKey } = identify(row, options.rowAliases);
      size.bytes += 64 + dataKey.length;
      const { document, unavailable } = documentOf(row, options.columns, size);
      const state: RowState = { identity, dataKey, changeVersion: to, document };
      return unavailable === null ? state : { ...state, ...unavailable };
    },
  };
}

/** Data key and identity of a row. They are one text where no column is compared by rules. */
function identifier(
  keys: readonly KeyPlan[],
  collations: readonly (KeyCollation | null)[],
): (row: DriverRow, aliases: readonly string[]) => { readonly identity: string; readonly dataKey: string } {
  const folds = keys.some(({ column }) => isRespellable(column));
  const only = keys.length === 1 && !folds ? keys[0]?.codec : undefined;
  return (row, aliases) => {
    if (only !== undefined) {
      const dataKey = encodeDataKey([keyText(only.convert(row[aliases[0] ?? ''] ?? null))]);
      return { identity: dataKey, dataKey };
    }
    const texts = keys.map(({ codec }, i) => keyText(codec.convert(row[aliases[i] ?? ''] ?? null)));
    const dataKey = encodeDataKey(texts);
    if (!folds) {
      return { identity: dataKey, dataKey };
    }
    const comparable = texts.map((text, i) => comparableKeyText(keys[i]?.column.type ?? '', text));
    return { identity: identityOf(comparable, collations), dataKey };
  };
}

interface Content {
  readonly document: RowState['document'];
  /** What the row state says of a row that exists and has no document; null: it has one, or is gone. */
  readonly unavailable: Pick<RowState, 'oversizeBytes' | 'unrepresentable'> | null;
}

const GONE: Content = { document: null, unavailable: null };

function documentOf(row: DriverRow, columns: readonly Published[], size: { bytes: number }): Content {
  const document: Record<string, JsonValue> = {};
  let oversizeBytes = 0;
  for (const { property, transform, codec, alias, lengthAlias } of columns) {
    const value = row[alias] ?? null;
    if (value === null) {
      const length = lengthAlias === null ? null : row[lengthAlias];
      if (length !== null && length !== undefined) {
        oversizeBytes = Math.max(oversizeBytes, Number(length));
      }
    }
    size.bytes += typeof value === 'string' || Buffer.isBuffer(value) ? value.length + 16 : 16;
    let json: JsonValue = null;
    try {
      const published = value === null ? null : codec.convert(value);
      json = transform === null || published === null ? published : transform(published);
    } catch (error) {
      // Its text may hold the value.
      return unrepresentable(property, error instanceof Error ? error.name : 'an error');
    }
    if (typeof json === 'number' && !Number.isFinite(json)) {
      return unrepresentable(property, 'it is no finite number');
    }
    if (property === '__proto__') {
      Object.defineProperty(document, property, { value: json, enumerable: true, configurable: true, writable: true });
    } else {
      document[property] = json;
    }
  }
  return oversizeBytes > 0 ? { document: null, unavailable: { oversizeBytes } } : { document, unavailable: null };
}

/** One value is no reason to stop a table: the row is told by its key. */
function unrepresentable(property: string, why: string): Content {
  return { document: null, unavailable: { unrepresentable: `The value of ${property} cannot be published: ${why}.` } };
}

/** Rows of one transaction share a version: its text is parsed once. */
function versionReader(): (value: DriverValue | undefined) => Version {
  let text = '';
  let version: Version = 0n;
  return (value) => {
    const next = String(value);
    if (next !== text) {
      version = parseVersion(next);
      text = next;
    }
    return version;
  };
}
