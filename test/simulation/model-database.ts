/**
 * One database of SQL Server with one followed table, as change tracking really behaves: a version per committed transaction, one change
 * record per key that keeps its first spelling, begin and min valid versions, object ids, and commits whose rows become visible only after
 * their version. States are never changed in place, so a view is a reference and the past can be asked. Speaks no SQL: model-server.ts does.
 */
import type { Clock } from '../../src/lib/clock.ts';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

export interface Column {
  readonly name: string;
  readonly id: number;
  readonly type: 'int' | 'nvarchar';
}

/** What readers see of the table at one moment. */
export interface View {
  readonly rows: ReadonlyMap<string, Row>;
  /** By identity; `key` as change tracking spells it. */
  readonly changes: ReadonlyMap<string, { readonly key: Value; readonly version: bigint }>;
  readonly tracking: Tracking | null;
  readonly version: bigint;
  /** Moves with every definition: a view of an older one cannot be read any more (3961). */
  readonly definition: number;
}

export interface Tracking {
  readonly begin: bigint;
  readonly minValid: bigint;
}

/** What a transaction leaves of each row: null is gone. */
export type Delta = ReadonlyMap<string, Row | null>;

export interface Transaction {
  readonly writer: number;
  readonly delta: Map<string, Row | null>;
  /** How each touched key was spelled first. */
  readonly keys: Map<string, Value>;
}

/** Everything that RESTORE brings back. */
interface Backup {
  readonly view: View;
  readonly objectId: number;
  readonly columns: readonly Column[];
}

/** Told of whatever becomes the truth. `version` null: no version tells of it. */
export type CommitListener = (delta: Delta, version: bigint | null) => void;

export class ModelDatabase {
  readonly keyType: 'int' | 'nvarchar';
  readonly guid = '6f9619ff-8b86-d011-b42d-00c04fc964ff';
  onCommit: CommitListener = () => {};
  databaseTracking = true;
  allowed = true;
  objectId = 100;
  columns: readonly Column[];
  readonly #clock: Clock;
  readonly #open = new Map<number, Transaction>();
  readonly #locks = new Map<string, Transaction>();
  /** Committed, its version shown, its rows not yet. */
  #late: { readonly transaction: Transaction; readonly version: bigint | null }[] = [];
  #rows: ReadonlyMap<string, Row> = new Map();
  #view: View = { rows: new Map(), changes: new Map(), tracking: { begin: 0n, minValid: 0n }, version: 0n, definition: 0 };
  #backup: Backup | null = null;
  #nextId = 101;
  #nextColumn = 10;
  #revision = 0;

  constructor(clock: Clock, keyType: 'int' | 'nvarchar') {
    this.#clock = clock;
    this.keyType = keyType;
    this.columns = [
      { name: 'Code', id: 1, type: keyType },
      { name: 'N', id: 2, type: 'int' },
      { name: 'S', id: 3, type: 'nvarchar' },
      { name: 'State', id: 4, type: 'nvarchar' },
    ];
  }

  /** As committed, late ones included: what must be published in the end. */
  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  get view(): View {
    return this.#view;
  }

  get version(): bigint {
    return this.#view.version;
  }

  get tracking(): Tracking | null {
    return this.databaseTracking ? this.#view.tracking : null;
  }

