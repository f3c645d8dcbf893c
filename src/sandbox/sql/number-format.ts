/** Numbers as text, as SQL Server writes them: float and money in the styles of CONVERT. */
import { divideRounded, formatDecimal } from './decimal.ts';

/**
 * A float. Style 0: up to 6 digits; 1: 8 digits with an exponent; 2: 16; 3: 17 digits, which lose nothing.
 * Source: learn.microsoft.com "CAST and CONVERT", float and real styles.
 */
export function formatFloat(value: number, style: number): string {
  switch (style) {
    case 1:
      return withExponent(value.toExponential(7));
    case 2:
      return withExponent(value.toExponential(15));
    case 3:
      return withExponent(value.toExponential(16));
    default:
      return shortest(value);
  }
}

/** As %g of C with 6 digits writes it, but with three digits of exponent. */
function shortest(value: number): string {
  if (value === 0) {
    return '0';
  }
  const exponential = value.toExponential(5);
  const exponent = Number(exponential.slice(exponential.indexOf('e') + 1));
  if (exponent < -4 || exponent >= 6) {
    const [mantissa = '', power = ''] = exponential.split('e');
    return withExponent(`${trimZeros(mantissa)}e${power}`);
  }
  return trimZeros(value.toFixed(Math.max(0, 5 - exponent)));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Exponents have a sign and at least three digits: 1e+006. */
function withExponent(text: string): string {
  const [mantissa = '', exponent = '0'] = text.split('e');
  const power = Number(exponent);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(3, '0')}`;
}

/** money, in 1/10000. Style 0: two digits; 1: two digits and commas; 2 and 126: four digits. null when there is no such style. */
export function formatMoney(value: bigint, style: number): string | null {
  switch (style) {
    case 0:
      return formatDecimal(divideRounded(value, 100n), 2);
    case 1:
      return formatDecimal(divideRounded(value, 100n), 2).replace(/\B(?=(?:\d{3})+\.)/g, ',');
    case 2:
    case 126:
      return formatDecimal(value, 4);
    default:
      return null;
  }
}
