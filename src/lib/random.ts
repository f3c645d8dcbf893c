/** Seeded pseudo-random numbers: jitter, demo traffic and tests repeat exactly for one seed. Never for secrets or tokens. */

/** A number in [0, 1). */
export type Random = () => number;

/** The mulberry32 generator: 32 bits of state, good enough for jitter and scenarios. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
