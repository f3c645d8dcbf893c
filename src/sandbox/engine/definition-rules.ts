/** What SQL Server refuses in the definition of columns and constraints whatever the rows say. One function a rule; texts from sys.messages. */
import type { ColumnDefinition } from '../sql/ast-definition.ts';
import type { Expression } from '../sql/ast-expression.ts';
import { SqlError } from '../session.ts';
import type { SqlType } from '../sql-types.ts';
import type { Column } from './catalog.ts';
import { objectKey, sameName } from './catalog.ts';
import { namesColumn } from './column-dependents.ts';
import type { TableDraft } from './define-table.ts';
import { compileOver } from './environment.ts';
import { describeType } from './metadata-functions.ts';
import type { StatementContext } from './statement-context.ts';

/** Errors after which SQL Server sends 1750. */
const FOLLOWED = new Set([1505, 1752, 1754, 1767, 1769, 1770, 1776, 1778, 1779, 1781, 1785, 1902, 1904, 1911, 1919, 2714, 8111]);

/** An error about a constraint, with the 1750 that follows it. */
export function notCreated(error: unknown): unknown {
  return error instanceof SqlError && FOLLOWED.has(error.number)
    ? new SqlError(1750, 'Could not create constraint or index. See previous errors.', { line: error.line, preceding: error })
    : error;
}

/** A duplicate among the rows that are there, as the making of an index tells it. */
export function duplicateInIndex(error: unknown, table: { readonly schema: { readonly name: string }; readonly name: string }): unknown {
  const found =
    error instanceof SqlError && (error.number === 2601 || error.number === 2627)
      ? /(?:constraint|index) '(.*?)'\. .*The duplicate key value is \((.*)\)\.$/s.exec(error.message)
      : null;
  return found === null
    ? error
    : new SqlError(
        1505,
        `The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '${table.schema.name}.${table.name}' and the index name '${found[1]}'. The duplicate key value is (${found[2]}).`,
      );
}

/** @throws SqlError 2714 for a constraint's name that an object of the schema has */
export function requireFreeName(draft: TableDraft, name: string | null, line: number): void {
  if (name === null || draft.temporary) {
    return;
  }
  const { database, schema } = draft;
  const own = [...draft.indexes.filter((index) => index.kind !== 'index'), ...draft.checks, ...draft.foreignKeys];
  const named = (constraints: readonly { readonly name: string }[]): boolean => constraints.some((each) => sameName(each.name, name));
  const taken =
    database.objects.has(objectKey(schema.name, name)) ||
    named(own) ||
    named(draft.columns.flatMap((column) => column.default ?? [])) ||
    database
      .tables()
      .some(
        (table) =>
          table.objectId !== draft.objectId &&
          table.schema === schema &&
          (named(table.indexes.filter((index) => index.kind !== 'index')) ||
            named(table.checks) ||
            named(table.foreignKeys) ||
            named(table.columns.flatMap((column) => column.default ?? []))),
      );
  if (taken) {
    throw new SqlError(2714, `There is already an object named '${name}' in the database.`, { line, state: 5 });
  }
}

const NO_KEYS = new Set(['text', 'ntext', 'image', 'xml']);

/** @throws SqlError 1919 */
export function requireKeyType(draft: TableDraft, column: Column, line: number): void {
  if (NO_KEYS.has(column.type.name) || ('length' in column.type && column.type.length === 'max')) {
    throw new SqlError(
      1919,
      `Column '${column.name}' in table '${draft.temporary ? draft.name : `${draft.schema.name}.${draft.name}`}' is of a type that is invalid for use as a key column in an index.`,
      { line },
    );
  }
}

/**
 * What every row takes: its columns of fixed length, a header of 4 bytes, a count of columns of 2 and a bit for each.
 * Sources: learn.microsoft.com, "Estimate the size of a heap"; 8060 bytes: "Maximum capacity specifications for SQL Server".
 * @throws SqlError 1701
 */
export function requireRowSize(draft: TableDraft, line: number): void {
  const stored = draft.columns.filter((column) => column.computed === null || column.computed.persisted);
  const overhead = 6 + Math.ceil(stored.length / 8);
  const size = overhead + fixedBytes(stored.map(({ type }) => type));
  if (size > 8060) {
    throw new SqlError(
      1701,
      `Creating or altering table '${draft.name}' failed because the minimum row size would be ${size}, including ${overhead} bytes of internal overhead. This exceeds the maximum allowable table row size of 8060 bytes.`,
      { line },
    );
  }
}

const VARIABLE: ReadonlySet<string> = new Set('varchar nvarchar varbinary text ntext image xml sql_variant'.split(' '));

/** Eight bits share a byte. */
function fixedBytes(types: readonly SqlType[]): number {
  const bits = types.filter(({ name }) => name === 'bit').length;
  const others = types.filter(({ name }) => name !== 'bit' && !VARIABLE.has(name));
  return Math.ceil(bits / 8) + others.reduce((sum, type) => sum + describeType(type).length, 0);
}

