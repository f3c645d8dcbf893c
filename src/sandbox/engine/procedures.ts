/** The stored procedures that the sandbox has: a few of SQL Server's, and its own control procedures (schema `sandbox`). */
import type { ExecuteStatement } from '../sql/ast.ts';
import type { DeclareTableStatement } from '../sql/ast-control.ts';
import type { ObjectName } from '../sql/ast-expression.ts';
import { parse } from '../sql/parser.ts';
import { resolveType } from '../sql/types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { getApplicationLock, releaseApplicationLock } from './application-locks.ts';
import type { BatchRunner } from './batch-runner.ts';
import { catalogProcedures } from './catalog-procedures.ts';
import { cleanupProcedures } from './cleanup-procedures.ts';
import { controlProcedures } from './control-procedures.ts';
import { declareVariable } from './declarations.ts';
import { tableOfType } from './define-table-type.ts';
import { resultSetProcedures } from './describe-result-set.ts';
import { converter } from './expressions.ts';
import { helpProcedures } from './help-procedures.ts';
import { databaseOf } from './object-names.ts';
import { managedProcedures } from './managed-procedures.ts';
import type { Procedure, ProcedureArgument, ProcedureCall } from './procedure-call.ts';
import { numberArgument, textArgument } from './procedure-call.ts';
import { rename } from './rename.ts';
import type { Frame } from './statement-context.ts';
import { createFrame } from './statement-context.ts';
import { tableTypeName } from './table-types.ts';
import { typeProcedures } from './type-procedures.ts';

const BIGINT: SqlType = { name: 'bigint' };

const SYSTEM: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_executesql', executeSql],
  ['sp_rename', renameProcedure],
  ['sp_set_session_context', setSessionContext],
  ['sp_getapplock', getApplicationLock],
  ['sp_releaseapplock', releaseApplicationLock],
]);

/** Procedures of SQL Server that people call and the sandbox has not. */
const ABSENT =
  /^(?:sp_(?:help|who|lock|spaceused|configure|columns|tables|pkeys|depends|cdc_|add|drop|grant|set|detach|attach|updatestats|recompile|describe|server_info|table_privileges|column_privileges|procedure_params|cursor|xml_|flush_|change)|xp_)/i;

function find(name: ObjectName): Procedure | undefined {
  const schema = name.schema?.toLowerCase() ?? null;
  const key = name.name.toLowerCase();
  if (schema === 'sandbox') {
    return controlProcedures.get(key);
  }
  return schema === null || schema === 'sys' || schema === 'dbo'
    ? (SYSTEM.get(key) ??
        cleanupProcedures.get(key) ??
        catalogProcedures.get(key) ??
        typeProcedures.get(key) ??
        resultSetProcedures.get(key) ??
        managedProcedures.get(key) ??
        helpProcedures.get(key))
    : undefined;
}

/** Calls a procedure by name. @throws SqlError 2812 */
export async function callProcedure(runner: BatchRunner, name: ObjectName, args: readonly ProcedureArgument[]): Promise<void> {
  const procedure = find(name);
  if (procedure === undefined) {
    const shown = [name.database, name.schema, name.name].filter((part) => part !== null).join('.');
    if (name.schema?.toLowerCase() === 'sys' || ABSENT.test(name.name)) {
      throw new UnsupportedError(`the procedure ${shown}`, name.line);
    }
    throw new SqlError(2812, `Could not find stored procedure '${shown}'.`, { state: 62, line: name.line });
  }
  if (procedure !== executeSql && args.some((arg) => arg.table !== undefined)) {
    throw new UnsupportedError(`a table-valued parameter of ${name.name}`, name.line);
  }
  const { session } = runner;
  const { database } = session;
  // A system procedure runs in the database that it is named with.
  session.database = databaseOf(session, name);
  try {
    await procedure({
      runner,
      args,
      get: (parameter, position) =>
        args.find((arg) => arg.name?.toLowerCase() === parameter) ?? (args[position]?.name === null ? args[position] : undefined),
    });
  } finally {
    session.database = database;
  }
}

