import { describe, expect, it } from 'vitest';
import { ACTIONS } from '../../chaos/actions.ts';
import { Locks, schedule, type Scheduled } from '../../chaos/schedule.ts';

function first(seed: number, actions: number): Scheduled[] {
  const rounds = schedule(seed);
  const drawn: Scheduled[] = [];
  while (drawn.length < actions) {
    drawn.push(...rounds.next().value);
  }
  return drawn;
}

describe('what happens when', () => {
  it('depends on the seed alone', () => {
    const told = (seed: number): unknown[] =>
      first(seed, 200).map(({ position, action, drawn, atMs }) => [position, action.name, drawn, atMs]);
    expect(told(7)).toEqual(told(7));
    expect(told(7)).not.toEqual(told(8));
  });

  it('is every action once before any comes twice', () => {
    const names = first(11, ACTIONS.length)
      .toSorted((a, b) => a.position - b.position)
      .slice(0, ACTIONS.length)
      .map(({ action }) => action.name);
    expect(names.toSorted()).toEqual(ACTIONS.map(({ name }) => name).toSorted());
  });
});

describe('locks', () => {
  it('are given in the order in which they are asked for, all of them to nobody beside another', async () => {
    const locks = new Locks();
    const told: string[] = [];
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const hold = (name: string, names: readonly string[], wait: Promise<void> = Promise.resolve()): Promise<void> =>
      locks.hold(names, async () => {
        told.push(`${name} begins`);
        await wait;
        told.push(`${name} ends`);
      });
    const running = [hold('a', ['x'], gate), hold('b', ['y'], gate), hold('c', ['x']), hold('d', ['all']), hold('e', ['z'])];
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['a begins', 'b begins']);
    open();
    await Promise.all(running);
    expect(told.slice(2)).toEqual(['a ends', 'b ends', 'c begins', 'c ends', 'd begins', 'd ends', 'e begins', 'e ends']);
  });
});
