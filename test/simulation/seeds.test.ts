/** Histories that failed once, shrunk, each with what it found. Seeds are not enough: what they mean changes with the list of actions. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { History } from './history.ts';
import { runHistory } from './run.ts';

const failed = JSON.parse(readFileSync(new URL('./failed-histories.json', import.meta.url), 'utf8')) as readonly (History & {
  readonly what: string;
})[];

describe('histories that failed once', () => {
  it.each(failed.map((history) => [history.seed, history.what, history] as const))('seed %i: %s', async (_seed, _what, history) => {
    const { violations } = await runHistory(history);
    expect(violations).toEqual([]);
  });
});