/** Source: learn.microsoft.com, MSSQLSERVER_1904; 32 columns: "Maximum capacity specifications for SQL Server". @throws SqlError 1904 */
export function requireKeyCount(draft: TableDraft, name: string, count: number, line: number): void {
  if (count > 32) {
    const table = draft.temporary ? draft.name : `${draft.schema.name}.${draft.name}`;
    throw new SqlError(
      1904,
      `The index '${name}' on table '${table}' has ${count} column names in index key list. The maximum limit for index or statistics key column list is 32.`,
      { line },
    );
  }
}

/** @throws SqlError 1754, 2749, 8147, 2738 */
export function checkColumn(draft: TableDraft, definition: ColumnDefinition, type: SqlType | null): void {
  const { name, line } = definition;
  if (type?.name === 'rowversion' && draft.columns.some((column) => column.type.name === 'rowversion')) {
    throw new SqlError(
      2738,
      `A table can only have one timestamp column. Because table '${draft.name}' already has one, the column '${name}' cannot be added.`,
      { line },
    );
  }
  if (definition.identity === null || type === null) {
    return;
  }
  const whole = ['tinyint', 'smallint', 'int', 'bigint'].includes(type.name) || ('precision' in type && type.scale === 0);
  if (!whole) {
    throw new SqlError(
      2749,
      `Identity column '${name}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable.`,
      { line, state: 2 },
    );
  }
  if (definition.nullable === true) {
    throw new SqlError(8147, `Could not create IDENTITY attribute on nullable column '${name}', table '${draft.name}'.`, { line });
  }
  if (definition.default !== null) {
    throw new SqlError(1754, `Defaults cannot be created on columns with an IDENTITY attribute. Table '${draft.name}', column '${name}'.`, {
      line,
      state: 0,
    });
  }
}

/** @throws SqlError 1046 */
export function refuseSubqueries(expression: Expression, line: number): void {
  if (holds(expression, (node) => ['subquery', 'exists', 'inQuery', 'quantified'].includes(node.kind))) {
    throw new SqlError(1046, 'Subqueries are not allowed in this context. Only scalar expressions are allowed.', { line, class: 15 });
  }
}

/** A default is made of constants and functions. @throws SqlError 128, 1046, and what its types refuse */
export function checkDefault(context: StatementContext, draft: TableDraft, expression: Expression): void {
  refuseSubqueries(expression, expression.line);
  try {
    compileOver(context, { name: draft.name, columns: [] }, expression);
  } catch (error) {
    const column = columnIn(expression);
    throw error instanceof SqlError && (error.number === 207 || error.number === 4104) && column !== null
      ? new SqlError(
          128,
          `The name "${column}" is not permitted in this context. Valid expressions are constants, constant expressions, and (in some contexts) variables. Column names are not permitted.`,
          { line: expression.line, class: 15 },
        )
      : error;
  }
}

const CHANCE = new Set([
  'getdate',
  'getutcdate',
  'sysdatetime',
  'sysutcdatetime',
  'sysdatetimeoffset',
  'current_timestamp',
  'newid',
  'rand',
  'change_tracking_current_version',
]);

/** @throws SqlError 1759, 4936, 1046 */
export function checkComputed(draft: TableDraft, column: Column): void {
  const { computed } = column;
  if (computed === null) {
    return;
  }
  const { line } = computed.expression;
  refuseSubqueries(computed.expression, line);
  const other = draft.columns.find((each) => each.computed !== null && each !== column && namesColumn(computed.expression, each.name));
  if (other !== undefined) {
    throw new SqlError(
      1759,
      `Computed column '${other.name}' in table '${draft.name}' is not allowed to be used in another computed-column definition.`,
      { line, state: 0 },
    );
  }
  if (computed.persisted && !isDeterministic(computed.expression)) {
    throw new SqlError(
      4936,
      `Computed column '${column.name}' in table '${draft.name}' cannot be persisted because the column is non-deterministic.`,
      { line },
    );
  }
}

export function isDeterministic(expression: Expression): boolean {
  return !holds(expression, (node) => node.kind === 'global' || (node.kind === 'call' && CHANCE.has(node.name.name.toLowerCase())));
}

function columnIn(expression: Expression): string | null {
  let name: string | null = null;
  holds(expression, (node) => {
    if (node.kind === 'column') {
      ({ name } = node);
    }
    return name !== null;
  });
  return name;
}

function holds(node: unknown, test: (node: Expression) => boolean): boolean {
  if (typeof node !== 'object' || node === null) {
    return false;
  }
  if (Array.isArray(node)) {
    return node.some((each) => holds(each, test));
  }
  return ('kind' in node && test(node as Expression)) || Object.values(node).some((each) => holds(each, test));
}
