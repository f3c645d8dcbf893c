/** JSON_VALUE, JSON_QUERY, ISJSON, STRING_ESCAPE. */
import { SqlError } from '../session.ts';
import { compiled } from './compiled.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { collationFor, defined, strict, textArgument } from './function-call.ts';
import { parseJson, parseJsonPath, requireJson, selectJson } from './json.ts';
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

export const JSON_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['JSON_VALUE', compileJson(true)],
  ['JSON_QUERY', compileJson(false)],
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
