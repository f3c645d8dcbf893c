/** The statements of the syntax tree that define: databases, tables, indexes, change tracking, logins and rights. */
import type { CommonTable, Query } from './ast.ts';
import type { Expression, Node, ObjectName, TypeName } from './ast-expression.ts';

export type DefinitionStatement =
  | CreateDatabaseStatement
  | AlterDatabaseStatement
  | CreateSchemaStatement
  | CreateTableStatement
  | AlterTableStatement
  | CreateIndexStatement
  | CreateViewStatement
  | CreateSynonymStatement
  | AlterIndexStatement
  | TransferStatement
  | CreateSequenceStatement
  | DropStatement
  | DropIndexStatement
  | CreateTriggerStatement
  | ToggleTriggersStatement
  | BackupStatement
  | RestoreStatement;

export type TypeStatement = CreateTypeStatement | DropTypeStatement;

export interface CreateDatabaseStatement extends Node {
  readonly kind: 'createDatabase';
  readonly name: string;
  readonly collation: string | null;
}

/** `database` null: CURRENT. Each action is one item of the SET list, in order. */
export interface AlterDatabaseStatement extends Node {
  readonly kind: 'alterDatabase';
  readonly database: string | null;
  readonly actions: readonly AlterDatabaseAction[];
  /** WITH ROLLBACK IMMEDIATE | ROLLBACK AFTER n | NO_WAIT; null without one. */
  readonly termination: 'rollbackImmediate' | 'noWait' | null;
}

export type AlterDatabaseAction =
  /** SET CHANGE_TRACKING = ON | OFF, or (only options) `state` null. */
  | {
      readonly kind: 'changeTracking';
      readonly state: 'on' | 'off' | null;
      /** As written, in order: a repeated option is the executor's error 5091. */
      readonly options: readonly ChangeTrackingOption[];
    }
  /** Upper-case name and value: ALLOW_SNAPSHOT_ISOLATION ON, RECOVERY SIMPLE, COMPATIBILITY_LEVEL 150. SINGLE_USER has the value 'ON'. */
  | { readonly kind: 'option'; readonly name: string; readonly value: string }
  | { readonly kind: 'collate'; readonly collation: string }
  | { readonly kind: 'rename'; readonly name: string };

export type ChangeTrackingOption =
  | { readonly kind: 'retention'; readonly count: number; readonly unit: 'minutes' | 'hours' | 'days' }
  | { readonly kind: 'autoCleanup'; readonly on: boolean };

export interface CreateSchemaStatement extends Node {
  readonly kind: 'createSchema';
  readonly name: string;
  readonly owner: string | null;
}

export interface CreateTableStatement extends Node {
  readonly kind: 'createTable';
  readonly name: ObjectName;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
}

/** CREATE TYPE … AS TABLE (…). */
export interface CreateTypeStatement extends Node {
  readonly kind: 'createType';
  readonly name: ObjectName;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
}

export interface DropTypeStatement extends Node {
  readonly kind: 'dropType';
  readonly ifExists: boolean;
  readonly name: ObjectName;
}

export interface ColumnDefinition extends Node {
  readonly name: string;
  /** null for a computed column only. */
  readonly type: TypeName | null;
  readonly collation: string | null;
  /** null: neither NULL nor NOT NULL was written. */
  readonly nullable: boolean | null;
  readonly identity: { readonly seed: string; readonly increment: string } | null;
  readonly rowGuid: boolean;
  readonly default: { readonly name: string | null; readonly expression: Expression; readonly text: string } | null;
  readonly computed: { readonly expression: Expression; readonly persisted: boolean; readonly text: string } | null;
  /** PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY written at the column; their column lists hold this column. */
  readonly constraints: readonly TableConstraint[];
}

export interface IndexColumn {
  readonly name: string;
  readonly descending: boolean;
}

export type ReferentialAction = 'noAction' | 'cascade' | 'setNull' | 'setDefault';

/** `name` null: the server makes one up. */
export type TableConstraint = Node &
  (
    | {
        readonly kind: 'primaryKey' | 'unique';
        readonly name: string | null;
        /** null: not written. */
        readonly clustered: boolean | null;
        readonly columns: readonly IndexColumn[];
      }
    | {
        readonly kind: 'foreignKey';
        readonly name: string | null;
        readonly columns: readonly string[];
        readonly references: ObjectName;
        /** Empty: the primary key. */
        readonly referencedColumns: readonly string[];
        readonly onDelete: ReferentialAction;
        readonly onUpdate: ReferentialAction;
      }
    | {
        readonly kind: 'check';
        readonly name: string | null;
        readonly expression: Expression;
        readonly text: string;
        /** The column that it is written at. */
        readonly column: string | null;
      }
    /** INDEX name (…) inside CREATE TABLE. */
    | (IndexShape & { readonly kind: 'index'; readonly name: string })
    /** ALTER TABLE ADD CONSTRAINT … DEFAULT … FOR column. */
    | {
        readonly kind: 'default';
        readonly name: string | null;
        readonly expression: Expression;
        readonly text: string;
        readonly column: string;
      }
  );

