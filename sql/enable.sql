-- Switches change tracking on, for a database and one of its tables. Run as an administrator of the database; may be run again.
--
-- Replace:  OrderDesk      the database
--           dbo, Orders    schema and table: repeat the last batch for every table (each needs a primary key)
--           7 DAYS         how long changes are kept: longer than the daemon may ever be down
--
-- SNAPSHOT lets the daemon read without blocking writers and without missing anything. It costs row versions in tempdb. Where it must
-- stay off, leave the first batch out: patchwire then reads under READ COMMITTED and says so in its log.

ALTER DATABASE [OrderDesk] SET ALLOW_SNAPSHOT_ISOLATION ON;
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID(N'OrderDesk'))
  ALTER DATABASE [OrderDesk] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON);
GO

USE [OrderDesk];
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'[dbo].[Orders]'))
  ALTER TABLE [dbo].[Orders] ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF);
GO
