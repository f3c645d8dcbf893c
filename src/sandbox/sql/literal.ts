/** What literals are worth: their type as SQL Server gives it, and their value. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { LiteralExpression } from './ast-expression.ts';
import { compileConversion } from './convert.ts';
import { parseDecimal } from './decimal.ts';
import { FLOAT, INT, decimalType, textType } from './types.ts';

export interface LiteralValue {
  readonly type: SqlType;
  readonly value: SqlValue;
  /** Digits of an integer, which counts as decimal(digits, 0) beside decimals; null else. */
  readonly digits: number | null;
}

/** @param collation of texts: the current database's. @throws SqlError 1007 */
export function literalValue({ literal, text }: LiteralExpression, collation: string): LiteralValue {
  switch (literal) {
    case 'null':
      return { type: INT, value: null, digits: null };
    case 'integer': {
      if (text.length <= 9) {
        const small = Number(text);
        return { type: INT, value: small, digits: text.startsWith('0') ? String(small).length : text.length };
      }
      const value = BigInt(text);
      const digits = value.toString().length;
      refuseDigits(text, digits);
      return value <= 2_147_483_647n
        ? { type: INT, value: Number(value), digits }
        : { type: { name: 'numeric', precision: digits, scale: 0 }, value, digits: null };
    }
    case 'decimal': {
      const parsed = parseDecimal(text) ?? { value: 0n, scale: 0 };
      const digits = Math.max(parsed.value.toString().length, parsed.scale, 1);
      refuseDigits(text, digits);
      return { type: { ...decimalType(digits, parsed.scale), name: 'numeric' }, value: parsed.value, digits: null };
    }
    case 'float':
      return { type: FLOAT, value: Number(/[eE]$/.test(text) ? text.slice(0, -1) : text), digits: null };
    case 'money': {
      const parsed = parseDecimal(text) ?? { value: 0n, scale: 0 };
      const value = compileConversion(decimalType(38, parsed.scale), { name: 'money' })(parsed.value, 'mdy');
      return { type: { name: 'money' }, value, digits: null };
    }
    case 'string':
    case 'nationalString':
      return { type: textType(literal === 'nationalString', text.length, collation), value: text, digits: null };
    case 'binary': {
      const bytes = Buffer.from(text.length % 2 === 0 ? text : `0${text}`, 'hex');
      return { type: { name: 'varbinary', length: bytes.length > 8000 ? 'max' : Math.max(1, bytes.length) }, value: bytes, digits: null };
    }
  }
}

function refuseDigits(text: string, digits: number): void {
  if (digits > 38) {
    throw new SqlError(1007, `The number '${text}' is out of the range for numeric representation (maximum precision 38).`, { class: 15 });
  }
}
