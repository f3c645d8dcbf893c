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
-- a left join keeps the rows of the left side
SELECT c.name, p.id FROM dbo.customer c LEFT OUTER JOIN dbo.purchase p ON p.customer = c.id ORDER BY c.id, p.id;
-- columns: name nvarchar(20) | id int
-- row: Ann | 10
-- row: Ann | 11
-- row: Bob | 12
-- row: Cy | NULL
GO
-- a condition in ON of a left join filters before the rows without a partner are added
SELECT c.name, p.id FROM dbo.customer c LEFT JOIN dbo.purchase p ON p.customer = c.id AND p.amount > 6 ORDER BY c.id;
-- columns: name nvarchar(20) | id int
-- row: Ann | 11
-- row: Bob | NULL
-- row: Cy | NULL
GO
-- a condition in WHERE filters after them
SELECT c.name, p.id FROM dbo.customer c LEFT JOIN dbo.purchase p ON p.customer = c.id WHERE p.amount > 6;
-- columns: name nvarchar(20) | id int
-- row: Ann | 11
GO
-- a right join keeps the rows of the right side
SELECT c.name, p.id FROM dbo.customer c RIGHT JOIN dbo.purchase p ON p.customer = c.id WHERE c.id IS NULL;
-- columns: name nvarchar(20) | id int
-- row: NULL | 13
GO
-- a full join keeps both
SELECT c.id AS customer, p.id AS purchase FROM dbo.customer c FULL OUTER JOIN dbo.purchase p ON p.customer = c.id ORDER BY 1, 2;
-- columns: customer int | purchase int
-- row: NULL | 13
-- row: 1 | 10
-- row: 1 | 11
-- row: 2 | 12
-- row: 3 | NULL
GO
-- a cross join pairs every row with every row
SELECT COUNT(*) AS pairs FROM dbo.customer CROSS JOIN dbo.purchase;
-- columns: pairs int
-- row: 12
GO
-- a comma in FROM is a cross join
SELECT c.name FROM dbo.customer c, dbo.purchase p WHERE p.customer = c.id AND p.id = 12;
-- columns: name nvarchar(20)
-- row: Bob
GO
-- a self join with brackets around the right side
SELECT a.id, b.id AS other FROM dbo.customer a LEFT JOIN (dbo.customer b INNER JOIN dbo.purchase p ON p.customer = b.id) ON b.id = a.id + 1 AND p.amount < 2 ORDER BY a.id;
-- columns: id int | other int
-- row: 1 | 2
-- row: 2 | NULL
-- row: 3 | NULL
GO
-- CROSS APPLY runs its right side for each row of the left
SELECT c.name, top1.amount FROM dbo.customer c CROSS APPLY (SELECT TOP (1) p.amount FROM dbo.purchase p WHERE p.customer = c.id ORDER BY p.amount DESC) AS top1 ORDER BY c.id;
-- columns: name nvarchar(20) | amount decimal(9,2)
-- row: Ann | 7.50
-- row: Bob | 1.25
GO
-- OUTER APPLY keeps the rows for which the right side gives none
SELECT c.name, s.total FROM dbo.customer c OUTER APPLY (SELECT p.customer, SUM(p.amount) AS total FROM dbo.purchase p WHERE p.customer = c.id GROUP BY p.customer) s ORDER BY c.id;
-- columns: name nvarchar(20) | total decimal(38,2)
-- row: Ann | 12.50
-- row: Bob | 1.25
-- row: Cy | NULL
GO
-- the same name twice in FROM
SELECT 1 FROM dbo.customer, dbo.customer;
-- error 1013, 16, 1, line 2
GO
-- a column that both sides have
SELECT id FROM dbo.customer c JOIN dbo.purchase p ON p.customer = c.id;
-- error 209, 16, 1, line 2: Ambiguous column name 'id'.
GO
-- an alias that is not there
SELECT x.id FROM dbo.customer c;
-- error 4104, 16, 1, line 2: The multi-part identifier "x.id" could not be bound.
GO
-- a table of values with column names
SELECT v.a, v.b FROM (VALUES (1, 'one'), (2, 'two')) AS v (a, b) ORDER BY v.a DESC;
-- columns: a int | b varchar(3)
-- row: 2 | two
-- row: 1 | one
GO
-- a row of values with another number of columns
SELECT 1 FROM (VALUES (1, 2), (3)) AS v (a, b);
-- error 10709, 16, 1, line 2
GO
-- ## Subqueries, CTEs and set operations
CREATE TABLE dbo.staff (id int NOT NULL PRIMARY KEY, boss int NULL, name varchar(10) NOT NULL, pay int NULL);
INSERT dbo.staff VALUES (1, NULL, 'Ada', 90), (2, 1, 'Ben', 70), (3, 1, 'Cid', NULL), (4, 2, 'Dot', 50), (5, 2, 'Eve', 70);
-- affected: 5
GO
-- a scalar subquery
SELECT name FROM dbo.staff WHERE pay = (SELECT MAX(pay) FROM dbo.staff);
-- columns: name varchar(10)
-- row: Ada
-- info 8153, 0, 1, line 2: Warning: Null value is eliminated by an aggregate or other SET operation.
GO
-- a scalar subquery that gives two rows
SELECT name FROM dbo.staff WHERE pay = (SELECT pay FROM dbo.staff WHERE id IN (2, 4));
-- error 512, 16, 1, line 2
GO
-- a correlated subquery in the select list
SELECT s.name, (SELECT COUNT(*) FROM dbo.staff t WHERE t.boss = s.id) AS reports FROM dbo.staff s ORDER BY s.id;
-- columns: name varchar(10) | reports int
-- row: Ada | 2
-- row: Ben | 2
-- row: Cid | 0
-- row: Dot | 0
-- row: Eve | 0
GO
-- EXISTS and NOT EXISTS
SELECT s.name FROM dbo.staff s WHERE EXISTS (SELECT * FROM dbo.staff t WHERE t.boss = s.id) AND NOT EXISTS (SELECT 1 FROM dbo.staff t WHERE t.id = s.boss);
-- columns: name varchar(10)
-- row: Ada
GO
-- IN with a subquery
SELECT name FROM dbo.staff WHERE id IN (SELECT boss FROM dbo.staff) ORDER BY name;
-- columns: name varchar(10)
-- row: Ada
-- row: Ben
GO
-- NOT IN with a NULL in the list is true for nothing
SELECT name FROM dbo.staff WHERE id NOT IN (SELECT boss FROM dbo.staff);
-- columns: name varchar(10)
GO
-- ALL, ANY and SOME
SELECT (SELECT COUNT(*) FROM dbo.staff WHERE pay >= ALL (SELECT pay FROM dbo.staff WHERE pay IS NOT NULL)) AS a, (SELECT COUNT(*) FROM dbo.staff WHERE pay > ANY (SELECT pay FROM dbo.staff)) AS b, (SELECT COUNT(*) FROM dbo.staff WHERE pay = SOME (SELECT 70)) AS c;
-- columns: a int | b int | c int
-- row: 1 | 3 | 2
GO
-- a subquery with two columns where one must stand
SELECT (SELECT 1, 2);
-- error 116, 16, 1, line 2: Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.
GO
-- a derived table needs a name for each column
SELECT 1 FROM (SELECT 1) AS d;
-- error 8155, 16, 2, line 2: No column name was specified for column 1 of 'd'.
GO
-- a CTE that another one uses
WITH a AS (SELECT id, pay FROM dbo.staff WHERE pay IS NOT NULL), b (total) AS (SELECT SUM(pay) FROM a) SELECT a.id, b.total FROM a CROSS JOIN b WHERE a.pay = 50;
-- columns: id int | total int
-- row: 4 | 280
GO
-- a recursive CTE walks a hierarchy
WITH tree (id, name, level) AS (SELECT id, name, 0 FROM dbo.staff WHERE boss IS NULL UNION ALL SELECT s.id, s.name, tree.level + 1 FROM dbo.staff s JOIN tree ON s.boss = tree.id) SELECT name, level FROM tree ORDER BY level, name;
-- columns: name varchar(10) | level int
-- row: Ada | 0
-- row: Ben | 1
-- row: Cid | 1
-- row: Dot | 2
-- row: Eve | 2
GO
-- a recursion stops after 100 levels
WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n;
-- error 530, 16, 1, line 2: The statement terminated. The maximum recursion 100 has been exhausted before statement completion.
GO
-- MAXRECURSION allows more
WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT MAX(i) AS most FROM n OPTION (MAXRECURSION 1000);
-- columns: most int
-- row: 1000
GO
-- UNION removes duplicates, UNION ALL keeps them
SELECT (SELECT COUNT(*) FROM (SELECT 1 AS a UNION SELECT 1 UNION SELECT 2) u) AS few, (SELECT COUNT(*) FROM (SELECT 1 AS a UNION ALL SELECT 1 UNION ALL SELECT 2) u) AS most;
-- columns: few int | most int
-- row: 2 | 3
GO
-- UNION takes the names of the first query and the stronger types
SELECT CAST(1 AS int) AS n UNION ALL SELECT 2.5 ORDER BY n DESC;
-- columns: n decimal(11,1)
-- row: 2.5
-- row: 1.0
GO
-- EXCEPT gives what only the left side has, NULL being equal to NULL
SELECT boss FROM dbo.staff EXCEPT SELECT NULL ORDER BY boss;
-- columns: boss int
-- row: 1
-- row: 2
GO
-- INTERSECT binds stronger than UNION
SELECT 1 AS a UNION SELECT 2 INTERSECT SELECT 3;
-- columns: a int
-- row: 1
GO
-- brackets change that
(SELECT 1 AS a UNION SELECT 3) INTERSECT SELECT 3;
-- columns: a int
-- row: 3
GO
-- set operations need the same number of columns
SELECT 1 UNION SELECT 1, 2;
-- error 205, 16, 1, line 2: All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.
GO
-- ORDER BY of a set operation names the select list
SELECT name FROM dbo.staff UNION SELECT 'Zoe' ORDER BY pay;
-- error 104, 16, 1, line 2
GO
-- EXISTS does not compute its select list
SELECT CASE WHEN EXISTS (SELECT 1/0) THEN 1 ELSE 0 END AS one, CASE WHEN EXISTS (SELECT DISTINCT TOP (0) 1/0) THEN 1 ELSE 0 END AS none, CASE WHEN EXISTS (SELECT 1/0 FROM (VALUES (1), (2)) AS v (a) ORDER BY a OFFSET 2 ROWS) THEN 1 ELSE 0 END AS past, CASE WHEN NOT EXISTS (SELECT 1/0 FROM (VALUES (1), (2)) AS v (a) WHERE a > 1) THEN 1 ELSE 0 END AS filtered;
-- columns: one int | none int | past int | filtered int
-- row: 1 | 0 | 0 | 0
GO
-- ## Order, TOP, OFFSET and DISTINCT
CREATE TABLE dbo.mark (id int NOT NULL PRIMARY KEY, points int NULL);
INSERT INTO dbo.mark VALUES (1, 10), (2, 20), (3, 20), (4, 30), (5, NULL);
-- affected: 5
GO
-- NULL comes first
SELECT points FROM dbo.mark ORDER BY points;
-- columns: points int
-- row: NULL
-- row: 10
-- row: 20
-- row: 20
-- row: 30
GO
-- and last in descending order
SELECT id FROM dbo.mark ORDER BY points DESC, id DESC;
-- columns: id int
-- row: 4
-- row: 3
-- row: 2
-- row: 1
-- row: 5
GO
-- ORDER BY an alias, an expression that is not selected, and a position
SELECT id AS k, -id AS minus FROM dbo.mark WHERE id < 4 ORDER BY id % 2, 2;
-- columns: k int | minus int
-- row: 2 | -2
-- row: 3 | -3
-- row: 1 | -1
GO
-- a position that is not there
SELECT id FROM dbo.mark ORDER BY 2;
-- error 108, 16, 1, line 2: The ORDER BY position number 2 is out of range of the number of items in the select list.
GO
-- TOP
SELECT TOP (2) id FROM dbo.mark ORDER BY id DESC;
-- columns: id int
-- row: 5
-- row: 4
GO
-- TOP WITH TIES gives what is equal to the last row too
SELECT TOP (2) WITH TIES id FROM dbo.mark ORDER BY points DESC;
-- columns: id int
-- row: 4
-- row: 2
-- row: 3
GO
-- TOP PERCENT rounds up
SELECT TOP (30) PERCENT id FROM dbo.mark ORDER BY id;
-- columns: id int
-- row: 1
-- row: 2
GO
-- WITH TIES needs ORDER BY
SELECT TOP (1) WITH TIES id FROM dbo.mark;
-- error 1062, 15, 1, line 2: The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.
GO
-- TOP with a variable
DECLARE @n int = 1; SELECT TOP (@n) id FROM dbo.mark ORDER BY id;
-- columns: id int
-- row: 1
GO
-- OFFSET and FETCH
SELECT id FROM dbo.mark ORDER BY id OFFSET 1 ROW FETCH NEXT 2 ROWS ONLY;
-- columns: id int
-- row: 2
-- row: 3
GO
-- OFFSET alone
SELECT id FROM dbo.mark ORDER BY id OFFSET 3 ROWS;
-- columns: id int
-- row: 4
-- row: 5
GO
-- OFFSET needs ORDER BY
SELECT id FROM dbo.mark OFFSET 1 ROWS;
-- error 102, 15, 1, line 2
GO
-- TOP and OFFSET do not meet
SELECT TOP (1) id FROM dbo.mark ORDER BY id OFFSET 1 ROWS;
-- error 10741, 15, 2, line 2: A TOP can not be used in the same query or sub-query as a OFFSET.
GO
-- DISTINCT
SELECT DISTINCT points FROM dbo.mark ORDER BY points DESC;
-- columns: points int
-- row: 30
-- row: 20
-- row: 10
-- row: NULL
GO
-- DISTINCT sorts by what it selects
SELECT DISTINCT points FROM dbo.mark ORDER BY id;
-- error 145, 15, 1, line 2: ORDER BY items must appear in the select list if SELECT DISTINCT is specified.
GO
-- ORDER BY in a derived table without TOP
SELECT id FROM (SELECT id FROM dbo.mark ORDER BY id) d;
-- error 1033, 15, 1, line 2: The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.
GO
-- SELECT * without FROM
SELECT *;
-- error 263, 16, 1, line 2: Must specify table to select from.
GO
-- ## Groups
CREATE TABLE dbo.sale (country varchar(6) NULL, region varchar(16) NULL, amount int NULL);
INSERT INTO dbo.sale VALUES ('Canada', 'Alberta', 100), ('Canada', 'British Columbia', 200), ('Canada', 'British Columbia', 300), ('US', 'Montana', 100);
-- affected: 4
GO
-- GROUP BY with two columns
SELECT country, region, SUM(amount) AS total FROM dbo.sale GROUP BY country, region ORDER BY country, region;
-- columns: country varchar(6) | region varchar(16) | total int
-- row: Canada | Alberta | 100
-- row: Canada | British Columbia | 500
-- row: US | Montana | 100
GO
-- ROLLUP adds the totals of each prefix of the list
SELECT country, region, SUM(amount) AS total FROM dbo.sale GROUP BY ROLLUP (country, region) ORDER BY GROUPING(country), country, GROUPING(region), region;
-- columns: country varchar(6) | region varchar(16) | total int
-- row: Canada | Alberta | 100
-- row: Canada | British Columbia | 500
-- row: Canada | NULL | 600
-- row: US | Montana | 100
-- row: US | NULL | 100
-- row: NULL | NULL | 700
GO
-- CUBE adds those of every combination
SELECT country, region, SUM(amount) AS total, GROUPING_ID(country, region) AS g FROM dbo.sale GROUP BY CUBE (country, region) ORDER BY g, country, region;
-- columns: country varchar(6) | region varchar(16) | total int | g int
-- row: Canada | Alberta | 100 | 0
-- row: Canada | British Columbia | 500 | 0
-- row: US | Montana | 100 | 0
-- row: Canada | NULL | 600 | 1
-- row: US | NULL | 100 | 1
-- row: NULL | Alberta | 100 | 2
-- row: NULL | British Columbia | 500 | 2
-- row: NULL | Montana | 100 | 2
-- row: NULL | NULL | 700 | 3
GO
-- GROUPING SETS names the combinations
SELECT country, region, COUNT(*) AS n, GROUPING(country) AS g FROM dbo.sale GROUP BY GROUPING SETS ((country), (region), ()) HAVING COUNT(*) > 1 ORDER BY n DESC, g, country;
-- columns: country varchar(6) | region varchar(16) | n int | g tinyint
-- row: NULL | NULL | 4 | 1
-- row: Canada | NULL | 3 | 0
-- row: NULL | British Columbia | 2 | 1
GO
-- WITH ROLLUP is the older way to write it
SELECT country, SUM(amount) AS total FROM dbo.sale GROUP BY country WITH ROLLUP ORDER BY total;
-- columns: country varchar(6) | total int
-- row: US | 100
-- row: Canada | 600
-- row: NULL | 700
GO
-- the empty grouping set gives one row even without rows
SELECT SUM(amount) AS total, COUNT(*) AS n FROM dbo.sale WHERE country = 'France' GROUP BY ();
-- columns: total int | n int
-- row: NULL | 0
GO
-- a plain GROUP BY gives none
SELECT country, COUNT(*) AS n FROM dbo.sale WHERE country = 'France' GROUP BY country;
-- columns: country varchar(6) | n int
GO
-- HAVING
SELECT country FROM dbo.sale GROUP BY country HAVING MIN(amount) < MAX(amount);
-- columns: country varchar(6)
-- row: Canada
GO
-- GROUP BY an expression
SELECT amount / 200 AS bucket, COUNT(*) AS n FROM dbo.sale GROUP BY amount / 200 ORDER BY bucket;
-- columns: bucket int | n int
-- row: 0 | 2
-- row: 1 | 2
GO
-- a column that is neither grouped nor aggregated
SELECT country, region FROM dbo.sale GROUP BY country;
-- error 8120, 16, 1, line 2
GO
-- an aggregate in WHERE
SELECT country FROM dbo.sale WHERE SUM(amount) > 1 GROUP BY country;
-- error 147, 15, 1, line 2
GO
-- aggregates leave NULL out, COUNT(*) does not
SELECT COUNT(*) AS a, COUNT(x) AS b, COUNT(DISTINCT x) AS c, SUM(x) AS d, AVG(x) AS e, MIN(x) AS f, MAX(x) AS g FROM (VALUES (1), (2), (2), (NULL)) AS v (x);
-- columns: a int | b int | c int | d int | e int | f int | g int
-- row: 4 | 3 | 2 | 5 | 1 | 1 | 2
-- info 8153, 0, 1, line 2: Warning: Null value is eliminated by an aggregate or other SET operation.
GO
-- the types of SUM and AVG
SELECT SUM(CAST(1 AS tinyint)) AS a, SUM(CAST(1 AS bigint)) AS b, SUM(1.25) AS c, AVG(1.25) AS d, SUM(CAST(1 AS money)) AS e, AVG(CAST(1 AS real)) AS f, COUNT_BIG(*) AS g;
-- columns: a int | b bigint | c decimal(38,2) | d decimal(38,6) | e money | f float | g bigint
-- row: 1 | 1 | 1.25 | 1.250000 | 1.0000 | 1 | 1
GO
-- SUM of int overflows as int
SELECT SUM(x) FROM (VALUES (2147483647), (1)) AS v (x);
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type int.
GO
-- deviations and variances, of a sample and of all
SELECT STDEV(x) AS a, STDEVP(x) AS b, VAR(x) AS c, VARP(x) AS d FROM (VALUES (2), (4), (4), (4), (5), (5), (7), (9)) AS v (x);
-- columns: a float | b float | c float | d float
-- row: 2.138089935299395 | 2 | 4.571428571428571 | 4
GO
-- the variance of a single value
SELECT VAR(x) AS a, VARP(x) AS b FROM (VALUES (2)) AS v (x);
-- columns: a float | b float
-- row: NULL | 0
GO
-- STRING_AGG with an order
SELECT STRING_AGG(region, ';') WITHIN GROUP (ORDER BY region DESC) AS regions FROM (SELECT DISTINCT region FROM dbo.sale) AS d;
-- columns: regions varchar(8000)
-- row: Montana;British Columbia;Alberta
GO
-- SUM of a text
SELECT SUM(region) FROM dbo.sale;
-- error 8117, 16, 1, line 2: Operand data type varchar is invalid for sum operator.
GO
-- PIVOT turns values into columns
SELECT country, [Alberta], [British Columbia], [Montana] FROM dbo.sale PIVOT (SUM(amount) FOR region IN ([Alberta], [British Columbia], [Montana])) AS p ORDER BY country;
-- columns: country varchar(6) | Alberta int | British Columbia int | Montana int
-- row: Canada | 100 | 500 | NULL
-- row: US | NULL | NULL | 100
GO
-- UNPIVOT turns columns into values and leaves NULL out
SELECT id, part, amount FROM (VALUES (1, 10, 20), (2, NULL, 40)) AS v (id, a, b) UNPIVOT (amount FOR part IN (a, b)) AS u ORDER BY id, part;
-- columns: id int | part nvarchar(128) | amount int
-- row: 1 | a | 10
-- row: 1 | b | 20
-- row: 2 | b | 40
GO
-- ORDER BY over groups takes what is grouped or aggregated
SELECT x.a FROM (VALUES (1, 2)) AS x (a, b) GROUP BY x.a ORDER BY x.b;
-- error 8127, 16, 1, line 2: Column "x.b" is invalid in the ORDER BY clause because it is not contained in either an aggregate function or the GROUP BY clause.
GO
-- ## Window functions
CREATE TABLE dbo.quota (person int NOT NULL, year int NOT NULL, amount int NOT NULL, PRIMARY KEY (person, year));
INSERT INTO dbo.quota VALUES (1, 2005, 367), (1, 2006, 556), (1, 2007, 367), (2, 2005, 100), (2, 2006, 250);
-- affected: 5
GO
-- ROW_NUMBER, RANK, DENSE_RANK and NTILE
SELECT year, amount, ROW_NUMBER() OVER (ORDER BY amount, year) AS n, RANK() OVER (ORDER BY amount) AS r, DENSE_RANK() OVER (ORDER BY amount) AS d, NTILE(2) OVER (ORDER BY amount, year) AS t FROM dbo.quota ORDER BY n;
-- columns: year int | amount int | n bigint | r bigint | d bigint | t bigint
-- row: 2005 | 100 | 1 | 1 | 1 | 1
-- row: 2006 | 250 | 2 | 2 | 2 | 1
-- row: 2005 | 367 | 3 | 3 | 3 | 1
-- row: 2007 | 367 | 4 | 3 | 3 | 2
-- row: 2006 | 556 | 5 | 5 | 4 | 2
GO
-- partitions
SELECT person, year, ROW_NUMBER() OVER (PARTITION BY person ORDER BY year DESC) AS n FROM dbo.quota ORDER BY person, n;
-- columns: person int | year int | n bigint
-- row: 1 | 2007 | 1
-- row: 1 | 2006 | 2
-- row: 1 | 2005 | 3
-- row: 2 | 2006 | 1
-- row: 2 | 2005 | 2
GO
-- LAG and LEAD with offset and default
SELECT year, amount, LAG(amount, 1, 0) OVER (ORDER BY year) AS before, LEAD(amount, 1, 0) OVER (ORDER BY year) AS after, LAG(amount, 2) OVER (ORDER BY year) AS two FROM dbo.quota WHERE person = 1 ORDER BY year;
-- columns: year int | amount int | before int | after int | two int
-- row: 2005 | 367 | 0 | 556 | NULL
-- row: 2006 | 556 | 367 | 367 | NULL
-- row: 2007 | 367 | 556 | 0 | 367
GO
-- LAG with a negative offset
SELECT LAG(amount, -1) OVER (ORDER BY year) FROM dbo.quota WHERE person = 1;
-- error 8730, 16, 1, line 2: Offset parameter for Lag and Lead functions cannot be a negative value.
GO
-- FIRST_VALUE, and LAST_VALUE, whose frame ends with the current row by default
SELECT year, FIRST_VALUE(amount) OVER (ORDER BY year) AS f, LAST_VALUE(amount) OVER (ORDER BY year) AS l, LAST_VALUE(amount) OVER (ORDER BY year ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS ll FROM dbo.quota WHERE person = 1 ORDER BY year;
-- columns: year int | f int | l int | ll int
-- row: 2005 | 367 | 367 | 367
-- row: 2006 | 367 | 556 | 367
-- row: 2007 | 367 | 367 | 367
GO
-- IGNORE NULLS
SELECT k, LAST_VALUE(v) IGNORE NULLS OVER (ORDER BY k) AS seen FROM (VALUES (1, 5), (2, NULL), (3, 7)) AS t (k, v) ORDER BY k;
-- columns: k int | seen int
-- row: 1 | 5
-- row: 2 | 5
-- row: 3 | 7
GO
-- a running total: the default frame counts equal rows together, ROWS does not
SELECT person, year, SUM(amount) OVER (ORDER BY amount) AS peers, SUM(amount) OVER (ORDER BY amount, year ROWS UNBOUNDED PRECEDING) AS running FROM dbo.quota ORDER BY running;
-- columns: person int | year int | peers int | running int
-- row: 2 | 2005 | 100 | 100
-- row: 2 | 2006 | 350 | 350
-- row: 1 | 2005 | 1084 | 717
-- row: 1 | 2007 | 1084 | 1084
-- row: 1 | 2006 | 1640 | 1640
GO
-- a moving frame
SELECT k, SUM(k) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS s, COUNT(*) OVER (ORDER BY k ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) AS c FROM (VALUES (1), (2), (3), (4)) AS v (k) ORDER BY k;
-- columns: k int | s int | c int
-- row: 1 | 3 | 2
-- row: 2 | 6 | 1
-- row: 3 | 9 | 0
-- row: 4 | 7 | 0
GO
-- RANGE up to the end
SELECT k, COUNT(*) OVER (ORDER BY k RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS c FROM (VALUES (1), (2), (2)) AS v (k) ORDER BY k;
-- columns: k int | c int
-- row: 1 | 3
-- row: 2 | 2
-- row: 2 | 2
GO
-- RANGE takes no numbers
SELECT SUM(k) OVER (ORDER BY k RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1)) AS v (k);
-- error 4194, 16, 1, line 2: RANGE is only supported with UNBOUNDED and CURRENT ROW window frame delimiters.
GO
-- PERCENT_RANK and CUME_DIST
SELECT k, PERCENT_RANK() OVER (ORDER BY k) AS p, CUME_DIST() OVER (ORDER BY k) AS c FROM (VALUES (1), (2), (2), (3)) AS v (k) ORDER BY k;
-- columns: k int | p float | c float
-- row: 1 | 0 | 0.25
-- row: 2 | 0.3333333333333333 | 0.75
-- row: 2 | 0.3333333333333333 | 0.75
-- row: 3 | 1 | 1
GO
-- an aggregate over the whole partition
SELECT person, amount, SUM(amount) OVER (PARTITION BY person) AS total FROM dbo.quota WHERE year = 2005 ORDER BY person;
-- columns: person int | amount int | total int
-- row: 1 | 367 | 367
-- row: 2 | 100 | 100
GO
-- a window function over groups
SELECT person, RANK() OVER (ORDER BY SUM(amount) DESC) AS r FROM dbo.quota GROUP BY person ORDER BY r;
-- columns: person int | r bigint
-- row: 1 | 1
-- row: 2 | 2
GO
-- a window function in WHERE
SELECT person FROM dbo.quota WHERE ROW_NUMBER() OVER (ORDER BY year) = 1;
-- error 4108, 15, 1, line 2: Windowed functions can only appear in the SELECT or ORDER BY clauses.
GO
-- ROW_NUMBER needs OVER
SELECT ROW_NUMBER() FROM dbo.quota;
-- error 10753, 15, 1, line 2: The function 'ROW_NUMBER' must have an OVER clause.
GO
-- ROW_NUMBER needs ORDER BY in OVER
SELECT ROW_NUMBER() OVER (PARTITION BY person) FROM dbo.quota;
-- error 4112, 15, 1, line 2: The function 'ROW_NUMBER' must have an OVER clause with ORDER BY.
GO
-- LAST_VALUE IGNORE NULLS over peers and over rows
SELECT k, LAST_VALUE(v) IGNORE NULLS OVER (ORDER BY k) AS peers, FIRST_VALUE(v) IGNORE NULLS OVER (ORDER BY k, v ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS rest FROM (VALUES (1, NULL), (2, 5), (2, NULL), (3, NULL)) AS t (k, v) ORDER BY k, v;
-- columns: k int | peers int | rest int
-- row: 1 | NULL | 5
-- row: 2 | 5 | 5
-- row: 2 | 5 | 5
-- row: 3 | 5 | NULL
GO
-- ## Conversions and styles
-- CAST and CONVERT of dates to texts
DECLARE @d datetime = '2006-12-30 00:38:54.840'; SELECT CONVERT(varchar(30), @d, 0) AS s0, CONVERT(varchar(30), @d, 101) AS s101, CONVERT(varchar(30), @d, 103) AS s103, CONVERT(varchar(30), @d, 104) AS s104, CONVERT(varchar(30), @d, 106) AS s106, CONVERT(varchar(30), @d, 107) AS s107, CONVERT(varchar(30), @d, 108) AS s108, CONVERT(varchar(30), @d, 112) AS s112;
-- columns: s0 varchar(30) | s101 varchar(30) | s103 varchar(30) | s104 varchar(30) | s106 varchar(30) | s107 varchar(30) | s108 varchar(30) | s112 varchar(30)
-- row: Dec 30 2006 12:38AM | 12/30/2006 | 30/12/2006 | 30.12.2006 | 30 Dec 2006 | Dec 30, 2006 | 00:38:54 | 20061230
GO
-- the long styles
DECLARE @d datetime = '2006-12-30 00:38:54.840'; SELECT CONVERT(varchar(30), @d, 109) AS s109, CONVERT(varchar(30), @d, 113) AS s113, CONVERT(varchar(30), @d, 120) AS s120, CONVERT(varchar(30), @d, 121) AS s121, CONVERT(varchar(30), @d, 126) AS s126;
-- columns: s109 varchar(30) | s113 varchar(30) | s120 varchar(30) | s121 varchar(30) | s126 varchar(30)
-- row: Dec 30 2006 12:38:54:840AM | 30 Dec 2006 00:38:54:840 | 2006-12-30 00:38:54 | 2006-12-30 00:38:54.840 | 2006-12-30T00:38:54.840
GO
-- dates from texts in a style
SELECT CONVERT(date, '30/12/2006', 103) AS a, CONVERT(date, '12-30-2006', 110) AS b, CONVERT(datetime, '2006-04-25T15:50:59.997', 126) AS c, CAST('20061230' AS date) AS d;
-- columns: a date | b date | c datetime | d date
-- row: 2006-12-30 | 2006-12-30 | 2006-04-25 15:50:59.997 | 2006-12-30
GO
-- a text that is no date
SELECT CAST('2006-13-01' AS date);
-- error 241, 16, 1, line 2: Conversion failed when converting date and/or time from character string.
GO
-- a date out of the range of datetime
SELECT CAST('1752-12-31' AS datetime);
-- error 242, 16, 3, line 2: The conversion of a varchar data type to a datetime data type resulted in an out-of-range value.
GO
-- datetime rounds to .000, .003 and .007 seconds
SELECT CAST('1998-01-01 23:59:59.999' AS datetime) AS a, CAST('1998-01-01 23:59:59.995' AS datetime) AS b, CAST('1998-01-01 23:59:59.993' AS datetime) AS c, CAST('1998-01-01 23:59:59.991' AS datetime) AS d;
-- columns: a datetime | b datetime | c datetime | d datetime
-- row: 1998-01-02 00:00:00.000 | 1998-01-01 23:59:59.997 | 1998-01-01 23:59:59.993 | 1998-01-01 23:59:59.990
GO
-- smalldatetime rounds to the minute
SELECT CAST('2007-05-08 12:35:29' AS smalldatetime) AS a, CAST('2007-05-08 12:35:30' AS smalldatetime) AS b, CAST('2007-05-08 12:59:59.998' AS smalldatetime) AS c;
-- columns: a smalldatetime | b smalldatetime | c smalldatetime
-- row: 2007-05-08 12:35:00 | 2007-05-08 12:36:00 | 2007-05-08 13:00:00
GO
-- a text as each of the types of dates and times
SELECT CAST('2007-05-08 12:35:29.1234567 +12:15' AS time(7)) AS t, CAST('2007-05-08 12:35:29.1234567 +12:15' AS date) AS d, CAST('2007-05-08 12:35:29.123' AS datetime2(7)) AS d2, CAST('2007-05-08 12:35:29.1234567 +12:15' AS datetimeoffset(7)) AS o;
-- columns: t time(7) | d date | d2 datetime2(7) | o datetimeoffset(7)
-- row: 12:35:29.1234567 | 2007-05-08 | 2007-05-08 12:35:29.1230000 | 2007-05-08 00:20:29.1234567 +00:00
GO
-- a scale that is smaller rounds
SELECT CAST('12:34:56.789' AS time(0)) AS a, CAST(CAST('2020-12-31 23:59:59.96' AS datetime2) AS datetime2(1)) AS b;
-- columns: a time(0) | b datetime2(1)
-- row: 12:34:57 | 2021-01-01 00:00:00.0
GO
-- numbers to texts
SELECT CAST(10.3496847 AS money) AS m, CAST(10.6496 AS int) AS i, CAST(-10.6496 AS int) AS j, CAST(10.3496 AS numeric(5, 2)) AS n, CONVERT(varchar(20), CAST(1234567.891 AS money), 1) AS s1, CONVERT(varchar(20), CAST(1234567.891 AS money), 2) AS s2, CAST(CAST(1234567.891 AS money) AS varchar(20)) AS s0;
-- columns: m money | i int | j int | n decimal(5,2) | s1 varchar(20) | s2 varchar(20) | s0 varchar(20)
-- row: 10.3497 | 10 | -10 | 10.35 | 1,234,567.89 | 1234567.8910 | 1234567.89
GO
-- float to text has six digits, style 1 eight, style 2 sixteen, style 3 seventeen
SELECT CAST(CAST(1234567.891 AS float) AS varchar(30)) AS s0, CONVERT(varchar(30), CAST(1234567.891 AS float), 1) AS s1, CONVERT(varchar(30), CAST(1234567.891 AS float), 2) AS s2, CAST(CAST(123.5 AS float) AS varchar(30)) AS small;
-- columns: s0 varchar(30) | s1 varchar(30) | s2 varchar(30) | small varchar(30)
-- row: 1.23457e+006 | 1.2345679e+006 | 1.234567891000000e+006 | 123.5
GO
-- binary to text and back
SELECT CONVERT(varchar(10), 0x4E616d65, 0) AS a, CONVERT(varchar(10), 0x4E616d65, 1) AS b, CONVERT(varchar(10), 0x4E616d65, 2) AS c, CONVERT(varbinary(8), '0x4E616d65', 1) AS d, CONVERT(varbinary(8), '4E616d65', 2) AS e, CAST('Name' AS varbinary(8)) AS f;
-- columns: a varchar(10) | b varchar(10) | c varchar(10) | d varbinary(8) | e varbinary(8) | f varbinary(8)
-- row: Name | 0x4E616D65 | 4E616D65 | 0x4E616D65 | 0x4E616D65 | 0x4E616D65
GO
-- numbers to binary
SELECT CAST(258 AS binary(4)) AS a, CAST(CAST(258 AS bigint) AS varbinary(8)) AS b, CAST(0x0102 AS int) AS c;
-- columns: a binary(4) | b varbinary(8) | c int
-- row: 0x00000102 | 0x0000000000000102 | 258
GO
-- TRY_CAST and TRY_CONVERT give NULL for a value that does not convert
SELECT TRY_CAST('test' AS float) AS a, TRY_CONVERT(int, '12x') AS b, TRY_CONVERT(datetime2, '12/31/2010') AS c, TRY_CAST('300' AS tinyint) AS d;
-- columns: a float | b int | c datetime2(7) | d tinyint
-- row: NULL | NULL | 2010-12-31 00:00:00.0000000 | NULL
GO
-- TRY_CAST of types that never convert is an error
SELECT TRY_CAST(4 AS xml);
-- error 529, 16, 2, line 2: Explicit conversion from data type int to xml is not allowed.
GO
-- a text that is no number
SELECT CAST('abc' AS int);
-- error 245, 16, 1, line 2: Conversion failed when converting the varchar value 'abc' to data type int.
GO
-- a text that is no decimal
SELECT CAST('1.x' AS decimal(5, 2));
-- error 8114, 16, 5, line 2: Error converting data type varchar to numeric.
GO
-- a text that is too large for its type
SELECT CAST('300' AS tinyint);
-- error 244, 16
GO
-- a number that is too large for its type
SELECT CAST(300 AS tinyint);
-- error 220, 16, 2, line 2: Arithmetic overflow error for data type tinyint, value = 300.
GO
-- a decimal that is too large for its type
SELECT CAST(1234.5 AS decimal(4, 2));
-- error 8115, 16, 8, line 2: Arithmetic overflow error converting numeric to data type numeric.
GO
-- a text that is no guid
SELECT CAST('xyz' AS uniqueidentifier);
-- error 8169, 16, 2, line 2: Conversion failed when converting from a character string to uniqueidentifier.
GO
-- types that do not convert implicitly
DECLARE @d date = 5;
-- error 206, 16, 2, line 2: Operand type clash: int is incompatible with date
GO
-- a cut text
SELECT CAST('abcdef' AS varchar(3)) AS a, CAST(N'abcdef' AS nchar(8)) AS b, LEN(CAST('x' AS varchar)) AS c, DATALENGTH(CAST('x' AS char)) AS d;
-- columns: a varchar(3) | b nchar(8) | c int | d int
-- row: abc | 'abcdef  ' | 1 | 30
GO
-- a number that does not fit into a text is a star
SELECT CAST(1234 AS varchar(2)) AS a, CONVERT(char(3), 12345) AS b;
-- columns: a varchar(2) | b char(3)
-- row: * | '*  '
GO
-- or an error, for nvarchar
SELECT CAST(1234 AS nvarchar(2));
-- error 8115, 16
GO
-- bit
SELECT CAST('true' AS bit) AS a, CAST('False' AS bit) AS b, CAST(5 AS bit) AS c, CAST(0 AS bit) AS d;
-- columns: a bit | b bit | c bit | d bit
-- row: 1 | 0 | 1 | 0
GO
-- ## Numbers
-- an integer division cuts
SELECT 7 / 2 AS a, -7 / 2 AS b, 7 % 3 AS c, -7 % 3 AS d, 7 / 2.0 AS e, 7.0 / 2 AS f;
-- columns: a int | b int | c int | d int | e decimal(8,6) | f decimal(7,6)
-- row: 3 | -3 | 1 | -1 | 3.500000 | 3.500000
GO
-- a division by zero
SELECT 1 / 0;
-- error 8134, 16, 1, line 2: Divide by zero error encountered.
GO
-- an overflow of int
SELECT 2147483647 + 1;
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type int.
GO
-- a literal beyond int is a decimal
SELECT 2147483648 AS a, 2147483647 AS b, 2147483648 / 2 AS c;
-- columns: a decimal(10,0) | b int | c decimal(16,6)
-- row: 2147483648 | 2147483647 | 1073741824.000000
GO
-- precision and scale of decimal results
DECLARE @a decimal(5, 2) = 12.34, @b decimal(7, 3) = 2.5; SELECT @a + @b AS s, @a * @b AS p, @a / @b AS q, @a % @b AS r;
-- columns: s decimal(8,3) | p decimal(13,5) | q decimal(16,10) | r decimal(6,3)
-- row: 14.840 | 30.85000 | 4.9360000000 | 2.340
GO
-- a result beyond 38 digits gives up scale
SELECT CAST(0.0000009000 AS decimal(30, 20)) * CAST(1.0000000000 AS decimal(30, 20)) AS p;
-- columns: p decimal(38,17)
-- row: 0.00000090000000000
GO
-- money keeps four digits at every step
SELECT CAST(1 AS money) / 3 AS a, CAST(10 AS money) / 3 * 3 AS b, $1.50 * 2 AS c;
-- columns: a money | b money | c money
-- row: 0.3333 | 9.9999 | 3.0000
GO
-- float arithmetic
SELECT 1e0 / 3 AS a, CAST(0.1 AS float) + 0.2 AS b, 1.5E2 AS c;
-- columns: a float | b float | c float
-- row: 0.3333333333333333 | 0.30000000000000004 | 150
GO
-- bits of integers
SELECT 170 & 75 AS a, 170 | 75 AS b, 170 ^ 75 AS c, ~CAST(170 AS tinyint) AS d, ~1 AS e;
-- columns: a int | b int | c int | d tinyint | e int
-- row: 10 | 235 | 225 | 85 | -2
GO
-- the functions of bits
SELECT BIT_COUNT(CAST(0xabcdef AS int)) AS a, LEFT_SHIFT(12345, 5) AS b, RIGHT_SHIFT(12345, 5) AS c, GET_BIT(4, 2) AS d, SET_BIT(0, 2) AS e;
-- columns: a bigint | b int | c int | d bit | e int
-- row: 17 | 395040 | 385 | 1 | 4
GO
-- precedence of types: the weaker becomes the stronger
SELECT '1' + 1 AS a, 1 + CAST(1 AS bigint) AS b, 1 + 1.5 AS c, CAST(1 AS bit) + 1 AS d;
-- columns: a int | b bigint | c decimal(3,1) | d int
-- row: 2 | 2 | 2.5 | 2
GO
-- a text beside a number must be a number
SELECT 'a' + 1;
-- error 245, 16, 1, line 2: Conversion failed when converting the varchar value 'a' to data type int.
GO
-- dates do not add up
DECLARE @a date = '2020-01-01', @b date = '2020-01-02'; SELECT @a + @b;
-- error 8117, 16, 1, line 2: Operand data type date is invalid for add operator.
GO
-- datetime does, in days
SELECT CAST('2020-01-31' AS datetime) + 1 AS a, CAST('2020-03-01' AS datetime) - 1.5 AS b, CAST(CAST('2020-01-02' AS datetime) - CAST('2020-01-01' AS datetime) AS float) AS c;
-- columns: a datetime | b datetime | c float
-- row: 2020-02-01 00:00:00.000 | 2020-02-28 12:00:00.000 | 1
GO
-- operators that a type has not
SELECT CAST('a' AS text) + 'b';
-- error 402, 16, 1, line 2: The data types text and varchar are incompatible in the add operator.
GO
-- ROUND, with a negative length and with truncation
SELECT ROUND(123.9994, 3) AS a, ROUND(123.4545, 2) AS b, ROUND(123.45, -2) AS c, ROUND(150.75, 0) AS d, ROUND(150.75, 0, 1) AS e, ROUND(748.58, -3, 1) AS f;
-- columns: a decimal(7,4) | b decimal(7,4) | c decimal(5,2) | d decimal(5,2) | e decimal(5,2) | f decimal(5,2)
-- row: 123.9990 | 123.4500 | 100.00 | 151.00 | 150.00 | 0.00
GO
-- ROUND that needs another digit
SELECT ROUND(748.58, -3);
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type numeric.
GO
-- CEILING and FLOOR
SELECT CEILING($123.45) AS a, CEILING($-123.45) AS b, FLOOR(123.45) AS c, FLOOR(-123.45) AS d, CEILING(0.0) AS e;
-- columns: a money | b money | c decimal(5,0) | d decimal(5,0) | e decimal(1,0)
-- row: 124.0000 | -123.0000 | 123 | -124 | 0
GO
-- POWER has the type of its first argument
SELECT POWER(2, 10) AS a, POWER(2.0, -1) AS b, POWER(CAST(2.0 AS float), -1) AS c, SQUARE(1.5) AS d, SQRT(16) AS e;
-- columns: a int | b decimal(38,1) | c float | d float | e float
-- row: 1024 | 0.5 | 0.5 | 2.25 | 4
GO
-- ABS and SIGN
SELECT ABS(-1.5) AS a, ABS(-2) AS b, SIGN(-125) AS c, SIGN(0) AS d, SIGN(2.5) AS e;
-- columns: a decimal(2,1) | b int | c int | d int | e decimal(2,1)
-- row: 1.5 | 2 | -1 | 0 | 1.0
GO
-- ABS of the smallest int
SELECT ABS(CAST(-2147483648 AS int));
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type int.
GO
-- logarithms, exponents and angles
SELECT LOG(10) AS a, LOG(100, 10) AS b, LOG10(1000) AS c, EXP(1) AS d, DEGREES(PI() / 2) AS e, RADIANS(180) AS f, ATN2(1, 1) AS g;
-- columns: a float | b float | c float | d float | e float | f int | g float
-- row: 2.302585092994046 | 2 | 3 | 2.718281828459045 | 90 | 3 | 0.7853981633974483
GO
-- an operation without a result
SELECT SQRT(-1);
-- error 3623, 16, 1, line 2: An invalid floating point operation occurred.
GO
-- GREATEST and LEAST
SELECT GREATEST('6.62', 3.1415, N'7') AS a, LEAST(6, NULL, 4) AS b, GREATEST('Glacier', N'Joshua Tree', 'Mount Rainier') AS c;
-- columns: a decimal(5,4) | b int | c nvarchar(13)
-- row: 7.0000 | 4 | Mount Rainier
GO
-- ## Texts
-- lengths count characters without the spaces at the end, or bytes
SELECT LEN(N'abc  ') AS a, LEN('  abc') AS b, DATALENGTH(N'abc  ') AS c, DATALENGTH('abc  ') AS d, LEN(NULL) AS e;
-- columns: a int | b int | c int | d int | e int
-- row: 3 | 5 | 10 | 5 | NULL
GO
-- parts of a text
SELECT SUBSTRING('abcdef', 2, 3) AS a, SUBSTRING('abcdef', 0, 3) AS b, LEFT('abcdef', 2) AS c, RIGHT('abcdef', 2) AS d, SUBSTRING('abc', 5, 2) AS e, SUBSTRING(0x010203, 2, 1) AS f;
-- columns: a varchar(6) | b varchar(6) | c varchar(6) | d varchar(6) | e varchar(3) | f varbinary(3)
-- row: bcd | ab | ab | ef | '' | 0x02
GO
-- a negative length
SELECT SUBSTRING('abc', 1, -1);
-- error 537, 16, 3, line 2: Invalid length parameter passed to the LEFT or SUBSTRING function.
GO
-- CHARINDEX and PATINDEX
SELECT CHARINDEX('is', 'This is a string') AS a, CHARINDEX('is', 'This is a string', 4) AS b, CHARINDEX('x', 'This') AS c, PATINDEX('%ter%', 'interesting data') AS d, PATINDEX('%[^ 0-9A-Za-z]%', 'Please ensure the door is locked!') AS e;
-- columns: a int | b int | c int | d int | e int
-- row: 3 | 6 | 0 | 3 | 33
GO
-- REPLACE, STUFF, REVERSE, REPLICATE and SPACE
SELECT REPLACE('abcdefghicde', 'cde', 'xxx') AS a, STUFF('abcdef', 2, 3, 'ijklmn') AS b, REVERSE('1234') AS c, REPLICATE('0', 4) AS d, 'a' + SPACE(2) + 'b' AS e, STUFF('abc', 5, 1, 'x') AS f;
-- columns: a varchar(8000) | b varchar(8000) | c varchar(4) | d varchar(8000) | e varchar(8000) | f varchar(8000)
-- row: abxxxfghixxx | aijklmnef | 4321 | 0000 | a  b | NULL
GO
-- TRIM and its sides
SELECT TRIM('     test    ') AS a, LTRIM('  x ') + '.' AS b, RTRIM(' x  ') + '.' AS c, TRIM('.,! ' FROM '     #     test    .') AS d;
-- columns: a varchar(13) | b varchar(5) | c varchar(5) | d varchar(20)
-- row: test | x . | ' x.' | #     test
GO
-- TRIM of one side, LTRIM and RTRIM with characters
SELECT TRIM(LEADING '.,! ' FROM '     .#     test    .') AS a, TRIM(TRAILING '.,! ' FROM '     .#     test    .') AS b, TRIM(BOTH '123' FROM '123abc123') AS c, LTRIM('123abc.', '123') AS d, RTRIM('.123abc.', 'abc.') AS e;
-- columns: a varchar(21) | b varchar(21) | c varchar(9) | d varchar(7) | e varchar(8)
-- row: #     test    . | '     .#     test' | abc | abc. | .123
GO
-- UPPER, LOWER, ASCII, CHAR, UNICODE and NCHAR
SELECT UPPER('aé') AS a, LOWER('AÉ') AS b, ASCII('P') AS c, CHAR(65) AS d, UNICODE(N'Å') AS e, NCHAR(197) AS f, CHAR(256) AS g;
-- columns: a varchar(2) | b varchar(2) | c int | d char(1) | e int | f nchar(1) | g char(1)
-- row: AÉ | aé | 80 | A | 197 | Å | NULL
GO
-- CONCAT takes NULL as nothing, + does not
SELECT CONCAT('Happy ', NULL, 'Birthday ', 11, '/', N'25') AS a, CAST('x' + NULL AS varchar(5)) AS b, CONCAT_WS(',', '1 Microsoft Way', NULL, NULL, 'Redmond') AS c;
-- columns: a nvarchar(4000) | b varchar(5) | c varchar(8000)
-- row: Happy Birthday 11/25 | NULL | 1 Microsoft Way,Redmond
GO
-- QUOTENAME
SELECT QUOTENAME('abc[]def') AS a, QUOTENAME('it''s', '''') AS b, QUOTENAME('x', '"') AS c, QUOTENAME('x', '+') AS d;
-- columns: a nvarchar(258) | b nvarchar(258) | c nvarchar(258) | d nvarchar(258)
-- row: [abc[]]def] | 'it''s' | "x" | NULL
GO
-- STR
SELECT CAST(STR(123.45, 6, 1) AS varchar(10)) AS a, CAST(STR(123.45, 2, 2) AS varchar(10)) AS b, CAST(STR(FLOOR(123.45), 8, 3) AS varchar(10)) AS c;
-- columns: a varchar(10) | b varchar(10) | c varchar(10)
-- row: ' 123.5' | ** | ' 123.000'
GO
-- TRANSLATE
SELECT TRANSLATE('2*[3+4]/{7-2}', '[]{}', '()()') AS a, TRANSLATE('abcdef', 'abc', 'bcd') AS b;
-- columns: a varchar(13) | b varchar(6)
-- row: 2*(3+4)/(7-2) | bcddef
GO
-- TRANSLATE with lists of different lengths
SELECT TRANSLATE('abc', 'ab', 'x');
-- error 9828, 16, 1, line 2: The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.
GO
-- SOUNDEX and DIFFERENCE
SELECT SOUNDEX('Smith') AS a, SOUNDEX('Smythe') AS b, DIFFERENCE('Green', 'Greene') AS c, DIFFERENCE('Blotchet-Halls', 'Greene') AS d;
-- columns: a varchar(4) | b varchar(4) | c int | d int
-- row: S530 | S530 | 4 | 0
GO
-- FORMAT of numbers
SELECT FORMAT(123456789, '###-##-####') AS a, FORMAT(1234567.891, 'N2') AS b, FORMAT(1, 'C', 'en-us') AS c, FORMAT(0.256, 'P1') AS d, FORMAT(42, 'D6') AS e, FORMAT(1234.5, '#,##0.00;(#,##0.00)') AS f, FORMAT(-1234.5, '#,##0.00;(#,##0.00)') AS g;
-- columns: a nvarchar(4000) | b nvarchar(4000) | c nvarchar(4000) | d nvarchar(4000) | e nvarchar(4000) | f nvarchar(4000) | g nvarchar(4000)
-- row: 123-45-6789 | 1,234,567.89 | $1.00 | 25.6 % | 000042 | 1,234.50 | (1,234.50)
GO
-- FORMAT of dates
DECLARE @d date = '2020-11-22', @t datetime2 = '2018-01-01 14:05:06.789'; SELECT FORMAT(@d, 'd', 'en-US') AS a, FORMAT(@d, 'D', 'en-US') AS b, FORMAT(@d, 'dd/MM/yyyy') AS c, FORMAT(@t, 'hh:mm tt') AS d, FORMAT(@t, 'yyyy-MM-ddTHH:mm:ss.fff') AS e, FORMAT(@t, 'ddd, MMM d') AS f;
-- columns: a nvarchar(4000) | b nvarchar(4000) | c nvarchar(4000) | d nvarchar(4000) | e nvarchar(4000) | f nvarchar(4000)
-- row: 11/22/2020 | Sunday, November 22, 2020 | 22/11/2020 | 02:05 PM | 2018-01-01T14:05:06.789 | Mon, Jan 1
GO
-- FORMAT of times: what is no part must be escaped
SELECT FORMAT(CAST('07:35' AS time), N'hh.mm') AS a, FORMAT(CAST('07:35' AS time), N'hh\.mm') AS b, FORMAT(CAST('17:35' AS time), N'hh\:mm') AS c;
-- columns: a nvarchar(4000) | b nvarchar(4000) | c nvarchar(4000)
-- row: NULL | 07.35 | 17:35
GO
-- FORMATMESSAGE
SELECT FORMATMESSAGE('This is the %s and this is the %s.', 'first variable', 'second variable') AS a, FORMATMESSAGE('Signed int %i, %d %i, %d, %+i, %+d, %+i, %+d', 5, -5, 50, -50, -11, -11, 11, 11) AS b, FORMATMESSAGE('Unsigned hexadecimal %x, %X, %X, %X, %x', 11, 11, -11, 50, -50) AS c;
-- columns: a nvarchar(2047) | b nvarchar(2047) | c nvarchar(2047)
-- row: This is the first variable and this is the second variable. | Signed int 5, -5 50, -50, -11, -11, +11, +11 | Unsigned hexadecimal b, B, FFFFFFF5, 32, ffffffce
GO
-- STRING_SPLIT
SELECT value FROM STRING_SPLIT('Lorem ipsum dolor', ' ');
-- columns: value varchar(17)
-- row: Lorem
-- row: ipsum
-- row: dolor
GO
-- STRING_SPLIT with the ordinal
SELECT value, ordinal FROM STRING_SPLIT(N'a,,b', ',', 1) ORDER BY ordinal DESC;
-- columns: value nvarchar(4) | ordinal bigint
-- row: b | 3
-- row: '' | 2
-- row: a | 1
GO
-- STRING_ESCAPE
SELECT STRING_ESCAPE('\   /  \\    "     ', 'json') AS a;
-- columns: a nvarchar(max)
-- row: '\\   \/  \\\\    \"     '
GO
-- HASHBYTES
SELECT HASHBYTES('SHA2_256', 'abc') AS a, HASHBYTES('MD5', N'abc') AS b;
-- columns: a varbinary(8000) | b varbinary(8000)
-- row: 0xBA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD | 0xCE1473CF80C6B3FDA8E3DFC006ADC315
GO
-- LIKE with each kind of wildcard
SELECT v FROM (VALUES ('abc'), ('aXc'), ('a1c'), ('ac'), ('a%c')) AS t (v) WHERE v LIKE 'a[a-z]c' OR v LIKE 'a[%]c' OR v LIKE '_c' ORDER BY v;
-- columns: v varchar(3)
-- row: a%c
-- row: abc
-- row: ac
-- row: aXc
GO
-- LIKE with a negated class, and ESCAPE
SELECT (SELECT COUNT(*) FROM (VALUES ('abc'), ('a1c')) AS t (v) WHERE v LIKE 'a[^0-9]c') AS a, (SELECT COUNT(*) FROM (VALUES ('50%'), ('500')) AS t (v) WHERE v LIKE '50!%' ESCAPE '!') AS b, (SELECT COUNT(*) FROM (VALUES ('x')) AS t (v) WHERE v NOT LIKE '%y%') AS c;
-- columns: a int | b int | c int
-- row: 1 | 1 | 1
GO
-- comparisons do not see spaces at the end, LIKE does
SELECT CASE WHEN 'abc' = 'abc  ' THEN 1 ELSE 0 END AS a, CASE WHEN 'abc' LIKE 'abc  ' THEN 1 ELSE 0 END AS b, CASE WHEN N'abc  ' LIKE N'abc' THEN 1 ELSE 0 END AS c;
-- columns: a int | b int | c int
-- row: 1 | 0 | 0
GO
-- collations decide about case and accents
SELECT CASE WHEN 'a' = 'A' COLLATE Latin1_General_CI_AS THEN 1 ELSE 0 END AS ci, CASE WHEN 'a' = 'A' COLLATE Latin1_General_CS_AS THEN 1 ELSE 0 END AS cs, CASE WHEN 'e' = 'é' COLLATE Latin1_General_CI_AI THEN 1 ELSE 0 END AS ai, CASE WHEN 'e' = 'é' COLLATE Latin1_General_CI_AS THEN 1 ELSE 0 END AS [as], CASE WHEN 'a' = 'A' COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END AS bin;
-- columns: ci int | cs int | ai int | as int | bin int
-- row: 1 | 0 | 1 | 0 | 0
GO
-- ORDER BY in a collation
SELECT v FROM (VALUES ('b'), ('A'), ('a'), ('B')) AS t (v) ORDER BY v COLLATE Latin1_General_BIN2;
-- columns: v varchar(1)
-- row: A
-- row: B
-- row: a
-- row: b
GO
-- two explicit collations do not meet
SELECT 1 WHERE 'a' COLLATE Latin1_General_CI_AS = 'a' COLLATE Latin1_General_CS_AS;
-- error 468, 16, 9, line 2
GO
-- a collation that is not there
SELECT 'a' COLLATE Nowhere_CI_AS;
-- error 448, 16
GO
-- a text that does not fit into its column
CREATE TABLE dbo.narrow (v varchar(3) NULL); INSERT INTO dbo.narrow VALUES ('abcd');
-- error 2628, 16, 1, line 2
-- info 3621, 0, 1, line 2: The statement has been terminated.
GO
-- ## Dates and times
-- DATEADD
SELECT DATEADD(month, 1, '20060830') AS a, DATEADD(month, 1, '20060831') AS b, DATEADD(day, -1, CAST('2020-03-01' AS date)) AS c, DATEADD(hour, 25, CAST('2020-01-01' AS datetime2(0))) AS d, DATEADD(year, 1, CAST('2020-02-29' AS date)) AS e;
-- columns: a datetime | b datetime | c date | d datetime2(0) | e date
-- row: 2006-09-30 00:00:00.000 | 2006-09-30 00:00:00.000 | 2020-02-29 | 2020-01-02 01:00:00 | 2021-02-28
GO
-- DATEADD out of the range
SELECT DATEADD(year, 10000, CAST('2020-01-01' AS datetime));
-- error 517, 16, 1, line 2: Adding a value to a 'datetime' column caused an overflow.
GO
-- DATEDIFF counts boundaries
SELECT DATEDIFF(year, '2005-12-31 23:59:59.9999999', '2006-01-01 00:00:00.0000000') AS y, DATEDIFF(month, '2005-12-31 23:59:59.9999999', '2006-01-01') AS m, DATEDIFF(day, '2006-01-01', '2005-12-31') AS d, DATEDIFF(week, '2005-12-31', '2006-01-01') AS w, DATEDIFF_BIG(microsecond, '2005-12-31 23:59:59.9999999', '2006-01-01') AS us;
-- columns: y int | m int | d int | w int | us bigint
-- row: 1 | 1 | -1 | 1 | 1
GO
-- DATEDIFF that is too large
SELECT DATEDIFF(millisecond, '2000-01-01', '2020-01-01');
-- error 535, 16
GO
-- DATEPART and DATENAME
SELECT DATEPART(year, '2007-10-30 12:15:32.1234567 +05:10') AS y, DATEPART(quarter, '2007-10-30') AS q, DATEPART(dayofyear, '2007-10-30') AS dy, DATEPART(week, '2007-10-30') AS wk, DATEPART(weekday, '2007-10-30') AS dw, DATEPART(nanosecond, '2007-10-30 12:15:32.1234567 +05:10') AS ns, DATEPART(tzoffset, '2007-10-30 12:15:32.1234567 +05:10') AS tz, DATENAME(month, '2007-10-30') AS m, DATENAME(weekday, '2007-10-30') AS d;
-- columns: y int | q int | dy int | wk int | dw int | ns int | tz int | m nvarchar(30) | d nvarchar(30)
-- row: 2007 | 4 | 303 | 44 | 3 | 123456700 | 310 | October | Tuesday
GO
-- ISO weeks
SELECT DATEPART(iso_week, '2005-01-01') AS a, DATEPART(iso_week, '2005-01-03') AS b, DATEPART(iso_week, '2008-12-29') AS c;
-- columns: a int | b int | c int
-- row: 53 | 1 | 1
GO
-- DATEFIRST decides about weekdays
SET DATEFIRST 1; SELECT DATEPART(weekday, '2007-10-30') AS dw, @@DATEFIRST AS first; SET DATEFIRST 7;
-- columns: dw int | first tinyint
-- row: 2 | 1
GO
-- DATEFORMAT decides about texts
SET DATEFORMAT dmy; SELECT CAST('31/12/2008' AS datetime) AS a; SET DATEFORMAT mdy;
-- columns: a datetime
-- row: 2008-12-31 00:00:00.000
GO
-- YEAR, MONTH, DAY and EOMONTH
SELECT YEAR('2007-04-30T01:01:01.1234567') AS y, MONTH(0) AS m, DAY('2015-04-30 01:01:01.1234567') AS d, EOMONTH('1/15/2020') AS e, EOMONTH('2020-01-15', 1) AS f;
-- columns: y int | m int | d int | e date | f date
-- row: 2007 | 1 | 30 | 2020-01-31 | 2020-02-29
GO
-- dates of parts
SELECT DATEFROMPARTS(2010, 12, 31) AS a, DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 50, 2) AS b, DATETIMEFROMPARTS(2010, 12, 31, 23, 59, 59, 0) AS c, TIMEFROMPARTS(14, 23, 44, 5, 1) AS d, SMALLDATETIMEFROMPARTS(2010, 12, 31, 23, 59) AS e, CONVERT(varchar(40), DATETIMEOFFSETFROMPARTS(2010, 12, 31, 14, 23, 23, 0, 12, 0, 7)) AS f;
-- columns: a date | b datetime2(2) | c datetime | d time(1) | e smalldatetime | f varchar(40)
-- row: 2010-12-31 | 2011-08-15 14:23:44.50 | 2010-12-31 23:59:59.000 | 14:23:44.5 | 2010-12-31 23:59:00 | 2010-12-31 14:23:23.0000000 +12:00
GO
-- parts that are no date
SELECT DATEFROMPARTS(2011, 2, 30);
-- error 289, 16, 1, line 2: Cannot construct data type date, some of the arguments have values which are not valid.
GO
-- DATETRUNC
DECLARE @d datetime2 = '2021-12-08 11:30:15.1234567'; SELECT DATETRUNC(year, @d) AS y, DATETRUNC(quarter, @d) AS q, DATETRUNC(month, @d) AS m, DATETRUNC(week, @d) AS w, DATETRUNC(iso_week, @d) AS i, DATETRUNC(hour, @d) AS h, DATETRUNC(millisecond, @d) AS ms;
-- columns: y datetime2(7) | q datetime2(7) | m datetime2(7) | w datetime2(7) | i datetime2(7) | h datetime2(7) | ms datetime2(7)
-- row: 2021-01-01 00:00:00.0000000 | 2021-10-01 00:00:00.0000000 | 2021-12-01 00:00:00.0000000 | 2021-12-05 00:00:00.0000000 | 2021-12-06 00:00:00.0000000 | 2021-12-08 11:00:00.0000000 | 2021-12-08 11:30:15.1230000
GO
-- DATE_BUCKET from the default origin
DECLARE @d datetime2 = '2020-04-15 21:22:11'; SELECT DATE_BUCKET(week, 1, @d) AS w, DATE_BUCKET(month, 1, @d) AS m, DATE_BUCKET(minute, 5, @d) AS mi;
-- columns: w datetime2(7) | m datetime2(7) | mi datetime2(7)
-- row: 2020-04-13 00:00:00.0000000 | 2020-04-01 00:00:00.0000000 | 2020-04-15 21:20:00.0000000
GO
-- DATE_BUCKET from an origin of one's own
DECLARE @d datetime2 = '2020-06-15 21:22:11', @o datetime2 = '2019-01-01 00:00:00'; SELECT DATE_BUCKET(week, 5, @d, @o) AS w, DATE_BUCKET(hour, 5, @d, @o) AS h;
-- columns: w datetime2(7) | h datetime2(7)
-- row: 2020-06-09 00:00:00.0000000 | 2020-06-15 21:00:00.0000000
GO
-- offsets
SELECT CONVERT(varchar(40), SWITCHOFFSET(CAST('1998-09-20 7:45:50.71345 -5:00' AS datetimeoffset), '-08:00')) AS a, CONVERT(varchar(40), TODATETIMEOFFSET(CAST('2020-01-01 12:00' AS datetime2(0)), '+02:00')) AS b, CONVERT(varchar(40), CAST('2020-01-01 12:00' AS datetime2(0)) AT TIME ZONE 'UTC') AS c;
-- columns: a varchar(40) | b varchar(40) | c varchar(40)
-- row: 1998-09-20 04:45:50.7134500 -08:00 | 2020-01-01 12:00:00 +02:00 | 2020-01-01 12:00:00 +00:00
GO
-- ISDATE
SELECT ISDATE('2009-05-12 10:19:41.177') AS a, ISDATE('not a date') AS b, ISDATE('2009-02-30') AS c;
-- columns: a int | b int | c int
-- row: 1 | 0 | 0
GO
-- a part that is not there
SELECT DATEPART(century, '2007-10-30');
-- error 155, 15, 1, line 2: 'century' is not a recognized datepart option.
GO
-- GENERATE_SERIES
SELECT value FROM GENERATE_SERIES(1, 10, 4);
-- columns: value int
-- row: 1
-- row: 5
-- row: 9
GO
-- GENERATE_SERIES of decimals, downwards
SELECT value FROM GENERATE_SERIES(1.0, 0.0, -0.5);
-- columns: value decimal(2,1)
-- row: 1.0
-- row: 0.5
-- row: 0.0
GO
-- a number of DATEADD that is no int
SELECT DATEADD(day, 2147483648, '20060731');
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type int.
GO
-- ## NULL and conditions
-- NULL is equal to nothing
SELECT CASE WHEN NULL = NULL THEN 'true' WHEN NOT (NULL = NULL) THEN 'false' ELSE 'unknown' END AS a, CASE WHEN 1 = NULL OR 1 = 1 THEN 'true' END AS b, CASE WHEN 1 = NULL AND 1 = 2 THEN 'true' ELSE 'other' END AS c;
-- columns: a varchar(7) | b varchar(4) | c varchar(5)
-- row: unknown | true | other
GO
-- IS DISTINCT FROM takes NULL as a value
SELECT v FROM (VALUES (1), (2), (NULL)) AS t (v) WHERE v IS DISTINCT FROM 1 ORDER BY v;
-- columns: v int
-- row: NULL
-- row: 2
GO
-- IS NOT DISTINCT FROM
SELECT COUNT(*) AS n FROM (VALUES (1), (NULL)) AS t (v) WHERE v IS NOT DISTINCT FROM NULL;
-- columns: n int
-- row: 1
GO
-- COALESCE has the strongest type, ISNULL the first one
SELECT COALESCE(NULL, 1, 2.5) AS a, ISNULL(CAST(NULL AS varchar(3)), 'abcdef') AS b, COALESCE(CAST(NULL AS varchar(3)), 'abcdef') AS c;
-- columns: a decimal(2,1) | b varchar(3) | c varchar(6)
-- row: 1.0 | abc | abcdef
GO
-- COALESCE of NULL only
SELECT COALESCE(NULL, NULL);
-- error 4127, 16, 1, line 2: At least one of the arguments to COALESCE must be an expression that is not the NULL constant.
GO
-- NULLIF, IIF and CHOOSE
SELECT NULLIF(1, 1) AS a, NULLIF(1, 2) AS b, IIF(45 > 30, 'TRUE', 'FALSE') AS c, CHOOSE(3, 'Manager', 'Director', 'Developer', 'Tester') AS d, CHOOSE(9, 'a', 'b') AS e;
-- columns: a int | b int | c varchar(5) | d varchar(9) | e varchar(1)
-- row: NULL | 1 | TRUE | Developer | NULL
GO
-- CASE, simple and searched
SELECT CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS a, CASE WHEN 1 > 2 THEN 1 ELSE 2.5 END AS b, CASE 3 WHEN 1 THEN 'x' END AS c;
-- columns: a varchar(3) | b decimal(2,1) | c varchar(1)
-- row: two | 2.5 | NULL
GO
-- CASE with NULL only
SELECT CASE WHEN 1 = 1 THEN NULL END;
-- error 8133, 16, 1, line 2
GO
-- BETWEEN and IN
SELECT v FROM (VALUES (1), (2), (3), (4)) AS t (v) WHERE v BETWEEN 2 AND 3 OR v IN (4, NULL) ORDER BY v;
-- columns: v int
-- row: 2
-- row: 3
-- row: 4
GO
-- NOT BETWEEN, NOT IN
SELECT v FROM (VALUES (1), (2), (3), (4)) AS t (v) WHERE v NOT BETWEEN 2 AND 3 AND v NOT IN (4);
-- columns: v int
-- row: 1
GO
-- a condition is no value
SELECT 1 = 1;
-- error 102, 15, 1, line 2: Incorrect syntax near '='.
GO
-- and a value no condition
SELECT 1 WHERE 1;
-- error 4145, 15, 1, line 2
GO
-- ## JSON
CREATE TABLE dbo.band (id int NOT NULL PRIMARY KEY, name nvarchar(30) NOT NULL, formed date NULL);
CREATE TABLE dbo.album (id int NOT NULL PRIMARY KEY, band int NOT NULL, title nvarchar(30) NOT NULL, price decimal(5,2) NULL);
INSERT INTO dbo.band VALUES (1, N'AC/DC', '1973-11-01'), (2, N'Say "Hi"', NULL);
INSERT INTO dbo.album VALUES (10, 1, N'Powerage', 9.5), (11, 1, N'Jailbreak', NULL), (12, 2, N'Oohs', 3);
-- affected: 2
-- affected: 3
GO
-- JSON_VALUE and JSON_QUERY
DECLARE @j nvarchar(max) = N'{"info":{"type":1,"address":{"town":"Bristol","country":"England"},"tags":["Sport","Water polo"]}}'; SELECT JSON_VALUE(@j, '$.info.address.town') AS a, JSON_VALUE(@j, '$.info.tags[1]') AS b, JSON_VALUE(@j, '$.info.address') AS c, JSON_QUERY(@j, '$.info.tags') AS d, JSON_QUERY(@j, '$.info.type') AS e, JSON_VALUE(@j, '$.info.type') AS f;
-- columns: a nvarchar(4000) | b nvarchar(4000) | c nvarchar(4000) | d nvarchar(max) | e nvarchar(max) | f nvarchar(4000)
-- row: Bristol | Water polo | NULL | ["Sport","Water polo"] | NULL | 1
GO
-- a strict path that leads nowhere
SELECT JSON_VALUE('{"a":1}', 'strict $.b');
-- error 13608, 16
GO
-- a path that is none
SELECT JSON_VALUE('{"a":1}', 'a');
-- error 13607, 16
GO
-- a text that is no JSON
SELECT JSON_VALUE('{a}', '$.a');
-- error 13609, 16
GO
-- ISJSON, with and without a kind
SELECT ISJSON('{"a":[]}') AS a, ISJSON('1') AS b, ISJSON('true', VALUE) AS c, ISJSON('"x"', SCALAR) AS d, ISJSON('[]', OBJECT) AS e, ISJSON(NULL) AS f;
-- columns: a int | b int | c int | d int | e int | f int
-- row: 1 | 0 | 1 | 1 | 0 | NULL
GO
-- JSON_MODIFY: update, insert, delete, append
DECLARE @i nvarchar(100) = N'{"name":"John","skills":["C#","SQL"]}'; SELECT JSON_MODIFY(@i, '$.name', 'Mike') AS a, JSON_MODIFY(@i, '$.surname', 'Smith') AS b, JSON_MODIFY(@i, '$.name', NULL) AS c, JSON_MODIFY(@i, 'append $.skills', 'Azure') AS d, JSON_MODIFY(@i, 'strict $.name', NULL) AS e;
-- columns: a nvarchar(max) | b nvarchar(max) | c nvarchar(max) | d nvarchar(max) | e nvarchar(max)
-- row: {"name":"Mike","skills":["C#","SQL"]} | {"name":"John","skills":["C#","SQL"],"surname":"Smith"} | {"skills":["C#","SQL"]} | {"name":"John","skills":["C#","SQL","Azure"]} | {"name":null,"skills":["C#","SQL"]}
GO
-- JSON_MODIFY with numbers and with JSON
SELECT JSON_MODIFY('{"a":1}', '$.a', CAST(JSON_VALUE('{"a":1}', '$.a') AS int) + 1) AS a, JSON_MODIFY('{"a":1}', '$.b', '["x"]') AS b, JSON_MODIFY('{"a":1}', '$.b', JSON_QUERY('["x"]')) AS c;
-- columns: a nvarchar(max) | b nvarchar(max) | c nvarchar(max)
-- row: {"a":2} | {"a":1,"b":"[\"x\"]"} | {"a":1,"b":["x"]}
GO
-- JSON_OBJECT, JSON_ARRAY and JSON_PATH_EXISTS
SELECT JSON_OBJECT('name':'value', 'type':1) AS a, JSON_OBJECT('name':'value', 'type':NULL ABSENT ON NULL) AS b, JSON_ARRAY('a', 1, NULL, 2 NULL ON NULL) AS c, JSON_ARRAY('a', JSON_OBJECT('name':'value'), NULL) AS d, JSON_PATH_EXISTS('{"info":{"address":[{"town":"Paris"}]}}', '$.info.address[0].town') AS e;
-- columns: a nvarchar(max) | b nvarchar(max) | c nvarchar(max) | d nvarchar(max) | e int
-- row: {"name":"value","type":1} | {"name":"value"} | ["a",1,null,2] | ["a",{"name":"value"}] | 1
GO
-- OPENJSON without a schema
SELECT [key], value, type FROM OPENJSON(N'{"String_value":"John","Number":45,"N":2.5,"T":true,"F":false,"Null":null,"A":["a"],"O":{"b":1}}');
-- columns: key nvarchar(4000) | value nvarchar(max) | type tinyint
-- row: String_value | John | 1
-- row: Number | 45 | 2
-- row: N | 2.5 | 2
-- row: T | true | 3
-- row: F | false | 3
-- row: Null | NULL | 0
-- row: A | ["a"] | 4
-- row: O | {"b":1} | 5
GO
-- OPENJSON of an array, with a path
SELECT value FROM OPENJSON(N'{"path":{"to":["en-GB","en-UK"]}}', '$.path.to') ORDER BY [key] DESC;
-- columns: value nvarchar(max)
-- row: en-UK
-- row: en-GB
GO
-- OPENJSON with a schema
SELECT * FROM OPENJSON(N'[{"Order":{"Number":"SO43659","Date":"2011-05-31T00:00:00"},"Item":{"Price":2024.9940,"Quantity":1}},{"Order":{"Number":"SO43661"},"Item":{"Quantity":3}}]') WITH (Number varchar(20) '$.Order.Number', Date datetime '$.Order.Date', Quantity int '$.Item.Quantity', Item nvarchar(max) AS JSON);
-- columns: Number varchar(20) | Date datetime | Quantity int | Item nvarchar(max)
-- row: SO43659 | 2011-05-31 00:00:00.000 | 1 | {"Price":2024.9940,"Quantity":1}
-- row: SO43661 | NULL | 3 | {"Quantity":3}
GO
-- OPENJSON under CROSS APPLY
SELECT b.id, t.value FROM dbo.band b CROSS APPLY OPENJSON('["x","y"]') AS t WHERE b.id = 2 ORDER BY t.[key];
-- columns: id int | value nvarchar(max)
-- row: 2 | x
-- row: 2 | y
GO
-- OPENJSON joins a list of keys
SELECT b.name FROM OPENJSON('[2, 1]') WITH (id int '$') AS k JOIN dbo.band b ON b.id = k.id ORDER BY b.id;
-- columns: name nvarchar(30)
-- row: AC/DC
-- row: Say "Hi"
GO
-- FOR JSON PATH nests by the dots in names
SELECT id, name AS 'info.name', formed AS 'info.formed' FROM dbo.band ORDER BY id FOR JSON PATH;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: [{"id":1,"info":{"name":"AC\/DC","formed":"1973-11-01"}},{"id":2,"info":{"name":"Say \"Hi\""}}]
GO
-- FOR JSON PATH with ROOT and INCLUDE_NULL_VALUES
SELECT id, formed FROM dbo.band WHERE id = 2 FOR JSON PATH, ROOT('bands'), INCLUDE_NULL_VALUES;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: {"bands":[{"id":2,"formed":null}]}
GO
-- FOR JSON PATH, WITHOUT_ARRAY_WRAPPER
SELECT 2015 AS year, 12 AS month, 15 AS day FOR JSON PATH, WITHOUT_ARRAY_WRAPPER;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: {"year":2015,"month":12,"day":15}
GO
-- FOR JSON AUTO nests by the tables of the columns
SELECT band.name, album.title, album.price FROM dbo.band INNER JOIN dbo.album ON album.band = band.id ORDER BY band.id, album.id FOR JSON AUTO;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: [{"name":"AC\/DC","album":[{"title":"Powerage","price":9.50},{"title":"Jailbreak"}]},{"name":"Say \"Hi\"","album":[{"title":"Oohs","price":3.00}]}]
GO
-- a nested FOR JSON is JSON, a text is not
SELECT id, (SELECT title FROM dbo.album a WHERE a.band = b.id ORDER BY a.id FOR JSON PATH) AS albums, '[1]' AS text, JSON_QUERY('[1]') AS json FROM dbo.band b WHERE id = 2 FOR JSON PATH;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: [{"id":2,"albums":[{"title":"Oohs"}],"text":"[1]","json":[1]}]
GO
-- a nested FOR JSON without its brackets is a text
SELECT (SELECT 1 AS a FOR JSON PATH, WITHOUT_ARRAY_WRAPPER) AS inner_text FOR JSON PATH;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: [{"inner_text":"{\"a\":1}"}]
GO
-- the types of FOR JSON
SELECT CAST(1 AS bit) AS bit, CAST(1.50 AS decimal(5,2)) AS dec, 0x0102 AS bin, CAST('2020-01-02T03:04:05.678' AS datetime2(3)) AS moment, CAST('0E984725-C51C-4BF4-9960-E1C80E27ABA0' AS uniqueidentifier) AS guid, N'tab	here' AS text FOR JSON PATH;
-- columns: JSON_F52E2B61-18A1-11d1-B105-00805F49916B nvarchar(max)
-- row: [{"bit":true,"dec":1.50,"bin":"AQI=","moment":"2020-01-02T03:04:05.678","guid":"0E984725-C51C-4BF4-9960-E1C80E27ABA0","text":"tab\there"}]
GO
-- FOR JSON into a variable
DECLARE @j nvarchar(max) = (SELECT id FROM dbo.band ORDER BY id FOR JSON PATH); SELECT @j AS j;
-- columns: j nvarchar(max)
-- row: [{"id":1},{"id":2}]
GO
-- FOR JSON needs names
SELECT 1 FOR JSON PATH;
-- error 13605, 16
GO
-- FOR JSON refuses the same name twice
SELECT 1 AS a, 2 AS a FOR JSON PATH;
-- error 13601, 16, 1, line 2: Property 'a' cannot be generated in JSON output due to a conflict with another column name or alias. Use different names and aliases for each column in SELECT list.
GO
-- ROOT and WITHOUT_ARRAY_WRAPPER do not meet
SELECT 1 AS a FOR JSON PATH, ROOT('r'), WITHOUT_ARRAY_WRAPPER;
-- error 13620, 16
GO
-- ## Writing rows
CREATE TABLE dbo.item (id int IDENTITY(1,1) NOT NULL PRIMARY KEY, name nvarchar(10) NOT NULL, qty int NOT NULL CONSTRAINT df_item DEFAULT 3, price decimal(9,2) NULL, total AS qty * 2);
CREATE TABLE dbo.audit (what nvarchar(10) NULL, id int NULL, old int NULL, new int NULL);
GO
-- INSERT with several rows
INSERT INTO dbo.item (name, qty) VALUES (N'a', 1), (N'b', DEFAULT), (N'c', 5);
-- affected: 3
GO
-- INSERT without the word INTO and without a column list
INSERT dbo.item VALUES (N'd', 7, 1.5);
-- affected: 1
GO
-- INSERT of a query
INSERT INTO dbo.item (name, qty) SELECT name + N'2', qty FROM dbo.item WHERE id <= 2;
-- affected: 2
GO
-- INSERT with TOP
INSERT TOP (1) INTO dbo.item (name) SELECT v FROM (VALUES (N'top'), (N'more')) AS t (v);
-- affected: 1
GO
-- INSERT with OUTPUT
INSERT INTO dbo.item (name, price) OUTPUT inserted.id, inserted.qty, inserted.total VALUES (N'out', 2);
-- columns: id int | qty int | total int
-- row: 8 | 3 | 6
GO
-- what is there now
SELECT id, name, qty, price, total FROM dbo.item ORDER BY id;
-- columns: id int | name nvarchar(10) | qty int | price decimal(9,2) | total int
-- row: 1 | a | 1 | NULL | 2
-- row: 2 | b | 3 | NULL | 6
-- row: 3 | c | 5 | NULL | 10
-- row: 4 | d | 7 | 1.50 | 14
-- row: 5 | a2 | 1 | NULL | 2
-- row: 6 | b2 | 3 | NULL | 6
-- row: 7 | top | 3 | NULL | 6
-- row: 8 | out | 3 | 2.00 | 6
GO
-- identities
INSERT INTO dbo.item (name) VALUES (N'nine'); SELECT SCOPE_IDENTITY() AS a, @@IDENTITY AS b, IDENT_CURRENT('dbo.item') AS c; DELETE FROM dbo.item WHERE id = 9;
-- affected: 1
-- columns: a decimal(38,0) | b decimal(38,0) | c decimal(38,0)
-- row: 9 | 9 | 9
-- affected: 1
GO
-- DEFAULT VALUES where a column has none
INSERT INTO dbo.item DEFAULT VALUES;
-- error 515, 16, 2, line 2
-- info 3621, 0
GO
-- DEFAULT VALUES
CREATE TABLE dbo.defaults (id int IDENTITY(5,5), a int DEFAULT 1, b int NULL); INSERT INTO dbo.defaults DEFAULT VALUES; SELECT id, a, b FROM dbo.defaults;
-- affected: 1
-- columns: id int | a int | b int
-- row: 5 | 1 | NULL
GO
-- INSERT of what a text gives
INSERT INTO dbo.audit (what, id) EXEC ('SELECT N''exec'', 1 UNION ALL SELECT N''exec'', 2; SELECT N''more'', 3');
-- affected: 3
GO
-- INSERT of what sp_executesql gives
INSERT INTO dbo.audit (what, id) EXEC sp_executesql N'SELECT N''param'', @n', N'@n int', @n = 4; SELECT what, COUNT(*) AS n FROM dbo.audit GROUP BY what ORDER BY what;
-- affected: 1
-- columns: what nvarchar(10) | n int
-- row: exec | 2
-- row: more | 1
-- row: param | 1
GO
-- an identity takes no value
INSERT INTO dbo.item (id, name) VALUES (99, N'x');
-- error 544, 16, 1, line 2: Cannot insert explicit value for identity column in table 'item' when IDENTITY_INSERT is set to OFF.
GO
-- unless IDENTITY_INSERT is ON
SET IDENTITY_INSERT dbo.item ON; INSERT INTO dbo.item (id, name) VALUES (20, N'x'); SET IDENTITY_INSERT dbo.item OFF; DELETE FROM dbo.item WHERE id = 20;
-- affected: 1
-- affected: 1
GO
-- fewer values than columns
INSERT INTO dbo.item (name, qty) VALUES (N'x');
-- error 109, 15, 1, line 2
GO
-- fewer items than columns
INSERT INTO dbo.item (name, qty) SELECT N'x';
-- error 120, 15, 1, line 2: The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.
GO
-- more values than the table has columns
INSERT INTO dbo.audit VALUES (N'x', 1, 2, 3, 4);
-- error 213, 16, 1, line 2: Column name or number of supplied values does not match table definition.
GO
-- a column that is not there
INSERT INTO dbo.item (nope) VALUES (1);
-- error 207, 16, 1, line 2: Invalid column name 'nope'.
GO
-- NULL where it may not be
INSERT INTO dbo.item (name) VALUES (NULL);
-- error 515, 16, 2, line 2
-- info 3621, 0
GO
-- the same key twice
INSERT INTO dbo.band VALUES (1, N'again', NULL);
-- error 2627, 14, 1, line 2
-- info 3621, 0
GO
-- a rowversion counts among the columns where there is no list of them
CREATE TABLE #stamped (id int NOT NULL PRIMARY KEY, mark rowversion, a int NULL);
INSERT INTO #stamped VALUES (1, DEFAULT, 5);
INSERT INTO #stamped (id, a) SELECT 2, 6;
SELECT id, a, DATALENGTH(mark) AS bytes FROM #stamped ORDER BY id;
-- affected: 1
-- affected: 1
-- columns: id int | a int | bytes int
-- row: 1 | 5 | 8
-- row: 2 | 6 | 8
GO
-- a place too few
INSERT INTO #stamped VALUES (3, 7);
-- error 213, 16, 1, line 2
GO
-- a value for a rowversion
INSERT INTO #stamped VALUES (3, 0x01, 7);
-- error 273, 16, 1, line 2
GO
-- and one that comes from a query
INSERT INTO #stamped SELECT 3, 0x01, 7;
-- error 273, 16, 1, line 2
GO
-- UPDATE with expressions and compound operators
UPDATE dbo.item SET qty += 1, price = COALESCE(price, 0) + 0.5 WHERE id IN (1, 4);
-- affected: 2
GO
-- UPDATE sees the values from before it
UPDATE dbo.audit SET old = id, new = old WHERE what = N'param'; SELECT old, new FROM dbo.audit WHERE what = N'param';
-- affected: 1
-- columns: old int | new int
-- row: 4 | NULL
GO
-- UPDATE with FROM and a join
UPDATE i SET i.price = s.p FROM dbo.item AS i INNER JOIN (VALUES (2, 8.25), (3, 9.5)) AS s (id, p) ON s.id = i.id;
-- affected: 2
GO
-- UPDATE with OUTPUT of both sides
UPDATE dbo.item SET qty = qty * 10 OUTPUT deleted.qty AS old, inserted.qty AS new, inserted.name WHERE id = 3;
-- columns: old int | new int | name nvarchar(10)
-- row: 5 | 50 | c
GO
-- UPDATE with OUTPUT INTO
UPDATE dbo.item SET qty = 2 OUTPUT N'update', inserted.id, deleted.qty, inserted.qty INTO dbo.audit (what, id, old, new) WHERE id = 1; SELECT * FROM dbo.audit WHERE what = N'update';
-- affected: 1
-- columns: what nvarchar(10) | id int | old int | new int
-- row: update | 1 | 2 | 2
GO
-- UPDATE with TOP and PERCENT
UPDATE TOP (25) PERCENT dbo.item SET price = 0 WHERE price IS NULL;
-- affected: 1
GO
-- UPDATE that sets a variable too
DECLARE @v int; UPDATE dbo.item SET @v = qty = qty + 1 WHERE id = 2; SELECT @v AS v;
-- affected: 1
-- columns: v int
-- row: 4
GO
-- the same column twice
UPDATE dbo.item SET qty = 1, qty = 2;
-- error 264, 16, 1, line 2
GO
-- an identity does not change
UPDATE dbo.item SET id = 1;
-- error 8102, 16, 1, line 2: Cannot update identity column 'id'.
GO
-- a computed column neither
UPDATE dbo.item SET total = 1;
-- error 271, 16, 1, line 2
GO
-- UPDATE without rows
UPDATE dbo.item SET qty = 1 WHERE 1 = 0;
-- affected: 0
GO
-- DELETE with a join
DELETE i FROM dbo.item i INNER JOIN dbo.audit a ON a.id = i.id WHERE a.what = N'more';
-- affected: 1
GO
-- DELETE with OUTPUT
DELETE FROM dbo.item OUTPUT deleted.id, deleted.name WHERE name LIKE N'_2';
-- columns: id int | name nvarchar(10)
-- row: 5 | a2
-- row: 6 | b2
GO
-- DELETE with TOP
DELETE TOP (1) FROM dbo.item WHERE name = N'top';
-- affected: 1
GO
-- DELETE through a CTE removes duplicates
CREATE TABLE dbo.twice (id int NOT NULL PRIMARY KEY, v int NOT NULL); INSERT INTO dbo.twice VALUES (1, 5), (2, 5), (3, 6); WITH d AS (SELECT id, ROW_NUMBER() OVER (PARTITION BY v ORDER BY id) AS n FROM dbo.twice) DELETE FROM d WHERE n > 1; SELECT id FROM dbo.twice ORDER BY id;
-- affected: 3
-- affected: 1
-- columns: id int
-- row: 1
-- row: 3
GO
-- UPDATE through a CTE
WITH d AS (SELECT id, v, ROW_NUMBER() OVER (ORDER BY id DESC) AS n FROM dbo.twice) UPDATE d SET v = n * 100 WHERE n = 1; SELECT id, v FROM dbo.twice ORDER BY id;
-- affected: 1
-- columns: id int | v int
-- row: 1 | 5
-- row: 3 | 100
GO
-- TRUNCATE begins identities anew
TRUNCATE TABLE dbo.defaults; INSERT INTO dbo.defaults DEFAULT VALUES; SELECT id FROM dbo.defaults;
-- affected: 1
-- columns: id int
-- row: 5
GO
-- SELECT INTO makes a table
SELECT id, name INTO dbo.copied FROM dbo.band WHERE id = 1; SELECT * FROM dbo.copied;
-- affected: 1
-- columns: id int | name nvarchar(30)
-- row: 1 | AC/DC
GO
-- OUTPUT twice: into a table and to the client
DECLARE @o TABLE (was int, becomes int);
DECLARE @t TABLE (id int, v int);
INSERT @t VALUES (1, 10), (2, 20);
UPDATE @t SET v += 1 OUTPUT deleted.v, inserted.v INTO @o (was, becomes) OUTPUT inserted.id, inserted.v AS v WHERE id = 2;
SELECT was, becomes FROM @o;
-- affected: 2
-- columns: id int | v int
-- row: 2 | 21
-- columns: was int | becomes int
-- row: 20 | 21
GO
-- and of INSERT
DECLARE @o TABLE (id int);
DECLARE @t TABLE (id int, v int);
INSERT @t OUTPUT inserted.id INTO @o OUTPUT inserted.v VALUES (1, 10);
SELECT id FROM @o;
-- columns: v int
-- row: 10
-- columns: id int
-- row: 1
GO
-- not in the other order
DECLARE @o TABLE (id int);
DECLARE @t TABLE (id int, v int);
DELETE @t OUTPUT deleted.id OUTPUT deleted.v INTO @o;
-- error 102, 15, 1, line 4
GO
-- ## MERGE
CREATE TABLE dbo.stock (id int NOT NULL PRIMARY KEY, qty int NOT NULL);
CREATE TABLE dbo.delivery (id int NOT NULL, qty int NOT NULL);
INSERT INTO dbo.stock VALUES (1, 10), (2, 20), (3, 30);
INSERT INTO dbo.delivery VALUES (2, 5), (3, -30), (4, 40);
-- affected: 3
-- affected: 3
GO
-- MERGE with all branches, and its actions
MERGE INTO dbo.stock AS t USING dbo.delivery AS s ON t.id = s.id WHEN MATCHED AND t.qty + s.qty <= 0 THEN DELETE WHEN MATCHED THEN UPDATE SET qty = t.qty + s.qty WHEN NOT MATCHED BY TARGET THEN INSERT (id, qty) VALUES (s.id, s.qty) WHEN NOT MATCHED BY SOURCE AND t.qty > 5 THEN UPDATE SET t.qty = 0; SELECT id, qty FROM dbo.stock ORDER BY id;
-- affected: 4
-- columns: id int | qty int
-- row: 1 | 0
-- row: 2 | 25
-- row: 4 | 40
GO
-- MERGE with OUTPUT $action into a table
DECLARE @done TABLE (what nvarchar(10), id int, gone int); MERGE dbo.stock WITH (HOLDLOCK) AS t USING (VALUES (1, 1), (9, 9)) AS s (id, qty) ON t.id = s.id WHEN MATCHED THEN UPDATE SET qty = s.qty WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.qty) WHEN NOT MATCHED BY SOURCE THEN DELETE OUTPUT $action, inserted.id, deleted.id INTO @done; SELECT what, id, gone FROM @done ORDER BY what, gone;
-- affected: 4
-- columns: what nvarchar(10) | id int | gone int
-- row: DELETE | NULL | 2
-- row: DELETE | NULL | 4
-- row: INSERT | 9 | NULL
-- row: UPDATE | 1 | 1
GO
-- MERGE may name the source in OUTPUT
MERGE dbo.stock AS t USING (VALUES (1, N'first'), (50, N'second')) AS s (id, note) ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0) OUTPUT $action AS what, s.note, inserted.id;
-- columns: what nvarchar(10) | note nvarchar(6) | id int
-- row: INSERT | second | 50
GO
-- MERGE of one row twice
MERGE dbo.stock AS t USING (VALUES (1), (1)) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET qty = 1;
-- error 8672, 16, 1, line 2
GO
-- MERGE needs its semicolon
MERGE dbo.stock AS t USING (VALUES (1)) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE
-- error 10713, 15
GO
-- MERGE with two actions of a kind
MERGE dbo.stock AS t USING (VALUES (1)) AS s (id) ON t.id = s.id WHEN MATCHED AND t.qty = 1 THEN DELETE WHEN MATCHED THEN DELETE;
-- error 10714, 15, 1, line 2: An action of type 'DELETE' cannot appear more than once in a 'WHEN MATCHED' clause of a MERGE statement.
GO
-- MERGE with a condition after a branch without one
MERGE dbo.stock AS t USING (VALUES (1)) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE WHEN MATCHED AND t.qty = 1 THEN UPDATE SET qty = 1;
-- error 5324, 15
GO
-- ## Flow of control, variables and messages
-- variables
DECLARE @a int = 1, @b varchar(10), @c decimal(5, 2) = 1.005; SET @a += 4; SELECT @b = 'x' + CAST(@a AS varchar(3)); SELECT @a AS a, @b AS b, @c AS c;
-- columns: a int | b varchar(10) | c decimal(5,2)
-- row: 5 | x5 | 1.01
GO
-- a variable of SELECT keeps its value when no row comes
DECLARE @a int = 7; SELECT @a = id FROM dbo.stock WHERE id = -1; SELECT @a AS a;
-- columns: a int
-- row: 7
GO
-- and becomes NULL with SET
DECLARE @a int = 7; SET @a = (SELECT id FROM dbo.stock WHERE id = -1); SELECT @a AS a;
-- columns: a int
-- row: NULL
GO
-- SELECT @v = @v + column goes through the rows
DECLARE @t int = 0; SELECT @t = @t + v FROM (VALUES (1), (2), (3)) AS s (v); SELECT @t AS t, @@ROWCOUNT AS n;
-- columns: t int | n int
-- row: 6 | 3
GO
-- a variable that was not declared
SELECT @nope;
-- error 137, 15, 2, line 2: Must declare the scalar variable "@nope".
GO
-- a variable lives in its batch
SELECT @a;
-- error 137, 15, 2, line 2: Must declare the scalar variable "@a".
GO
-- assigning and selecting at once
DECLARE @a int; SELECT @a = 1, 2;
-- error 141, 15, 1, line 2: A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.
GO
-- IF, ELSE and BEGIN … END
IF 1 = 2 SELECT 'then' AS a ELSE BEGIN SELECT 'else' AS a; SELECT 'too' AS b; END
-- columns: a varchar(4)
-- row: else
-- columns: b varchar(3)
-- row: too
GO
-- IF EXISTS
IF EXISTS (SELECT 1 FROM dbo.stock WHERE id = 1) PRINT 'there' ELSE PRINT 'gone';
-- info 0, 0, 1, line 2: there
GO
-- WHILE with BREAK and CONTINUE
DECLARE @i int = 0, @s varchar(20) = ''; WHILE @i < 10 BEGIN SET @i += 1; IF @i = 3 CONTINUE; IF @i = 6 BREAK; SET @s += CAST(@i AS varchar(2)); END; SELECT @s AS s;
-- columns: s varchar(20)
-- row: 1245
GO
-- GOTO
DECLARE @i int = 1; again: SET @i = @i * 2; IF @i < 50 GOTO again; SELECT @i AS i;
-- columns: i int
-- row: 64
GO
-- GOTO a label that is not there
GOTO nowhere;
-- error 133, 15, 1, line 2: A GOTO statement references the label 'nowhere' but the label has not been declared.
GO
-- RETURN ends the batch
SELECT 1 AS a; RETURN; SELECT 2 AS b;
-- columns: a int
-- row: 1
GO
-- TRY and CATCH with the functions of errors
BEGIN TRY
  DECLARE @i int = 1 / 0;
END TRY
BEGIN CATCH
  SELECT ERROR_NUMBER() AS n, ERROR_SEVERITY() AS sev, ERROR_STATE() AS st, ERROR_LINE() AS line, ERROR_PROCEDURE() AS proc_name, ERROR_MESSAGE() AS m, XACT_STATE() AS x;
END CATCH;
-- columns: n int | sev int | st int | line int | proc_name nvarchar(128) | m nvarchar(4000) | x smallint
-- row: 8134 | 16 | 1 | 3 | NULL | Divide by zero error encountered. | 0
GO
-- the functions of errors outside of CATCH
SELECT ERROR_NUMBER() AS n, ERROR_MESSAGE() AS m;
-- columns: n int | m nvarchar(4000)
-- row: NULL | NULL
GO
-- THROW with a message of one's own
THROW 51000, 'The record does not exist.', 1;
-- error 51000, 16, 1, line 2: The record does not exist.
GO
-- THROW again in CATCH
BEGIN TRY
  DECLARE @i int = 1 / 0;
END TRY
BEGIN CATCH
  PRINT 'In catch block.';
  THROW;
END CATCH;
-- info 0, 0, 1, line 6: In catch block.
-- error 8134, 16, 1, line 3: Divide by zero error encountered.
GO
-- THROW takes numbers from 50000
THROW 40000, 'small', 1;
-- error 35100, 16
GO
-- RAISERROR with arguments
RAISERROR (N'This is message %s %d.', 10, 1, N'number', 5);
-- info 50000, 0, 1, line 2: This is message number 5.
GO
-- RAISERROR with widths
RAISERROR (N'<<%7.3s>><<%*.*s>>', 10, 1, N'abcde', 7, 3, N'abcde') WITH NOWAIT;
-- info 50000, 0, 1, line 2: <<    abc>><<    abc>>
GO
-- RAISERROR of a severity that is an error
RAISERROR ('wrong: %i', 16, 2, 42);
-- error 50000, 16, 2, line 2: wrong: 42
GO
-- the batch goes on after an error
SELECT 1 / 0; SELECT 'next' AS a;
-- error 8134, 16, 1, line 2: Divide by zero error encountered.
-- columns: a varchar(4)
-- row: next
GO
-- but not after one of conversion
SELECT CAST('x' AS int); SELECT 'next' AS a;
-- error 245, 16, 1, line 2: Conversion failed when converting the varchar value 'x' to data type int.
GO
-- @@ERROR and @@ROWCOUNT
UPDATE dbo.stock SET qty = qty; SELECT @@ROWCOUNT AS n, @@ERROR AS e;
-- affected: 3
-- columns: n int | e int
-- row: 3 | 0
GO
-- PRINT of a number
PRINT 1 + 2;
-- info 0, 0, 1, line 2: 3
GO
-- WAITFOR DELAY
WAITFOR DELAY '00:00:00.010'; SELECT 'later' AS a;
-- columns: a varchar(5)
-- row: later
GO
-- WAITFOR with a text that is no time
WAITFOR DELAY 'soon';
-- error 148, 15, 1, line 2: Incorrect time syntax in time string 'soon' used with WAITFOR.
GO
-- EXEC of a text
DECLARE @sql nvarchar(100) = N'SELECT ' + N'5 AS five'; EXEC (@sql);
-- columns: five int
-- row: 5
GO
-- a text of EXEC does not see the variables around it
DECLARE @a int = 1; EXEC ('SELECT @a');
-- error 137, 15, 2, line 1: Must declare the scalar variable "@a".
GO
-- sp_executesql with an output parameter
DECLARE @n int; EXEC sp_executesql N'SELECT @c = COUNT(*) FROM dbo.stock WHERE id > @from', N'@from int, @c int OUTPUT', @from = 1, @c = @n OUTPUT; SELECT @n AS n;
-- columns: n int
-- row: 2
GO
-- a procedure that is not there
EXEC dbo.nothing_here;
-- error 2812, 16, 62, line 2: Could not find stored procedure 'dbo.nothing_here'.
GO
-- NOCOUNT
SET NOCOUNT ON; UPDATE dbo.stock SET qty = qty; SET NOCOUNT OFF;
GO
-- an unknown option
SET NOTHING ON;
-- error 195, 15, 5, line 2: 'NOTHING' is not a recognized SET option.
GO
-- SET ROWCOUNT
SET ROWCOUNT 1; SELECT id FROM dbo.stock ORDER BY id; SET ROWCOUNT 0;
-- columns: id int
-- row: 1
GO
-- table variables
DECLARE @t TABLE (id int IDENTITY(1,1) PRIMARY KEY, v varchar(5) DEFAULT 'd'); INSERT INTO @t (v) VALUES ('a'), (DEFAULT); UPDATE @t SET v = v + '!' WHERE id = 1; DELETE FROM @t WHERE id = 3; SELECT t.id, t.v FROM @t AS t ORDER BY t.id;
-- affected: 2
-- affected: 1
-- affected: 0
-- columns: id int | v varchar(5)
-- row: 1 | a!
-- row: 2 | d
GO
-- a table variable is not undone by a rollback
DECLARE @t TABLE (v int); BEGIN TRAN; INSERT INTO @t VALUES (1); ROLLBACK; SELECT v FROM @t;
-- affected: 1
-- columns: v int
-- row: 1
GO
-- temporary tables
CREATE TABLE #t (id int NOT NULL PRIMARY KEY, v int); INSERT INTO #t VALUES (1, 10), (2, 20); SELECT SUM(v) AS s FROM #t;
-- affected: 2
-- columns: s int
-- row: 30
GO
-- a temporary table lives with the session
SELECT COUNT(*) AS n FROM #t; DROP TABLE #t;
-- columns: n int
-- row: 2
GO
-- a temporary table that is not there
SELECT * FROM #t;
-- error 208, 16
GO
-- a temporary table of EXEC ends with it
EXEC ('CREATE TABLE #inner (id int)'); SELECT * FROM #inner;
-- error 208, 16
GO
-- transactions: commit, rollback, savepoint, counts
BEGIN TRAN; INSERT INTO dbo.audit (what) VALUES (N'kept'); SAVE TRAN s; INSERT INTO dbo.audit (what) VALUES (N'gone'); ROLLBACK TRAN s; BEGIN TRAN; SELECT @@TRANCOUNT AS n; COMMIT; COMMIT; SELECT COUNT(*) AS n FROM dbo.audit WHERE what IN (N'kept', N'gone');
-- affected: 1
-- affected: 1
-- columns: n int
-- row: 2
-- columns: n int
-- row: 1
GO
-- COMMIT without a transaction
COMMIT;
-- error 3902, 16, 1, line 2: The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.
GO
-- XACT_ABORT rolls back and ends the batch
SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO dbo.audit (what) VALUES (N'abort'); SELECT 1 / 0; SELECT 'never' AS a;
-- affected: 1
-- error 8134, 16, 1, line 2: Divide by zero error encountered.
GO
-- nothing of it is left
SET XACT_ABORT OFF; SELECT COUNT(*) AS n, @@TRANCOUNT AS t FROM dbo.audit WHERE what = N'abort';
-- columns: n int | t int
-- row: 0 | 0
GO
-- names with brackets and quotes
CREATE TABLE dbo.[odd name] ([a ]]b] int, "c d" int); INSERT INTO dbo.[odd name] ([a ]]b], "c d") VALUES (1, 2); SELECT [a ]]b] AS [x y], o."c d" FROM dbo.[odd name] AS o;
-- affected: 1
-- columns: x y int | c d int
-- row: 1 | 2
GO
-- metadata of objects and columns
SELECT OBJECT_NAME(OBJECT_ID(N'dbo.stock')) AS a, SCHEMA_NAME(SCHEMA_ID('dbo')) AS b, COL_LENGTH('dbo.item', 'name') AS c, OBJECT_ID('dbo.nothing') AS d, TYPE_NAME(TYPE_ID('int')) AS e, COLUMNPROPERTY(OBJECT_ID('dbo.item'), 'id', 'IsIdentity') AS f;
-- columns: a nvarchar(128) | b nvarchar(128) | c smallint | d int | e nvarchar(128) | f int
-- row: stock | dbo | 20 | NULL | int | 1
GO
-- RAISERROR with a text for %d
RAISERROR('%d', 16, 1, 'x');
-- error 2786, 16, 1, line 2: The data type of substitution parameter 1 does not match the expected type of the format specification.
GO
-- RAISERROR with a number for %s
RAISERROR('%d of %s', 16, 1, 1, 2);
-- error 2786, 16, 1, line 2: The data type of substitution parameter 2 does not match the expected type of the format specification.
GO
-- RAISERROR takes integers, texts and bytes, nothing else
DECLARE @at datetime = '20260101';
RAISERROR('%s', 16, 1, @at);
-- error 2748, 16, 1, line 3
GO
-- RAISERROR of a fatal severity is logged
RAISERROR('x', 20, 1);
-- error 2754, 16, 1, line 2
GO
-- sp_executesql takes Unicode texts only
EXEC sp_executesql 'SELECT 1';
-- error 214, 16, 2, line 2: Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.
GO
-- of its parameter list as well
EXEC sp_executesql N'SELECT @a', '@a int', 1;
-- error 214, 16, 3, line 2: Procedure expects parameter '@params' of type 'ntext/nchar/nvarchar'.
GO
-- OUTPUT of a parameter that is declared without it
DECLARE @o int;
EXEC sp_executesql N'SET @a = 1', N'@a int', @a = @o OUTPUT;
-- error 8162, 16, 2, line 3: The formal parameter "@a" was not declared as an OUTPUT parameter, but the actual parameter passed in requested output.
GO
-- OUTPUT of one of several, the others are values
DECLARE @o decimal(9,2), @p int = 3;
EXEC sp_executesql N'SET @a = @b / 4.0; SET @b = 9', N'@b int, @a decimal(9,2) OUT', @a = @o OUTPUT, @b = @p;
SELECT @o AS o, @p AS p;
-- columns: o decimal(9,2) | p int
-- row: 0.75 | 3
GO
-- values for parameters that are not declared
EXEC sp_executesql N'SELECT 1', N'@a int', @a = 1, @b = 2;
-- error 8145, 16, 1, line 2
GO
-- or more of them than parameters
EXEC sp_executesql N'SELECT 1', N'@a int', 1, 2;
-- error 8144, 16, 2, line 2
GO
-- ## Definitions
CREATE TABLE dbo.shop (id int NOT NULL IDENTITY(10,10) CONSTRAINT PK_shop PRIMARY KEY, name nvarchar(20) NOT NULL CONSTRAINT UQ_shop UNIQUE, opened date NULL CONSTRAINT DF_shop_opened DEFAULT '2026-01-02', area decimal(7,2) NULL CONSTRAINT CK_shop_area CHECK (area > 0), twice AS area * 2 PERSISTED, mark rowversion);
CREATE TABLE dbo.offer (shop int NOT NULL, nr smallint NOT NULL, price money NULL, CONSTRAINT PK_offer PRIMARY KEY CLUSTERED (shop, nr DESC), CONSTRAINT FK_offer_shop FOREIGN KEY (shop) REFERENCES dbo.shop (id) ON DELETE CASCADE ON UPDATE NO ACTION);
INSERT INTO dbo.shop (name, area) VALUES (N'North', 10.5), (N'South', NULL);
INSERT INTO dbo.offer (shop, nr, price) VALUES (10, 1, 5), (10, 2, 7.5), (20, 1, 1);
-- affected: 2
-- affected: 3
GO
-- defaults, computed columns and identities are filled in
SELECT id, name, opened, area, twice FROM dbo.shop ORDER BY id;
-- columns: id int | name nvarchar(20) | opened date | area decimal(7,2) | twice decimal(9,2)
-- row: 10 | North | 2026-01-02 | 10.50 | 21.00
-- row: 20 | South | 2026-01-02 | NULL | NULL
GO
-- IDENT_CURRENT, IDENT_SEED and IDENT_INCR
SELECT IDENT_CURRENT('dbo.shop') AS last, IDENT_SEED('dbo.shop') AS seed, IDENT_INCR('dbo.shop') AS increment;
-- columns: last decimal(38,0) | seed decimal(38,0) | increment decimal(38,0)
-- row: 20 | 10 | 10
GO
-- a check refuses a row, and says its column
INSERT INTO dbo.shop (name, area) VALUES (N'East', -1);
-- error 547, 16
-- info 3621, 0
GO
-- what a refused row took of the identity is gone
INSERT INTO dbo.shop (name) OUTPUT inserted.id VALUES (N'West');
-- columns: id int
-- row: 40
GO
-- a unique constraint
INSERT INTO dbo.shop (name) VALUES (N'NORTH');
-- error 2627, 14, 1, line 2: Violation of UNIQUE KEY constraint 'UQ_shop'. Cannot insert duplicate key in object 'dbo.shop'. The duplicate key value is (NORTH).
-- info 3621, 0
GO
-- a foreign key
INSERT INTO dbo.offer (shop, nr) VALUES (99, 1);
-- error 547, 16
-- info 3621, 0
GO
-- ON DELETE CASCADE
DELETE FROM dbo.shop WHERE id = 20; SELECT shop, nr FROM dbo.offer ORDER BY nr;
-- affected: 1
-- columns: shop int | nr smallint
-- row: 10 | 1
-- row: 10 | 2
GO
-- an identity value needs IDENTITY_INSERT
INSERT INTO dbo.shop (id, name) VALUES (5, N'Five');
-- error 544, 16, 1, line 2: Cannot insert explicit value for identity column in table 'shop' when IDENTITY_INSERT is set to OFF.
GO
-- IDENTITY_INSERT, and the next value after a higher one
SET IDENTITY_INSERT dbo.shop ON; INSERT INTO dbo.shop (id, name) VALUES (100, N'Hundred'); SET IDENTITY_INSERT dbo.shop OFF; INSERT INTO dbo.shop (name) VALUES (N'Next'); SELECT SCOPE_IDENTITY() AS id;
-- affected: 1
-- affected: 1
-- columns: id decimal(38,0)
-- row: 110
GO
-- with IDENTITY_INSERT the value has to be there
SET IDENTITY_INSERT dbo.shop ON; INSERT INTO dbo.shop (name) VALUES (N'None'); SET IDENTITY_INSERT dbo.shop OFF;
-- error 545, 16, 1, line 2: Explicit value must be specified for identity column in table 'shop' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.
GO
-- and its column has to be named
CREATE TABLE dbo.other_identity (id int IDENTITY, v int); EXEC (N'INSERT INTO dbo.other_identity VALUES (7, 7)');
-- error 8101, 16, 1, line 1: An explicit value for the identity column in table 'other_identity' can only be specified when a column list is used and IDENTITY_INSERT is ON.
GO
-- only one table at a time
SET IDENTITY_INSERT dbo.shop ON;
SET IDENTITY_INSERT dbo.other_identity ON;
-- error 8107, 16
GO
-- IDENTITY_INSERT ends with OFF
SET IDENTITY_INSERT dbo.shop OFF; DROP TABLE dbo.other_identity;
GO
-- IDENTITY_INSERT of a table without identity
SET IDENTITY_INSERT dbo.offer ON;
-- error 8106, 16, 1, line 2: Table 'dbo.offer' does not have the identity property. Cannot perform SET operation.
GO
-- DBCC CHECKIDENT sets the identity
DBCC CHECKIDENT ('dbo.shop', RESEED, 500) WITH NO_INFOMSGS; INSERT INTO dbo.shop (name) OUTPUT inserted.id VALUES (N'Reseeded');
-- columns: id int
-- row: 510
GO
-- DBCC CHECKIDENT of a table without identity
DBCC CHECKIDENT ('dbo.offer', NORESEED);
-- error 7997, 16, 1, line 2: 'offer' does not contain an identity column.
GO
-- an unknown table for DBCC CHECKIDENT
DBCC CHECKIDENT ('dbo.nothing');
-- error 2501, 16
GO
-- several columns are added, a default with them
ALTER TABLE dbo.offer ADD stock int NOT NULL CONSTRAINT DF_offer_stock DEFAULT 3, note nvarchar(50) NULL;
GO
-- and stand in the rows that were there
SELECT shop, nr, stock, note FROM dbo.offer ORDER BY nr;
-- columns: shop int | nr smallint | stock int | note nvarchar(50)
-- row: 10 | 1 | 3 | NULL
-- row: 10 | 2 | 3 | NULL
GO
-- WITH VALUES fills a nullable column
ALTER TABLE dbo.offer ADD flag bit NULL CONSTRAINT DF_offer_flag DEFAULT 1 WITH VALUES;
GO
-- as its rows show
SELECT nr, flag FROM dbo.offer ORDER BY nr;
-- columns: nr smallint | flag bit
-- row: 1 | 1
-- row: 2 | 1
GO
-- a column without default cannot be NOT NULL where rows are
ALTER TABLE dbo.offer ADD needed int NOT NULL;
-- error 4901, 16, 1, line 2: ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column 'needed' cannot be added to non-empty table 'offer' because it does not satisfy these conditions.
GO
-- a column cannot go while its default is there
ALTER TABLE dbo.offer DROP COLUMN stock;
-- error 5074, 16, 1, line 2: The object 'DF_offer_stock' is dependent on column 'stock'.
-- error 4922, 16, 9, line 2: ALTER TABLE DROP COLUMN stock failed because one or more objects access this column.
GO
-- constraint and column in one statement
ALTER TABLE dbo.offer DROP CONSTRAINT DF_offer_stock, COLUMN stock;
GO
-- DROP COLUMN of an unknown column
ALTER TABLE dbo.offer DROP COLUMN stock;
-- error 4924, 16, 1, line 2: ALTER TABLE DROP COLUMN failed because column 'stock' does not exist in table 'offer'.
GO
-- DROP COLUMN IF EXISTS of an unknown column
ALTER TABLE dbo.offer DROP COLUMN IF EXISTS stock;
GO
-- DROP CONSTRAINT of an unknown constraint
ALTER TABLE dbo.offer DROP CONSTRAINT DF_offer_stock;
-- error 3728, 16, 1, line 2: 'DF_offer_stock' is not a constraint.
-- error 3727, 16
GO
-- DROP CONSTRAINT IF EXISTS of an unknown constraint
ALTER TABLE dbo.offer DROP CONSTRAINT IF EXISTS DF_offer_stock;
GO
-- a key that is referenced stays
ALTER TABLE dbo.shop DROP CONSTRAINT PK_shop;
-- error 3725, 16
-- error 3727, 16
GO
-- ALTER COLUMN to a shorter type cuts nothing
UPDATE dbo.offer SET note = N'a long note'; ALTER TABLE dbo.offer ALTER COLUMN note nvarchar(5) NULL;
-- affected: 2
-- error 2628, 16
-- info 3621, 0
GO
-- ALTER COLUMN to a longer type
ALTER TABLE dbo.offer ALTER COLUMN note nvarchar(100) NULL;
GO
-- ALTER COLUMN to NOT NULL where a NULL is
UPDATE dbo.offer SET note = NULL WHERE nr = 1; ALTER TABLE dbo.offer ALTER COLUMN note nvarchar(100) NOT NULL;
-- affected: 1
-- error 515, 16
-- info 3621, 0
GO
-- ALTER COLUMN of an unknown column
ALTER TABLE dbo.offer ALTER COLUMN nothing int NULL;
-- error 4924, 16, 1, line 2: ALTER TABLE ALTER COLUMN failed because column 'nothing' does not exist in table 'offer'.
GO
-- ALTER COLUMN of a computed column
ALTER TABLE dbo.shop ALTER COLUMN twice int NULL;
-- error 4928, 16, 1, line 2: Cannot alter column 'twice' because it is 'COMPUTED'.
GO
-- ALTER COLUMN of a key
ALTER TABLE dbo.offer ALTER COLUMN nr int NOT NULL;
-- error 5074, 16, 1, line 2: The object 'PK_offer' is dependent on column 'nr'.
-- error 4922, 16, 9, line 2: ALTER TABLE ALTER COLUMN nr failed because one or more objects access this column.
GO
-- NOCHECK lets old rows be
ALTER TABLE dbo.offer WITH NOCHECK ADD CONSTRAINT CK_offer_price CHECK (price > 6);
GO
-- but not new ones
INSERT INTO dbo.offer (shop, nr, price) VALUES (10, 9, 2);
-- error 547, 16
-- info 3621, 0
GO
-- ALTER COLUMN of a column that a check uses
ALTER TABLE dbo.offer ALTER COLUMN price decimal(9,2) NULL;
-- error 5074, 16, 1, line 2: The object 'CK_offer_price' is dependent on column 'price'.
-- error 4922, 16, 9, line 2: ALTER TABLE ALTER COLUMN price failed because one or more objects access this column.
GO
-- WITH CHECK looks at the old ones
ALTER TABLE dbo.offer WITH CHECK CHECK CONSTRAINT CK_offer_price;
-- error 547, 16
GO
-- a disabled constraint refuses nothing
ALTER TABLE dbo.offer NOCHECK CONSTRAINT CK_offer_price; INSERT INTO dbo.offer (shop, nr, price) VALUES (10, 9, 2); SELECT name, is_disabled, is_not_trusted, definition FROM sys.check_constraints WHERE parent_object_id = OBJECT_ID(N'dbo.offer');
-- affected: 1
-- columns: name nvarchar(128) | is_disabled bit | is_not_trusted bit | definition nvarchar(max)
-- row: CK_offer_price | 1 | 1 | ([price]>(6))
GO
-- CHECK CONSTRAINT of an unknown constraint
ALTER TABLE dbo.offer CHECK CONSTRAINT nothing;
-- error 4917, 16
-- error 4916, 16
GO
-- a unique index over rows that are alike
CREATE UNIQUE INDEX UX_offer_shop ON dbo.offer (shop);
-- error 1505, 16
-- info 3621, 0
GO
-- a filtered unique index minds the rows of its filter
CREATE UNIQUE NONCLUSTERED INDEX UX_offer_price ON dbo.offer (shop) INCLUDE (nr) WHERE price > 6;
GO
-- and refuses a second one
UPDATE dbo.offer SET price = 8 WHERE nr = 1;
-- error 2601, 14
-- info 3621, 0
GO
-- an index name is used once in a table
CREATE INDEX UX_offer_price ON dbo.offer (price);
-- error 1913, 16, 1, line 2: The operation failed because an index or statistics with name 'UX_offer_price' already exists on table 'dbo.offer'.
GO
-- DROP_EXISTING takes its place
CREATE INDEX UX_offer_price ON dbo.offer (price DESC) WITH (DROP_EXISTING = ON); UPDATE dbo.offer SET price = 8 WHERE nr = 1;
-- affected: 1
GO
-- only one clustered index
CREATE CLUSTERED INDEX CX_offer ON dbo.offer (price);
-- error 1902, 16, 3, line 2: Cannot create more than one clustered index on table 'dbo.offer'. Drop the existing clustered index 'PK_offer' before creating another.
GO
-- indexes as the catalog has them
SELECT i.name, i.type_desc, i.is_unique, i.is_primary_key, COL_NAME(c.object_id, c.column_id) AS col, c.is_descending_key FROM sys.indexes AS i INNER JOIN sys.index_columns AS c ON c.object_id = i.object_id AND c.index_id = i.index_id WHERE i.object_id = OBJECT_ID(N'dbo.offer') ORDER BY i.index_id, c.key_ordinal;
-- columns: name nvarchar(128) | type_desc nvarchar(60) | is_unique bit | is_primary_key bit | col nvarchar(128) | is_descending_key bit
-- row: PK_offer | CLUSTERED | 1 | 1 | shop | 0
-- row: PK_offer | CLUSTERED | 1 | 1 | nr | 1
-- row: UX_offer_price | NONCLUSTERED | 0 | 0 | price | 1
GO
-- DROP INDEX
DROP INDEX UX_offer_price ON dbo.offer;
GO
-- DROP INDEX of an unknown index
DROP INDEX UX_offer_price ON dbo.offer;
-- error 3701, 11
GO
-- DROP INDEX of a key
DROP INDEX PK_offer ON dbo.offer;
-- error 3723, 16, 4, line 2: An explicit DROP INDEX is not allowed on index 'dbo.offer.PK_offer'. It is being used for PRIMARY KEY constraint enforcement.
GO
-- DROP INDEX IF EXISTS
DROP INDEX IF EXISTS UX_offer_price ON dbo.offer;
GO
-- TRUNCATE of a referenced table
TRUNCATE TABLE dbo.shop;
-- error 4712, 16, 1, line 2: Cannot truncate table 'dbo.shop' because it is being referenced by a FOREIGN KEY constraint.
GO
-- DROP TABLE of a referenced table
DROP TABLE dbo.shop;
-- error 3726, 16, 1, line 2: Could not drop object 'dbo.shop' because it is referenced by a FOREIGN KEY constraint.
GO
-- DROP TABLE of an unknown table
DROP TABLE dbo.nothing;
-- error 3701, 11
GO
-- DROP TABLE IF EXISTS of an unknown table
DROP TABLE IF EXISTS dbo.nothing;
GO
-- a table that is there already
CREATE TABLE dbo.offer (id int);
-- error 2714, 16
GO
-- a constraint's name is an object's name
CREATE TABLE dbo.named (id int CONSTRAINT PK_shop PRIMARY KEY);
-- error 2714, 16
-- error 1750, 16
GO
-- an unknown schema
CREATE TABLE nothing.named (id int);
-- error 2760, 16, 1, line 2: The specified schema name "nothing" either does not exist or you do not have permission to use it.
GO
-- an unknown type
CREATE TABLE dbo.named (id nothing);
-- error 2715, 16
GO
-- a column twice
CREATE TABLE dbo.named (id int, Id int);
-- error 2705, 16
GO
-- two identities
CREATE TABLE dbo.named (a int IDENTITY, b int IDENTITY);
-- error 2744, 16
GO
-- an identity of a text
CREATE TABLE dbo.named (a varchar(5) IDENTITY);
-- error 2749, 16
GO
-- a primary key over NULL
CREATE TABLE dbo.named (a int NULL PRIMARY KEY);
-- error 8111, 16
-- error 1750, 16
GO
-- a key of a type without order
CREATE TABLE dbo.named (a nvarchar(max) UNIQUE);
-- error 1919, 16
-- error 1750, 16
GO
-- a reference to what is no key
CREATE TABLE dbo.named (price money REFERENCES dbo.offer (price));
-- error 1776, 16
-- error 1750, 16
GO
-- a cascade that comes back
CREATE TABLE dbo.named (id int PRIMARY KEY, up int CONSTRAINT FK_up REFERENCES dbo.named (id) ON DELETE CASCADE);
-- error 1785, 16
-- error 1750, 16
GO
-- a default with a column
CREATE TABLE dbo.named (a int, b int DEFAULT a);
-- error 128, 15, 1, line 2: The name "a" is not permitted in this context. Valid expressions are constants, constant expressions, and (in some contexts) variables. Column names are not permitted.
GO
-- a subquery in a check
CREATE TABLE dbo.named (a int CHECK (a > (SELECT 1)));
-- error 1046, 15, 1, line 2: Subqueries are not allowed in this context. Only scalar expressions are allowed.
GO
-- a computed column over another
CREATE TABLE dbo.named (a int, b AS a + 1, c AS b + 1);
-- error 1759, 16
GO
-- a persisted column that changes by itself
CREATE TABLE dbo.named (a AS GETDATE() PERSISTED);
-- error 4936, 16, 1, line 2: Computed column 'a' in table 'named' cannot be persisted because the column is non-deterministic.
GO
-- the pattern of scripts that may run again
IF OBJECT_ID(N'dbo.offer', N'U') IS NULL CREATE TABLE dbo.offer (id int); IF COL_LENGTH(N'dbo.offer', N'note') IS NULL ALTER TABLE dbo.offer ADD note int;
GO
-- SELECT INTO makes a table with the types of the query
SELECT id, name, CAST(1 AS bigint) AS one INTO dbo.shop_copy FROM dbo.shop WHERE id < 100;
-- affected: 2
GO
-- which keeps the identity
SELECT name, TYPE_NAME(user_type_id) AS type, is_identity FROM sys.columns WHERE object_id = OBJECT_ID(N'dbo.shop_copy') ORDER BY column_id;
-- columns: name nvarchar(128) | type nvarchar(128) | is_identity bit
-- row: id | int | 1
-- row: name | nvarchar | 0
-- row: one | bigint | 0
GO
-- SELECT INTO a table that is there
SELECT 1 AS a INTO dbo.shop_copy;
-- error 2714, 16
GO
-- SELECT INTO with a column without a name
SELECT 1 INTO dbo.nameless;
-- error 1038, 15, 5, line 2: An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as "" or [] are not allowed. Change the alias to a valid name.
GO
-- sp_rename of a column
EXEC sp_rename N'dbo.shop_copy.one', N'uno', N'COLUMN';
-- info 15477
GO
-- and of a table
EXEC sp_rename N'dbo.shop_copy', N'shop_again';
-- info 15477
GO
-- what was renamed
SELECT uno FROM dbo.shop_again WHERE id = 10; SELECT OBJECT_ID(N'dbo.shop_copy') AS gone;
-- columns: uno bigint
-- row: 1
-- columns: gone int
-- row: NULL
GO
-- a schema stands alone in its batch
CREATE SCHEMA archive;
GO
-- ALTER SCHEMA TRANSFER
ALTER SCHEMA archive TRANSFER dbo.shop_again; SELECT OBJECT_SCHEMA_NAME(OBJECT_ID(N'archive.shop_again')) AS s;
-- columns: s nvarchar(128)
-- row: archive
GO
-- a schema with something in it stays
DROP SCHEMA archive;
-- error 3729, 16, 1, line 2: Cannot drop schema 'archive' because it is being referenced by object 'shop_again'.
GO
-- an empty one goes
DROP TABLE archive.shop_again; DROP SCHEMA archive;
GO
-- a view
CREATE VIEW dbo.shop_view (nr, title) AS WITH named AS (SELECT id, name FROM dbo.shop) SELECT id, name FROM named WHERE id < 100;
GO
-- is read as a table
SELECT v.title, COUNT(o.nr) AS offers FROM dbo.shop_view AS v INNER JOIN dbo.offer AS o ON o.shop = v.nr GROUP BY v.title ORDER BY v.title;
-- columns: title nvarchar(20) | offers int
-- row: North | 3
GO
-- CREATE VIEW of a name that is there
CREATE VIEW dbo.shop_view AS SELECT 1 AS a;
-- error 2714, 16
GO
-- CREATE OR ALTER VIEW
CREATE OR ALTER VIEW dbo.shop_view AS SELECT id AS nr FROM dbo.shop;
GO
-- a view needs names
CREATE VIEW dbo.nameless AS SELECT COUNT(*) FROM dbo.shop;
-- error 4511, 16
GO
-- and no order
CREATE VIEW dbo.ordered AS SELECT id FROM dbo.shop ORDER BY id;
-- error 1033, 15, 1, line 2: The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.
GO
-- its tables have to be there
CREATE VIEW dbo.early AS SELECT a FROM dbo.nothing;
-- error 208, 16, 1, line 2: Invalid object name 'dbo.nothing'.
GO
-- DROP VIEW of a table
DROP VIEW dbo.shop;
-- error 3705, 16, 1, line 2: Cannot use DROP VIEW with 'dbo.shop' because 'dbo.shop' is a table. Use DROP TABLE.
GO
-- DROP VIEW
DROP VIEW dbo.shop_view;
GO
-- a synonym
CREATE SYNONYM dbo.stall FOR dbo.shop; SELECT COUNT(*) AS n FROM dbo.stall WHERE id < 100;
-- columns: n int
-- row: 2
GO
-- is no table to ALTER
ALTER TABLE dbo.stall ADD x int;
-- error 4909, 16, 1, line 2: Cannot alter 'dbo.stall' because it is not a table.
GO
-- and not to TRUNCATE
TRUNCATE TABLE dbo.stall;
-- error 4708, 16, 1, line 2: Could not truncate object 'dbo.stall' because it is not a table.
GO
-- DROP SYNONYM
DROP SYNONYM dbo.stall;
GO
-- a definition is undone by ROLLBACK
BEGIN TRANSACTION; CREATE TABLE dbo.undone (a int); ALTER TABLE dbo.offer DROP COLUMN note; ROLLBACK; SELECT OBJECT_ID(N'dbo.undone') AS o, COL_LENGTH(N'dbo.offer', N'note') AS length;
-- columns: o int | length smallint
-- row: NULL | 200
GO
-- a column of the same batch's ALTER is not known yet
ALTER TABLE dbo.offer ADD later int; SELECT later FROM dbo.offer;
-- error 207, 16, 1, line 2: Invalid column name 'later'.
GO
-- a missing table is met when its statement is reached
SELECT 1 AS reached; SELECT a FROM dbo.nothing; SELECT 2 AS never;
-- columns: reached int
-- row: 1
-- error 208, 16, 1, line 2: Invalid object name 'dbo.nothing'.
GO
-- TRY does not catch it
BEGIN TRY SELECT a FROM dbo.nothing; END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS caught; END CATCH
-- error 208, 16, 1, line 2: Invalid object name 'dbo.nothing'.
GO
-- but outside of EXEC it does
BEGIN TRY EXEC (N'SELECT a FROM dbo.nothing'); END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS caught; END CATCH
-- columns: caught int
-- row: 208
GO
-- a description of a column
EXEC sp_addextendedproperty @name = N'MS_Description', @value = N'where it is', @level0type = N'SCHEMA', @level0name = N'dbo', @level1type = N'TABLE', @level1name = N'shop', @level2type = N'COLUMN', @level2name = N'name'; SELECT name, CAST(value AS nvarchar(20)) AS value FROM sys.extended_properties WHERE major_id = OBJECT_ID(N'dbo.shop');
-- columns: name nvarchar(128) | value nvarchar(20)
-- row: MS_Description | where it is
GO
-- foreign keys as the catalog has them
SELECT f.name, OBJECT_NAME(f.parent_object_id) AS t, COL_NAME(c.parent_object_id, c.parent_column_id) AS col, OBJECT_NAME(f.referenced_object_id) AS r, f.delete_referential_action_desc AS d FROM sys.foreign_keys AS f INNER JOIN sys.foreign_key_columns AS c ON c.constraint_object_id = f.object_id WHERE f.parent_object_id = OBJECT_ID(N'dbo.offer');
-- columns: name nvarchar(128) | t nvarchar(128) | col nvarchar(128) | r nvarchar(128) | d nvarchar(60)
-- row: FK_offer_shop | offer | shop | shop | CASCADE
GO
-- defaults and computed columns as the catalog has them
SELECT name, definition FROM sys.default_constraints WHERE parent_object_id = OBJECT_ID(N'dbo.shop') UNION ALL SELECT name, definition FROM sys.computed_columns WHERE object_id = OBJECT_ID(N'dbo.shop');
-- columns: name nvarchar(128) | definition nvarchar(max)
-- row: DF_shop_opened | ('2026-01-02')
-- row: twice | ([area]*(2))
GO
-- INFORMATION_SCHEMA.COLUMNS
SELECT COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = N'shop' ORDER BY ORDINAL_POSITION;
-- columns: COLUMN_NAME nvarchar(128) | ORDINAL_POSITION int | COLUMN_DEFAULT nvarchar(4000) | IS_NULLABLE nvarchar(3) | DATA_TYPE nvarchar(128) | CHARACTER_MAXIMUM_LENGTH int | NUMERIC_PRECISION tinyint | NUMERIC_SCALE int
-- row: id | 1 | NULL | NO | int | NULL | 10 | 0
-- row: name | 2 | NULL | NO | nvarchar | 20 | NULL | NULL
-- row: opened | 3 | ('2026-01-02') | YES | date | NULL | NULL | NULL
-- row: area | 4 | NULL | YES | decimal | NULL | 7 | 2
-- row: twice | 5 | NULL | YES | decimal | NULL | 9 | 2
-- row: mark | 6 | NULL | NO | timestamp | NULL | NULL | NULL
GO
-- INFORMATION_SCHEMA of keys
SELECT k.COLUMN_NAME, k.ORDINAL_POSITION, c.CONSTRAINT_TYPE FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE AS k INNER JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c ON c.CONSTRAINT_NAME = k.CONSTRAINT_NAME WHERE k.TABLE_NAME = N'offer' ORDER BY c.CONSTRAINT_TYPE, k.ORDINAL_POSITION;
-- columns: COLUMN_NAME nvarchar(128) | ORDINAL_POSITION int | CONSTRAINT_TYPE nvarchar(11)
-- row: shop | 1 | FOREIGN KEY
-- row: shop | 1 | PRIMARY KEY
-- row: nr | 2 | PRIMARY KEY
GO
-- OBJECTPROPERTY and COLUMNPROPERTY
SELECT OBJECTPROPERTY(OBJECT_ID(N'dbo.shop'), N'TableHasIdentity') AS a, OBJECTPROPERTY(OBJECT_ID(N'PK_shop'), N'IsPrimaryKey') AS b, COLUMNPROPERTY(OBJECT_ID(N'dbo.shop'), N'twice', N'IsComputed') AS c, INDEXPROPERTY(OBJECT_ID(N'dbo.shop'), N'UQ_shop', N'IsUnique') AS d, OBJECT_DEFINITION(OBJECT_ID(N'DF_shop_opened')) AS e;
-- columns: a int | b int | c int | d int | e nvarchar(max)
-- row: 1 | 1 | 1 | 1 | ('2026-01-02')
GO
-- sp_helpindex
EXEC sp_helpindex N'dbo.shop';
-- columns: index_name nvarchar(128) | index_description varchar(210) | index_keys nvarchar(2078)
-- row: PK_shop | clustered, unique, primary key located on PRIMARY | id
-- row: UQ_shop | nonclustered, unique, unique key located on PRIMARY | name
GO
-- both tables go in the right order
DROP TABLE dbo.offer, dbo.shop;
GO
-- a row that no page could hold
CREATE TABLE dbo.wider (a char(8000), b char(100));
-- error 1701, 16, 1, line 2: Creating or altering table 'wider' failed because the minimum row size would be 8107, including 7 bytes of internal overhead. This exceeds the maximum allowable table row size of 8060 bytes.
GO
-- but one that may be too long
CREATE TABLE dbo.wider (a char(8000), b varchar(8000));
DROP TABLE dbo.wider;
GO
-- ## Bounds of dates
-- a date that adding leaves its type is 517
SELECT DATEADD(year, -300, CAST('2000-01-01' AS datetime));
-- error 517, 16, 1, line 3: Adding a value to a 'datetime' column caused an overflow.
GO
-- the last day of smalldatetime is 2079-06-06
SELECT CAST('2079-06-06 23:59:29' AS smalldatetime) AS last;
-- columns: last smalldatetime
-- row: 2079-06-06 23:59:00
GO
-- a time that rounds to the day after it is out of range
SELECT CAST('2079-06-06 23:59:30' AS smalldatetime);
-- error 242, 16, 3, line 2: The conversion of a varchar data type to a smalldatetime data type resulted in an out-of-range value.
GO
-- and nothing can be added to it
SELECT DATEADD(day, 1, CAST('2079-06-06' AS smalldatetime));
-- error 517, 16, 1, line 2: Adding a value to a 'smalldatetime' column caused an overflow.
GO
-- a number of days that no datetime has
SELECT CAST(-53691 AS datetime);
-- error 8115, 16, 2, line 2: Arithmetic overflow error converting expression to data type datetime.
GO
-- DATEADD takes an int and cuts what follows the point
SELECT DATEADD(day, 1.9, '2024-01-01') AS d;
-- columns: d datetime
-- row: 2024-01-02 00:00:00.000
GO
-- an offset of more than fourteen hours
SELECT SWITCHOFFSET('2024-01-01', 841);
-- error 9812
GO
-- a week that begins before the first day there is
SELECT DATETRUNC(week, CAST('0001-01-01' AS datetime2));
-- error 9837, 16
GO
-- ## What a query may not say
CREATE TABLE dbo.said (id int NOT NULL PRIMARY KEY, a int NULL, b bit NULL);
INSERT INTO dbo.said VALUES (1, 10, 1), (2, 20, 0);
-- affected: 2
GO
-- a derived table with two columns of one name
SELECT * FROM (SELECT id, id FROM dbo.said) AS q;
-- error 8156, 16, 1, line 2: The column 'id' was specified multiple times for 'q'.
GO
-- a table expression with a column without a name
WITH c AS (SELECT 1) SELECT * FROM c;
-- error 8155, 16, 2
GO
-- ORDER BY a name that two columns of the select list have
SELECT *, id FROM dbo.said ORDER BY id;
-- error 209, 16, 1, line 2: Ambiguous column name 'id'.
GO
-- ORDER BY the same name with its table
SELECT id, id FROM dbo.said AS s ORDER BY s.id DESC;
-- columns: id int | id int
-- row: 2 | 2
-- row: 1 | 1
GO
-- ORDER BY the same column twice
SELECT id FROM dbo.said ORDER BY id, id DESC;
-- error 169, 15
GO
-- ORDER BY a constant
SELECT id FROM dbo.said ORDER BY 'id';
-- error 408, 16, 1, line 2: A constant expression was encountered in the ORDER BY list, position 1.
GO
-- a window in the order of a position
SELECT ROW_NUMBER() OVER (ORDER BY 1) FROM dbo.said;
-- error 5308, 16
GO
-- GROUP BY a position
SELECT COUNT(*) FROM dbo.said GROUP BY 1;
-- error 164, 15
GO
-- GROUP BY an aggregate
SELECT COUNT(*) FROM dbo.said GROUP BY COUNT(*);
-- error 144, 15
GO
-- an aggregate of an aggregate
SELECT SUM(COUNT(*)) FROM dbo.said;
-- error 130, 15, 1, line 2: Cannot perform an aggregate function on an expression containing an aggregate or a subquery.
GO
-- an aggregate of a subquery
SELECT MAX((SELECT 1)) FROM dbo.said;
-- error 130, 15
GO
-- a window over the groups may take their aggregates
SELECT id, SUM(SUM(a)) OVER (ORDER BY id) AS s FROM dbo.said GROUP BY id ORDER BY id;
-- columns: id int | s int
-- row: 1 | 10
-- row: 2 | 30
GO
-- the greatest bit
SELECT MAX(b) FROM dbo.said;
-- error 8117, 16, 1, line 2: Operand data type bit is invalid for max operator.
GO
-- HAVING a column that is not grouped by
SELECT id FROM dbo.said AS s GROUP BY id HAVING a > 1;
-- error 8121, 16, 1, line 2: Column 's.a' is invalid in the HAVING clause because it is not contained in either an aggregate function or the GROUP BY clause.
GO
-- OUTPUT of INSERT has no deleted
INSERT INTO dbo.said OUTPUT deleted.id VALUES (3, 30, 0);
-- error 4104, 16, 1, line 2: The multi-part identifier "deleted.id" could not be bound.
GO
-- OUTPUT of DELETE has no inserted
DELETE FROM dbo.said OUTPUT inserted.id;
-- error 4104, 16
GO
-- nothing was written
SELECT COUNT(*) AS n FROM dbo.said;
-- columns: n int
-- row: 2
GO
-- TOP of less than nothing
SELECT TOP (-1) id FROM dbo.said;
-- error 127, 15
GO
-- DELETE TOP of less than nothing
DELETE TOP (-1) FROM dbo.said;
-- error 127, 15
GO
-- OFFSET of less than nothing
SELECT id FROM dbo.said ORDER BY id OFFSET -1 ROWS;
-- error 10742, 15
GO
-- FETCH of nothing
SELECT id FROM dbo.said ORDER BY id OFFSET 0 ROWS FETCH NEXT 0 ROWS ONLY;
-- error 10744, 15
GO
-- SELECT INTO two columns of one name
SELECT id, id INTO dbo.said_too FROM dbo.said;
-- error 2705, 16
GO
-- two aggregates that differ in the case of a literal are two
SELECT COUNT(CASE WHEN CHAR(64 + id) = 'A' COLLATE Latin1_General_BIN2 THEN 1 ELSE NULL END) AS large, COUNT(CASE WHEN CHAR(64 + id) = 'a' COLLATE Latin1_General_BIN2 THEN 1 ELSE NULL END) AS small FROM dbo.said;
-- columns: large int | small int
-- row: 1 | 0
-- info 8153, 0
GO
-- USE and SET leave no row count
SELECT id FROM dbo.said;
SET NOCOUNT OFF;
SELECT @@ROWCOUNT AS n;
-- columns: id int
-- row: 1
-- row: 2
-- columns: n int
-- row: 0
GO
-- and it goes
DROP TABLE dbo.said;
GO
-- ## Recursion
-- several anchors and several members that recurse
WITH c AS (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT n + 10 FROM c WHERE n < 10 UNION ALL SELECT n + 100 FROM c WHERE n < 10) SELECT n FROM c ORDER BY n;
-- columns: n int
-- row: 1
-- row: 2
-- row: 11
-- row: 12
-- row: 101
-- row: 102
GO
-- UNION does not recurse
WITH c AS (SELECT 1 AS n UNION SELECT n + 1 FROM c) SELECT n FROM c;
-- error 252, 16, 1, line 2: Recursive common table expression 'c' does not contain a top-level UNION ALL operator.
GO
-- no anchor
WITH c AS (SELECT n FROM c UNION ALL SELECT n + 1 FROM c) SELECT n FROM c;
-- error 246, 16, 1, line 2: No anchor member was specified for recursive query "c".
GO
-- a recursive text grows beyond its type
WITH c AS (SELECT CAST('a' AS varchar(10)) AS n UNION ALL SELECT n + 'b' FROM c WHERE LEN(n) < 3) SELECT n FROM c;
-- error 240, 16, 1, line 2: Types don't match between the anchor and the recursive part in column "n" of recursive query "c".
GO
-- and is made to fit
WITH c AS (SELECT CAST('a' AS varchar(10)) AS n UNION ALL SELECT CAST(n + 'b' AS varchar(10)) FROM c WHERE LEN(n) < 3) SELECT n FROM c;
-- columns: n varchar(10)
-- row: a
-- row: ab
-- row: abb
GO
-- DISTINCT in the recursive member
WITH c AS (SELECT 1 AS n UNION ALL SELECT DISTINCT n + 1 FROM c) SELECT n FROM c;
-- error 460, 16
GO
-- TOP in the recursive member
WITH c AS (SELECT 1 AS n UNION ALL SELECT TOP (1) n + 1 FROM c) SELECT n FROM c;
-- error 461, 16
GO
-- an outer join in the recursive member
WITH c AS (SELECT 1 AS n UNION ALL SELECT c.n + 1 FROM c LEFT JOIN (SELECT 1 AS m) AS d ON d.m = c.n) SELECT n FROM c;
-- error 462, 16
GO
-- the recursive member names it twice
WITH c AS (SELECT 1 AS n UNION ALL SELECT x.n + 1 FROM c AS x INNER JOIN c AS y ON y.n = x.n) SELECT n FROM c;
-- error 253, 16
GO
-- the recursive member names it in a subquery
WITH c AS (SELECT 1 AS n UNION ALL SELECT 1 WHERE EXISTS (SELECT n FROM c)) SELECT n FROM c;
-- error 465, 16
GO
-- an aggregate in the recursive member
WITH c AS (SELECT 1 AS n UNION ALL SELECT MAX(n) FROM c) SELECT n FROM c;
-- error 467, 16
GO
-- ## Letters that are two
-- what stands behind a letter that is compared as two is found where it stands
SELECT CHARINDEX(N'e', N'straße') AS a, CHARINDEX(N'e', N'eße', 2) AS b, PATINDEX(N'%e%', N'straße') AS c, REPLACE(N'straße-eé', N'e', N'x') AS d, REPLACE(N'ße', N'e', N'') AS e;
-- columns: a int | b int | c int | d nvarchar(4000) | e nvarchar(4000)
-- row: 6 | 3 | 6 | straßx-xé | ß
GO
-- a wildcard stands for one character of the text, whatever the collation makes of it
SELECT CASE WHEN N'straße' LIKE N'stra_e' THEN 1 ELSE 0 END AS one, CASE WHEN N'straße' LIKE N'stra__e' THEN 1 ELSE 0 END AS two, CASE WHEN N'straße' LIKE N'STRASSE' THEN 1 ELSE 0 END AS spelt, CASE WHEN N'ß' LIKE N's%' THEN 1 ELSE 0 END AS half;
-- columns: one int | two int | spelt int | half int
-- row: 1 | 0 | 1 | 0
GO
-- nor is it in a set more than one character
SELECT CASE WHEN N'straße' LIKE N'stra[ßx]e' THEN 1 ELSE 0 END AS inside, CASE WHEN N'straße' LIKE N'stra[a-z]e' THEN 1 ELSE 0 END AS ranged, CASE WHEN N'straße' LIKE N'stra[^ß]e' THEN 1 ELSE 0 END AS negated, PATINDEX(N'%_e', N'Große Straße') AS at;
-- columns: inside int | ranged int | negated int | at int
-- row: 1 | 1 | 0 | 11
GO
-- ## Loops and delays
-- BREAK without a loop
IF 1 = 1 BREAK;
-- error 135, 15, 1, line 3: Cannot use a BREAK statement outside the scope of a WHILE statement.
GO
-- CONTINUE without a loop
BEGIN CONTINUE; END
-- error 136, 15, 1, line 2: Cannot use a CONTINUE statement outside the scope of a WHILE statement.
GO
-- a delay of more than a day
WAITFOR DELAY '25:00';
-- error 148, 15, 1, line 2: Incorrect time syntax in time string '25:00' used with WAITFOR.
GO
