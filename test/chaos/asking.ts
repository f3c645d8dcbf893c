/**
 * What those who load on demand ask for: keys that the writers write, in any spelling, some that were never there; a few at a time and all the time.
 * And which row an answer is about.
 */
import type { Random } from '../../src/lib/random.ts';
import type { Key } from '../../src/subscriber/index.ts';
import { CODES, int, LARGE, NAMES, PARTS, pick, respelled, ROWS } from './writers.ts';

/** Some far more often than others: what is always cached is never forgiven. */
const often = (random: Random): number => Math.floor(random() ** 2 * ROWS);

/** A key of a section, as values. */
export function anyKey(section: string, random: Random): readonly (string | number | bigint)[] {
  // One in ten is a key that nobody writes.
  const absent = random() < 0.1;
  switch (section) {
    case 'names':
      return [respelled(random, `${pick(random, NAMES)} ${absent ? 99 : int(random, 8)}`)];
    case 'pairs':
      return [respelled(random, pick(random, CODES)), PARTS.from + BigInt(absent ? -1 : int(random, PARTS.count))];
    case 'marks':
      return [absent ? 99 : int(random, 3)];
    case 'goods':
      return [absent ? -1 : random() < 0.2 ? 1000 + int(random, LARGE) : often(random)];
    default:
      return [absent ? -1 : often(random)];
  }
}

/** How a key compares: the same for every spelling that the tables' collation calls equal, as far as the writers spell, and for its identity. */
export const folded = (dataKey: string): string =>
  dataKey.split('|').map(decodeURIComponent).join('\0').toLowerCase().replaceAll('ß', 'ss');

/** As messages name it. */
export const spelled = (key: Extract<Key, readonly unknown[]>): string => key.map((value) => encodeURIComponent(String(value))).join('|');

/**
 * Asks all the time, so many at once at most: one that waits holds up no other. Those that fail are asked again by themselves.
 * @returns lets it rest, or go on
 */
export function askAllTheTime(beside: number, ask: () => Promise<void>): (rests: boolean) => void {
  let under = 0;
  let resting = false;
  setInterval(() => {
    if (under < beside && !resting) {
      under += 1;
      ask()
        .catch(() => undefined)
        .finally(() => {
          under -= 1;
        });
    }
  }, 15);
  return (rests) => {
    resting = rests;
  };
}