/** EXEC procedure arguments. */
export async function runProcedure(runner: BatchRunner, statement: ExecuteStatement): Promise<void> {
  const args: ProcedureArgument[] = [];
  for (const arg of statement.args) {
    if (arg.value.kind === 'default') {
      continue;
    }
    const table = arg.value.kind === 'variable' ? runner.frame.tables.get(arg.value.name.toLowerCase()) : undefined;
    if (table?.typeId !== undefined) {
      args.push({ name: arg.name, type: { name: 'int' }, value: null, output: null, table });
      continue;
    }
    const place = arg.value.kind === 'variable' ? runner.frame.variables.get(arg.value.name.toLowerCase()) : undefined;
    const value = await runner.evaluate(arg.value);
    args.push({
      name: arg.name,
      type: place?.type ?? typeOfLiteral(value, arg.value.kind === 'literal' && arg.value.literal === 'string'),
      value,
      output:
        arg.output && place !== undefined
          ? (result, type) => {
              runner.frame.values[place.index] = converter(type, place.type)(result);
            }
          : null,
    });
  }
  const outside = runner.status;
  runner.status = 0;
  await callProcedure(runner, statement.procedure, args);
  const { status } = runner;
  runner.status = outside;
  if (statement.status !== null) {
    const place = runner.frame.variables.get(statement.status.name.toLowerCase());
    if (place !== undefined) {
      runner.frame.values[place.index] = status;
    }
  }
}

function typeOfLiteral(value: SqlValue, narrow: boolean): SqlType {
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { name: 'int' } : { name: 'float' };
  }
  if (typeof value === 'bigint') {
    return BIGINT;
  }
  return Buffer.isBuffer(value)
    ? { name: 'varbinary', length: 'max' }
    : { name: narrow ? 'varchar' : 'nvarchar', length: 'max', collation: 'SQL_Latin1_General_CP1_CI_AS' };
}

/** A table variable as a parameter that cannot be written to; without one it is empty. @throws SqlError 206, 352, 2715 */
async function passTable(
  call: ProcedureCall,
  frame: Frame,
  declared: DeclareTableStatement,
  values: readonly ProcedureArgument[],
): Promise<void> {
  const { name, type, ordinal } = declared;
  const byName = values.find((each) => each.name?.toLowerCase() === name.toLowerCase());
  const arg = byName ?? (values[ordinal - 1]?.name === null ? values[ordinal - 1] : undefined);
  const empty = type === null ? null : await call.runner.atomic((context) => tableOfType(context, type, name, { ordinal, readOnly: true }));
  if (!/\sreadonly\b/i.test(textArgument(call.get('@params', 1)) ?? '')) {
    throw new SqlError(352, `The table-valued parameter "${name}" must be declared with the READONLY option.`, { class: 15 });
  }
  if (empty === null || (arg !== undefined && arg.table?.typeId !== empty.typeId)) {
    const { table, type: scalar } = arg ?? { table: undefined, type: BIGINT };
    const given = table?.typeId === undefined ? scalar.name : tableTypeName(call.runner.session.database, table.typeId);
    throw new SqlError(206, `Operand type clash: ${given ?? 'table'} is incompatible with ${type?.name ?? 'table'}`, { state: 2 });
  }
  frame.tables.set(name.toLowerCase(), arg?.table === undefined ? empty : { ...arg.table, readOnly: true });
}

function isNationalArgument(arg: ProcedureArgument | undefined): boolean {
  return arg === undefined || arg.value === null || ['nchar', 'nvarchar', 'ntext'].includes(arg.type.name);
}

