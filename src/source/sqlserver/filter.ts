/**
 * A table's row filter: parsed by a small grammar and written anew as T-SQL, never pasted. It may use the row's own columns, literals and
 *
 *     filter     = and { OR and }
 *     and        = not { AND not }
 *     not        = [ NOT ] ( "(" filter ")" | predicate )
 *     predicate  = operand ( "=" | "<>" | "<" | "<=" | ">" | ">=" ) operand     (a column on one side at least)
 *                | column [ NOT ] IN "(" literal { "," literal } ")"
 *                | column [ NOT ] BETWEEN literal AND literal
 *                | column [ NOT ] LIKE text [ ESCAPE text ]
 *                | column IS [ NOT ] NULL
 *
 * Anything that changes without a change of the row would be a hole, so functions, subqueries and computed columns are refused.
 */
import type { PatchwireError } from '../../model/errors.ts';
import type { TableColumn } from '../../model/table.ts';
import { EXPECTED, familyOf, literalFor, textLiteral } from './filter-literals.ts';
import { filterTokens, refused, type Token } from './filter-tokens.ts';
import { quoteName } from './quote.ts';

export interface FilterColumn extends TableColumn {
  readonly computed: boolean;
}

/** A filter that was accepted. */
export interface Filter {
  /** The predicate as T-SQL over the table under the alias `t`; the same for every spelling of the same filter. */
  readonly sql: string;
}

/** The alias of the filtered table in every statement. */
const ALIAS = 't';
const COMPARISONS = new Set(['=', '<>', '<', '<=', '>', '>=']);
const MAX_TOKENS = 10_000;
const MAX_DEPTH = 200;

/** @throws PatchwireError PW-S210 with position and what was expected there */
export function parseFilter(text: string, columns: readonly FilterColumn[]): Filter {
  return { sql: new FilterParser(text, columns).parse() };
}

