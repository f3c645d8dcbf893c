/** Evaluates one expression with a fixed clock and given variables; shows its value as T-SQL's own conversion writes it. */
import type { EvalContext, Scope, SystemFunctions } from '../../../../src/sandbox/sql/context.ts';
import { convert } from '../../../../src/sandbox/sql/convert.ts';
import { compileExpression, compilePredicate } from '../../../../src/sandbox/sql/expression.ts';
import { parseExpressionText } from '../../../../src/sandbox/sql/parser.ts';
import { formatType } from '../../../../src/sandbox/sql/types.ts';
import { asText } from '../../../../src/sandbox/sql/values.ts';
import { SqlError } from '../../../../src/sandbox/session.ts';
import type { SqlType, SqlValue } from '../../../../src/sandbox/sql-types.ts';
import { DEFAULT_COLLATION } from '../../../../src/sandbox/sql-types.ts';

export interface Variable {
  readonly type: SqlType;
  readonly value: SqlValue;
}

export interface Environment {
  readonly variables?: Readonly<Record<string, Variable>>;
  /** Rows that every subquery of the expression gives, of one column. */
  readonly subquery?: { readonly type: SqlType; readonly rows: readonly SqlValue[] };
  readonly system?: Partial<SystemFunctions>;
}

/** 2026-11-22 10:30:00.1234567, UTC. */
const NOW = { days: 739_941, ticks: 378_001_234_567n };

export const INT: SqlType = { name: 'int' };

function environment(options: Environment): { scope: Scope; ctx: EvalContext } {
  const entries = Object.entries(options.variables ?? {});
  const scope: Scope = {
    collation: DEFAULT_COLLATION,
    resolveColumn: (_, name) => {
      throw new SqlError(207, `Invalid column name '${name}'.`);
    },
    resolveVariable: (name) => {
      const index = entries.findIndex(([known]) => known === name);
      const entry = entries[index];
      if (entry === undefined) {
        throw new SqlError(137, `Must declare the scalar variable "${name}".`);
      }
      return { index, type: entry[1].type };
    },
    compileSubquery: () => ({
      columns: [{ name: 'a', type: options.subquery?.type ?? INT, nullable: true }],
      run: () => (options.subquery?.rows ?? []).map((value) => [value]),
    }),
    substitute: () => null,
    refuseAggregate: (call) => {
      throw new SqlError(147, `no aggregates here: ${call.name.name}`);
    },
  };
  const known: Partial<SystemFunctions> = {
    utcNow: () => NOW,
    offsetMinutes: () => 0,
    dateFormat: () => 'mdy',
    dateFirst: () => 7,
    randomBytes: (count) => Buffer.alloc(count, 0xab),
    ...options.system,
  };
  const system = new Proxy(known, {
    get: (target, key) => {
      const found: unknown = Reflect.get(target, key);
      if (found === undefined) {
        throw new Error(`the test gave no ${String(key)}`);
      }
      return found;
    },
  }) as SystemFunctions;
  return { scope, ctx: { rows: [], variables: entries.map(([, { value }]) => value), system } };
}

export function compiledType(text: string, options: Environment = {}): string {
  return formatType(compileExpression(parseExpressionText(text), environment(options).scope).type);
}

export function evaluate(text: string, options: Environment = {}): { readonly type: SqlType; readonly value: SqlValue } {
  const { scope, ctx } = environment(options);
  const expression = compileExpression(parseExpressionText(text), scope);
  return { type: expression.type, value: expression.evaluate(ctx) };
}

/** The value as text: 'NULL', or what CONVERT(nvarchar(max), value) gives; binary as 0x…. */
export function shown(text: string, options: Environment = {}): string {
  const { type, value } = evaluate(text, options);
  if (value === null) {
    return 'NULL';
  }
  const target: SqlType = { name: 'nvarchar', length: 'max', collation: DEFAULT_COLLATION };
  const style = Buffer.isBuffer(value) ? 1 : type.name === 'money' || type.name === 'smallmoney' ? 2 : null;
  return asText(convert(value, type, target, style));
}

export function holds(text: string, options: Environment = {}): boolean | null {
  const { scope, ctx } = environment(options);
  return compilePredicate(parseExpressionText(text), scope)(ctx);
}

/** The number of the error that an expression ends with, and its message. */
export function failure(text: string, options: Environment = {}): string {
  try {
    evaluate(text, options);
  } catch (error) {
    if (error instanceof SqlError) {
      return `${error.number}: ${error.message}`;
    }
    throw error;
  }
  return 'no error';
}