/** The parameters of a list that are declared OUTPUT, in lower case. */
function declaredOutputs(declared: string): Set<string> {
  const found = declared.matchAll(/(@[\p{L}\p{N}_@#$]+)([^@]*)/gu);
  return new Set(
    Array.from(found).flatMap(([, name = '', rest = '']) => (/\bout(?:put)?\s*,?\s*$/i.test(rest) ? [name.toLowerCase()] : [])),
  );
}

/** @throws SqlError 8144, 8145 for values that no declared parameter takes */
function refuseUndeclared(names: readonly string[], values: readonly ProcedureArgument[]): void {
  for (const [index, { name }] of values.entries()) {
    if (name === null && index >= names.length) {
      throw new SqlError(8144, 'Procedure or function has too many arguments specified.', { state: 2 });
    }
    if (name !== null && !names.includes(name.toLowerCase())) {
      throw new SqlError(8145, `${name} is not a parameter for the statement.`);
    }
  }
}

async function executeSql(call: ProcedureCall): Promise<void> {
  const [statement, declaration, ...values] = call.args;
  const text = textArgument(statement);
  if (text === null || !isNationalArgument(statement)) {
    throw new SqlError(214, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.", { state: 2 });
  }
  if (!isNationalArgument(declaration)) {
    throw new SqlError(214, "Procedure expects parameter '@params' of type 'ntext/nchar/nvarchar'.", { state: 3 });
  }
  const frame = createFrame();
  const declared = textArgument(declaration) ?? '';
  const returned = declaredOutputs(declared);
  const names: string[] = [];
  const outputs: { readonly index: number; readonly type: SqlType; readonly to: ProcedureArgument }[] = [];
  if (declared.trim() !== '') {
    const [parsed] = parse(`DECLARE ${declared.replaceAll(/\s+(?:out(?:put)?|readonly)\b/gi, '')}`).statements;
    const parts = parsed?.kind === 'block' ? parsed.statements : parsed === undefined ? [] : [parsed];
    const tables = parts.filter((part) => part.kind === 'declareTable');
    for (const table of tables) {
      await passTable(call, frame, table, values);
    }
    const taken = new Set(tables.map((table) => table.ordinal - 1));
    const variables = parts.flatMap((part) => (part.kind === 'declare' ? part.variables : []));
    names.push(...[...tables, ...variables].map(({ name }) => name.toLowerCase()));
    const places = Array.from({ length: variables.length + tables.length }, (_, index) => index).filter((index) => !taken.has(index));
    variables.forEach((variable, position) => {
      const index = places[position] ?? position;
      const type = resolveType(variable.type, call.runner.session.database.collation);
      const arg =
        values.find((each) => each.name?.toLowerCase() === variable.name.toLowerCase()) ??
        (values[index]?.name === null ? values[index] : undefined);
      if (arg === undefined) {
        throw new SqlError(
          8178,
          `The parameterized query '(${declared})${text}' expects the parameter '${variable.name}', which was not supplied.`,
        );
      }
      if (arg.output !== null && !returned.has(variable.name.toLowerCase())) {
        throw new SqlError(
          8162,
          `The formal parameter "${variable.name}" was not declared as an OUTPUT parameter, but the actual parameter passed in requested output.`,
          { state: 2 },
        );
      }
      declareVariable(frame, variable.name, type, converter(arg.type, type)(arg.value));
      const place = frame.variables.get(variable.name.toLowerCase());
      if (arg.output !== null && place !== undefined) {
        outputs.push({ index: place.index, type, to: arg });
      }
    });
  }
  refuseUndeclared(names, values);
  await call.runner.nested(text, frame);
  for (const { index, type, to } of outputs) {
    to.output?.(frame.values[index] ?? null, type);
  }
}

async function renameProcedure(call: ProcedureCall): Promise<void> {
  const from = textArgument(call.get('@objname', 0));
  const to = textArgument(call.get('@newname', 1));
  const kind = textArgument(call.get('@objtype', 2));
  if (from === null || to === null) {
    throw new SqlError(201, "Procedure or function 'sp_rename' expects parameter '@newname', which was not supplied.", { state: 4 });
  }
  await call.runner.atomic((context) => rename(context, from, to, kind));
  call.runner.sink.message({
    number: 15477,
    state: 1,
    class: 0,
    message: 'Caution: Changing any part of an object name could break scripts and stored procedures.',
    procedure: 'sp_rename',
    line: 1,
  });
  call.runner.done();
}

function setSessionContext(call: ProcedureCall): void {
  const key = textArgument(call.get('@key', 0));
  const value = call.get('@value', 1);
  if (key === null || value === undefined) {
    throw new SqlError(201, "Procedure or function 'sp_set_session_context' expects parameter '@key', which was not supplied.", {
      state: 4,
    });
  }
  if (numberArgument(call.get('@read_only', 2)) === 1) {
    throw new UnsupportedError('read-only keys of the session context');
  }
  call.runner.session.context.set(key.toLowerCase(), { type: value.type, value: value.value });
  call.runner.done();
}
