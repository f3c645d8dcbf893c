/**
 * What exists: databases, schemas, tables with their columns, keys and constraints, views, synonyms. Plain structures and how they are found
 * by name; changing them (with undo) is the business of the definition files. Names are compared without case, as the default collation does.
 */
import type { TriggerAction } from '../sql/ast-definition.ts';
import type { Expression } from '../sql/ast-expression.ts';
import type { CommonTable, Query } from '../sql/ast.ts';
import type { SqlType } from '../sql-types.ts';
import type { ChangeTracker } from './change-tracking.ts';
import type { RowStore } from './row-store.ts';
import type { TableLocks } from './table-locks.ts';
import type { DatabaseTracking } from './version-counter.ts';

export interface Column {
  readonly name: string;
  /** column_id: never used again, kept through renames. */
  readonly id: number;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity: IdentityCounter | null;
  readonly default: DefaultConstraint | null;
  readonly computed: { readonly expression: Expression; readonly text: string; readonly persisted: boolean } | null;
  readonly rowGuid: boolean;
}

/** Values handed out are not taken back by a rollback, as in SQL Server. */
export interface IdentityCounter {
  readonly seed: bigint;
  readonly increment: bigint;
  /** null: none handed out yet. */
  last: bigint | null;
}

export interface DefaultConstraint {
  readonly name: string;
  readonly objectId: number;
  readonly expression: Expression;
  readonly text: string;
  readonly systemNamed: boolean;
}

export interface IndexDefinition {
  readonly name: string;
  /** index_id: 1 is the clustered one. */
  readonly id: number;
  readonly kind: 'primary key' | 'unique' | 'index';
  readonly unique: boolean;
  readonly clustered: boolean;
  readonly columns: readonly { readonly columnId: number; readonly descending: boolean }[];
  readonly include: readonly number[];
  /** Object id of the constraint; 0 for a plain index. */
  readonly objectId: number;
  /** Of a filtered index: which rows are in it. */
  readonly filter: { readonly expression: Expression; readonly text: string } | null;
  /** The server made the name up. */
  readonly systemNamed: boolean;
}

export interface CheckConstraint {
  readonly name: string;
  readonly objectId: number;
  readonly expression: Expression;
  readonly text: string;
  readonly systemNamed: boolean;
  /** The column that it is written at; 0 for one of the table. */
  readonly columnId: number;
  enabled: boolean;
  /** Every row is known to satisfy it. */
  trusted: boolean;
}

export interface ForeignKey {
  readonly name: string;
  readonly objectId: number;
  readonly columnIds: readonly number[];
  readonly references: Table;
  readonly referencedIds: readonly number[];
  readonly onDelete: ReferentialRule;
  readonly onUpdate: ReferentialRule;
  readonly systemNamed: boolean;
  enabled: boolean;
  /** Every row is known to satisfy it. */
  trusted: boolean;
}

export type ReferentialRule = 'noAction' | 'cascade' | 'setNull' | 'setDefault';

/** A table as it is now. Its definition is replaced in place by DDL, under a schema modification lock. */
export interface Table {
  readonly kind: 'table';
  readonly database: Database;
  readonly objectId: number;
  schema: Schema;
  name: string;
  columns: readonly Column[];
  indexes: readonly IndexDefinition[];
  checks: readonly CheckConstraint[];
  foreignKeys: readonly ForeignKey[];
  store: RowStore;
  tracker: ChangeTracker | null;
  triggers: readonly Trigger[];
  lastColumnId: number;
  /** Stamp of the last change of its definition: an older view cannot use it (3961). */
  definedSeq: number;
  readonly locks: TableLocks;
  readonly createdAt: number;
  modifiedAt: number;
  /** Tables of a session: neither tracked nor seen by others. */
  readonly temporary: boolean;
  /** A table-valued parameter. */
  readonly readOnly?: boolean;
  /** user_type_id of the table type that a variable is of. */
  readonly typeId?: number;
}

