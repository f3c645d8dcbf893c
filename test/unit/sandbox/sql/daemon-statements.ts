/** The shapes of the statements that the daemon sends, each with parameters as variables. The parser and every function in them must know all. */

export const PROBES = [
  'SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version;',
  "SELECT OBJECT_ID(N'[sales].[Line]') AS object_id, CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'[sales].[Line]')) AS min_valid;",
  `SELECT tracked.object_id, tracked.begin_version, tracked.cleanup_version, tracked.min_valid_version, tracked.is_track_columns_updated_on
   FROM sys.change_tracking_tables AS tracked WHERE tracked.object_id IN (OBJECT_ID(N'[sales].[Line]'), OBJECT_ID(N'[sales].[Head]'));`,
  `SELECT p.object_id, SUM(p.rows) AS row_count FROM sys.partitions AS p
   WHERE p.index_id IN (0, 1) AND p.object_id IN (OBJECT_ID(N'[sales].[Line]')) GROUP BY p.object_id;`,
];

export const WINDOW_PAGE = `
DECLARE @since bigint = 7, @cursor bigint = 9, @a int = 0, @b smallint = 0, @limit int = 20000;
SET NOCOUNT ON; SET LOCK_TIMEOUT 5000; SET DEADLOCK_PRIORITY LOW;
SET TRANSACTION ISOLATION LEVEL SNAPSHOT;
BEGIN TRANSACTION;
SELECT CHANGE_TRACKING_CURRENT_VERSION() AS [to];
SELECT page.SYS_CHANGE_VERSION, page.SYS_CHANGE_OPERATION, page.SYS_CHANGE_CONTEXT, page.[Head], page.[No],
       CASE WHEN base.[Head] IS NULL THEN 0 WHEN base.[Code] <> N'gone' THEN 1 ELSE 0 END AS present,
       base.[Head] AS c0, base.[Code] AS c1, CONVERT(nvarchar(42), base.[Amount]) AS c2, CONVERT(nvarchar(30), base.[Price], 2) AS c3,
       CONVERT(nvarchar(33), base.[Moment], 126) AS c4, CONVERT(nvarchar(40), base.[Zoned], 126) AS c5,
       CASE WHEN DATALENGTH(base.[Body]) <= 1048576 THEN base.[Body] END AS c6, DATALENGTH(base.[Body]) AS c6_bytes,
       CONVERT(nvarchar(20), base.[Large]) AS c7, base.[Raw] AS c8, base.[Small] AS c9,
       CONVERT(nvarchar(18), CONVERT(binary(8), base.[Stamp]), 1) AS c10
FROM (SELECT TOP (@limit) changed.SYS_CHANGE_VERSION, changed.SYS_CHANGE_OPERATION, changed.SYS_CHANGE_CONTEXT, changed.[Head], changed.[No]
      FROM CHANGETABLE(CHANGES [sales].[Line], @since) AS changed
      WHERE changed.SYS_CHANGE_VERSION > @cursor
         OR (changed.SYS_CHANGE_VERSION = @cursor AND (changed.[Head] > @a OR (changed.[Head] = @a AND changed.[No] > @b)))
      ORDER BY changed.SYS_CHANGE_VERSION, changed.[Head], changed.[No]) AS page
LEFT OUTER JOIN [sales].[Line] AS base ON base.[Head] = page.[Head] AND base.[No] = page.[No]
ORDER BY page.SYS_CHANGE_VERSION, page.[Head], page.[No];
COMMIT TRANSACTION;`;

export const LOAD_PAGE = `
DECLARE @a int = 0, @b smallint = 0, @limit int = 500;
SET TRANSACTION ISOLATION LEVEL SNAPSHOT;
BEGIN TRANSACTION;
SELECT CHANGE_TRACKING_CURRENT_VERSION() AS [to];
SELECT TOP (@limit) base.[Head] AS c0, base.[No] AS c1 FROM [sales].[Line] AS base
WHERE (base.[Head] > @a OR (base.[Head] = @a AND base.[No] > @b)) AND (base.[Code] <> N'gone') ORDER BY base.[Head], base.[No];
COMMIT TRANSACTION;`;

export const SWEEPS = [
  `DECLARE @p0 int = 1, @p1 smallint = 2, @p2 int = 3, @p3 smallint = 4;
   SELECT wanted.n FROM (VALUES (0, @p0, @p1), (1, @p2, @p3)) AS wanted (n, k0, k1)
   WHERE EXISTS (SELECT 1 FROM [sales].[Line] AS base WHERE base.[Head] = wanted.k0 AND base.[No] = wanted.k1 AND (base.[Code] <> N'gone'));`,
  `DECLARE @keys nvarchar(max) = N'[[1,2],[3,4]]';
   SELECT wanted.n FROM OPENJSON(@keys) WITH (n int '$[0]', k0 int '$[1]', k1 smallint '$[2]') AS wanted
   WHERE EXISTS (SELECT 1 FROM [sales].[Line] AS base WHERE base.[Head] = wanted.k0);`,
];

export const CATALOG = [
  `SELECT c.name, c.column_id, ty.name AS type_name, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, c.is_computed, ic.key_ordinal
   FROM sys.columns AS c JOIN sys.types AS ty ON ty.user_type_id = c.user_type_id
   LEFT JOIN sys.indexes AS i ON i.object_id = c.object_id AND i.is_primary_key = 1
   LEFT JOIN sys.index_columns AS ic ON ic.object_id = c.object_id AND ic.index_id = i.index_id AND ic.column_id = c.column_id
   WHERE c.object_id = OBJECT_ID(N'[sales].[Line]') ORDER BY c.column_id;`,
  `DECLARE @x nvarchar(40) = N'a', @y nvarchar(40) = N'A';
   SELECT CASE WHEN @x COLLATE SQL_Latin1_General_CP1_CI_AS = @y COLLATE SQL_Latin1_General_CP1_CI_AS THEN 1 ELSE 0 END AS same;`,
  `SELECT CONVERT(nvarchar(60), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability, d.snapshot_isolation_state,
          d.is_read_committed_snapshot_on, d.database_id, d.create_date, d.service_broker_guid, SERVERPROPERTY('ServerName') AS server_name
   FROM sys.databases AS d WHERE d.database_id = DB_ID();`,
];

export const DAEMON_BATCHES = [...PROBES, WINDOW_PAGE, LOAD_PAGE, ...SWEEPS, ...CATALOG];
