-- The table of the checkpoint store (checkpoint.store: sqlserver), in a schema of its own, and the right to use it. The daemon creates nothing
-- by itself. Run as an administrator of the database, once for each source; may be run again.
--
-- Replace:  OrderDesk      the database
--           [patchwire]    the user of login.sql; the schema of the same name stays what it is
--
-- One row for each partition and section: a few hundred bytes, written before rows that were read are published. It goes back in time with the
-- database, so it proves a restore. Never switch change tracking on for this table, and never edit or delete its rows: a row that is gone, or
-- older than the daemon knows it, is taken for a restore, and the section is loaded anew.

USE [OrderDesk];
GO

IF SCHEMA_ID('patchwire') IS NULL
  EXECUTE ('CREATE SCHEMA patchwire AUTHORIZATION dbo;');
GO

IF OBJECT_ID('patchwire.checkpoints') IS NULL
  CREATE TABLE patchwire.checkpoints (
    partition_key varchar(400) COLLATE Latin1_General_BIN2 NOT NULL,
    section varchar(400) COLLATE Latin1_General_BIN2 NOT NULL,
    epoch varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    checkpoint_version bigint NOT NULL,
    confirmed_version bigint NOT NULL,
    leader varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
    mark bigint NOT NULL,
    origin_mark bigint NOT NULL,
    updated_at datetime2(3) NOT NULL,
    CONSTRAINT PK_checkpoints PRIMARY KEY CLUSTERED (partition_key, section)
  );
GO

GRANT SELECT, INSERT, UPDATE ON OBJECT::patchwire.checkpoints TO [patchwire];
GO
