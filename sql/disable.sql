-- Switches change tracking off again. Stop the daemon first, and purge what it published:
--   patchwire table remove dbo.Orders --purge
-- History is gone with it: switched on again, the table has to be loaded anew.
--
-- Replace:  OrderDesk      the database
--           dbo, Orders    schema and table: repeat the second batch for every table
--           patchwire      the user of login.sql

USE [OrderDesk];
GO

IF EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'[dbo].[Orders]'))
  ALTER TABLE [dbo].[Orders] DISABLE CHANGE_TRACKING;
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_tables)
  ALTER DATABASE [OrderDesk] SET CHANGE_TRACKING = OFF;
GO

-- The checkpoint store, where there is one.
IF OBJECT_ID('patchwire.checkpoints') IS NOT NULL
  DROP TABLE patchwire.checkpoints;
IF SCHEMA_ID('patchwire') IS NOT NULL
  DROP SCHEMA patchwire;
GO

-- The user of login.sql, and all its rights in this database with it.
IF DATABASE_PRINCIPAL_ID(N'patchwire') IS NOT NULL
  DROP USER [patchwire];
GO

-- The login: leave it out where another database uses it.
IF SUSER_ID(N'patchwire') IS NOT NULL
  DROP LOGIN [patchwire];
GO

-- Once nobody else reads with it:
--   ALTER DATABASE [OrderDesk] SET ALLOW_SNAPSHOT_ISOLATION OFF;
