/** Seeds that failed once, each with what it found. */
import { describe, expect, it } from 'vitest';
import { judge } from './judge.ts';

const SEEDS: readonly (readonly [number, string])[] = [
  [1022, 'L6: a set whose answer was lost when Redis went back is answered'],
  [1057, 'L6: a purge whose script was lost is done'],
  [1309, 'L6: a pause that came back with an older dataset is answered'],
  [1338, 'C5: a reset that came back with a torn section mends it'],
  [1100, 'L6: a resume before it keeps no reset from mending a torn section, and a standby says that it stands by'],
  [1212, 'L6: a reset that the source interrupted is done under the same lead'],
];

describe('histories that failed once', () => {
  it.each(SEEDS)('seed %i: %s', async (seed) => {
    expect(await judge(seed, null)).toBeNull();
  });
});
