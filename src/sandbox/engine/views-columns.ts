/** How catalog views declare their columns. */
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Database, View } from './catalog.ts';
import type { PlanColumn } from './plan.ts';
import type { StatementContext } from './statement-context.ts';

type TypeOf = (collation: string) => SqlType;

/** The columns of a user's view, which planning knows. @throws SqlError when its tables are gone */
export type ColumnsOf = (view: View) => readonly PlanColumn[];

export interface SystemView {
  /** schema.name in lower case. */
  readonly name: string;
  /** Name, type, whether NULL may stand there (default: yes). */
  readonly columns: readonly (readonly [name: string, type: TypeOf, nullable?: boolean])[];
  /** @param only an object id that a condition asks for: rows of other objects may be left out; null: there is none */
  rows(context: StatementContext, database: Database, columnsOf: ColumnsOf, only: number | null): Iterable<readonly SqlValue[]>;
}

export const int: TypeOf = () => ({ name: 'int' });
export const bigint: TypeOf = () => ({ name: 'bigint' });
export const smallint: TypeOf = () => ({ name: 'smallint' });
export const tinyint: TypeOf = () => ({ name: 'tinyint' });
export const bit: TypeOf = () => ({ name: 'bit' });
export const datetime: TypeOf = () => ({ name: 'datetime' });
export const smalldatetime: TypeOf = () => ({ name: 'smalldatetime' });
export const guid: TypeOf = () => ({ name: 'uniqueidentifier' });
export const variant: TypeOf = () => ({ name: 'sql_variant' });

/** sysname. */
export const sysname: TypeOf = (collation) => ({ name: 'nvarchar', length: 128, collation });

export function nvarchar(length: number | 'max'): TypeOf {
  return (collation) => ({ name: 'nvarchar', length, collation });
}

export function char(length: number): TypeOf {
  return (collation) => ({ name: 'char', length, collation });
}
