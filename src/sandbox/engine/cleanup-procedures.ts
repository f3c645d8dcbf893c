/**
 * Cleanup of change tracking by hand: the changes of a table, and the commits that no table needs any more. Source: learn.microsoft.com,
 * "sys.sp_flush_CT_internal_table_on_demand" and "sys.sp_flush_commit_table_on_demand".
 */
import { SqlError } from '../session.ts';
import type { SqlType } from '../sql-types.ts';
import { cleanUpTable, flushCommits } from './cleanup.ts';
import { findTable, objectNameOf } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import { numberArgument, textArgument } from './procedure-call.ts';
import type { StatementContext } from './statement-context.ts';
import { dateTimeOf } from './system-functions.ts';

const BIGINT: SqlType = { name: 'bigint' };
const DATETIME: SqlType = { name: 'datetime' };

/** @throws SqlError 262, 22866 */
function requireTracking(context: StatementContext): void {
  requireOwner(context.session, context.database, 'EXECUTE');
  if (!context.database.tracking.on) {
    throw new SqlError(22866, 'Change Tracking is not enabled on the database.');
  }
}

function print(call: ProcedureCall, message: string): void {
  call.runner.sink.message({ number: 0, state: 1, class: 0, message, procedure: '', line: 1 });
}

/** Removes what is older than the retention, of one table or of all. */
async function flushInternalTable(call: ProcedureCall): Promise<void> {
  const named = textArgument(call.get('@tabletoclean', 0));
  const counted = call.get('@deletedrowcount', 1);
  const removed = await call.runner.atomic((context) => {
    requireTracking(context);
    const { tracking } = context.database;
    const name = named === null ? null : objectNameOf(named);
    const tables = name === null ? context.database.tables() : [findTable(context.session, name)];
    return tables.reduce((sum, table) => sum + cleanUpTable(context.instance, table, tracking.expiredVersion()), 0);
  });
  print(call, `Total rows deleted: ${removed}.`);
  counted?.output?.(BigInt(removed), BIGINT);
  call.runner.done();
}

/** Removes commits, oldest first, up to the version to which every tracked table is cleaned up. */
async function flushCommitTable(call: ProcedureCall): Promise<void> {
  const limit = numberArgument(call.get('@numrows', 0));
  if (limit === null) {
    throw new SqlError(
      201,
      "Procedure or function 'sp_flush_commit_table_on_demand' expects parameter '@numrows', which was not supplied.",
      {
        state: 4,
      },
    );
  }
  const { version, removed, last } = await call.runner.atomic((context) => {
    requireTracking(context);
    return flushCommits(context.database, limit);
  });
  print(call, `The value returned by change_tracking_hardened_cleanup_version() is ${version}.`);
  print(call, `The value returned by safe_cleanup_version() is ${version}.`);
  call.get('@deleted_rows', 1)?.output?.(BigInt(removed), BIGINT);
  call.get('@date_cleanedup', 2)?.output?.(last === null ? null : dateTimeOf(last.at), DATETIME);
  call.get('@cleanup_ts', 3)?.output?.(version, BIGINT);
  call.runner.done();
}

export const cleanupProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_flush_ct_internal_table_on_demand', flushInternalTable],
  ['sp_flush_commit_table_on_demand', flushCommitTable],
]);