export interface AlterTableStatement extends Node {
  readonly kind: 'alterTable';
  readonly table: ObjectName;
  readonly action: AlterTableAction;
}

export type AlterTableAction =
  | {
      readonly kind: 'add';
      readonly columns: readonly ColumnDefinition[];
      readonly constraints: readonly TableConstraint[];
      /** WITH VALUES of an added column with a default. */
      readonly withValues: boolean;
      /** WITH NOCHECK: rows that are there are not tested. */
      readonly unchecked: boolean;
    }
  | { readonly kind: 'dropColumns'; readonly ifExists: boolean; readonly names: readonly string[] }
  | { readonly kind: 'dropConstraints'; readonly ifExists: boolean; readonly names: readonly string[] }
  /** DROP with columns and constraints in one list. */
  | { readonly kind: 'dropSeveral'; readonly actions: readonly Extract<AlterTableAction, { kind: 'dropColumns' | 'dropConstraints' }>[] }
  | {
      readonly kind: 'alterColumn';
      readonly name: string;
      readonly type: TypeName;
      readonly collation: string | null;
      readonly nullable: boolean | null;
    }
  /** `trackColumns` null: WITH (TRACK_COLUMNS_UPDATED …) was not written (OFF). */
  | { readonly kind: 'enableChangeTracking'; readonly trackColumns: boolean | null }
  | { readonly kind: 'disableChangeTracking' }
  /** SWITCH TO target: known so that tracked tables are refused as SQL Server does. */
  | { readonly kind: 'switch'; readonly target: ObjectName }
  /** [WITH CHECK] [NO]CHECK CONSTRAINT; names empty: ALL. `test`: WITH CHECK, the rows that are there too. */
  | { readonly kind: 'checkConstraints'; readonly enable: boolean; readonly test: boolean; readonly names: readonly string[] }
  | { readonly kind: 'rebuild' };

export interface IndexShape {
  readonly unique: boolean;
  readonly clustered: boolean;
  readonly columns: readonly IndexColumn[];
  readonly include: readonly string[];
  /** The condition of a filtered index. */
  readonly where: { readonly expression: Expression; readonly text: string } | null;
}

export interface CreateIndexStatement extends Node, IndexShape {
  readonly kind: 'createIndex';
  readonly name: string;
  readonly table: ObjectName;
  /** WITH (DROP_EXISTING = ON). */
  readonly dropExisting: boolean;
}

/** ALTER INDEX name | ALL ON table REBUILD | REORGANIZE. `name` null: ALL. */
export interface AlterIndexStatement extends Node {
  readonly kind: 'alterIndex';
  readonly name: string | null;
  readonly table: ObjectName;
}

/** ALTER SCHEMA schema TRANSFER object. */
export interface TransferStatement extends Node {
  readonly kind: 'transfer';
  readonly schema: string;
  readonly object: ObjectName;
}

/** DBCC CHECKIDENT (table [, RESEED [, value] | NORESEED]). */
export interface CheckIdentityStatement extends Node {
  readonly kind: 'checkIdentity';
  readonly table: string;
  readonly reseed: boolean;
  readonly value: Expression | null;
  readonly silent: boolean;
}

/** CREATE | ALTER SEQUENCE. An option that was not written is null; `restart` without a value is the start value. */
export interface CreateSequenceStatement extends Node {
  readonly kind: 'createSequence';
  readonly alter: boolean;
  readonly name: ObjectName;
  readonly type: TypeName | null;
  readonly start: string | null;
  readonly increment: string | null;
  /** 'none': NO MINVALUE. */
  readonly minimum: string | null;
  readonly maximum: string | null;
  readonly cycle: boolean | null;
  readonly restart: { readonly value: string | null } | null;
}

export interface CreateViewStatement extends Node {
  readonly kind: 'createView';
  readonly name: ObjectName;
  readonly columns: readonly string[];
  readonly ctes: readonly CommonTable[];
  readonly query: Query;
  readonly mode: 'create' | 'create or alter' | 'alter';
  readonly schemaBound: boolean;
  /** The whole statement, as sys.sql_modules shows it. */
  readonly text: string;
}

export interface CreateSynonymStatement extends Node {
  readonly kind: 'createSynonym';
  readonly name: ObjectName;
  readonly target: ObjectName;
}

