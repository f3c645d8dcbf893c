-- Takes everything back that enable.sql and login.sql made. Stop the daemon first, and purge what it published:
--   patchwire table remove dbo.Orders --purge
-- History is gone with it: switched on again, the table has to be loaded anew.
--
-- Replace:  OrderDesk      the database
--           dbo, Orders    schema and table: repeat the second batch for every table
--           patchwire      the login and user

USE [OrderDesk];
GO

IF EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'[dbo].[Orders]'))
  ALTER TABLE [dbo].[Orders] DISABLE CHANGE_TRACKING;
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_tables)
  ALTER DATABASE [OrderDesk] SET CHANGE_TRACKING = OFF;
GO

DROP USER IF EXISTS [patchwire];
GO

DROP LOGIN [patchwire];
GO

-- Only where nobody else uses SNAPSHOT:
-- ALTER DATABASE [OrderDesk] SET ALLOW_SNAPSHOT_ISOLATION OFF;
