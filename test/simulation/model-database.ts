/**
 * One database of SQL Server with followed tables, as change tracking really behaves: a version per committed transaction, whatever tables it
 * touched; open transactions with their locks; commits whose rows become visible only after their version; backups. What is of one table is in
 * model-table.ts. States are never changed in place, so a view is a reference and the past can be asked. Speaks no SQL: model-server.ts does.
 */
import type { Clock } from '../../src/lib/clock.ts';
import { applied, type Column, type Key, ModelTable, type Operation, type Row, type TableShape, type TableView } from './model-table.ts';

/** What readers see of the database at one moment. */
export interface View {
  readonly tables: ReadonlyMap<string, TableView>;
  readonly version: bigint;
}

/** What a transaction did to one table. */
export interface Touched {
  /** What it leaves of each row: null is gone. */
  readonly delta: Map<string, Row | null>;
  /** How each touched key was spelled first. */
  readonly keys: Map<string, Key>;
}

export interface Transaction {
  readonly writer: number;
  readonly tables: Map<ModelTable, Touched>;
}

/** Committed, its version shown, its rows not yet. */
interface Late {
  readonly transaction: Transaction;
  /** By table; null where it was not tracked. */
  readonly versions: ReadonlyMap<ModelTable, bigint | null>;
}

/** Everything that RESTORE brings back. */
interface Backup {
  readonly view: View;
  readonly tables: ReadonlyMap<ModelTable, { readonly objectId: number; readonly columns: readonly Column[] }>;
  readonly tracked: boolean;
}

export class ModelDatabase {
  readonly guid = '6f9619ff-8b86-d011-b42d-00c04fc964ff';
  readonly tables: readonly ModelTable[];
  /** Told of everything that is done, in its order. */
  onOperation: (operation: Operation) => void = () => {};
  #tracked = true;
  readonly #clock: Clock;
  readonly #open = new Map<number, Transaction>();
  #late: Late[] = [];
  #view: View;
  #backup: Backup | null = null;
  #nextId = 100;
  #nextColumn = 10;
  #revision = 0;

  constructor(clock: Clock, tables: readonly TableShape[]) {
    this.#clock = clock;
    const shared = {
      view: () => this.#view,
      show: (name: string, table: TableView) => this.#show({ ...this.#view, tables: new Map([...this.#view.tables, [name, table]]) }),
      tell: (operation: Operation) => this.onOperation(operation),
      tracked: () => this.#tracked,
      define: () => this.#define(),
      open: () => [...this.#open.values()],
      nextId: () => this.#nextId++,
      nextColumn: () => this.#nextColumn++,
    };
    this.#view = {
      tables: new Map(
        tables.map(({ name }) => [name, { rows: new Map(), changes: new Map(), tracking: { begin: 0n, minValid: 0n }, definition: 0 }]),
      ),
      version: 0n,
    };
    this.tables = tables.map((shape) => new ModelTable(shared, shape));
  }

  get view(): View {
    return this.#view;
  }

  get version(): bigint {
    return this.#view.version;
  }

  get databaseTracking(): boolean {
    return this.#tracked;
  }

  /** For the whole database; no table may be tracked when it is switched off. */
  set databaseTracking(tracked: boolean) {
    if (tracked !== this.#tracked) {
      this.#tracked = tracked;
      this.onOperation({ kind: tracked ? 'databaseOn' : 'databaseOff' });
    }
  }

  get canRestore(): boolean {
    return this.#backup !== null;
  }

  table(name: string): ModelTable {
    const found = this.tables.find((table) => table.name === name);
    if (found === undefined) {
      throw new Error(`the simulation has no table ${name}`);
    }
    return found;
  }

  nextRevision(): number {
    this.#revision += 1;
    return this.#revision;
  }

  /** The writer's open transaction, or a new one. */
  transaction(writer: number): Transaction {
    const open = this.#open.get(writer) ?? { writer, tables: new Map<ModelTable, Touched>() };
    this.#open.set(writer, open);
    return open;
  }

