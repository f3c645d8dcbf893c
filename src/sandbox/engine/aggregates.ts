/** The aggregate functions. Their result types are SQL Server's; NULLs do not count. Source: learn.microsoft.com, "Aggregate functions". */
import type { CallExpression, Expression } from '../sql/ast-expression.ts';
import type { EvalContext } from '../sql/context.ts';
import { asDecimal, isCharacter, isFloat, isInteger, isMoney } from '../sql/types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { eachCall } from './expression-key.ts';
import type { CompiledExpression } from './expressions.ts';
import { coerce, compileExpression, valueHasher, valueOrder } from './expressions.ts';
import type { QueryScope } from './query-scope.ts';

/** The running state of one aggregate over one group. */
export interface Accumulator {
  add(ctx: EvalContext): void;
  result(): SqlValue;
}

export interface Aggregate {
  readonly type: SqlType;
  readonly nullable: boolean;
  start(): Accumulator;
}

const STATISTICS = new Set(['stdev', 'stdevp', 'var', 'varp']);
const NAMES = new Set(['count', 'count_big', 'sum', 'avg', 'min', 'max', 'string_agg', ...STATISTICS]);
const UNSUPPORTED = new Set(['checksum_agg', 'approx_count_distinct', 'percentile_cont', 'percentile_disc']);

export function isAggregateCall(call: CallExpression): boolean {
  const name = call.name.name.toLowerCase();
  if (call.name.schema === null && UNSUPPORTED.has(name)) {
    throw new UnsupportedError(`the aggregate ${name.toUpperCase()}`, call.line);
  }
  return call.name.schema === null && NAMES.has(name);
}

/** @param windowed it runs over the groups, whose aggregates it may take. @throws SqlError 130, 174; 8117 for a type that it does not take */
export function compileAggregate(call: CallExpression, scope: QueryScope, windowed = false): Aggregate {
  const name = call.name.name.toLowerCase();
  const [argument] = call.args;
  if (!windowed) {
    refuseNested(argument);
  }
  if (name === 'count' || name === 'count_big') {
    return countRows(call, scope, name === 'count_big');
  }
  if (argument === undefined) {
    throw new SqlError(174, `The ${call.name.name} function requires 1 argument(s).`, { line: call.line, class: 15 });
  }
  if (name === 'string_agg') {
    return joinTexts(call, scope);
  }
  const value = compileExpression(argument, scope);
  const { type } = value;
  if (type.name === 'bit') {
    throw new SqlError(8117, `Operand data type bit is invalid for ${name} operator.`, { line: call.line });
  }
  const seen = distinctFilter(call, type);
  if (name === 'min' || name === 'max') {
    const compare = valueOrder(type);
    const sign = name === 'min' ? 1 : -1;
    return {
      type,
      nullable: true,
      start: () => {
        let best: SqlValue = null;
        return {
          add: (ctx) => {
            const next = value.evaluate(ctx);
            if (next === null) {
              scope.context.nullsEliminated = true;
            } else if (best === null || compare(next, best) * sign < 0) {
              best = next;
            }
          },
          result: () => best,
        };
      },
    };
  }
  if (STATISTICS.has(name)) {
    return deviation(name, call, value, scope.context, seen);
  }
  const summing = sumOf(call, type);
  return {
    type: name === 'sum' ? summing.type : summing.averageType,
    nullable: true,
    start: () => {
      const fresh = seen();
      let exact = 0n;
      let float = 0;
      let count = 0;
      return {
        add: (ctx) => {
          const next = value.evaluate(ctx);
          if (next === null || !fresh(next)) {
            scope.context.nullsEliminated ||= next === null;
            return;
          }
          count += 1;
          if (summing.float) {
            float += Number(next);
          } else if (typeof next === 'bigint') {
            exact += next;
          } else {
            exact += BigInt(Number(next));
          }
        },
        result: () => {
          if (count === 0) {
            return null;
          }
          return name === 'sum' ? summing.total(exact, float) : summing.average(exact, float, count);
        },
      };
    },
  };
}

/** @throws SqlError 130 */
function refuseNested(argument: Expression | undefined): void {
  const refuse = ({ line }: Expression): void => {
    throw new SqlError(130, 'Cannot perform an aggregate function on an expression containing an aggregate or a subquery.', {
      class: 15,
      line,
    });
  };
  eachCall(
    argument,
    (call) => {
      if (call.over === null && isAggregateCall(call)) {
        refuse(call);
      }
      return true;
    },
    refuse,
  );
}

/** STDEV and VAR of a sample are NULL for a single value. */
function deviation(
  name: string,
  call: CallExpression,
  value: CompiledExpression,
  context: QueryScope['context'],
  seen: () => (value: SqlValue) => boolean,
): Aggregate {
  if (asDecimal(value.type) === null && !isFloat(value.type)) {
    throw new SqlError(8117, `Operand data type ${value.type.name} is invalid for ${name} operator.`, { line: call.line });
  }
  const type: SqlType = { name: 'float' };
  const number = coerce(value, type);
  const population = name.endsWith('p');
  return {
    type,
    nullable: true,
    start: () => {
      const fresh = seen();
      let count = 0;
      let mean = 0;
      let squares = 0;
      return {
        add: (ctx) => {
          const next = number.evaluate(ctx);
          if (next === null || !fresh(next)) {
            context.nullsEliminated ||= next === null;
            return;
          }
          count += 1;
          const distance = Number(next) - mean;
          mean += distance / count;
          squares += distance * (Number(next) - mean);
        },
        result: () => {
          const over = population ? count : count - 1;
          if (over <= 0) {
            return null;
          }
          return name.startsWith('var') ? squares / over : Math.sqrt(squares / over);
        },
      };
    },
  };
}

