/** Numbers in .NET's standard and custom patterns, en-US. A number is its decimal text, so that no digit is lost. */
import { UnsupportedError } from './unsupported.ts';

/** @returns null for a pattern that does not fit the number; @throws UnsupportedError for one that is not built */
export function formatNumber(text: string, pattern: string, whole: boolean): string | null {
  const standard = /^([A-Za-z])(\d{0,2})$/.exec(pattern);
  return standard === null ? custom(text, pattern) : standardNumber(text, standard[1] ?? '', standard[2] ?? '', whole);
}

function standardNumber(text: string, letter: string, size: string, whole: boolean): string | null {
  const places = size === '' ? 2 : Number(size);
  switch (letter.toUpperCase()) {
    case 'N':
      return signed(rounded(text, places), grouped);
    case 'F':
      return signed(rounded(text, places), (digits) => digits);
    case 'C': {
      const number = rounded(text, places);
      const shown = `$${grouped(number.replace('-', ''))}`;
      return number.startsWith('-') ? `(${shown})` : shown;
    }
    case 'P':
      return `${signed(rounded(hundredfold(text), places), grouped)} %`;
    case 'D':
      return whole ? signed(text, (digits) => digits.padStart(size === '' ? 1 : Number(size), '0')) : null;
    case 'G':
      if (size === '') {
        return text;
      }
      break;
    case 'X':
      if (whole && !text.startsWith('-')) {
        const hex = BigInt(text).toString(16).padStart(Number(size), '0');
        return letter === 'X' ? hex.toUpperCase() : hex;
      }
      break;
  }
  throw new UnsupportedError(`FORMAT of this number with the pattern ${letter}${size}`);
}

function signed(text: string, write: (digits: string) => string): string {
  return text.startsWith('-') ? `-${write(text.slice(1))}` : write(text);
}

function grouped(digits: string): string {
  const [whole = '', fraction] = digits.split('.');
  const parted = whole.replace(/\B(?=(?:\d{3})+$)/g, ',');
  return fraction === undefined ? parted : `${parted}.${fraction}`;
}

function hundredfold(text: string): string {
  const [whole = '', fraction = ''] = text.split('.');
  const digits = fraction.padEnd(2, '0');
  return `${whole}${digits.slice(0, 2)}.${digits.slice(2)}`.replace(/^(-?)0+(?=\d)/, '$1').replace(/\.$/, '');
}

/** Half away from zero; zero has no sign. */
function rounded(text: string, places: number): string {
  const negative = text.startsWith('-');
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const kept = BigInt(whole + fraction.slice(0, places).padEnd(places, '0'));
  const value = kept + (fraction.charAt(places) >= '5' ? 1n : 0n);
  const digits = value.toString().padStart(places + 1, '0');
  const shown = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return negative && value !== 0n ? `-${shown}` : shown;
}

const TOKEN = /\\(.)|'([^']*)'|"([^"]*)"|([0#.,%])|([^])/g;

type Piece = { readonly literal: string } | { readonly sign: string };

function custom(text: string, pattern: string): string {
  const sections = pattern.split(';');
  const zero = /^-?[0.]*$/.test(text);
  const negative = text.startsWith('-');
  const own = zero ? (sections[2] ?? sections[0]) : negative && (sections[1] ?? '') !== '' ? sections[1] : sections[0];
  const section = own ?? '';
  if (/[eE][+-]?0|‰/.test(section)) {
    throw new UnsupportedError(`FORMAT with the pattern ${pattern}`);
  }
  const pieces = [...section.matchAll(TOKEN)].map(([, escaped, single, double, sign, other]): Piece =>
    sign === undefined ? { literal: escaped ?? single ?? double ?? other ?? '' } : { sign },
  );
  const signs = pieces.map((piece) => ('sign' in piece ? piece.sign : '')).join('');
  const [wholeSigns = '', ...rest] = signs.replaceAll('%', '').split('.');
  const places = rest.join('').replaceAll(',', '');
  if (wholeSigns.endsWith(',')) {
    throw new UnsupportedError(`FORMAT with the pattern ${pattern}`);
  }
  const source = text.replace('-', '');
  const number = rounded(signs.includes('%') ? hundredfold(source) : source, places.length);
  const [digits = '', fraction = ''] = number.split('.');
  const required = /0[0#,]*$/.exec(wholeSigns)?.[0].replaceAll(',', '').length ?? 0;
  const shownWhole = digits.replace(/^0+/, '').padStart(required, '0');
  const shownFraction = fraction.slice(0, Math.max(places.lastIndexOf('0') + 1, fraction.replace(/0+$/, '').length));
  const group = wholeSigns.includes(',');
  const body = write(pieces, shownWhole, shownFraction, group);
  return negative && section === sections[0] && !/^[0.]*$/.test(number) ? `-${body}` : body;
}

/** Puts the digits into their places: those before the first place of the pattern go where it is. */
function write(pieces: readonly Piece[], whole: string, fraction: string, group: boolean): string {
  const places = pieces.filter((piece) => 'sign' in piece);
  const point = places.findIndex((piece) => piece.sign === '.');
  const isPlace = (piece: Piece): boolean => 'sign' in piece && (piece.sign === '0' || piece.sign === '#');
  const wholePlaces = (point < 0 ? places : places.slice(0, point)).filter(isPlace).length;
  let seen = 0;
  let after = -1;
  let result = '';
  const wholeText = whole.padStart(wholePlaces, ' ');
  for (const piece of pieces) {
    if ('literal' in piece) {
      result += piece.literal;
    } else if (piece.sign === '%') {
      result += '%';
    } else if (piece.sign === '.') {
      if (after < 0) {
        result += fraction === '' ? '' : '.';
        after = 0;
      }
    } else if (piece.sign !== ',') {
      if (after >= 0) {
        result += fraction.charAt(after);
        after += 1;
      } else {
        const from = seen === 0 ? 0 : wholeText.length - wholePlaces + seen;
        const to = wholeText.length - wholePlaces + seen + 1;
        for (let index = from; index < to; index += 1) {
          const left = wholeText.length - index - 1;
          const digit = wholeText.charAt(index);
          result += digit === ' ' ? '' : digit + (group && left > 0 && left % 3 === 0 ? ',' : '');
        }
        seen += 1;
      }
    }
  }
  return result;
}
