/**
 * What happens when: drawn from the seed alone. Rounds of a few actions, some at the same time; first every action once, in a shuffled order,
 * then whatever is drawn.
 */
import { seededRandom } from '../../src/lib/random.ts';
import type { Random } from '../../src/lib/random.ts';
import { type Action, draw, type Drawn } from './action.ts';
import { ACTIONS } from './actions.ts';

export interface Scheduled {
  /** The place in the schedule, from 1. */
  readonly position: number;
  readonly action: Action;
  readonly drawn: Drawn;
  /** After the beginning of its round, in ms. */
  readonly atMs: number;
}

/** Of a round, from 1 to so many. */
const MOST = 7;

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items];
  const out: T[] = [];
  while (left.length > 0) {
    out.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return out;
}

/** Rounds without end. */
export function* schedule(seed: number): Generator<readonly Scheduled[], never> {
  const random = seededRandom(seed);
  let position = 0;
  const first = shuffled(random, ACTIONS);
  for (;;) {
    const count = first.length > 0 ? 5 + Math.floor(random() * (MOST - 4)) : 1 + Math.floor(random() * MOST);
    // Close together, or one after another.
    const spreadMs = random() < 0.5 ? 500 : 4000;
    const round: Scheduled[] = [];
    for (let i = 0; i < count; i += 1) {
      const action = first.shift() ?? ACTIONS[Math.floor(random() * ACTIONS.length)]!;
      position += 1;
      const drawn = draw(random);
      const atMs = Math.floor(random() * spreadMs);
      // What waits for all others comes first: it needs what the quiet moment before has kept.
      round.push({ position, action, drawn, atMs: action.locks(drawn).includes('all') ? -1 : atMs });
    }
    yield round.toSorted((a, b) => a.atMs - b.atMs || a.position - b.position);
  }
}

/** Locks that are asked for in an order, and given in that order. */
export class Locks {
  readonly #held = new Map<string, Promise<void>>();
  #all: Promise<void> = Promise.resolve();

  /** Runs when nobody holds a lock in common who asked before. */
  async hold<T>(names: readonly string[], run: () => Promise<T>): Promise<T> {
    const everything = names.includes('all');
    const before = everything
      ? [this.#all, ...this.#held.values()]
      : [this.#all, ...names.map((name) => this.#held.get(name) ?? Promise.resolve())];
    let release = (): void => undefined;
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    if (everything) {
      this.#all = mine;
    }
    names.forEach((name) => this.#held.set(name, mine));
    try {
      await Promise.all(before);
      return await run();
    } finally {
      release();
    }
  }
}
