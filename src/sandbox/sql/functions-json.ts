/** JSON_VALUE, JSON_QUERY, JSON_MODIFY, JSON_OBJECT, JSON_ARRAY, JSON_PATH_EXISTS, ISJSON, STRING_ESCAPE. */
import { SqlError } from '../session.ts';
import type { CallExpression } from './ast-expression.ts';
import type { CompiledExpression, Compiler } from './compiled.ts';
import { compiled } from './compiled.ts';
import type { EvalContext } from './context.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { collationFor, defined, strict, textArgument } from './function-call.ts';
import type { JsonNode, JsonPath } from './json.ts';
import { jsonString, parseJson, parseJsonPath, requireJson, selectJson } from './json.ts';
import { isJsonExpression, jsonWriter } from './json-text.ts';
import { INT, textType } from './types.ts';
import { asText } from './values.ts';

function pathArgument(call: FunctionCall): ReturnType<typeof textArgument> {
  return call.args.length > 1
    ? textArgument(call, 1)
    : compiled(textType(true, 10, call.compiler.scope.collation), () => '$', { nullable: false });
}

/** JSON_VALUE gives scalars, JSON_QUERY objects and arrays; the other kind is NULL, or an error under a strict path. */
function compileJson(scalar: boolean): FunctionDefinition {
  return defined(scalar ? 2 : 1, 2, (call) => {
    const json = textArgument(call, 0);
    const type = textType(true, scalar ? 4000 : 'max', collationFor(call, json));
    return strict(type, [json, pathArgument(call)], ([text = null, form = null]) => {
      const path = parseJsonPath(asText(form));
      const node = selectJson(requireJson(asText(text)), path);
      if (node === null) {
        if (path.strict) {
          throw new SqlError(13608, 'Property cannot be found on the specified JSON path.', { state: 2 });
        }
        return null;
      }
      const isScalar = node.kind !== 'object' && node.kind !== 'array';
      if (isScalar !== scalar) {
        if (path.strict) {
          throw scalar
            ? new SqlError(13623, 'Scalar value cannot be found in the specified JSON path.', { state: 2 })
            : new SqlError(13624, 'Object or array cannot be found in the specified JSON path.', { state: 2 });
        }
        return null;
      }
      if (!scalar) {
        return node.raw;
      }
      if (node.value.length > 4000) {
        if (path.strict) {
          throw new SqlError(13625, 'String value in the specified JSON path would be truncated.');
        }
        return null;
      }
      return node.kind === 'null' ? null : node.value;
    });
  });
}

/**
 * ISJSON(text, kind): the kind is a word, not a value. null for any other call. Source: learn.microsoft.com "ISJSON (Transact-SQL)".
 * @throws SqlError 155 for another word
 */
export function compileIsJson(call: CallExpression, compiler: Compiler): CompiledExpression | null {
  const [text, kind] = call.args;
  if (call.name.name.toUpperCase() !== 'ISJSON' || text === undefined || kind === undefined || call.args.length > 2) {
    return null;
  }
  const word = kind.kind === 'column' && kind.qualifier.length === 0 ? kind.name.toUpperCase() : '';
  if (!['VALUE', 'ARRAY', 'OBJECT', 'SCALAR'].includes(word)) {
    throw new SqlError(155, `'${word}' is not a recognized ISJSON option.`, { class: 15 });
  }
  return strict(INT, [compiler.value(text)], ([value = null]) => {
    const node = typeof value === 'string' ? parseJson(value, true) : null;
    const nested = node?.kind === 'array' || node?.kind === 'object';
    // Of the scalars only numbers and strings count; true, false and null are values.
    const scalar = node?.kind === 'number' || node?.kind === 'string';
    return node !== null && (word === 'VALUE' || (word === 'SCALAR' ? scalar : nested && node.kind === word.toLowerCase())) ? 1 : 0;
  });
}

/** Values as JSON; a value that is JSON already goes in as it stands. */
function jsonValues(call: FunctionCall, from: number): ((ctx: EvalContext) => string | null)[] {
  return call.args.slice(from).map((arg, index) => {
    const expression = call.expression.args[from + index];
    const asIs = expression !== undefined && isJsonExpression(expression);
    const write = arg.untyped ? () => 'null' : jsonWriter(arg.type);
    return (ctx) => {
      const value = arg.evaluate(ctx);
      return value === null ? null : asIs ? asText(value) : write(value);
    };
  });
}

