/** String functions. Positions count characters from 1. */
import { createHash } from 'node:crypto';
import { SqlError } from '../session.ts';
import type { SqlType } from '../sql-types.ts';
import { decodeLatin, encodeLatin } from './code-page.ts';
import { collationOf } from './collation.ts';
import { coerce, compiled } from './compiled.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, collationFor, defined, lengthOf, refuseArgument, strict, textArgument, textLike } from './function-call.ts';
import { foldedText } from './folded-text.ts';
import { likeSearch } from './like.ts';
import { BIGINT, FLOAT, INT, isBinary, isCharacter, isNational, textType } from './types.ts';
import { asBytes, asNumber, asText, textBytes } from './values.ts';

/** int, or bigint for a (max) source. */
function countType(length: number | 'max'): SqlType {
  return length === 'max' ? BIGINT : INT;
}

function count(value: number, type: SqlType): number | bigint {
  return type.name === 'bigint' ? BigInt(value) : value;
}

/** A function from a text to a text of the same type. */
function mapText(map: (text: string) => string): FunctionDefinition {
  return defined(1, 1, (call) => {
    const source = textArgument(call, 0);
    return strict(textLike(call, source, lengthOf(source)), [source], ([value]) => map(asText(value ?? null)));
  });
}

/** Bytes that a value of a fixed type takes. */
function storageSize(type: SqlType): number {
  switch (type.name) {
    case 'bit':
    case 'tinyint':
      return 1;
    case 'smallint':
      return 2;
    case 'int':
    case 'real':
    case 'smallmoney':
    case 'smalldatetime':
      return 4;
    case 'decimal':
    case 'numeric':
      return type.precision <= 9 ? 5 : type.precision <= 19 ? 9 : type.precision <= 28 ? 13 : 17;
    case 'date':
      return 3;
    case 'time':
      return type.scale <= 2 ? 3 : type.scale <= 4 ? 4 : 5;
    case 'datetime2':
      return type.scale <= 2 ? 6 : type.scale <= 4 ? 7 : 8;
    case 'datetimeoffset':
      return type.scale <= 2 ? 8 : type.scale <= 4 ? 9 : 10;
    case 'uniqueidentifier':
      return 16;
    case 'bigint':
    case 'float':
    case 'money':
    case 'datetime':
    case 'rowversion':
      return 8;
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
    case 'text':
    case 'ntext':
    case 'xml':
    case 'image':
    case 'binary':
    case 'varbinary':
    case 'sql_variant':
      throw new TypeError(`${type.name} has no fixed size`);
  }
}

function compileDataLength(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const source = argument(call, 0);
  const { type } = source;
  const result = countType('length' in type ? type.length : type.name === 'xml' ? 'max' : 1);
  if (isCharacter(type) || type.name === 'xml') {
    const counted: SqlType = isCharacter(type) ? type : textType(true, 'max', '');
    return strict(result, [source], ([value]) => count(textBytes(asText(value ?? null), counted), result));
  }
  if (isBinary(type)) {
    return strict(result, [source], ([value]) => count(asBytes(value ?? null).length, result));
  }
  if (type.name === 'sql_variant') {
    return refuseArgument(call, 0);
  }
  const size = storageSize(type);
  return strict(INT, [source], () => size);
}

function compileSubstring(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const source = argument(call, 0);
  const bounds = [argumentAs(call, 1, INT), argumentAs(call, 2, INT)];
  const range = (from: number, length: number): readonly [number, number] => {
    if (length < 0) {
      throw new SqlError(537, 'Invalid length parameter passed to the LEFT or SUBSTRING function.', { state: 3 });
    }
    return [Math.max(0, from - 1), Math.max(0, from - 1 + length)];
  };
  if (isBinary(source.type)) {
    return strict({ name: 'varbinary', length: lengthOf(source) }, [source, ...bounds], ([value, from, length]) =>
      asBytes(value ?? null).subarray(...range(asNumber(from ?? null), asNumber(length ?? null))),
    );
  }
  const text = textArgument(call, 0);
  return strict(textLike(call, text, lengthOf(text)), [text, ...bounds], ([value, from, length]) =>
    asText(value ?? null).slice(...range(asNumber(from ?? null), asNumber(length ?? null))),
  );
}

function compileSide(side: 'left' | 'right'): FunctionDefinition {
  return defined(2, 2, (call) => {
    const text = textArgument(call, 0);
    return strict(textLike(call, text, lengthOf(text)), [text, argumentAs(call, 1, INT)], ([value, length]) => {
      const wanted = asNumber(length ?? null);
      if (wanted < 0) {
        throw new SqlError(536, `Invalid length parameter passed to the ${side} function.`);
      }
      const all = asText(value ?? null);
      return side === 'left' ? all.slice(0, wanted) : all.slice(Math.max(0, all.length - wanted));
    });
  });
}

