/**
 * Cuts the text of a batch into tokens, as SQL Server does: nested comments, [brackets], "quotes" by QUOTED_IDENTIFIER, N'…', 0x…, $1.50.
 * It knows which words are reserved, and nothing else of the grammar.
 */
import { SqlError } from '../session.ts';

export interface Token {
  readonly type: TokenType;
  /** As written, for messages and definitions. */
  readonly text: string;
  /** The identifier without quotes, the string's characters, the digits; a word in UPPER case, a symbol as it is. */
  readonly value: string;
  readonly line: number;
  readonly position: number;
  readonly end: number;
}

export type TokenType =
  /** An unquoted name that is not reserved. */
  | 'word'
  | 'keyword'
  | 'quoted'
  | 'variable'
  | 'global'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'money'
  | 'string'
  | 'nationalString'
  | 'binary'
  | 'symbol'
  | 'end';

/** Source: learn.microsoft.com "Reserved Keywords (Transact-SQL)"; without PRECISION, which sys.columns shows not to be reserved. */
const RESERVED = new Set(
  (
    'ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE CHECK CHECKPOINT CLOSE CLUSTERED ' +
    'COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS CONTAINSTABLE CONTINUE CONVERT CREATE CROSS CURRENT CURRENT_DATE ' +
    'CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE DENY DESC DISK DISTINCT ' +
    'DISTRIBUTED DOUBLE DROP DUMP ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT EXTERNAL FETCH FILE FILLFACTOR FOR FOREIGN ' +
    'FREETEXT FREETEXTTABLE FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK IDENTITY IDENTITY_INSERT IDENTITYCOL IF IN INDEX INNER ' +
    'INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD MERGE NATIONAL NOCHECK NONCLUSTERED NOT NULL NULLIF OF OFF OFFSETS ON ' +
    'OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML OPTION OR ORDER OUTER OVER PERCENT PIVOT PLAN PRIMARY PRINT PROC ' +
    'PROCEDURE PUBLIC RAISERROR READ READTEXT RECONFIGURE REFERENCES REPLICATION RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ' +
    'ROWCOUNT ROWGUIDCOL RULE SAVE SCHEMA SECURITYAUDIT SELECT SEMANTICKEYPHRASETABLE SEMANTICSIMILARITYDETAILSTABLE ' +
    'SEMANTICSIMILARITYTABLE SESSION_USER SET SETUSER SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE THEN TO TOP TRAN ' +
    'TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE USER VALUES VARYING VIEW WAITFOR WHEN ' +
    'WHERE WHILE WITH WITHIN WRITETEXT'
  ).split(' '),
);

const LONGEST_NAME = 128;
const NAMES: ReadonlySet<TokenType> = new Set<TokenType>(['word', 'quoted', 'variable']);