/** An AFTER trigger. Fires once for each statement that takes one of its actions. */
export interface Trigger {
  readonly name: string;
  readonly objectId: number;
  readonly schema: Schema;
  readonly actions: readonly TriggerAction[];
  /** Its statements; blank lines before them stand for those of the definition. */
  readonly body: string;
  readonly text: string;
  readonly enabled: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface View {
  readonly kind: 'view';
  readonly objectId: number;
  readonly schema: Schema;
  readonly name: string;
  readonly columns: readonly string[];
  readonly ctes: readonly CommonTable[];
  readonly query: Query;
  /** The statement that made it. */
  readonly text: string;
  readonly schemaBound: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface Synonym {
  readonly kind: 'synonym';
  readonly objectId: number;
  readonly schema: Schema;
  readonly name: string;
  readonly target: readonly [server: string | null, database: string | null, schema: string | null, name: string];
  readonly createdAt: number;
}

export type CatalogObject = Table | View | Synonym;

/** Who may come in, as sys.databases names it. */
export type UserAccess = 'MULTI_USER' | 'SINGLE_USER' | 'RESTRICTED_USER';

export interface Schema {
  readonly id: number;
  readonly name: string;
}

export class Database {
  readonly id: number;
  name: string;
  readonly collation: string;
  readonly createdAt: number;
  readonly brokerGuid: string;
  readonly tracking: DatabaseTracking;
  readonly schemas = new Map<string, Schema>();
  /** Objects by `schema.name` in lower case. */
  readonly objects = new Map<string, CatalogObject>();
  snapshotAllowed = false;
  readCommittedSnapshot = false;
  readOnly = false;
  /** It stands for a database of a secondary replica: there CHANGETABLE is 22117. */
  secondary = false;
  offline = false;
  access: UserAccess = 'MULTI_USER';
  /** The session that made it SINGLE_USER has it for itself until it ends, wherever it is; null: whoever comes first has it. */
  holder: number | null = null;
  /** Shared with its backups: what a restore may replace without being told to. */
  readonly family: object;
  /** Options that are remembered and shown but change nothing here. */
  readonly options = new Map<string, string>();
  /** @@DBTS: the last rowversion handed out. */
  lastRowVersion = 2000n;
  readonly locks: TableLocks;
  readonly system: boolean;
  #lastObjectId: number;

  constructor(options: {
    id: number;
    name: string;
    collation: string;
    createdAt: number;
    brokerGuid: string;
    tracking: DatabaseTracking;
    locks: TableLocks;
    system: boolean;
    family?: object;
    lastObjectId?: number;
  }) {
    this.id = options.id;
    this.name = options.name;
    this.collation = options.collation;
    this.createdAt = options.createdAt;
    this.brokerGuid = options.brokerGuid;
    this.tracking = options.tracking;
    this.locks = options.locks;
    this.system = options.system;
    this.family = options.family ?? {};
    this.#lastObjectId = options.lastObjectId ?? 245_575_913;
    for (const [id, name] of [
      [1, 'dbo'],
      [2, 'guest'],
      [3, 'INFORMATION_SCHEMA'],
      [4, 'sys'],
    ] as const) {
      this.schemas.set(name.toLowerCase(), { id, name });
    }
  }

  get lastObjectId(): number {
    return this.#lastObjectId;
  }

  nextObjectId(): number {
    this.#lastObjectId += 16_000_057;
    if (this.#lastObjectId > 2_147_483_647) {
      this.#lastObjectId -= 2_147_483_000;
    }
    return this.#lastObjectId;
  }

  schema(name: string | null): Schema | undefined {
    return this.schemas.get((name ?? 'dbo').toLowerCase());
  }

  find(schema: string | null, name: string): CatalogObject | undefined {
    return this.objects.get(objectKey(schema ?? 'dbo', name));
  }

  tables(): Table[] {
    return [...this.objects.values()].filter((object) => object.kind === 'table');
  }

  objectById(id: number): CatalogObject | undefined {
    for (const object of this.objects.values()) {
      if (object.objectId === id) {
        return object;
      }
    }
    return undefined;
  }
}

export function objectKey(schema: string, name: string): string {
  return `${schema.toLowerCase()}.${name.toLowerCase()}`;
}

export function sameName(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

export function columnByName(table: Table, name: string): Column | undefined {
  return table.columns.find((column) => sameName(column.name, name));
}

export function columnIndex(table: Table, columnId: number): number {
  return table.columns.findIndex((column) => column.id === columnId);
}

export function primaryKey(table: Table): IndexDefinition | null {
  return table.indexes.find((index) => index.kind === 'primary key') ?? null;
}

/** Where the values of an index stand in a row. */
export function indexPositions(table: Table, index: IndexDefinition): number[] {
  return index.columns.map((each) => columnIndex(table, each.columnId));
}
