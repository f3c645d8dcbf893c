/**
 * The parser's place in a batch: looks at tokens, takes them, and raises SQL Server's syntax errors for the one where it stands. The
 * grammar itself is in the parse-….ts files, as functions over a Cursor.
 */
import { SqlError } from '../session.ts';
import type { Expression, LiteralExpression, Node, ObjectName } from './ast-expression.ts';
import type { Query, Statement } from './ast.ts';
import type { Token, TokenType } from './lexer.ts';

/** The rules that others need across files, handed in so that no file imports in a circle. */
export interface Grammar {
  /** A value. */
  expression(cursor: Cursor): Expression;
  /** A query without brackets around it, up to but without OPTION. */
  query(cursor: Cursor): Query;
  statement(cursor: Cursor): Statement;
}

export class Cursor {
  readonly text: string;
  readonly grammar: Grammar;
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(text: string, tokens: readonly Token[], grammar: Grammar) {
    this.text = text;
    this.grammar = grammar;
    this.#tokens = tokens;
  }

  get token(): Token {
    return this.peek(0);
  }

  peek(ahead: number): Token {
    const token = this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)];
    if (token === undefined) {
      throw new Error('a token list ends with its end token');
    }
    return token;
  }

  /** Takes the current token. */
  next(): Token {
    const token = this.token;
    if (token.type !== 'end') {
      this.#index += 1;
    }
    return token;
  }

  get atEnd(): boolean {
    return this.token.type === 'end';
  }

  /** Where the node that begins here stands. */
  here(): Node {
    const token = this.token;
    return { line: token.line, position: token.position };
  }

  /** The text from a position up to the end of the last token taken. */
  textFrom(position: number): string {
    const last = this.#tokens[this.#index - 1];
    return this.text.slice(position, last === undefined ? position : last.end);
  }

  /** Whether the tokens from here on are these words (upper case), reserved or not. */
  isWord(...words: readonly string[]): boolean {
    return words.every((word, index) => {
      const token = this.peek(index);
      return (token.type === 'word' || token.type === 'keyword') && token.value === word;
    });
  }

  isAnyWord(...words: readonly string[]): boolean {
    const token = this.token;
    return (token.type === 'word' || token.type === 'keyword') && words.includes(token.value);
  }

  isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.type === 'symbol' && token.value === symbol;
  }

  /** Takes these words if they all stand here. */
  takeWord(...words: readonly string[]): boolean {
    if (!this.isWord(...words)) {
      return false;
    }
    this.#index += words.length;
    return true;
  }

  takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) {
      return false;
    }
    this.#index += 1;
    return true;
  }

  expectWord(...words: readonly string[]): void {
    for (const word of words) {
      if (!this.takeWord(word)) {
        this.fail();
      }
    }
  }

  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) {
      this.fail();
    }
  }

  /** @throws SqlError 156 at a reserved word, 102 at anything else; at the end of the text it names the last token. */
  fail(token: Token = this.token): never {
    if (token.type === 'end') {
      const last = this.#tokens[this.#index - 1];
      throw new SqlError(102, `Incorrect syntax near '${last === undefined ? '' : shown(last)}'.`, { class: 15, line: last?.line ?? 1 });
    }
    if (token.type === 'keyword') {
      throw new SqlError(156, `Incorrect syntax near the keyword '${token.text}'.`, { class: 15, line: token.line });
    }
    throw new SqlError(102, `Incorrect syntax near '${shown(token)}'.`, { class: 15, line: token.line });
  }

  /** Whether an identifier stands here. */
  get isName(): boolean {
    return this.token.type === 'word' || this.token.type === 'quoted';
  }

  /** Takes an identifier, as written. */
  name(): string {
    const token = this.token;
    if (token.type !== 'word' && token.type !== 'quoted') {
      this.fail();
    }
    this.next();
    return token.type === 'word' ? token.text : token.value;
  }

  /** Takes any word, reserved or not, in upper case. */
  word(): string {
    if (this.token.type !== 'word' && this.token.type !== 'keyword') {
      this.fail();
    }
    return this.next().value;
  }

  integer(): number {
    if (this.token.type !== 'integer') {
      this.fail();
    }
    return Number(this.next().value);
  }

  /** A string literal's characters. */
  string(): string {
    if (this.token.type !== 'string' && this.token.type !== 'nationalString') {
      this.fail();
    }
    return this.next().value;
  }

  variable(): string {
    if (this.token.type !== 'variable') {
      this.fail();
    }
    return this.next().value;
  }

  /** Up to four parts separated by dots; parts in front and in the middle may be empty (..t, db..t). */
  objectName(): ObjectName {
    const at = this.here();
    const parts: string[] = [this.isSymbol('.') ? '' : this.name()];
    while (this.isSymbol('.')) {
      this.next();
      parts.push(this.isSymbol('.') ? '' : this.name());
    }
    if (parts.length > 4) {
      throw new SqlError(117, `The object name '${parts.join('.')}' contains more than the maximum number of prefixes. The maximum is 3.`, {
        class: 15,
        line: at.line,
      });
    }
    const part = (fromEnd: number): string | null => parts[parts.length - 1 - fromEnd] || null;
    return { ...at, server: part(3), database: part(2), schema: part(1), name: part(0) ?? '' };
  }

  /** ( a, b, … ) */
  nameList(): string[] {
    return this.bracketed(() => this.name());
  }

  /** One or more items separated by commas. */
  list<Item>(item: () => Item): Item[] {
    const items = [item()];
    while (this.takeSymbol(',')) {
      items.push(item());
    }
    return items;
  }

  /** The same in brackets. */
  bracketed<Item>(item: () => Item): Item[] {
    this.expectSymbol('(');
    const items = this.list(item);
    this.expectSymbol(')');
    return items;
  }

  /** A literal node of the current token. */
  literal(): Expression {
    const { type, line, position, value } = this.token;
    if (!isLiteral(type)) {
      return this.fail();
    }
    this.#index += 1;
    return { line, position, kind: 'literal', literal: type, text: value };
  }

  /** A literal that is a whole item of a list: a comma or a bracket follows. null: something else stands here. */
  literalItem(): Expression | null {
    if (!isLiteral(this.token.type)) {
      return null;
    }
    const after = this.peek(1);
    return after.type === 'symbol' && (after.value === ',' || after.value === ')') ? this.literal() : null;
  }
}

type LiteralType = Extract<TokenType, LiteralExpression['literal']>;

const LITERALS: ReadonlySet<TokenType> = new Set<LiteralType>([
  'integer',
  'decimal',
  'float',
  'money',
  'string',
  'nationalString',
  'binary',
]);

function isLiteral(type: TokenType): type is LiteralType {
  return LITERALS.has(type);
}

/** A token as messages quote it: strings and quoted names without their quotes. */
function shown(token: Token): string {
  return token.type === 'quoted' || token.type === 'string' || token.type === 'nationalString' ? token.value : token.text;
}
