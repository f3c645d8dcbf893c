/** Functions of bits. Source: learn.microsoft.com "Bit manipulation functions". */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { CompiledExpression } from './compiled.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, defined, refuseArgument, strict } from './function-call.ts';
import { BIGINT, BIT, INT, isInteger } from './types.ts';
import { asBigint, asNumber } from './values.ts';
import { UnsupportedError } from './unsupported.ts';

const WIDTHS: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, int: 32, bigint: 64 };

function integerArgument(call: FunctionCall): { readonly source: CompiledExpression; readonly width: number } {
  const source = argument(call, 0);
  if (source.type.name === 'binary' || source.type.name === 'varbinary') {
    throw new UnsupportedError(`${call.name.toUpperCase()} of ${source.type.name}`);
  }
  if (!isInteger(source.type)) {
    return refuseArgument(call, 0);
  }
  return { source, width: WIDTHS[source.type.name] ?? 32 };
}

function bitsOf(value: SqlValue, width: number): bigint {
  return BigInt.asUintN(width, typeof value === 'number' ? BigInt(value) : asBigint(value));
}

function fromBits(bits: bigint, type: SqlType, width: number): SqlValue {
  const value = type.name === 'tinyint' ? BigInt.asUintN(8, bits) : BigInt.asIntN(width, bits);
  return type.name === 'bigint' ? value : Number(value);
}

/** Bits that leave an end are lost; a negative count shifts the other way. */
function shift(sign: 1 | -1): FunctionDefinition {
  return defined(2, 2, (call) => {
    const { source, width } = integerArgument(call);
    return strict(source.type, [source, argumentAs(call, 1, BIGINT)], ([value = null, count = null]) => {
      const places = asBigint(count) * BigInt(sign);
      const bits = bitsOf(value, width);
      const moved = places >= BigInt(width) || -places >= BigInt(width) ? 0n : places >= 0n ? bits << places : bits >> -places;
      return fromBits(moved, source.type, width);
    });
  });
}

function offsetIn(call: FunctionCall, offset: SqlValue, width: number): bigint {
  const place = asNumber(offset);
  if (place < 0 || place >= width) {
    throw new SqlError(4199, `Argument value ${place} is invalid for argument 2 of ${call.name} function.`);
  }
  return BigInt(place);
}

export const BIT_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['LEFT_SHIFT', shift(1)],
  ['RIGHT_SHIFT', shift(-1)],
  [
    'BIT_COUNT',
    defined(1, 1, (call) => {
      const { source, width } = integerArgument(call);
      return strict(BIGINT, [source], ([value = null]) => BigInt(bitsOf(value, width).toString(2).replaceAll('0', '').length));
    }),
  ],
  [
    'GET_BIT',
    defined(2, 2, (call) => {
      const { source, width } = integerArgument(call);
      return strict(BIT, [source, argumentAs(call, 1, INT)], ([value = null, offset = null]) => {
        return ((bitsOf(value, width) >> offsetIn(call, offset, width)) & 1n) === 1n;
      });
    }),
  ],
  [
    'SET_BIT',
    defined(2, 3, (call) => {
      const { source, width } = integerArgument(call);
      const bit = call.args.length > 2 ? argumentAs(call, 2, BIT) : null;
      return strict(source.type, bit === null ? [source, argumentAs(call, 1, INT)] : [source, argumentAs(call, 1, INT), bit], (values) => {
        const [value = null, offset = null, wanted = true] = values;
        const mask = 1n << offsetIn(call, offset, width);
        const bits = bitsOf(value, width);
        return fromBits(wanted === true ? bits | mask : bits & ~mask, source.type, width);
      });
    }),
  ],
]);