function compileCharIndex(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const [needle, hay] = [textArgument(call, 0), textArgument(call, 1)];
  const rules = collationOf(collationFor(call, hay));
  const type = countType(lengthOf(hay));
  const start = call.args.length > 2 ? argumentAs(call, 2, INT) : compiled(INT, () => 1, { nullable: false });
  return strict(type, [needle, hay, start], ([part, whole, from]) => {
    const wanted = rules.fold(asText(part ?? null));
    const { folded, placeOf, indexOf } = foldedText(asText(whole ?? null), rules);
    const found = wanted === '' ? -1 : folded.indexOf(wanted, indexOf(Math.max(0, asNumber(from ?? null) - 1)));
    return count(found < 0 ? 0 : placeOf(found) + 1, type);
  });
}

function compilePatIndex(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const [pattern, text] = [textArgument(call, 0), textArgument(call, 1)];
  const rules = collationOf(collationFor(call, text));
  const type = countType(lengthOf(text));
  return strict(type, [pattern, text], ([form, value]) => {
    return count(likeSearch(asText(form ?? null), null, rules)(asText(value ?? null)) + 1, type);
  });
}

function compileReplace(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const args = [textArgument(call, 0), textArgument(call, 1), textArgument(call, 2)];
  const source = textArgument(call, 0);
  const rules = collationOf(collationFor(call, source));
  const national = args.some((arg) => isNational(arg.type));
  const type = textType(national, lengthOf(source) === 'max' ? 'max' : national ? 4000 : 8000, collationFor(call, source));
  return strict(type, args, ([value, part, substitute]) => {
    const text = asText(value ?? null);
    const wanted = rules.fold(asText(part ?? null));
    if (wanted === '') {
      return text;
    }
    const { folded, placeOf } = foldedText(text, rules);
    let result = '';
    let at = 0;
    for (let found = folded.indexOf(wanted); found >= 0; found = folded.indexOf(wanted, found + wanted.length)) {
      result += text.slice(at, placeOf(found)) + asText(substitute ?? null);
      at = placeOf(found + wanted.length);
    }
    return result + text.slice(at);
  });
}

function compileStuff(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const text = textArgument(call, 0);
  const insert = coerce(textArgument(call, 3), textType(isNational(text.type), 'max', collationFor(call, text)));
  const type = textLike(call, text, lengthOf(text) === 'max' ? 'max' : isNational(text.type) ? 4000 : 8000);
  const [from, length] = [argumentAs(call, 1, INT), argumentAs(call, 2, INT)];
  return compiled(type, (ctx) => {
    const [value, start, size] = [text.evaluate(ctx), from.evaluate(ctx), length.evaluate(ctx)];
    if (value === null || start === null || size === null) {
      return null;
    }
    const [all, first, many] = [asText(value), asNumber(start), asNumber(size)];
    if (first < 1 || many < 0 || first > all.length) {
      return null;
    }
    const added = insert.evaluate(ctx);
    return all.slice(0, first - 1) + (added === null ? '' : asText(added)) + all.slice(first - 1 + many);
  });
}

/** NULL counts as the empty text. */
function compileConcat(call: FunctionCall, separated: boolean): ReturnType<FunctionDefinition['compile']> {
  const args = call.args.map((_, index) => textArgument(call, index));
  const national = args.some((arg) => isNational(arg.type));
  const unlimited = args.some((arg, index) => lengthOf(arg) === 'max' && isCharacter(argument(call, index).type));
  const type = textType(
    national,
    unlimited ? 'max' : national ? 4000 : 8000,
    collationFor(call, args.find((arg) => arg.label !== 'default') ?? argument(call, 0)),
  );
  return compiled(
    type,
    (ctx) => {
      const values = args.map((arg) => arg.evaluate(ctx));
      if (!separated) {
        return values.map((value) => (value === null ? '' : asText(value))).join('');
      }
      const [separator = null, ...rest] = values;
      return rest
        .filter((value) => value !== null)
        .map(asText)
        .join(separator === null ? '' : asText(separator));
    },
    { nullable: false },
  );
}

function compileQuoteName(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const pairs = new Map([
    ['[', ']'],
    [']', ']'],
    ['(', ')'],
    [')', ')'],
    ['<', '>'],
    ['>', '>'],
    ['{', '}'],
    ['}', '}'],
    ['"', '"'],
    ["'", "'"],
    ['`', '`'],
  ]);
  const opens = new Map([
    [']', '['],
    [')', '('],
    ['>', '<'],
    ['}', '{'],
  ]);
  const text = textArgument(call, 0);
  const quote = call.args.length > 1 ? textArgument(call, 1) : compiled(textType(false, 1, ''), () => '[', { nullable: false });
  return strict(textType(true, 258, collationFor(call, text)), [text, quote], ([value, mark]) => {
    const name = asText(value ?? null);
    const sign = asText(mark ?? null).slice(0, 1) || '[';
    const close = pairs.get(sign);
    if (close === undefined || name.length > 128) {
      return null;
    }
    return (opens.get(close) ?? close) + name.replaceAll(close, close + close) + close;
  });
}