/** JSON_OBJECT and JSON_ARRAY. */
function compileMaker(call: FunctionCall, keyed: boolean): CompiledExpression {
  const values = jsonValues(call, 0);
  const keys = keyed ? call.args.map((_, index) => textArgument(call, index)) : [];
  const nulls = call.expression.modifier === 'NULL ON NULL';
  const type = textType(true, 'max', call.compiler.scope.collation);
  return compiled(
    type,
    (ctx) => {
      const parts: string[] = [];
      for (let index = keyed ? 1 : 0; index < values.length; index += keyed ? 2 : 1) {
        const value = values[index]?.(ctx) ?? null;
        if (value === null && !nulls) {
          continue;
        }
        const key = keyed ? `${jsonString(asText(keys[index - 1]?.evaluate(ctx) ?? ''))}:` : '';
        parts.push(`${key}${value ?? 'null'}`);
      }
      return keyed ? `{${parts.join(',')}}` : `[${parts.join(',')}]`;
    },
    { nullable: false },
  );
}

/** JSON_MODIFY: the rest of the text stays as it is. Source: learn.microsoft.com "JSON_MODIFY (Transact-SQL)". */
function compileModify(call: FunctionCall): CompiledExpression {
  const [json, path] = [textArgument(call, 0), textArgument(call, 1)];
  const [value] = jsonValues(call, 2);
  return compiled(textType(true, 'max', collationFor(call, json)), (ctx) => {
    const [text, form] = [json.evaluate(ctx), path.evaluate(ctx)];
    if (text === null || form === null) {
      return null;
    }
    const match = /^\s*(append\s+)?(.*)$/is.exec(asText(form));
    return modify(asText(text), parseJsonPath(match?.[2] ?? ''), match?.[1] !== undefined, value?.(ctx) ?? null);
  });
}

/** @throws SqlError 13608, 13609 */
function modify(text: string, path: JsonPath, append: boolean, value: string | null): string {
  const root = requireJson(text);
  const last = path.steps.at(-1);
  const parent = selectJson(root, { ...path, steps: path.steps.slice(0, -1) });
  const node = selectJson(root, path);
  if (last === undefined && !append) {
    throw new SqlError(13_619, 'Unsupported JSON path found in argument 2 of JSON_MODIFY.');
  }
  const replace = (from: number, length: number, by: string): string => text.slice(0, from) + by + text.slice(from + length);
  if (node === null) {
    if (path.strict) {
      throw new SqlError(13_608, 'Property cannot be found on the specified JSON path.', { state: 2 });
    }
    if (value === null || parent === null || parent.kind !== 'object' || typeof last !== 'string') {
      return text;
    }
    const added = `${jsonString(last)}:${append ? `[${value}]` : value}`;
    return replace(parent.start + parent.raw.length - 1, 0, parent.members.length === 0 ? added : `,${added}`);
  }
  if (append) {
    if (node.kind !== 'array') {
      if (path.strict) {
        throw new SqlError(13_622, 'Array cannot be found in the specified JSON path.', { state: 1 });
      }
      return text;
    }
    const end = node.start + node.raw.length - 1;
    return replace(end, 0, `${node.items.length === 0 ? '' : ','}${value ?? 'null'}`);
  }
  if (value !== null || path.strict || parent?.kind !== 'object') {
    return replace(node.start, node.raw.length, value ?? 'null');
  }
  return withoutMember(
    text,
    parent,
    parent.members.findIndex((member) => member.name === last),
  );
}

/** The text without one property and the comma that parted it from its neighbour. */
function withoutMember(text: string, parent: JsonNode, index: number): string {
  const member = parent.members[index];
  const before = parent.members[index - 1];
  const after = parent.members[index + 1];
  if (member === undefined) {
    return text;
  }
  const end = member.node.start + member.node.raw.length;
  const [from, to] =
    after !== undefined
      ? [member.start, after.start]
      : before !== undefined
        ? [before.node.start + before.node.raw.length, end]
        : [member.start, end];
  return text.slice(0, from) + text.slice(to);
}

export const JSON_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['JSON_VALUE', compileJson(true)],
  ['JSON_QUERY', compileJson(false)],
  ['JSON_MODIFY', defined(3, 3, compileModify)],
  ['JSON_OBJECT', defined(0, 254, (call) => compileMaker(call, true))],
  ['JSON_ARRAY', defined(0, 254, (call) => compileMaker(call, false))],
  [
    'JSON_PATH_EXISTS',
    defined(2, 2, (call) =>
      strict(INT, [textArgument(call, 0), textArgument(call, 1)], ([text = null, form = null]) => {
        const json = parseJson(asText(text));
        return json !== null && selectJson(json, parseJsonPath(asText(form))) !== null ? 1 : 0;
      }),
    ),
  ],
  ['ISJSON', defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([text = null]) => (parseJson(asText(text)) === null ? 0 : 1)))],
  [
    'STRING_ESCAPE',
    defined(2, 2, (call) => {
      const text = textArgument(call, 0);
      return strict(textType(true, 'max', collationFor(call, text)), [text, textArgument(call, 1)], ([value = null]) =>
        JSON.stringify(asText(value))
          .slice(1, -1)
          .replaceAll('/', String.raw`\/`),
      );
    }),
  ],
]);