  isOpen(writer: number): boolean {
    return this.#open.has(writer);
  }

  rollback(writer: number): void {
    const transaction = this.#open.get(writer);
    this.#open.delete(writer);
    if (transaction !== undefined) {
      this.onOperation({ kind: 'rollback', writer, version: null });
      this.#unlock(transaction);
    }
  }

  /** The version shows at once, the rows and the end of the locks after `gapMs`. @returns whether it touched a row */
  commit(writer: number, gapMs: number): boolean {
    const transaction = this.#open.get(writer);
    this.#open.delete(writer);
    const touched = [...(transaction?.tables ?? [])].filter(([, { delta }]) => delta.size > 0);
    if (transaction === undefined || touched.length === 0) {
      if (transaction !== undefined) {
        this.onOperation({ kind: 'rollback', writer, version: null });
      }
      return false;
    }
    const tracked = touched.some(([table]) => table.tracking !== null);
    const version = tracked ? this.version + 1n : null;
    this.onOperation({ kind: 'commit', writer, version });
    if (version !== null) {
      this.#show({ ...this.#view, version });
    }
    const versions = new Map(touched.map(([table]) => [table, table.tracking === null ? null : version]));
    for (const [table, { delta }] of touched) {
      table.commit(delta, versions.get(table) ?? null);
    }
    const late = { transaction, versions };
    this.#late.push(late);
    if (gapMs <= 0) {
      this.#reveal(late);
    } else {
      void this.#clock.sleep(gapMs).then(() => this.#reveal(late));
    }
    return true;
  }

  /** A transaction on tables that nobody follows. */
  elsewhere(): void {
    if (this.#tracked) {
      this.onOperation({ kind: 'elsewhere', version: this.version + 1n });
      this.#show({ ...this.#view, version: this.version + 1n });
    }
  }

  backUp(): void {
    this.#settle();
    this.onOperation({ kind: 'backUp' });
    const tables = new Map(this.tables.map((table) => [table, { objectId: table.objectId, columns: table.columns }]));
    this.#backup = { view: this.#view, tables, tracked: this.#tracked };
  }

  /** Everything is as it was when it was backed up, the counter too. */
  restore(): boolean {
    const backup = this.#backup;
    if (backup === null) {
      return false;
    }
    this.#define();
    this.onOperation({ kind: 'restore' });
    this.#tracked = backup.tracked;
    this.#show({ ...this.#view, version: backup.view.version });
    for (const table of this.tables) {
      const was = backup.tables.get(table);
      const view = backup.view.tables.get(table.name);
      if (was !== undefined && view !== undefined) {
        table.restore(view, was);
      }
    }
    return true;
  }

  #show(view: View): void {
    this.#view = view;
  }

  /** What comes of definitions: they wait for all locks, here by ending who holds them. */
  #define(): void {
    for (const writer of this.#open.keys()) {
      this.rollback(writer);
    }
    this.#settle();
  }

  #settle(): void {
    this.#late.slice().forEach((late) => this.#reveal(late));
  }

  #reveal(late: Late): void {
    if (!this.#late.includes(late)) {
      return;
    }
    this.#late = this.#late.filter((other) => other !== late);
    for (const [table, { delta, keys }] of late.transaction.tables) {
      const before = table.view;
      const version = late.versions.get(table) ?? null;
      let { changes } = before;
      if (version !== null) {
        const recorded = new Map(changes);
        for (const [identity, key] of keys) {
          recorded.set(identity, { key: changes.get(identity)?.key ?? key, version });
        }
        changes = recorded;
      }
      table.show({ ...before, rows: applied(before.rows, delta), changes });
    }
    this.#unlock(late.transaction);
  }

  #unlock(transaction: Transaction): void {
    transaction.tables.forEach((_, table) => table.unlock(transaction));
  }
}
