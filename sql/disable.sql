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

IF EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'patchwire')
BEGIN
  REVOKE SELECT ON [dbo].[Orders] FROM [patchwire];
  REVOKE VIEW CHANGE TRACKING ON [dbo].[Orders] FROM [patchwire];
END
GO

-- Once nobody needs them, the user and the login of login.sql, and SNAPSHOT where no one else reads with it:
--   DROP USER [patchwire];
--   DROP LOGIN [patchwire];
--   ALTER DATABASE [OrderDesk] SET ALLOW_SNAPSHOT_ISOLATION OFF;