  /** By sys.partitions: what is not committed counts. */
  get partitionRows(): number {
    let rows = this.#rows.size;
    for (const { delta } of this.#open.values()) {
      for (const [identity, row] of delta) {
        rows += (row === null ? 0 : 1) - (this.#rows.has(identity) ? 1 : 0);
      }
    }
    return rows;
  }

  /** Whether some transaction holds locks that a reader under READ COMMITTED waits for. */
  get locked(): boolean {
    return this.#locks.size > 0;
  }

  nextRevision(): number {
    this.#revision += 1;
    return this.#revision;
  }

  identity(key: Value): string {
    return typeof key === 'string' ? key.toLowerCase().replace(/ +$/u, '') : String(key);
  }

  /** The writer's open transaction, or a new one. */
  transaction(writer: number): Transaction {
    const open = this.#open.get(writer) ?? { writer, delta: new Map<string, Row | null>(), keys: new Map<string, Value>() };
    this.#open.set(writer, open);
    return open;
  }

  isOpen(writer: number): boolean {
    return this.#open.has(writer);
  }

  /** The row as the transaction sees it; undefined: another holds it. */
  read(transaction: Transaction, identity: string): Row | null | undefined {
    const holder = this.#locks.get(identity);
    if (holder !== undefined && holder !== transaction) {
      return undefined;
    }
    const own = transaction.delta.get(identity);
    return own === undefined ? (this.#rows.get(identity) ?? null) : own;
  }

  /** @returns false when another transaction holds the row */
  write(transaction: Transaction, identity: string, row: Row | null): boolean {
    if (this.read(transaction, identity) === undefined) {
      return false;
    }
    const key = this.read(transaction, identity)?.['Code'] ?? row?.['Code'];
    if (key !== undefined && !transaction.keys.has(identity)) {
      transaction.keys.set(identity, key);
    }
    // Touched is changed: that a row is what it was does not keep it out of change tracking.
    transaction.delta.set(identity, row);
    this.#locks.set(identity, transaction);
    return true;
  }

  rollback(writer: number): void {
    const transaction = this.#open.get(writer);
    this.#open.delete(writer);
    if (transaction !== undefined) {
      this.#unlock(transaction);
    }
  }

  /** The version shows at once, the rows and the end of the locks after `gapMs`. */
  commit(writer: number, gapMs: number): void {
    const transaction = this.#open.get(writer);
    this.#open.delete(writer);
    if (transaction === undefined || transaction.delta.size === 0) {
      return;
    }
    const version = this.tracking === null ? null : this.version + 1n;
    this.#view = version === null ? this.#view : { ...this.#view, version };
    this.#rows = applied(this.#rows, transaction.delta);
    this.onCommit(transaction.delta, version);
    const late = { transaction, version };
    this.#late.push(late);
    if (gapMs <= 0) {
      this.#show(late);
    } else {
      void this.#clock.sleep(gapMs).then(() => this.#show(late));
    }
  }

  /** A transaction on other tables. */
  elsewhere(): void {
    if (this.databaseTracking) {
      this.#view = { ...this.#view, version: this.version + 1n };
    }
  }

  /** Cleanup up to a version: min valid is raised, the records go. */
  cleanUp(version: bigint): void {
    const { tracking } = this.#view;
    if (tracking !== null && version > tracking.minValid) {
      const changes = new Map([...this.#view.changes].filter(([, change]) => change.version > version));
      this.#view = { ...this.#view, changes, tracking: { ...tracking, minValid: version } };
    }
  }

  /** No deletes are recorded, begin and min valid become current, which stays. */
  truncate(): void {
    this.#define();
    const gone = new Map([...this.#rows.keys()].map((identity): [string, null] => [identity, null]));
    this.#rows = new Map();
    const tracking = this.#view.tracking === null ? null : { begin: this.version, minValid: this.version };
    this.#view = { ...this.#view, rows: this.#rows, changes: new Map(), tracking };
    this.onCommit(gone, null);
  }

  disable(): void {
    this.#define();
    this.#view = { ...this.#view, changes: new Map(), tracking: null };
  }

  enable(): void {
    if (this.#view.tracking === null) {
      this.#define();
      this.#view = { ...this.#view, tracking: { begin: this.version, minValid: this.version } };
    }
  }

  /** The table is another object now, with these rows, not tracked. */
  replaceTable(rows: ReadonlyMap<string, Row>): void {
    this.#define();
    const delta = new Map<string, Row | null>([...this.#rows.keys()].map((identity): [string, null] => [identity, null]));
    rows.forEach((row, identity) => delta.set(identity, row));
    this.objectId = this.#nextId++;
    this.#rows = rows;
    this.#view = { ...this.#view, rows, changes: new Map(), tracking: null };
    this.onCommit(delta, null);
  }

  /** Existing rows have the default; change tracking says nothing of it. */
  addColumn(fill: Value): void {
    this.#define();
    const column: Column = { name: `X${this.#nextColumn}`, id: this.#nextColumn++, type: 'nvarchar' };
    this.columns = [...this.columns, column];
    this.#redefine((row) => ({ ...row, [column.name]: fill }));
  }

  /** The newest column that was added goes. */
  dropColumn(): boolean {
    const column = this.columns.at(-1);
    if (column === undefined || !column.name.startsWith('X')) {
      return false;
    }
    this.#define();
    this.columns = this.columns.slice(0, -1);
    this.#redefine((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== column.name)));
    return true;
  }

  backUp(): void {
    this.#settle();
    this.#backup = { view: this.#view, objectId: this.objectId, columns: this.columns };
  }

  /** Everything is as it was when it was backed up, the counter too. */
  restore(): boolean {
    if (this.#backup === null) {
      return false;
    }
    this.#define();
    const { view, objectId, columns } = this.#backup;
    const delta = new Map<string, Row | null>([...this.#rows.keys()].map((identity): [string, null] => [identity, null]));
    view.rows.forEach((row, identity) => delta.set(identity, row));
    this.#rows = view.rows;
    this.#view = { ...view, definition: this.#view.definition };
    this.objectId = objectId;
    this.columns = columns;
    this.onCommit(delta, null);
    return true;
  }

  /** What comes of definitions: they wait for all locks, here by ending who holds them. */
  #define(): void {
    for (const writer of this.#open.keys()) {
      this.rollback(writer);
    }
    this.#settle();
    this.#view = { ...this.#view, definition: this.#view.definition + 1 };
  }

  #redefine(change: (row: Row) => Row): void {
    const rows = new Map([...this.#rows].map(([identity, row]): [string, Row] => [identity, change(row)]));
    this.#rows = rows;
    this.#view = { ...this.#view, rows };
    this.onCommit(rows, null);
  }

  #settle(): void {
    this.#late.slice().forEach((late) => this.#show(late));
  }

  #show(late: { readonly transaction: Transaction; readonly version: bigint | null }): void {
    if (!this.#late.includes(late)) {
      return;
    }
    this.#late = this.#late.filter((other) => other !== late);
    const { transaction, version } = late;
    const before = this.#view;
    let { changes } = before;
    if (version !== null) {
      const recorded = new Map(changes);
      for (const [identity, key] of transaction.keys) {
        recorded.set(identity, { key: changes.get(identity)?.key ?? key, version });
      }
      changes = recorded;
    }
    this.#view = { ...before, rows: applied(before.rows, transaction.delta), changes };
    this.#unlock(transaction);
  }

  #unlock(transaction: Transaction): void {
    for (const [identity, holder] of this.#locks) {
      if (holder === transaction) {
        this.#locks.delete(identity);
      }
    }
  }
}

function applied(rows: ReadonlyMap<string, Row>, delta: Delta): ReadonlyMap<string, Row> {
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
