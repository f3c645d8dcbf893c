/** Exact decimal numbers as bigints: scaling, rounding half away from zero, text. No number of JavaScript is involved. */

const POWERS: bigint[] = [1n];

/** 10 to the power of `exponent`, which is at least 0. */
export function powerOfTen(exponent: number): bigint {
  let power = POWERS[exponent];
  if (power === undefined) {
    power = 10n ** BigInt(exponent);
    POWERS[exponent] = power;
  }
  return power;
}

/** value / divisor, rounded half away from zero. */
export function divideRounded(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const rest = value % divisor;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  if (twice < (divisor < 0n ? -divisor : divisor)) {
    return quotient;
  }
  return value < 0n === divisor < 0n ? quotient + 1n : quotient - 1n;
}

/** An unscaled value at another scale, rounded half away from zero. */
export function rescale(value: bigint, from: number, to: number): bigint {
  return to >= from ? value * powerOfTen(to - from) : divideRounded(value, powerOfTen(from - to));
}

/** The same, cutting digits off. */
export function truncateScale(value: bigint, from: number, to: number): bigint {
  return to >= from ? value * powerOfTen(to - from) : value / powerOfTen(from - to);
}

/** Whether an unscaled value has at most `precision` digits. */
export function fitsPrecision(value: bigint, precision: number): boolean {
  const limit = powerOfTen(precision);
  return value < limit && value > -limit;
}

/** 12.30, -0.05, 7: `scale` digits after the point. */
export function formatDecimal(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/**
 * Reads a decimal number, with an exponent too.
 * @returns the unscaled value and its scale, or null when the text is none.
 */
export function parseDecimal(text: string): { readonly value: bigint; readonly scale: number } | null {
  const match = DECIMAL.exec(text);
  if (match === null) {
    return null;
  }
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') {
    return null;
  }
  const unsigned = BigInt(whole + fraction);
  const value = sign === '-' ? -unsigned : unsigned;
  const scale = fraction.length - Number(exponent);
  return scale < 0 ? { value: value * powerOfTen(-scale), scale: 0 } : { value, scale };
}

/** The nearest float of a decimal. */
export function decimalToNumber(value: bigint, scale: number): number {
  return scale === 0 ? Number(value) : Number(`${value}e-${scale}`);
}

/** A float at a scale, from its 17 significant digits; the caller has checked that it is finite. */
export function numberToDecimal(value: number, scale: number): bigint {
  const parsed = parseDecimal(value.toPrecision(17));
  return parsed === null ? 0n : rescale(parsed.value, parsed.scale, scale);
}
