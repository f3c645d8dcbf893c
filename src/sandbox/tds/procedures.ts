/**
 * Remote procedure calls: the procedures of parameterised and prepared statements are served here, any other is the backend's.
 * Cursors are refused by name. A statement is not compiled when it is prepared: what is wrong with it is told when it is executed.
 */
import type { BackendSession, Parameter } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { readDeclarations } from './declarations.ts';
import type { Declaration } from './declarations.ts';
import { asDeclared } from './declared-values.ts';
import type { RpcCall, RpcParameter } from './requests.ts';
import type { StatementSink } from './statement-sink.ts';

/** What a call hands back besides its result sets. */
export interface CallResult {
  readonly status: number;
  readonly outputs: readonly { readonly ordinal: number; readonly name: string; readonly type: SqlType; readonly value: SqlValue }[];
}

interface Statement {
  readonly sql: string;
  readonly declarations: readonly Declaration[];
}

/** The prepared statements of one session. */
export class PreparedStatements {
  readonly #statements = new Map<number, Statement>();
  #last = 0;

  add(statement: Statement): number {
    this.#last++;
    this.#statements.set(this.#last, statement);
    return this.#last;
  }

  /** @throws SqlError 8179 when there is no such handle. */
  get(handle: SqlValue): Statement {
    const statement = typeof handle === 'number' ? this.#statements.get(handle) : undefined;
    if (statement === undefined) {
      throw new SqlError(8179, `Could not find prepared statement with handle ${handleText(handle)}.`);
    }
    return statement;
  }

  /** @throws SqlError 8179 when there is no such handle. */
  remove(handle: SqlValue): void {
    this.get(handle);
    this.#statements.delete(handle as number);
  }

  clear(): void {
    this.#statements.clear();
  }
}

function handleText(handle: SqlValue): string {
  return typeof handle === 'number' ? String(handle) : 'NULL';
}

export interface CallContext {
  readonly session: BackendSession;
  readonly prepared: PreparedStatements;
  readonly sink: StatementSink;
  readonly signal: AbortSignal;
}

/**
 * Executes one call. Errors of its statements are in the sink.
 * @throws SqlError for what is wrong with the call itself.
 */
export async function runCall(call: RpcCall, context: CallContext): Promise<CallResult> {
  const name = baseName(call.procedure);
  const { parameters } = call;
  const { prepared, session } = context;
  switch (name) {
    case 'sp_executesql': {
      const statement = readStatement(session, parameters[0], parameters[1], '@statement');
      return execute(statement, parameters, 2, context);
    }
    case 'sp_prepare': {
      const handle = prepared.add(readStatement(session, parameters[2], parameters[1], '@stmt'));
      return { status: 0, outputs: [handleOutput(parameters[0], handle)] };
    }
    case 'sp_prepexec': {
      const statement = readStatement(session, parameters[2], parameters[1], '@stmt');
      const handle = prepared.add(statement);
      const result = await execute(statement, parameters, 3, context);
      return { status: result.status, outputs: [handleOutput(parameters[0], handle), ...result.outputs] };
    }
    case 'sp_execute':
      return execute(prepared.get(parameters[0]?.value ?? null), parameters, 1, context);
    case 'sp_unprepare':
      prepared.remove(parameters[0]?.value ?? null);
      return { status: 0, outputs: [] };
    default:
      if (name.startsWith('sp_cursor') || name === 'sp_prepexecrpc') {
        throw new UnsupportedError(`the procedure ${name}`);
      }
      return callOther(call, context);
  }
}

/** The last part of a procedure's name, without brackets, in lower case. */
function baseName(procedure: string): string {
  const last = procedure.split('.').at(-1) ?? procedure;
  return last.replace(/^\[(.*)\]$/u, '$1').toLowerCase();
}

