/**
 * The places of RAISERROR and FORMATMESSAGE: % flags width . precision type. Source: learn.microsoft.com "RAISERROR (Transact-SQL)", which
 * says which of C's printf remain: d, i, o, s, u, x, X.
 */
import type { SqlValue } from '../sql-types.ts';

const PLACE = /%(?:%|([-+0 #]*)(\*|\d+)?(?:\.(\*|\d+))?(?:h|l|I64)?([diouxXs]))/g;

/**
 * The text with its places filled. A missing value and NULL are `(null)`.
 * @param refuse called with the number of an argument, from 1, that is no text for %s, or no number for the others
 */
export function formatMessage(text: string, args: readonly SqlValue[], refuse?: (argument: number) => void): string {
  let next = 0;
  const take = (): SqlValue => {
    next += 1;
    return args[next - 1] ?? null;
  };
  const size = (written: string | undefined): number | null =>
    written === undefined ? null : written === '*' ? Number(take() ?? 0) : Number(written);
  return text.replace(
    PLACE,
    (_place, flags: string | undefined, widthText: string | undefined, precisionText: string | undefined, kind: string | undefined) => {
      if (kind === undefined) {
        return '%';
      }
      const width = size(widthText) ?? 0;
      const precision = size(precisionText);
      const value = take();
      const options = flags ?? '';
      if (value !== null && (kind === 's' ? typeof value !== 'string' : typeof value !== 'number' && typeof value !== 'bigint')) {
        refuse?.(next);
      }
      if (value === null || typeof value === 'object') {
        return pad('(null)', width, options, false);
      }
      if (kind === 's') {
        const shown = String(value);
        return pad(precision === null ? shown : shown.slice(0, precision), width, options, false);
      }
      return pad(
        integer(BigInt(Number.isInteger(Number(value)) ? value : 0), kind, options, precision),
        width,
        options,
        precision === null,
      );
    },
  );
}

function integer(value: bigint, kind: string, flags: string, precision: number | null): string {
  const signed = kind === 'd' || kind === 'i';
  const positive = signed ? (value < 0n ? -value : value) : BigInt.asUintN(32, value);
  const digits = positive.toString(kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10).padStart(precision ?? 1, '0');
  const shown = kind === 'X' ? digits.toUpperCase() : digits;
  if (!signed) {
    return flags.includes('#') && value !== 0n && kind !== 'u' ? `${kind === 'o' ? '0' : `0${kind}`}${shown}` : shown;
  }
  const sign = value < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return sign + shown;
}

function pad(text: string, width: number, flags: string, zeros: boolean): string {
  if (flags.includes('-')) {
    return text.padEnd(width);
  }
  if (zeros && flags.includes('0')) {
    const sign = /^(?:[-+ ]|0[xX])/.exec(text)?.[0] ?? '';
    return sign + text.slice(sign.length).padStart(width - sign.length, '0');
  }
  return text.padStart(width);
}
