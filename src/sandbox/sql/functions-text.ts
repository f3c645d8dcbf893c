/** String functions beyond the everyday ones: TRIM and its sides with characters, TRANSLATE, SOUNDEX, DIFFERENCE, FORMATMESSAGE. */
import { SqlError } from '../session.ts';
import { collationOf } from './collation.ts';
import type { CompiledExpression } from './compiled.ts';
import { compiled } from './compiled.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { collationFor, defined, lengthOf, strict, textArgument, textLike } from './function-call.ts';
import { formatMessage } from './message-format.ts';
import { INT, isCharacter, textType } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asText } from './values.ts';

type Side = 'left' | 'right' | 'both';

/** Source: learn.microsoft.com "TRIM (Transact-SQL)": spaces, or each of the given characters, under the text's collation. */
function trimmer(side: Side): FunctionDefinition {
  return defined(1, 2, (call) => {
    const { modifier } = call.expression;
    const from: Side = modifier === 'LEADING' ? 'left' : modifier === 'TRAILING' ? 'right' : modifier === 'BOTH' ? 'both' : side;
    const text = textArgument(call, 0);
    const characters = call.args.length > 1 ? textArgument(call, 1) : compiled(textType(false, 1, ''), () => ' ', { nullable: false });
    const rules = collationOf(collationFor(call, text));
    const fold = (each: string): string => rules.fold(each);
    return strict(textLike(call, text, lengthOf(text)), [text, characters], ([value = null, set = null]) => {
      const whole = asText(value);
      const cut = new Set(Array.from(asText(set), (char) => fold(char)));
      let start = 0;
      let end = whole.length;
      while (from !== 'right' && start < end && cut.has(fold(whole.charAt(start)))) {
        start += 1;
      }
      while (from !== 'left' && end > start && cut.has(fold(whole.charAt(end - 1)))) {
        end -= 1;
      }
      return whole.slice(start, end);
    });
  });
}

/** @throws SqlError 9828 when the two lists differ in length. Source: learn.microsoft.com "TRANSLATE (Transact-SQL)" */
function compileTranslate(call: FunctionCall): CompiledExpression {
  const text = textArgument(call, 0);
  const rules = collationOf(collationFor(call, text));
  const fold = (each: string): string => rules.fold(each);
  return strict(textLike(call, text, lengthOf(text)), [text, textArgument(call, 1), textArgument(call, 2)], ([value, from, to]) => {
    const [wanted, given] = [Array.from(asText(from ?? null), (char) => fold(char)), Array.from(asText(to ?? null))];
    if (wanted.length !== given.length) {
      throw new SqlError(
        9828,
        'The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.',
        { state: 1 },
      );
    }
    return Array.from(asText(value ?? null), (char) => given[wanted.indexOf(fold(char))] ?? char).join('');
  });
}

const CODES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ 1: 'BFPV', 2: 'CGJKQSXZ', 3: 'DT', 4: 'L', 5: 'MN', 6: 'R' }).flatMap(([code, letters]) =>
    Array.from(letters, (letter) => [letter, code]),
  ),
);

/** A letter and three digits. H and W do not part equal codes, vowels do. Source: learn.microsoft.com "SOUNDEX (Transact-SQL)". */
function soundex(text: string): string {
  const letters = /^[A-Z]+/.exec(text.toUpperCase())?.[0] ?? '';
  const first = letters.charAt(0);
  if (first === '') {
    return '0000';
  }
  let code = first;
  let last = CODES[first] ?? '';
  for (const letter of letters.slice(1)) {
    const next = CODES[letter] ?? '';
    if (next !== '' && next !== last) {
      code += next;
    }
    last = letter === 'H' || letter === 'W' ? last : next;
  }
  return code.padEnd(4, '0').slice(0, 4);
}

/** FORMATMESSAGE('text', …): a message number would need sys.messages. Source: learn.microsoft.com "FORMATMESSAGE (Transact-SQL)". */
function compileFormatMessage(call: FunctionCall): CompiledExpression {
  const [form, ...args] = call.args;
  if (form === undefined || !isCharacter(form.type)) {
    throw new UnsupportedError('FORMATMESSAGE of a message number');
  }
  return compiled(textType(true, 2047, call.compiler.scope.collation), (ctx) => {
    const text = form.evaluate(ctx);
    return text === null
      ? null
      : formatMessage(
          asText(text),
          args.map((arg) => arg.evaluate(ctx)),
        ).slice(0, 2047);
  });
}

export const TEXT_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['LTRIM', trimmer('left')],
  ['RTRIM', trimmer('right')],
  ['TRIM', trimmer('both')],
  ['TRANSLATE', defined(3, 3, compileTranslate)],
  [
    'SOUNDEX',
    defined(1, 1, (call) =>
      strict(textType(false, 4, call.compiler.scope.collation), [textArgument(call, 0)], ([text = null]) => soundex(asText(text))),
    ),
  ],
  [
    'DIFFERENCE',
    defined(2, 2, (call) =>
      strict(INT, [textArgument(call, 0), textArgument(call, 1)], ([a = null, b = null]) => {
        const [left, right] = [soundex(asText(a)), soundex(asText(b))];
        return Array.from(left).filter((char, index) => char === right[index]).length;
      }),
    ),
  ],
  ['FORMATMESSAGE', defined(1, 21, compileFormatMessage)],
]);
