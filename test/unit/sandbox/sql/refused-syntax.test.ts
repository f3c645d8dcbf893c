/** Texts that are nearly T-SQL: each is refused with the error of the place where it goes wrong, none is accepted and half ignored. */
import { describe, expect, test } from 'vitest';
import { SqlError } from '../../../../src/sandbox/session.ts';
import { parse } from '../../../../src/sandbox/sql/parser.ts';

function errorOf(text: string): string {
  try {
    parse(text);
    return 'no error';
  } catch (error) {
    return error instanceof SqlError ? `${error.number}: ${error.message}` : String(error);
  }
}

describe('a text that is nearly T-SQL', () => {
  test.each([
    ['SELECT (1', "102: Incorrect syntax near '1'."],
    ['SELECT 1)', "102: Incorrect syntax near ')'."],
    ['SELECT a FORM t', "102: Incorrect syntax near 't'."],
    ['SELECT a WHERE 1 = 1 FROM t', "156: Incorrect syntax near the keyword 'FROM'."],
    ['SELECT a FROM t ORDER BY a WHERE b = 1', "156: Incorrect syntax near the keyword 'WHERE'."],
    ['SELECT a FROM t HAVING COUNT(*) > 1 GROUP BY a', "156: Incorrect syntax near the keyword 'GROUP'."],
    ['SELECT t..a FROM t', "102: Incorrect syntax near '.'."],
    ['SELECT a.b.c..d FROM t', "102: Incorrect syntax near '.'."],
    ['SELECT SUM(DISTINCT a, b) FROM t', "156: Incorrect syntax near the keyword 'DISTINCT'."],
    ['SELECT CONCAT(ALL a, b) FROM t', "156: Incorrect syntax near the keyword 'ALL'."],
    ['SELECT LAG(a) IGNORE NULLS FROM t', "156: Incorrect syntax near the keyword 'FROM'."],
    ['SELECT SUM(a) OVER (ORDER BY a ROWS 1 FOLLOWING) FROM t', "102: Incorrect syntax near ')'."],
    ["SELECT a FROM t FOR JSON PATH, ROOT('a', 'b')", "102: Incorrect syntax near ','."],
    ['IF 1 = 1 ;', "102: Incorrect syntax near ';'."],
    ['IF 1 = 1 SELECT 1 ELSE ;', "102: Incorrect syntax near ';'."],
    ['WHILE 1 = 0 ;', "102: Incorrect syntax near ';'."],
    ["RAISERROR('a', 'b', 1)", "102: Incorrect syntax near 'b'."],
    ["RAISERROR('a' + 'b', 1, 1)", "102: Incorrect syntax near '+'."],
    ["RAISERROR('a', 1, 1) WITH LOUD", "102: Incorrect syntax near 'LOUD'."],
    ["THROW 50001, 'a' + 'b', 1", "102: Incorrect syntax near '+'."],
    ['EXEC (12)', "102: Incorrect syntax near '12'."],
    ['EXEC p @a = 1, 2', '119: '],
    ['GOTO nowhere', '133: '],
    ['here: SELECT 1; here: SELECT 2', '132: '],
    ['SELECT * FROM (SELECT a FROM t ORDER BY a) AS d', '1033: '],
    ['MERGE t USING s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN MATCHED AND t.b = 1 THEN UPDATE SET b = 2;', '5324: '],
    ['MERGE t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT DEFAULT VALUES WHEN NOT MATCHED THEN INSERT DEFAULT VALUES;', '10714: '],
  ])('%s', (text, error) => {
    expect(errorOf(text).slice(0, error.length)).toBe(error);
  });
});