const SPACE = /[\s\u00a0\u200b\ufeff]*/y;
const WORD = /[\p{L}_#][\p{L}\p{N}_@#$]*|\$(?:action|identity|rowguid)\b/iuy;
const VARIABLE = /@@?[\p{L}\p{N}_@#$]*/uy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE](?:[+-]?\d+)?)?/y;
const HEX = /0[xX][0-9a-fA-F]*/y;
const MONEY = /[$£€¥][ \t]*[+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)?/y;
const SYMBOL = /<>|!=|<=|>=|!<|!>|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|::|[-+*/%&|^~=<>(),.;:{}?]/y;

/**
 * @returns the tokens, the last of type 'end'.
 * @throws SqlError 103 (a name of more than 128 characters), 102 (a character that begins nothing), 105 (open quote), 113 (open comment), 1038 (empty name).
 */
export function tokenize(text: string, quotedIdentifier: boolean): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? '';
  };
  const countLines = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) {
      if (text.charCodeAt(index) === NEWLINE) {
        line += 1;
      }
    }
  };
  const push = (type: TokenType, end: number, value: string): void => {
    if (value.length > LONGEST_NAME && NAMES.has(type)) {
      throw new SqlError(
        103,
        `The identifier that starts with '${value.slice(0, LONGEST_NAME)}' is too long. Maximum length is ${LONGEST_NAME}.`,
        {
          class: 15,
          state: 4,
          line,
        },
      );
    }
    tokens.push({ type, text: text.slice(at, end), value, line, position: at, end });
    at = end;
  };
  const quotedEnd = (from: number, close: string): number => {
    for (let index = from; ; index += 2) {
      index = text.indexOf(close, index);
      if (index < 0) {
        throw new SqlError(105, `Unclosed quotation mark after the character string '${text.slice(from)}'.`, { class: 15, line });
      }
      if (text[index + 1] !== close) {
        return index;
      }
    }
  };
  const pushQuoted = (type: 'quoted' | 'string' | 'nationalString', from: number, close: string): void => {
    const end = quotedEnd(from, close);
    const start = at;
    const raw = text.slice(from, end);
    const value = raw.includes(close) ? raw.replaceAll(close + close, close) : raw;
    if (type === 'quoted' && value === '') {
      throw new SqlError(
        1038,
        'An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, ' +
          'look for empty alias names. Aliases defined as "" or [] are not allowed. Change the alias to a valid name.',
        { class: 15, state: 4, line },
      );
    }
    push(type, end + 1, type === 'quoted' || !value.includes('\\') ? value : value.replaceAll(/\\\r?\n/g, ''));
    countLines(start, at);
  };
  while (true) {
    const kind = KINDS[text.charCodeAt(at)] ?? '';
    if (kind === 'space') {
      countLines(at, at + 1);
      at += 1;
      continue;
    }
    // Most of a long text: words, integers and punctuation in ASCII.
    if (kind === 'punctuation') {
      push('symbol', at + 1, text[at] ?? '');
      continue;
    }
    if (kind === 'digit') {
      const end = digitsEnd(text, at);
      if (!goesOn(text, end)) {
        push('integer', end, text.slice(at, end));
        continue;
      }
    }
    if (kind === '' && at < text.length) {
      const spaces = match(SPACE);
      countLines(at, at + spaces.length);
      at += spaces.length;
    }
    if (at >= text.length) {
      tokens.push({ type: 'end', text: '', value: '', line, position: at, end: at });
      return tokens;
    }
    const char = text[at] ?? '';
    const next = text[at + 1] ?? '';
    if (char === '-' && next === '-') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (char === '/' && next === '*') {
      const end = commentEnd(text, at, line);
      countLines(at, end);
      at = end;
    } else if (char === "'") {
      pushQuoted('string', at + 1, "'");
    } else if ((char === 'N' || char === 'n') && next === "'") {
      pushQuoted('nationalString', at + 2, "'");
    } else if (char === '[') {
      pushQuoted('quoted', at + 1, ']');
    } else if (char === '"') {
      pushQuoted(quotedIdentifier ? 'quoted' : 'string', at + 1, '"');
    } else if (char === '@') {
      const name = match(VARIABLE);
      push(name.startsWith('@@') ? 'global' : 'variable', at + name.length, name.startsWith('@@') ? name.toLowerCase() : name);
    } else if (char === '0' && (next === 'x' || next === 'X')) {
      const hex = match(HEX);
      push('binary', at + hex.length, hex.slice(2));
    } else if (/\d/.test(char) || (char === '.' && /\d/.test(next) && !endsName(tokens, at))) {
      const number = match(NUMBER);
      push(/[eE]/.test(number) ? 'float' : number.includes('.') ? 'decimal' : 'integer', at + number.length, number);
    } else {
      const word = match(WORD);
      if (word !== '') {
        const upper = word.toUpperCase();
        push(RESERVED.has(upper) ? 'keyword' : 'word', at + word.length, upper);
        continue;
      }
      const money = match(MONEY);
      if (money !== '') {
        push('money', at + money.length, money.slice(1).replaceAll(/[\s,]/g, '') || '0');
        continue;
      }
      const symbol = match(SYMBOL);
      if (symbol === '') {
        throw new SqlError(102, `Incorrect syntax near '${char}'.`, { class: 15, line });
      }
      push('symbol', at + symbol.length, symbol);
    }
  }
}

const NEWLINE = 10;

/** What an ASCII character that stands for itself begins; '' for all others. */
const KINDS: readonly ('space' | 'punctuation' | 'digit' | '')[] = Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (code <= 32) {
    return /\s/.test(char) ? 'space' : '';
  }
  return /\d/.test(char) ? 'digit' : /[(),;]/.test(char) ? 'punctuation' : '';
});

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (KINDS[text.charCodeAt(at)] === 'digit') {
    at += 1;
  }
  return at;
}

/** Whether digits that end here go on as another kind of number: 1.5, 1e3, 0x1F. */
function goesOn(text: string, end: number): boolean {
  const next = text[end];
  return next === '.' || next === 'e' || next === 'E' || next === 'x' || next === 'X';
}

/** Whether the dot at `at` follows a name directly, so that `a.1` stays an error rather than a number. */
function endsName(tokens: readonly Token[], at: number): boolean {
  const last = tokens.at(-1);
  return last !== undefined && last.end === at && (last.type === 'word' || last.type === 'quoted');
}

function commentEnd(text: string, from: number, line: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (text.startsWith('*/', at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) {
        return at + 1;
      }
    }
  }
  throw new SqlError(113, "Missing end comment mark '*/'.", { class: 15, line });
}