function distinctFilter(call: CallExpression, type: SqlType): () => (value: SqlValue) => boolean {
  if (!call.distinct) {
    return () => () => true;
  }
  const hash = valueHasher(type);
  return () => {
    const seen = new Set<string>();
    return (value) => {
      const key = hash(value);
      const fresh = !seen.has(key);
      seen.add(key);
      return fresh;
    };
  };
}

function countRows(call: CallExpression, scope: QueryScope, big: boolean): Aggregate {
  const [argument] = call.args;
  if ((!call.star && argument === undefined) || call.args.length > 1) {
    throw new SqlError(174, `The ${call.name.name} function requires 1 argument(s).`, { line: call.line, class: 15 });
  }
  const value = call.star || argument === undefined ? null : compileExpression(argument, scope);
  const seen = distinctFilter(call, value?.type ?? { name: 'int' });
  return {
    type: { name: big ? 'bigint' : 'int' },
    nullable: false,
    start: () => {
      const fresh = seen();
      let count = 0;
      return {
        add: (ctx) => {
          if (value === null) {
            count += 1;
            return;
          }
          const next = value.evaluate(ctx);
          if (next === null) {
            scope.context.nullsEliminated = true;
          } else if (fresh(next)) {
            count += 1;
          }
        },
        result: () => (big ? BigInt(count) : count),
      };
    },
  };
}

interface Summing {
  readonly type: SqlType;
  readonly averageType: SqlType;
  readonly float: boolean;
  total(exact: bigint, float: number): SqlValue;
  average(exact: bigint, float: number, count: number): SqlValue;
}

function sumOf(call: CallExpression, type: SqlType): Summing {
  if (isFloat(type)) {
    const result: SqlType = { name: 'float' };
    return { type: result, averageType: result, float: true, total: (_, sum) => sum, average: (_, sum, count) => sum / count };
  }
  if (isMoney(type)) {
    const result: SqlType = { name: 'money' };
    return { type: result, averageType: result, float: false, total: (sum) => sum, average: (sum, _, count) => sum / BigInt(count) };
  }
  if (isInteger(type)) {
    const big = type.name === 'bigint';
    const result: SqlType = { name: big ? 'bigint' : 'int' };
    const limited = (sum: bigint): SqlValue => {
      const limit = big ? 2n ** 63n : 2n ** 31n;
      if (sum >= limit || sum < -limit) {
        throw new SqlError(8115, `Arithmetic overflow error converting expression to data type ${result.name}.`, { state: 2 });
      }
      return big ? sum : Number(sum);
    };
    return { type: result, averageType: result, float: false, total: limited, average: (sum, _, count) => limited(sum / BigInt(count)) };
  }
  const decimal = asDecimal(type);
  if (decimal === null || type.name === 'bit') {
    throw new SqlError(8117, `Operand data type ${type.name} is invalid for ${call.name.name.toLowerCase()} operator.`, {
      line: call.line,
    });
  }
  const scale = Math.max(decimal.scale, 6);
  return {
    type: { name: 'decimal', precision: 38, scale: decimal.scale },
    averageType: { name: 'decimal', precision: 38, scale },
    float: false,
    total: (sum) => sum,
    average: (sum, _, count) => (sum * 10n ** BigInt(scale - decimal.scale)) / BigInt(count),
  };
}

function joinTexts(call: CallExpression, scope: QueryScope): Aggregate {
  const [text, separator] = call.args;
  if (text === undefined || separator === undefined) {
    throw new SqlError(174, 'The STRING_AGG function requires 2 argument(s).', { line: call.line, class: 15 });
  }
  const value = compileExpression(text, scope);
  const between = compileExpression(separator, scope);
  const keys = call.withinGroup.map((item) => {
    const compiled = compileExpression(item.expression, scope);
    return { compiled, compare: valueOrder(compiled.type), sign: item.descending ? -1 : 1 };
  });
  if (!isCharacter(value.type)) {
    throw new UnsupportedError(`STRING_AGG over ${value.type.name}; convert it to a text`, call.line);
  }
  const type: SqlType =
    value.type.name === 'varchar' || value.type.name === 'nvarchar'
      ? { ...value.type, length: value.type.length === 'max' ? 'max' : value.type.name === 'varchar' ? 8000 : 4000 }
      : value.type;
  return {
    type,
    nullable: true,
    start: () => {
      const parts: { text: string; separator: string; order: SqlValue[] }[] = [];
      return {
        add: (ctx) => {
          const next = value.evaluate(ctx);
          if (typeof next === 'string') {
            const gap = between.evaluate(ctx);
            parts.push({ text: next, separator: typeof gap === 'string' ? gap : '', order: keys.map((key) => key.compiled.evaluate(ctx)) });
          }
        },
        result: () => {
          if (parts.length === 0) {
            return null;
          }
          parts.sort((a, b) => {
            for (const [index, key] of keys.entries()) {
              const order = key.compare(a.order[index] ?? null, b.order[index] ?? null) * key.sign;
              if (order !== 0) {
                return order;
              }
            }
            return 0;
          });
          return parts.map((part, index) => (index === 0 ? '' : part.separator) + part.text).join('');
        },
      };
    },
  };
}