function readStatement(
  session: BackendSession,
  sql: RpcParameter | undefined,
  declared: RpcParameter | undefined,
  name: string,
): Statement {
  if (typeof sql?.value !== 'string') {
    throw new SqlError(214, `Procedure expects parameter '${name}' of type 'ntext/nchar/nvarchar'.`, { state: 2 });
  }
  const list = declared?.value ?? '';
  if (typeof list !== 'string') {
    throw new SqlError(214, "Procedure expects parameter '@params' of type 'ntext/nchar/nvarchar'.", { state: 3 });
  }
  return { sql: sql.value, declarations: readDeclarations(list, session.collation) };
}

function handleOutput(parameter: RpcParameter | undefined, handle: number): CallResult['outputs'][number] {
  return { ordinal: 0, name: parameter?.name ?? '', type: { name: 'int' }, value: handle };
}

/** A parameter for the backend, and what its output is called on the wire. */
interface BoundParameter {
  readonly parameter: Parameter;
  readonly ordinal: number;
  readonly sentName: string;
}

async function execute(statement: Statement, sent: readonly RpcParameter[], first: number, context: CallContext): Promise<CallResult> {
  const bound = bind(statement, sent, first);
  const { session, sink, signal } = context;
  const result = await session.execute(statement.sql, { parameters: bound.map(({ parameter }) => parameter), sink, signal });
  return { status: result.status, outputs: outputsOf(bound, result.outputs) };
}

/** Values find their parameter by name, or by place where they have none. */
function bind(statement: Statement, sent: readonly RpcParameter[], first: number): BoundParameter[] {
  const { declarations } = statement;
  const bound = new Map<Declaration, BoundParameter>();
  for (const [place, parameter] of sent.slice(first).entries()) {
    const declaration =
      parameter.name === '' ? declarations[place] : declarations.find((candidate) => sameName(candidate.name, parameter.name));
    if (declaration === undefined) {
      throw parameter.name === ''
        ? new SqlError(8144, 'Procedure or function has too many arguments specified.', { state: 2 })
        : new SqlError(8145, `${parameter.name} is not a parameter for the statement.`);
    }
    if (bound.has(declaration)) {
      throw new SqlError(8143, `Parameter '${declaration.name}' was supplied multiple times.`);
    }
    if (!parameter.isDefault) {
      const { name, typeName, readOnly } = declaration;
      const { type, value } = asDeclared(parameter, parameter.table === undefined ? declaration.type : null);
      const table = parameter.table === undefined ? {} : { table: { ...parameter.table, typeName, readOnly } };
      bound.set(declaration, {
        parameter: { name, type, value, output: parameter.output, ...table },
        ordinal: first + place,
        sentName: parameter.name,
      });
    }
  }
  return declarations.map((declaration) => {
    const parameter = bound.get(declaration);
    if (parameter === undefined) {
      throw new SqlError(
        8178,
        `The parameterized query '${statement.sql}' expects the parameter '${declaration.name}', which was not supplied.`,
      );
    }
    return parameter;
  });
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function outputsOf(bound: readonly BoundParameter[], values: ReadonlyMap<string, SqlValue>): CallResult['outputs'] {
  return bound
    .filter(({ parameter }) => parameter.output)
    .map(({ parameter: { name, type, value }, ordinal, sentName }) => ({
      ordinal,
      name: sentName === '' ? name : sentName,
      type,
      value: values.has(name) ? (values.get(name) ?? null) : value,
    }))
    .toSorted((one, other) => one.ordinal - other.ordinal);
}

async function callOther(call: RpcCall, context: CallContext): Promise<CallResult> {
  // A parameter whose default is wanted is one that is not there.
  const bound = call.parameters
    .map(({ name, type, value, output, isDefault, table }, ordinal) => ({
      parameter: { name, type, value, output, ...(table === undefined ? {} : { table }) },
      ordinal,
      sentName: name,
      isDefault,
    }))
    .filter(({ isDefault }) => !isDefault);
  const parameters = bound.map(({ parameter }) => parameter);
  const { session, sink, signal } = context;
  const result = await session.callProcedure(call.procedure, { parameters, sink, signal });
  return { status: result.status, outputs: outputsOf(bound, result.outputs) };
}
