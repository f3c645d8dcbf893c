/** Table-valued functions: OPENJSON, GENERATE_SERIES, STRING_SPLIT. */
import type { FunctionTable, OpenJsonTable } from '../sql/ast.ts';
import type { JsonNode, JsonPath } from '../sql/json.ts';
import { parseJsonPath, requireJson, selectJson } from '../sql/json.ts';
import { commonType, isDecimal, isInteger, resolveType } from '../sql/types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { invalidObject } from './errors.ts';
import type { CompiledExpression } from './expressions.ts';
import { coerce, compileExpression, converter } from './expressions.ts';
import { describeName } from './object-names.ts';
import type { PlanColumn, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { recordingScope } from './query-scope.ts';
import { renamed } from './source-columns.ts';
import { computedSource } from './source-rows.ts';
import type { StatementContext } from './statement-context.ts';

export function functionSource(context: StatementContext, source: FunctionTable, scope: QueryScope): Source {
  const name = source.name.name.toLowerCase();
  const recording = recordingScope(scope);
  const args = source.args.map((arg) => compileExpression(arg, recording.scope));
  const alias = source.alias ?? source.name.name;
  const collation = context.database.collation;
  const ctx = context.eval;
  if (name === 'generate_series' && source.name.schema === null) {
    const [first, last, step] = args;
    if (first === undefined || last === undefined) {
      throw new SqlError(313, 'An insufficient number of arguments were supplied for the procedure or function generate_series.', {
        line: source.line,
      });
    }
    const type = seriesType([first, last, ...(step === undefined ? [] : [step])], source.line);
    const unit = 'precision' in type ? 10n ** BigInt(type.scale) : 1n;
    const bounds = [first, last, step].map((arg) => (arg === undefined ? undefined : coerce(arg, type)));
    return computedSource(context, {
      name: alias,
      columns: renamed([{ name: 'value', type, nullable: false }], source.columns, alias),
      lateral: false,
      *rows() {
        const [from, to, by] = bounds.map((arg) => arg?.evaluate(ctx) ?? null);
        if (from === null || from === undefined || to === null || to === undefined) {
          return;
        }
        const begin = exactInteger(from);
        const end = exactInteger(to);
        const stride = by === null || by === undefined ? (begin <= end ? unit : -unit) : exactInteger(by);
        if (stride === 0n) {
          throw new SqlError(4199, 'Argument value 0 is invalid for argument 3 of generate_series function.');
        }
        for (let value = begin; stride > 0n ? value <= end : value >= end; value += stride) {
          yield [type.name === 'bigint' || 'precision' in type ? value : Number(value)];
        }
      },
    });
  }
  if (name === 'string_split' && source.name.schema === null) {
    const [text, separator, ordinal] = args;
    if (text === undefined || separator === undefined) {
      throw new SqlError(313, 'An insufficient number of arguments were supplied for the procedure or function string_split.', {
        line: source.line,
      });
    }
    const type: SqlType = 'collation' in text.type ? text.type : { name: 'nvarchar', length: 4000, collation };
    const columns: PlanColumn[] = [
      { name: 'value', type, nullable: false },
      ...(ordinal === undefined ? [] : [{ name: 'ordinal', type: { name: 'bigint' } as const, nullable: false }]),
    ];
    return computedSource(context, {
      name: alias,
      columns: renamed(columns, source.columns, alias),
      lateral: false,
      *rows() {
        const whole = text.evaluate(ctx);
        const between = separator.evaluate(ctx);
        if (typeof whole !== 'string' || typeof between !== 'string') {
          return;
        }
        for (const [index, part] of whole.split(between).entries()) {
          yield ordinal === undefined ? [part] : [part, BigInt(index + 1)];
        }
      },
    });
  }
  throw source.name.schema === null
    ? invalidObject(describeName(source.name), source.line)
    : new UnsupportedError(`the table-valued function ${describeName(source.name)}`, source.line);
}

/**
 * The one type of the arguments of GENERATE_SERIES; literals of decimals may differ in their digits.
 * @throws SqlError 5373 when they differ; UnsupportedError
 */
function seriesType(args: readonly CompiledExpression[], line: number): SqlType {
  const [first] = args;
  const type = args.map((arg) => arg.type).reduce((a, b) => commonType(a, b));
  if (first === undefined || !(isInteger(type) || isDecimal(type))) {
    throw new UnsupportedError(`GENERATE_SERIES of ${type.name}`, line);
  }
  if (args.some((arg) => isDecimal(arg.type) !== isDecimal(first.type) || (isInteger(arg.type) && arg.type.name !== first.type.name))) {
    throw new SqlError(
      5373,
      'All the input parameters should be of the same type. Supported types are tinyint, smallint, int, bigint, decimal and numeric.',
      {
        line,
      },
    );
  }
  return type;
}

function exactInteger(value: SqlValue): bigint {
  return typeof value === 'bigint' ? value : BigInt(Number(value));
}

/** OPENJSON with and without a schema. Source: learn.microsoft.com, OPENJSON. */
export function openJsonSource(context: StatementContext, source: OpenJsonTable, scope: QueryScope): Source {
  const json = compileExpression(source.json, scope);
  const path = source.path === null ? null : compileExpression(source.path, scope);
  const alias = source.alias ?? 'OPENJSON';
  const collation = context.database.collation;
  const ctx = context.eval;
  const text: SqlType = { name: 'nvarchar', length: 'max', collation };
  const root = (): JsonNode | null => {
    const value = json.evaluate(ctx);
    if (typeof value !== 'string') {
      return null;
    }
    const at = path?.evaluate(ctx);
    const whole = requireJson(value);
    return typeof at === 'string' ? follow(whole, parseJsonPath(at)) : whole;
  };
  if (source.schema === null) {
    const columns: PlanColumn[] = [
      { name: 'key', type: { name: 'nvarchar', length: 4000, collation }, nullable: false },
      { name: 'value', type: text, nullable: true },
      { name: 'type', type: { name: 'tinyint' }, nullable: false },
    ];
    return computedSource(context, {
      name: alias,
      columns: renamed(columns, source.columns, alias),
      lateral: false,
      *rows() {
        const node = root();
        const items = node?.items.map((each, index) => ({ name: String(index), node: each })) ?? [];
        for (const { name, node: each } of [...items, ...(node?.members ?? [])]) {
          yield [name, textOf(each), TYPES[each.kind]];
        }
      },
    });
  }
  const fields = source.schema.map((column) => {
    const type = resolveType(column.type, collation);
    return {
      name: column.name,
      type,
      path: parseJsonPath(column.path ?? `$."${column.name}"`),
      convert: converter(text, type),
      asJson: column.asJson,
    };
  });
  return computedSource(context, {
    name: alias,
    columns: renamed(
      fields.map(({ name, type }) => ({ name, type, nullable: true })),
      source.columns,
      alias,
    ),
    lateral: false,
    *rows() {
      const node = root();
      for (const row of node?.kind === 'array' ? node.items : node?.kind === 'object' ? [node] : []) {
        yield fields.map((field): SqlValue => {
          const found = follow(row, field.path);
          const nested = found?.kind === 'object' || found?.kind === 'array';
          return found !== null && nested === field.asJson ? field.convert(textOf(found)) : null;
        });
      }
    },
  });
}

/** The `type` column of OPENJSON. */
const TYPES = { null: 0, string: 1, number: 2, true: 3, false: 3, array: 4, object: 5 } as const;

function textOf(node: JsonNode): string | null {
  return node.kind === 'null' ? null : node.value;
}

/** @throws SqlError 13608 where a strict path leads nowhere */
function follow(node: JsonNode, path: JsonPath): JsonNode | null {
  const found = selectJson(node, path);
  if (found === null && path.strict) {
    throw new SqlError(13608, 'Property cannot be found on the specified JSON path.', { state: 2 });
  }
  return found;
}