/** A position in the tokens of one text: lives as long as the call of parseFilter. */
class FilterParser {
  readonly #text: string;
  readonly #columns: readonly FilterColumn[];
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string, columns: readonly FilterColumn[]) {
    this.#text = text;
    this.#columns = columns;
    this.#tokens = filterTokens(text);
    if (this.#tokens.length > MAX_TOKENS) {
      throw refused(text, 1, `at most ${MAX_TOKENS} words and signs`);
    }
  }

  parse(): string {
    const sql = this.#or();
    if (this.#token.kind !== 'end') {
      throw this.#expected('AND, OR or the end of the filter');
    }
    return sql;
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', position: this.#text.length + 1 };
  }

  #is(kind: Token['kind'], text: string): boolean {
    return this.#token.kind === kind && this.#token.text === text;
  }

  #take(kind: Token['kind'], text: string): boolean {
    if (!this.#is(kind, text)) {
      return false;
    }
    this.#at += 1;
    return true;
  }

  #demand(kind: Token['kind'], text: string): void {
    if (!this.#take(kind, text)) {
      throw this.#expected(text);
    }
  }

  #expected(what: string, token: Token = this.#token): PatchwireError {
    return refused(this.#text, token.position, what);
  }

  #or(): string {
    const parts = [this.#and()];
    while (this.#take('word', 'OR')) {
      parts.push(this.#and());
    }
    return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' OR ')})`;
  }

  #and(): string {
    const parts = [this.#not()];
    while (this.#take('word', 'AND')) {
      parts.push(this.#not());
    }
    return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' AND ')})`;
  }

  #not(): string {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw this.#expected(`at most ${MAX_DEPTH} levels of NOT and parentheses`);
    }
    try {
      if (this.#take('word', 'NOT')) {
        return `(NOT ${this.#not()})`;
      }
      if (this.#take('symbol', '(')) {
        const sql = this.#or();
        this.#demand('symbol', ')');
        return sql;
      }
      return this.#predicate();
    } finally {
      this.#depth -= 1;
    }
  }

  #predicate(): string {
    const first = this.#token;
    if (first.kind === 'name') {
      return this.#afterColumn(this.#column());
    }
    if (!this.#startsLiteral()) {
      throw this.#expected('a column, a literal, NOT or (');
    }
    // A literal first: it is typed by the column that follows.
    const start = this.#at;
    this.#skipLiteral();
    const operator = this.#comparison();
    const column = this.#column();
    const end = this.#at;
    this.#at = start;
    const literal = this.#literal(column);
    this.#at = end;
    return `${literal} ${operator} ${nameOf(column)}`;
  }

  #afterColumn(column: FilterColumn): string {
    const name = nameOf(column);
    if (this.#take('word', 'IS')) {
      const not = this.#take('word', 'NOT');
      this.#demand('word', 'NULL');
      return `${name} IS ${not ? 'NOT ' : ''}NULL`;
    }
    const not = this.#take('word', 'NOT') ? 'NOT ' : '';
    if (this.#take('word', 'IN')) {
      this.#demand('symbol', '(');
      const items = [this.#literal(column)];
      while (this.#take('symbol', ',')) {
        items.push(this.#literal(column));
      }
      this.#demand('symbol', ')');
      return `${name} ${not}IN (${items.join(', ')})`;
    }
    if (this.#take('word', 'BETWEEN')) {
      const low = this.#literal(column);
      this.#demand('word', 'AND');
      return `${name} ${not}BETWEEN ${low} AND ${this.#literal(column)}`;
    }
    if (this.#is('word', 'LIKE')) {
      return this.#like(column, not);
    }
    if (not !== '') {
      throw this.#expected('IN, BETWEEN or LIKE');
    }
    const operator = this.#comparison();
    return `${name} ${operator} ${this.#operand(column)}`;
  }

  #like(column: FilterColumn, not: string): string {
    if (familyOf(column) !== 'text') {
      throw this.#expected(`a column of characters before LIKE (${column.name} is ${column.type})`);
    }
    this.#demand('word', 'LIKE');
    const pattern = this.#literal(column);
    if (!this.#take('word', 'ESCAPE')) {
      return `${nameOf(column)} ${not}LIKE ${pattern}`;
    }
    const token = this.#token;
    if (token.kind !== 'string' || token.text.length !== 1) {
      throw this.#expected('one character in single quotes');
    }
    this.#at += 1;
    return `${nameOf(column)} ${not}LIKE ${pattern} ESCAPE ${textLiteral(column, token.text)}`;
  }

  /** The right side of a comparison: a literal, or a column of the same family. */
  #operand(left: FilterColumn): string {
    const token = this.#token;
    if (token.kind !== 'name') {
      return this.#literal(left);
    }
    const right = this.#column();
    if (familyOf(right) !== familyOf(left)) {
      throw this.#expected(`a column that compares with ${left.name} (${left.type}; ${right.name} is ${right.type})`, token);
    }
    return nameOf(right);
  }

  #comparison(): string {
    const token = this.#token;
    if (token.kind !== 'symbol' || !COMPARISONS.has(token.text)) {
      throw this.#expected('=, <>, <, <=, >, >=, IN, BETWEEN, LIKE or IS');
    }
    this.#at += 1;
    return token.text;
  }

  #startsLiteral(): boolean {
    const { kind } = this.#token;
    return kind === 'string' || kind === 'number' || kind === 'binary' || this.#is('symbol', '-');
  }

  #skipLiteral(): void {
    this.#take('symbol', '-');
    this.#at += 1;
  }

  #literal(column: FilterColumn): string {
    const family = familyOf(column);
    const start = this.#token;
    const what = family === null ? 'another column' : EXPECTED[family];
    const negative = this.#take('symbol', '-');
    const literal = literalFor(column, this.#token, negative);
    if (literal === null) {
      const isNull = this.#is('word', 'NULL');
      throw this.#expected(isNull ? `${what}; for NULL write IS NULL` : `${what} (${column.name} is ${column.type})`, start);
    }
    this.#at += 1;
    return literal;
  }

  #column(): FilterColumn {
    const token = this.#token;
    if (token.kind !== 'name') {
      throw this.#expected('a column');
    }
    const column =
      this.#columns.find(({ name }) => name === token.text) ??
      only(this.#columns.filter(({ name }) => name.toLowerCase() === token.text.toLowerCase()));
    if (column === undefined) {
      throw this.#expected(`a column of the table (there is no ${token.text})`);
    }
    if (column.computed) {
      throw this.#expected(`a stored column (${column.name} is computed: it may change without a change of the row)`);
    }
    if (familyOf(column) === null && !this.#isNullTestNext()) {
      throw this.#expected(`a column that can be compared (${column.name} is ${column.type})`);
    }
    this.#at += 1;
    return column;
  }

  #isNullTestNext(): boolean {
    const next = this.#tokens[this.#at + 1];
    return next?.kind === 'word' && next.text === 'IS';
  }
}

function nameOf(column: TableColumn): string {
  return `${ALIAS}.${quoteName(column.name)}`;
}

function only<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}
