/**
 * One followed table of a model database: rows, one change record per key that keeps its first spelling, begin and min valid versions, object
 * id, columns, and locks of rows. A key is the values of its columns; the identity of a key is what its collation takes for the same.
 */
import type { Transaction } from './model-database.ts';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;
export type Key = readonly Value[];
/** pair: (Code nvarchar, Part int). */
export type KeyType = 'int' | 'nvarchar' | 'pair';

export interface TableShape {
  readonly name: string;
  readonly keyType: KeyType;
}

export interface Column {
  readonly name: string;
  readonly id: number;
  readonly type: 'int' | 'nvarchar';
}

export interface Tracking {
  readonly begin: bigint;
  readonly minValid: bigint;
}

export interface TableView {
  readonly rows: ReadonlyMap<string, Row>;
  /** By identity; `key` as change tracking spells it. */
  readonly changes: ReadonlyMap<string, { readonly key: Key; readonly version: bigint }>;
  readonly tracking: Tracking | null;
  /** Moves with every definition: a view of an older one cannot be read any more (3961). */
  readonly definition: number;
}

/** What a transaction leaves of each row: null is gone. */
export type Delta = ReadonlyMap<string, Row | null>;

/** Told of whatever becomes the truth. `version` null: no version tells of it. */
export type CommitListener = (delta: Delta, version: bigint | null) => void;

/** What was done, for whoever does the same elsewhere. */
export type Operation =
  | { readonly kind: 'write'; readonly writer: number; readonly table: ModelTable; readonly before: Row | null; readonly after: Row | null }
  | { readonly kind: 'commit' | 'rollback'; readonly writer: number; readonly version: bigint | null }
  | { readonly kind: 'elsewhere'; readonly version: bigint }
  | { readonly kind: 'backUp' | 'restore' | 'databaseOff' | 'databaseOn' }
  | { readonly kind: 'truncate' | 'disable' | 'enable' | 'revoke' | 'grant'; readonly table: ModelTable }
  | { readonly kind: 'cleanUp'; readonly table: ModelTable; readonly version: bigint }
  | { readonly kind: 'replace'; readonly table: ModelTable; readonly rows: ReadonlyMap<string, Row> }
  | { readonly kind: 'addColumn'; readonly table: ModelTable; readonly name: string; readonly fill: Value }
  | { readonly kind: 'dropColumn'; readonly table: ModelTable; readonly name: string }
  | { readonly kind: 'renameColumn'; readonly table: ModelTable; readonly from: string; readonly to: string };

/** The database, as its tables need it. */
export interface Surroundings {
  readonly tell: (operation: Operation) => void;
  readonly view: () => { readonly tables: ReadonlyMap<string, TableView>; readonly version: bigint };
  readonly show: (name: string, table: TableView) => void;
  readonly tracked: () => boolean;
  readonly define: () => void;
  readonly open: () => readonly Transaction[];
  readonly nextId: () => number;
  readonly nextColumn: () => number;
}

const EMPTY: TableView = { rows: new Map(), changes: new Map(), tracking: null, definition: 0 };

export class ModelTable {
  readonly name: string;
  readonly keyType: KeyType;
  readonly keyColumns: readonly string[];
  onCommit: CommitListener = () => {};
  objectId: number;
  columns: readonly Column[];
  readonly #database: Surroundings;
  readonly #locks = new Map<string, Transaction>();
  #allowed = true;
  #rows: ReadonlyMap<string, Row> = new Map();

  constructor(database: Surroundings, { name, keyType }: TableShape) {
    this.#database = database;
    this.name = name;
    this.keyType = keyType;
    this.keyColumns = keyType === 'pair' ? ['Code', 'Part'] : ['Code'];
    this.objectId = database.nextId();
    this.columns = [
      { name: 'Code', id: 1, type: keyType === 'int' ? 'int' : 'nvarchar' },
      ...(keyType === 'pair' ? [{ name: 'Part', id: 2, type: 'int' as const }] : []),
      { name: 'N', id: 3, type: 'int' },
      { name: 'S', id: 4, type: 'nvarchar' },
      { name: 'State', id: 5, type: 'nvarchar' },
    ];
  }

