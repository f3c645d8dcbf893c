-- Statements that people write against a database, each with what comes back.
--
-- Any client that knows GO as the end of a batch can run this file in an empty database. A batch begins with its title. The comments below
-- a batch say what comes back, in this order and nothing else:
--
--   columns: name type | name type     a result set; (none) is a column without a name
--   row: value | value                 a text stands in quotes where it could be mistaken: empty, with spaces at an end, 'NULL', with a bar
--   affected: n                        the row count of a statement without a result set; a result set's count is that of its rows
--   info number, class, state, line n: text
--   error number, severity, state, line n: text        what is left out at the end is not compared
--
-- A batch without such comments gives nothing back. Lines are counted from the batch's first line, its title. Values are the texts that
-- SQL Server Management Studio would show; decimals have the digits of their scale, moments the digits of theirs. What is expected is
-- written by hand from Microsoft's documentation: most of it is an example of the page about the statement or function.
GO
-- ## Joins
CREATE TABLE dbo.customer (id int NOT NULL PRIMARY KEY, name nvarchar(20) NOT NULL);
CREATE TABLE dbo.purchase (id int NOT NULL PRIMARY KEY, customer int NULL, amount decimal(9,2) NOT NULL);
INSERT INTO dbo.customer (id, name) VALUES (1, N'Ann'), (2, N'Bob'), (3, N'Cy');
INSERT INTO dbo.purchase (id, customer, amount) VALUES (10, 1, 5), (11, 1, 7.5), (12, 2, 1.25), (13, NULL, 9);
-- affected: 3
-- affected: 4
GO
-- an inner join gives what matches on both sides
SELECT c.name, p.amount FROM dbo.customer AS c INNER JOIN dbo.purchase AS p ON p.customer = c.id ORDER BY p.id;
-- columns: name nvarchar(20) | amount decimal(9,2)
-- row: Ann | 5.00
-- row: Ann | 7.50
-- row: Bob | 1.25
GO
