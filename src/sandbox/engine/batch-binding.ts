/**
 * What a running batch knows of its binding: bound as a whole before its first statement, and statement by statement where a table was
 * missing then or a definition has changed since. An error of the first kind runs nothing; one of the second ends the batch, and TRY in the
 * same batch catches neither.
 */
import type { Statement } from '../sql/ast.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { BoundBatch, PreparedBatch } from './batch-cache.ts';
import type { BatchRunner } from './batch-runner.ts';
import { bindBatch, bindStatement, boundBefore, parametersOf, variableErrors } from './bind-batch.ts';
import { declareVariables } from './declarations.ts';
import { definitionStamp } from './definition-log.ts';
import { declareTable } from './flow-statements.ts';

/** Waits that ended: the statement may be tried again, TRY catches them. */
const WAITS = new Set([1205, 1222]);

export class BatchBinding {
  readonly #runner: BatchRunner;
  #bound: BoundBatch | null = null;
  /** Statements that were bound when they were reached, with the stamp of that moment. */
  readonly #late = new Map<Statement, number>();
  #failure: SqlError | null = null;

  constructor(runner: BatchRunner) {
    this.#runner = runner;
  }

  /** Whether an error is one that TRY in this batch does not catch. */
  isOwn(error: SqlError): boolean {
    return error === this.#failure;
  }

  /** Declares the variables and binds the statements. @returns what refuses the batch; its errors stand before each other */
  async prepare(batch: PreparedBatch): Promise<SqlError | null> {
    const { frame, session } = this.#runner;
    const parameters = parametersOf(frame);
    const refusals = variableErrors(batch, frame, new Set([...frame.variables.keys(), ...frame.tables.keys()]));
    try {
      for (const declaration of batch.declarations) {
        declareVariables(frame, declaration, session.database.collation);
      }
    } catch (error) {
      if (!(error instanceof SqlError)) {
        throw error;
      }
      refusals.push(error);
    }
    if (refusals.length > 0) {
      return chained(refusals);
    }
    if (batch.tables.length > 0) {
      await this.#runner.atomic((context) => {
        for (const table of batch.tables) {
          declareTable(context, table);
        }
      });
    }
    this.#bound = boundBefore(batch, session.database, parameters);
    if (this.#bound !== null) {
      return null;
    }
    const bound = await this.#runner.atomic(({ transaction }) => bindBatch(session, transaction, frame, batch, parameters));
    this.#bound = bound;
    return bound.errors.length === 0 ? null : chained(bound.errors);
  }

  /** Called before a statement runs. @throws SqlError */
  async reach(statement: Statement): Promise<void> {
    const stamp = definitionStamp();
    if (this.#stampOf(statement) === stamp) {
      return;
    }
    const { frame, session } = this.#runner;
    try {
      await this.#runner.atomic(({ transaction }) => {
        bindStatement(session, transaction, frame, statement);
      });
      this.#late.set(statement, stamp);
    } catch (error) {
      if (error instanceof SqlError && !(error instanceof UnsupportedError) && !WAITS.has(error.number)) {
        error.line ||= statement.line;
        this.#failure = error;
      }
      throw error;
    }
  }

  /** When the statement was bound; -1: it was not. */
  #stampOf(statement: Statement): number {
    return this.#late.get(statement) ?? (this.#bound === null || this.#bound.deferred.has(statement) ? -1 : this.#bound.stamp);
  }
}

/** Several errors as one: the last one, told after the others. */
function chained(errors: readonly SqlError[]): SqlError {
  const [first, ...rest] = errors;
  if (first === undefined) {
    throw new TypeError('no error to tell');
  }
  return rest.reduce(
    (preceding, { number, message, state, class: severity, line }) =>
      new SqlError(number, message, { state, class: severity, line, preceding }),
    first,
  );
}
