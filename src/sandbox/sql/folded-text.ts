/** A text as a collation searches it, and where in the text itself what was found stands: ß is found as ss, and is one character. */
import type { Collation } from './collation.ts';

export interface FoldedText {
  readonly folded: string;
  /** Where the character stands whose folding begins at or goes over this place of `folded`. */
  readonly placeOf: (index: number) => number;
  /** Where the folding of the character at this place begins. */
  readonly indexOf: (place: number) => number;
}

const same = (index: number): number => index;

/** Stands between the letters that one letter is folded to. Unicode promises that it is no character. */
export const JOINT = '\uffff';

export function foldedText(text: string, collation: Collation): FoldedText {
  const whole = collation.fold(text);
  return whole.length === text.length ? { folded: whole, placeOf: same, indexOf: same } : pieces(text, (letter) => collation.fold(letter));
}

/** The same with the letters joined that stand for one of the text: where a pattern counts characters. */
export function joinedText(text: string, collation: Collation): FoldedText {
  return pieces(text, (letter) => {
    const folded = collation.fold(letter);
    return folded.length > letter.length ? Array.from(folded).join(JOINT) : folded;
  });
}

function pieces(text: string, fold: (letter: string) => string): FoldedText {
  let folded = '';
  const places: number[] = [];
  const indexes: number[] = [];
  // A letter with the accents that follow it.
  for (const { 0: letter, index } of text.matchAll(/\p{M}+|\P{M}\p{M}*/gu)) {
    const piece = fold(letter);
    places.push(...Array.from({ length: piece.length }, () => index));
    indexes.push(...Array.from({ length: letter.length }, () => folded.length));
    folded += piece;
  }
  return {
    folded,
    placeOf: (index) => places[index] ?? text.length,
    indexOf: (place) => indexes[place] ?? folded.length,
  };
}
