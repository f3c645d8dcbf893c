-- A login for the daemon with the least that it needs: SELECT and VIEW CHANGE TRACKING on each followed table, nothing else. It creates no
-- object and writes nothing. Run as an administrator of the server, once.
--
-- Replace:  patchwire               the login and user
--           Change-This-Password1!  its password
--           OrderDesk               the database
--           dbo, Orders             schema and table: repeat the two GRANTs for every table
--
-- To follow every table of a schema, now and later:  GRANT SELECT ON SCHEMA::[dbo] TO [patchwire];
--                                                    GRANT VIEW CHANGE TRACKING ON SCHEMA::[dbo] TO [patchwire];
-- db_datareader alone is not enough: it does not include VIEW CHANGE TRACKING.

USE [master];
GO

CREATE LOGIN [patchwire] WITH PASSWORD = N'Change-This-Password1!', DEFAULT_DATABASE = [OrderDesk];
GO

USE [OrderDesk];
GO

CREATE USER [patchwire] FOR LOGIN [patchwire];
GO

GRANT SELECT ON [dbo].[Orders] TO [patchwire];
GRANT VIEW CHANGE TRACKING ON [dbo].[Orders] TO [patchwire];
GO