function compileStr(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const optional = (index: number, fallback: number): ReturnType<typeof argumentAs> =>
    call.args.length > index ? argumentAs(call, index, INT) : compiled(INT, () => fallback, { nullable: false });
  return strict(
    textType(false, 100, call.compiler.scope.collation),
    [argumentAs(call, 0, FLOAT), optional(1, 10), optional(2, 0)],
    ([value, length, places]) => {
      const size = asNumber(length ?? null);
      const text = asNumber(value ?? null).toFixed(Math.min(16, Math.max(0, asNumber(places ?? null))));
      const whole = text.split('.')[0] ?? '';
      return whole.length > size ? '*'.repeat(size) : text.slice(0, size).padStart(size);
    },
  );
}

function compileHash(call: FunctionCall): ReturnType<FunctionDefinition['compile']> {
  const data = argument(call, 1);
  if (!isCharacter(data.type) && !isBinary(data.type)) {
    return refuseArgument(call, 1);
  }
  return strict(
    { name: 'varbinary', length: 8000 },
    [textArgument(call, 0), coerce(data, { name: 'varbinary', length: 'max' }, { explicit: true })],
    ([name, value]) => {
      const algorithm = { MD5: 'md5', SHA: 'sha1', SHA1: 'sha1', SHA2_256: 'sha256', SHA2_512: 'sha512' }[
        asText(name ?? null).toUpperCase()
      ];
      return algorithm === undefined
        ? null
        : createHash(algorithm)
            .update(asBytes(value ?? null))
            .digest();
    },
  );
}

export const STRING_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  [
    'LEN',
    defined(1, 1, (call) => {
      const text = textArgument(call, 0);
      const type = countType(lengthOf(text));
      return strict(type, [text], ([value]) => count(asText(value ?? null).replace(/ +$/, '').length, type));
    }),
  ],
  ['DATALENGTH', defined(1, 1, compileDataLength)],
  ['SUBSTRING', defined(3, 3, compileSubstring)],
  ['LEFT', compileSide('left')],
  ['RIGHT', compileSide('right')],
  ['CHARINDEX', defined(2, 3, compileCharIndex)],
  ['PATINDEX', defined(2, 2, compilePatIndex)],
  ['REPLACE', defined(3, 3, compileReplace)],
  ['STUFF', defined(4, 4, compileStuff)],
  ['UPPER', mapText((text) => text.toUpperCase())],
  ['LOWER', mapText((text) => text.toLowerCase())],
  ['REVERSE', mapText((text) => Array.from({ length: text.length }, (_, index) => text[text.length - 1 - index]).join(''))],
  [
    'REPLICATE',
    defined(2, 2, (call) => {
      const text = textArgument(call, 0);
      const limit = lengthOf(text) === 'max' ? Infinity : isNational(text.type) ? 4000 : 8000;
      const type = textLike(call, text, limit === Infinity ? 'max' : limit);
      return strict(type, [text, argumentAs(call, 1, INT)], ([value, times]) => {
        const [unit, many] = [asText(value ?? null), asNumber(times ?? null)];
        return many < 0
          ? null
          : unit.repeat(Math.min(many, Math.ceil(Math.min(limit, 2 ** 27) / Math.max(1, unit.length)))).slice(0, limit);
      });
    }),
  ],
  [
    'SPACE',
    defined(1, 1, (call) =>
      strict(textType(false, 8000, call.compiler.scope.collation), [argumentAs(call, 0, INT)], ([times]) =>
        asNumber(times ?? null) < 0 ? null : ' '.repeat(Math.min(8000, asNumber(times ?? null))),
      ),
    ),
  ],
  ['CONCAT', defined(2, 254, (call) => compileConcat(call, false))],
  ['CONCAT_WS', defined(3, 254, (call) => compileConcat(call, true))],
  ['QUOTENAME', defined(1, 2, compileQuoteName)],
  ['STR', defined(1, 3, compileStr)],
  ['HASHBYTES', defined(2, 2, compileHash)],
  [
    'CHAR',
    defined(1, 1, (call) =>
      strict({ name: 'char', length: 1, collation: call.compiler.scope.collation }, [argumentAs(call, 0, INT)], ([code]) => {
        const value = asNumber(code ?? null);
        return value < 0 || value > 255 ? null : decodeLatin(Uint8Array.of(value));
      }),
    ),
  ],
  [
    'NCHAR',
    defined(1, 1, (call) =>
      strict({ name: 'nchar', length: 1, collation: call.compiler.scope.collation }, [argumentAs(call, 0, INT)], ([code]) => {
        const value = asNumber(code ?? null);
        return value < 0 || value > 0xffff ? null : String.fromCharCode(value);
      }),
    ),
  ],
  ['ASCII', defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([text]) => encodeLatin(asText(text ?? null))[0] ?? null))],
  [
    'UNICODE',
    defined(1, 1, (call) =>
      strict(INT, [textArgument(call, 0)], ([text]) => (asText(text ?? null) === '' ? null : asText(text ?? null).charCodeAt(0))),
    ),
  ],
]);