  /** As committed, late ones included: what must be published in the end. */
  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  get view(): TableView {
    return this.#database.view().tables.get(this.name) ?? EMPTY;
  }

  get tracking(): Tracking | null {
    return this.#database.tracked() ? this.view.tracking : null;
  }

  /** Whether the daemon may see change tracking. */
  get allowed(): boolean {
    return this.#allowed;
  }

  set allowed(allowed: boolean) {
    if (allowed !== this.#allowed) {
      this.#allowed = allowed;
      this.#database.tell({ kind: allowed ? 'grant' : 'revoke', table: this });
    }
  }

  /** By sys.partitions: what is not committed counts. */
  get partitionRows(): number {
    let rows = this.#rows.size;
    for (const { tables } of this.#database.open()) {
      for (const [identity, row] of tables.get(this)?.delta ?? []) {
        rows += (row === null ? 0 : 1) - (this.#rows.has(identity) ? 1 : 0);
      }
    }
    return rows;
  }

  /** Whether some transaction holds locks that a reader under READ COMMITTED waits for. */
  get locked(): boolean {
    return this.#locks.size > 0;
  }

  keyOf(row: Row): Key {
    return this.keyColumns.map((name) => row[name] ?? null);
  }

  /** The row as the transaction sees it; undefined: another holds it. */
  read(transaction: Transaction, identity: string): Row | null | undefined {
    const holder = this.#locks.get(identity);
    if (holder !== undefined && holder !== transaction) {
      return undefined;
    }
    const own = transaction.tables.get(this)?.delta.get(identity);
    return own === undefined ? (this.#rows.get(identity) ?? null) : own;
  }

  /** @returns false when another transaction holds the row */
  write(transaction: Transaction, identity: string, row: Row | null): boolean {
    const before = this.read(transaction, identity);
    if (before === undefined) {
      return false;
    }
    const touched = transaction.tables.get(this) ?? { delta: new Map<string, Row | null>(), keys: new Map<string, Key>() };
    transaction.tables.set(this, touched);
    const spelled = before ?? row;
    if (spelled !== null && !touched.keys.has(identity)) {
      touched.keys.set(identity, this.keyOf(spelled));
    }
    // Touched is changed: that a row is what it was does not keep it out of change tracking.
    touched.delta.set(identity, row);
    this.#database.tell({ kind: 'write', writer: transaction.writer, table: this, before, after: row });
    this.#locks.set(identity, transaction);
    return true;
  }

  unlock(transaction: Transaction): void {
    for (const [identity, holder] of this.#locks) {
      if (holder === transaction) {
        this.#locks.delete(identity);
      }
    }
  }

  /** What the database commits. */
  commit(delta: Delta, version: bigint | null): void {
    this.#rows = applied(this.#rows, delta);
    this.onCommit(delta, version);
  }

  show(view: TableView): void {
    this.#database.show(this.name, view);
  }

  /** Cleanup up to a version: min valid is raised, the records go. @returns whether it was not there yet */
  cleanUp(version: bigint): boolean {
    const { tracking, changes } = this.view;
    if (tracking === null || version <= tracking.minValid) {
      return false;
    }
    this.#database.tell({ kind: 'cleanUp', table: this, version });
    const left = new Map([...changes].filter(([, change]) => change.version > version));
    this.show({ ...this.view, changes: left, tracking: { ...tracking, minValid: version } });
    return true;
  }

  /** No deletes are recorded, begin and min valid become current, which stays. */
  truncate(): void {
    this.#define();
    this.#database.tell({ kind: 'truncate', table: this });
    const gone = this.#allGone();
    const { version } = this.#database.view();
    this.#rows = new Map();
    const tracking = this.view.tracking === null ? null : { begin: version, minValid: version };
    this.show({ ...this.view, rows: this.#rows, changes: new Map(), tracking });
    this.onCommit(gone, null);
  }

  disable(): void {
    if (this.view.tracking !== null) {
      this.#define();
      this.#database.tell({ kind: 'disable', table: this });
      this.show({ ...this.view, changes: new Map(), tracking: null });
    }
  }

  /** Only where the database is tracked. */
  enable(): void {
    if (this.view.tracking === null && this.#database.tracked()) {
      this.#define();
      const { version } = this.#database.view();
      this.#database.tell({ kind: 'enable', table: this });
      this.show({ ...this.view, tracking: { begin: version, minValid: version } });
    }
  }

  /** The table is another object now, with these rows, not tracked. */
  replace(rows: ReadonlyMap<string, Row>): void {
    this.#define();
    const delta = this.#allGone();
    rows.forEach((row, identity) => delta.set(identity, row));
    this.#database.tell({ kind: 'replace', table: this, rows });
    this.objectId = this.#database.nextId();
    this.#rows = rows;
    this.show({ ...this.view, rows, changes: new Map(), tracking: null });
    this.onCommit(delta, null);
  }

  restore(view: TableView, { objectId, columns }: { readonly objectId: number; readonly columns: readonly Column[] }): void {
    this.#define();
    const delta = this.#allGone();
    view.rows.forEach((row, identity) => delta.set(identity, row));
    this.#rows = view.rows;
    this.show({ ...view, definition: this.view.definition });
    this.objectId = objectId;
    this.columns = columns;
    this.onCommit(delta, null);
  }

  /** Existing rows have the default; change tracking says nothing of it. */
  addColumn(fill: Value): Column {
    this.#define();
    const id = this.#database.nextColumn();
    const column: Column = { name: `X${id}`, id, type: 'nvarchar' };
    this.#database.tell({ kind: 'addColumn', table: this, name: column.name, fill });
    this.columns = [...this.columns, column];
    this.#redefine((row) => ({ ...row, [column.name]: fill }));
    return column;
  }

  /** The newest column that was added goes. @returns it; null: none was */
  dropColumn(): Column | null {
    const column = this.#added();
    if (column !== null) {
      this.#define();
      this.#database.tell({ kind: 'dropColumn', table: this, name: column.name });
      this.columns = this.columns.slice(0, -1);
      this.#redefine((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== column.name)));
    }
    return column;
  }

  /** The newest column that was added has another name: its id, values and place stay. @returns the old name; null: none was added */
  renameColumn(): { readonly from: string; readonly to: string } | null {
    const column = this.#added();
    if (column === null) {
      return null;
    }
    this.#define();
    const to = `X${this.#database.nextColumn()}`;
    this.#database.tell({ kind: 'renameColumn', table: this, from: column.name, to });
    this.columns = [...this.columns.slice(0, -1), { ...column, name: to }];
    this.#redefine((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name === column.name ? to : name, value])));
    return { from: column.name, to };
  }

  #added(): Column | null {
    const column = this.columns.at(-1);
    return column?.name.startsWith('X') === true ? column : null;
  }

  #allGone(): Map<string, Row | null> {
    return new Map([...this.#rows.keys()].map((identity): [string, null] => [identity, null]));
  }

  #define(): void {
    this.#database.define();
    this.show({ ...this.view, definition: this.view.definition + 1 });
  }

  #redefine(change: (row: Row) => Row): void {
    const rows = new Map([...this.#rows].map(([identity, row]): [string, Row] => [identity, change(row)]));
    this.#rows = rows;
    this.show({ ...this.view, rows });
    this.onCommit(rows, null);
  }
}

/** What its collation, and the padding of comparisons, take for the same. */
export function identityOf(key: Key): string {
  return key.map((value) => (typeof value === 'string' ? value.toLowerCase().replace(/ +$/u, '') : String(value))).join('|');
}

/** The order of a primary key. */
export function keyOrder(a: Key, b: Key): number {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? null;
    if (typeof value === 'number' && typeof other === 'number') {
      if (value !== other) {
        return value - other;
      }
      continue;
    }
    const [x, y] = [identityOf([value]), identityOf([other])];
    if (x !== y) {
      return x < y ? -1 : 1;
    }
  }
  return 0;
}

export function applied(rows: ReadonlyMap<string, Row>, delta: Delta): ReadonlyMap<string, Row> {
  const after = new Map(rows);
  for (const [identity, row] of delta) {
    if (row === null) {
      after.delete(identity);
    } else {
      after.set(identity, row);
    }
  }
  return after;
}
