-- What compose.yaml needs of SQL Server: a database with two tables, change tracking, and the daemon's login. May be run again.

IF DB_ID(N'OrderDesk') IS NULL
  CREATE DATABASE [OrderDesk];
GO

ALTER DATABASE [OrderDesk] SET ALLOW_SNAPSHOT_ISOLATION ON;
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID(N'OrderDesk'))
  ALTER DATABASE [OrderDesk] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON);
GO

USE [OrderDesk];
GO

IF OBJECT_ID(N'dbo.Customers') IS NULL
  CREATE TABLE dbo.Customers (
    CustomerID int NOT NULL CONSTRAINT PK_Customers PRIMARY KEY,
    Name nvarchar(80) NOT NULL,
    City nvarchar(40) NULL
  );
GO

IF OBJECT_ID(N'dbo.Orders') IS NULL
  CREATE TABLE dbo.Orders (
    OrderID int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_Orders PRIMARY KEY,
    CustomerID int NOT NULL CONSTRAINT FK_Orders_Customers REFERENCES dbo.Customers (CustomerID),
    Status varchar(12) NOT NULL CONSTRAINT DF_Orders_Status DEFAULT 'new',
    Total decimal(12, 2) NOT NULL,
    ChangedAt datetime2 NOT NULL CONSTRAINT DF_Orders_ChangedAt DEFAULT SYSUTCDATETIME()
  );
GO

IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'dbo.Customers'))
  ALTER TABLE dbo.Customers ENABLE CHANGE_TRACKING;
IF NOT EXISTS (SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'dbo.Orders'))
  ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING;
GO

INSERT INTO dbo.Customers (CustomerID, Name, City)
SELECT v.CustomerID, v.Name, v.City
FROM (VALUES (1, N'Ada', N'London'), (2, N'Grace', N'New York'), (3, N'Edsger', N'Rotterdam')) AS v (CustomerID, Name, City)
WHERE NOT EXISTS (SELECT 1 FROM dbo.Customers AS c WHERE c.CustomerID = v.CustomerID);
GO

USE [master];
GO

IF SUSER_ID(N'patchwire') IS NULL
  CREATE LOGIN [patchwire] WITH PASSWORD = N'Try-It-0nly!', DEFAULT_DATABASE = [OrderDesk];
GO

USE [OrderDesk];
GO

IF USER_ID(N'patchwire') IS NULL
  CREATE USER [patchwire] FOR LOGIN [patchwire];
GO

GRANT SELECT ON SCHEMA::[dbo] TO [patchwire];
GRANT VIEW CHANGE TRACKING ON SCHEMA::[dbo] TO [patchwire];
GO
