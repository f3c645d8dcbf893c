/** Stores for tables: the order and the unique keys of their rows, from columns and indexes; and rows carried into a new store when a definition changes. */
import type { Expression } from '../sql/ast-expression.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Column, IndexDefinition, Table } from './catalog.ts';
import { duplicateKey } from './errors.ts';
import { coerce, rowHasher, valueOrder } from './expressions.ts';
import type { CompareKeys, RowKey } from './ordered-rows.ts';
import type { Row, RowVersion, StoreShape, UniqueKey, Vacuumer } from './row-store.ts';
import { RowStore } from './row-store.ts';
import { rowCondition } from './row-condition.ts';
import { twoPartName } from './object-names.ts';
import type { StatementContext } from './statement-context.ts';

/** The parts of a table that its store depends on. */
export type StoredShape = Pick<Table, 'columns' | 'indexes' | 'schema' | 'name' | 'temporary'>;

function positionsOf(columns: readonly Column[], index: IndexDefinition): number[] {
  return index.columns.map((each) => columns.findIndex((column) => column.id === each.columnId));
}

function typesAt(columns: readonly Column[], positions: readonly number[]): SqlType[] {
  return positions.flatMap((position) => columns[position]?.type ?? []);
}

export function compareKeysOf(types: readonly SqlType[], descending: readonly boolean[]): CompareKeys {
  const orders = types.map((type) => valueOrder(type));
  const [only] = orders;
  if (orders.length === 1 && only !== undefined) {
    const sign = descending[0] === true ? -1 : 1;
    return (a, b) => (a.length === 0 || b.length === 0 ? 0 : only(a[0] ?? null, b[0] ?? null) * sign);
  }
  return (a, b) => {
    const length = Math.min(a.length, b.length);
    for (let index = 0; index < length; index += 1) {
      const order = orders[index]?.(a[index] ?? null, b[index] ?? null) ?? 0;
      if (order !== 0) {
        return descending[index] === true ? -order : order;
      }
    }
    return 0;
  };
}

const BY_NUMBER: CompareKeys = (a, b) => Number(a[0]) - Number(b[0]);

export function createStore(table: StoredShape, vacuumer: Vacuumer): RowStore {
  const { columns } = table;
  const key = table.indexes.find((index) => index.kind === 'primary key');
  const positions = key === undefined ? [] : positionsOf(columns, key);
  const uniques = table.indexes
    .filter((index) => index.unique && index !== key)
    .map((index): UniqueKey & { readonly index: IndexDefinition } => {
      const at = positionsOf(columns, index);
      const hash = rowHasher(typesAt(columns, at));
      const values = (row: Row): string => hash(at.map((position) => row[position] ?? null));
      return { name: index.name, index, hash: index.filter === null ? values : filtered(columns, index.filter.expression, values) };
    });
  const shape: StoreShape = {
    compare:
      key === undefined
        ? BY_NUMBER
        : compareKeysOf(
            typesAt(columns, positions),
            key.columns.map((column) => column.descending),
          ),
    keyOf: key === undefined ? null : (row): RowKey => positions.map((position) => row[position] ?? null),
    uniques,
    duplicate: (unique, row) => {
      const index = unique === null ? key : uniques.find((each) => each === unique)?.index;
      if (index === undefined) {
        throw new Error('a key that the table does not have');
      }
      const values = positionsOf(columns, index).map((position) => describeValue(row[position] ?? null, columns[position]?.type));
      return duplicateKey(index, twoPartName(table as Table), values.join(', '));
    },
  };
  return new RowStore(shape, vacuumer);
}

/** A row outside of a filtered index is equal to none: its hash is its own. */
function filtered(columns: readonly Column[], condition: Expression, hash: (row: Row) => string): (row: Row) => string {
  const test = rowCondition(columns, condition);
  const outside = new WeakMap<Row, string>();
  let last = 0;
  return (row) => {
    if (test(row) === true) {
      return `in ${hash(row)}`;
    }
    let own = outside.get(row);
    if (own === undefined) {
      last += 1;
      own = `out ${last}`;
      outside.set(row, own);
    }
    return own;
  };
}

function describeValue(value: SqlValue, type: SqlType | undefined): string {
  if (value === null) {
    return '<NULL>';
  }
  if (typeof value === 'number' || typeof value === 'string') {
    return String(value);
  }
  if (type === undefined) {
    return '';
  }
  const text = coerce(
    { type, nullable: false, evaluate: () => value, label: 'implicit', constant: false, untyped: false, digits: null },
    { name: 'nvarchar', length: 4000, collation: 'Latin1_General_BIN2' },
    { explicit: true },
  );
  const shown = text.evaluate({ rows: [], variables: [], system: { dateFormat: () => 'mdy' } as never });
  return typeof shown === 'string' ? shown : '';
}

/**
 * Carries the rows of a table into a store of a new shape. Versions of the open transaction stay its own; older versions are left behind
 * (a view from before the change cannot use the table any more: 3961).
 * @throws what `convert` throws, and the shape's duplicate error.
 */
export function rewriteRows(context: StatementContext, table: Table, shape: StoredShape, convert: (row: Row) => Row): RowStore {
  const { transaction } = context;
  const store = createStore(shape, context.instance.manager);
  const keyOf = store.shape.keyOf;
  const chains = [];
  for (const { head } of table.store.walk()) {
    if (head === null || head.row === null) {
      continue;
    }
    const row = convert(head.row);
    const version: RowVersion = { row, writer: head.writer, seq: head.seq, prev: null };
    const chain = { key: keyOf === null ? [store.nextRowId()] : keyOf(row), head: version };
    if (keyOf !== null && store.get(chain.key) !== undefined) {
      throw store.shape.duplicate(null, row);
    }
    store.load(chain);
    if (version.writer !== null) {
      store.adopt(transaction, chain, version);
    }
    chains.push(chain);
  }
  for (const chain of chains) {
    store.checkUniques(transaction, chain);
  }
  return store;
}
