/**
 * The T-SQL of the checkpoint store: the table of sql/checkpoint-store.sql, values only as parameters. Each write is one statement that commits
 * by itself: what was read before it is older than it in the log, so that a database that has the row has what was read.
 * Source: learn.microsoft.com, UPDATE, HAS_PERMS_BY_NAME, DATABASEPROPERTYEX, SQL Server transaction log architecture.
 */
import { settings, type RequestSettings } from './queries.ts';

/** Schema and table. */
export const CHECKPOINT_TABLE = 'patchwire.checkpoints';

/** The result sets of reading. */
export const CHECKPOINT_SETS = ['facts', 'row'] as const;

const WHERE = 'WHERE partition_key = @partition AND section = @section';

/** The facts come first: where the table is not there, they are all that comes before error 208. */
export function readCheckpointQuery(request: RequestSettings): string {
  return `${settings(request)}
SELECT OBJECT_ID(N'${CHECKPOINT_TABLE}') AS object_id,
  HAS_PERMS_BY_NAME(N'${CHECKPOINT_TABLE}', N'OBJECT', N'SELECT') AS may_select,
  HAS_PERMS_BY_NAME(N'${CHECKPOINT_TABLE}', N'OBJECT', N'INSERT') AS may_insert,
  HAS_PERMS_BY_NAME(N'${CHECKPOINT_TABLE}', N'OBJECT', N'UPDATE') AS may_update,
  (SELECT COUNT(*) FROM sys.change_tracking_tables AS ct WHERE ct.object_id = OBJECT_ID(N'${CHECKPOINT_TABLE}')) AS tracked,
  DB_NAME() AS name, CONVERT(nvarchar(60), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability;
SELECT epoch, checkpoint_version, confirmed_version, leader, mark, origin_mark, CONVERT(nvarchar(23), updated_at, 126) AS updated_at
FROM ${CHECKPOINT_TABLE} ${WHERE};`;
}

export function createCheckpointQuery(request: RequestSettings): string {
  return `${settings(request)}
INSERT INTO ${CHECKPOINT_TABLE} (partition_key, section, epoch, checkpoint_version, confirmed_version, leader, mark, origin_mark, updated_at)
VALUES (@partition, @section, @epoch, @checkpoint, @confirmed, @leader, @mark, @origin, SYSUTCDATETIME());`;
}

/** One row that says how many rows were written: 0 or 1. */
export function replaceCheckpointQuery(request: RequestSettings): string {
  return `${settings(request)}
UPDATE ${CHECKPOINT_TABLE} SET epoch = @epoch, checkpoint_version = @checkpoint, confirmed_version = @confirmed, leader = @leader,
  mark = @mark, origin_mark = @origin, updated_at = SYSUTCDATETIME()
${WHERE} AND leader = @expectedLeader AND mark = @expectedMark;
SELECT @@ROWCOUNT AS written;`;
}
