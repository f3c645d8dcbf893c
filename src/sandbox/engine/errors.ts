/**
 * The engine's errors with SQL Server's numbers, severities and texts. One function for each number that is raised from more than one place;
 * the rest is raised where it belongs. Source of the texts: sys.messages as listed in Microsoft's "Database engine events and errors".
 */
import type { CaughtError } from '../sql/context.ts';
import { SqlError } from '../session.ts';
import type { SqlMessage } from '../sql-types.ts';

export function invalidObject(name: string, line = 0): SqlError {
  return new SqlError(208, `Invalid object name '${name}'.`, { line });
}

export function invalidColumn(name: string, line = 0): SqlError {
  return new SqlError(207, `Invalid column name '${name}'.`, { line });
}

export function ambiguousColumn(name: string, line = 0): SqlError {
  return new SqlError(209, `Ambiguous column name '${name}'.`, { line });
}

export function cannotFindObject(name: string): SqlError {
  return new SqlError(4902, `Cannot find the object "${name}" because it does not exist or you do not have permissions.`);
}

export function snapshotNotAllowed(database: string): SqlError {
  return new SqlError(
    3952,
    `Snapshot isolation transaction failed accessing database '${database}' because snapshot isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.`,
  );
}

export function startedWithoutSnapshot(database: string): SqlError {
  return new SqlError(
    3951,
    `Transaction failed in database '${database}' because the statement was run under snapshot isolation but the transaction did not start in snapshot isolation. You cannot change the isolation level of the transaction to snapshot after the transaction has started unless the transaction was originally started under snapshot isolation level.`,
  );
}

export function updateConflict(table: string, database: string): SqlError {
  return new SqlError(
    3960,
    `Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table '${table}' directly or indirectly in database '${database}' to update, delete, or insert the row that has been modified or deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement.`,
    { state: 2 },
  );
}

export function definitionChanged(database: string): SqlError {
  return new SqlError(
    3961,
    `Snapshot isolation transaction failed in database '${database}' because the object accessed by the statement has been modified by a DDL statement in another concurrent transaction since the start of this transaction.  It is disallowed because the metadata is not versioned. A concurrent update to metadata can lead to inconsistency if mixed with snapshot isolation.`,
  );
}

export function notTracked(name: string, line = 0): SqlError {
  return new SqlError(22105, `Change tracking is not enabled on table '${name}'.`, { line });
}

export function duplicateKey(constraint: { kind: string; name: string }, object: string, values: string): SqlError {
  return constraint.kind === 'index'
    ? new SqlError(
        2601,
        `Cannot insert duplicate key row in object '${object}' with unique index '${constraint.name}'. The duplicate key value is (${values}).`,
        { class: 14 },
      )
    : new SqlError(
        2627,
        `Violation of ${constraint.kind === 'primary key' ? 'PRIMARY KEY' : 'UNIQUE KEY'} constraint '${constraint.name}'. Cannot insert duplicate key in object '${object}'. The duplicate key value is (${values}).`,
        { class: 14 },
      );
}

export function notNull(column: string, table: string, verb: 'INSERT' | 'UPDATE'): SqlError {
  return new SqlError(
    515,
    `Cannot insert the value NULL into column '${column}', table '${table}'; column does not allow nulls. ${verb} fails.`,
    { state: 2 },
  );
}

export function readOnlyDatabase(name: string): SqlError {
  return new SqlError(3906, `Failed to update database "${name}" because the database is read-only.`);
}

export function permissionDenied(permission: string, object: string, database: string, schema: string): SqlError {
  return new SqlError(
    229,
    `The ${permission} permission was denied on the object '${object}', database '${database}', schema '${schema}'.`,
    { class: 14, state: 5 },
  );
}

/** Errors after which the transaction is rolled back and the batch ends, whatever XACT_ABORT says. */
const FATAL_TO_TRANSACTION = new Set([245, 241, 1205, 3609, 3616, 3951, 3952, 3960, 3961, 8114]);

/** Errors that end the batch: raised while it is compiled in SQL Server, or fatal to the transaction. */
const FATAL_TO_BATCH = new Set([102, 137, 156, 207, 208, 209, 1718, 4104, 8631, 22104, 22105, 22106, 22107]);

/** Errors of RAISERROR, which XACT_ABORT does not ask about. */
const raised = new WeakSet<SqlError>();
const endingTransaction = new WeakSet<SqlError>();

/** Marks an error of RAISERROR. Source: learn.microsoft.com, SET XACT_ABORT: "The THROW statement honors SET XACT_ABORT. RAISERROR does not." */
export function raisedByUser(error: SqlError): SqlError {
  raised.add(error);
  return error;
}

export function isRaised(error: SqlError): boolean {
  return raised.has(error);
}

/** Marks an error that takes the transaction with it, whatever its number. */
export function endsTransactionToo(error: SqlError): SqlError {
  endingTransaction.add(error);
  return error;
}

export function endsTransaction(error: SqlError): boolean {
  return FATAL_TO_TRANSACTION.has(error.number) || endingTransaction.has(error);
}

/** Source: learn.microsoft.com, RAISERROR: "Severity levels from 20 through 25 are considered fatal"; TRY…CATCH does not catch them. */
export function endsConnection(error: SqlError): boolean {
  return error.class >= 20;
}

/** An error as the client is told it. @param procedure what runs, where the error does not say what it comes from */
export function messageOf(error: SqlError, procedure: string): SqlMessage {
  return {
    number: error.number,
    state: error.state,
    // Severity 10 reaches a client as 0. Source: learn.microsoft.com "Database Engine error severities".
    class: error.class === 10 ? 0 : error.class,
    message: error.message,
    procedure: error.procedure ?? procedure,
    line: Math.max(1, error.line),
  };
}

/** What ERROR_NUMBER() and its kin say of it. */
export function caughtError(error: SqlError): CaughtError {
  const { number, class: severity, state, line, message } = error;
  return { number, severity, state, line, message, procedure: error.procedure === '' ? null : error.procedure };
}

export function endsBatch(error: SqlError): boolean {
  return endsTransaction(error) || FATAL_TO_BATCH.has(error.number) || error.class >= 19;
}