export interface DropStatement extends Node {
  readonly kind: 'drop';
  readonly object: 'database' | 'schema' | 'table' | 'view' | 'synonym' | 'sequence' | 'trigger' | 'login' | 'user' | 'role' | 'procedure';
  readonly ifExists: boolean;
  readonly names: readonly ObjectName[];
}

export interface DropIndexStatement extends Node {
  readonly kind: 'dropIndex';
  readonly ifExists: boolean;
  readonly name: string;
  readonly table: ObjectName;
}

export type TriggerAction = 'INSERT' | 'UPDATE' | 'DELETE';

/** CREATE TRIGGER name ON table AFTER actions AS the rest of the batch. */
export interface CreateTriggerStatement extends Node {
  readonly kind: 'createTrigger';
  readonly mode: 'create' | 'alter' | 'createOrAlter';
  readonly name: ObjectName;
  readonly table: ObjectName;
  readonly actions: readonly TriggerAction[];
  /** The whole statement. */
  readonly text: string;
  /** The statements behind AS, on the lines where they stand in the batch. */
  readonly body: string;
}

/** ENABLE | DISABLE TRIGGER, also as ALTER TABLE. No names: ALL. */
export interface ToggleTriggersStatement extends Node {
  readonly kind: 'toggleTriggers';
  readonly enable: boolean;
  readonly names: readonly ObjectName[];
  readonly table: ObjectName;
  readonly altersTable: boolean;
}

/** A word of WITH (…), in upper case, with what stands behind its `=`. */
export interface BackupOption {
  readonly name: string;
  readonly value: string | null;
}

/** BACKUP DATABASE name TO DISK = 'device' [WITH INIT, …]. */
export interface BackupStatement extends Node {
  readonly kind: 'backup';
  readonly database: string;
  /** A text or a variable. */
  readonly device: Expression;
  readonly options: readonly BackupOption[];
}

/** RESTORE DATABASE name FROM DISK = 'device' [WITH REPLACE, …]. */
export interface RestoreStatement extends Node {
  readonly kind: 'restore';
  readonly database: string;
  readonly device: Expression;
  readonly options: readonly BackupOption[];
}

// --- Logins and rights ---------------------------------------------------------------------------------------------------------------

export type SecurityStatement =
  | CreateLoginStatement
  | CreateUserStatement
  | AlterUserStatement
  | CreateRoleStatement
  | AlterRoleStatement
  | PermissionStatement
  | ExecuteAsStatement;

/** CREATE LOGIN, or ALTER LOGIN with a new password. */
export interface CreateLoginStatement extends Node {
  readonly kind: 'createLogin';
  readonly alter: boolean;
  readonly name: string;
  readonly password: string | null;
  readonly defaultDatabase: string | null;
  /** ALTER LOGIN … ENABLE | DISABLE; null elsewhere. */
  readonly enabled: boolean | null;
}

export interface CreateUserStatement extends Node {
  readonly kind: 'createUser';
  readonly name: string;
  /** null: WITHOUT LOGIN. The login of the user's own name when FOR LOGIN was not written. */
  readonly login: string | null;
  readonly defaultSchema: string | null;
}

/** ALTER USER name WITH LOGIN = login, NAME = newName; null: not written. */
export interface AlterUserStatement extends Node {
  readonly kind: 'alterUser';
  readonly name: string;
  readonly login: string | null;
  readonly newName: string | null;
}

export interface CreateRoleStatement extends Node {
  readonly kind: 'createRole';
  readonly name: string;
}

/** ALTER ROLE role ADD | DROP MEMBER name; ALTER SERVER ROLE with `server`. */
export interface AlterRoleStatement extends Node {
  readonly kind: 'alterRole';
  readonly server: boolean;
  readonly role: string;
  readonly action: 'add' | 'drop';
  readonly member: string;
}

export interface PermissionStatement extends Node {
  readonly kind: 'permission';
  readonly action: 'grant' | 'deny' | 'revoke';
  /** Upper case: 'SELECT', 'VIEW CHANGE TRACKING', 'CONNECT', … with the columns of a column permission. */
  readonly permissions: readonly { readonly name: string; readonly columns: readonly string[] }[];
  /** null: the database (or, for server permissions, the server). */
  readonly on: PermissionTarget | null;
  readonly principals: readonly string[];
  readonly grantOption: boolean;
}

/** ON [class::]name. Without a class it is an object. */
export interface PermissionTarget {
  readonly class: 'object' | 'schema' | 'database' | 'server' | 'login' | 'user' | 'role' | 'type';
  readonly name: ObjectName;
}

/** EXECUTE AS USER | LOGIN = 'name'; REVERT is `principal` null. */
export interface ExecuteAsStatement extends Node {
  readonly kind: 'executeAs';
  readonly principal: { readonly kind: 'user' | 'login'; readonly name: string } | null;
}
