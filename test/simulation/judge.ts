/** Runs histories of many seeds; of the first that fails it tells seed, shrunk history and what happened in it. */
import { historyOf } from './history.ts';
import { runHistory } from './run.ts';
import { kindOf, shrink } from './shrink.ts';
import type { Tally } from './tally.ts';

/** @returns what was wrong; null: nothing */
export async function judge(seed: number, tally: Tally | null, tries: number = 150): Promise<string | null> {
  const history = historyOf(seed);
  const outcome = await runHistory(history);
  tally?.add(history, outcome);
  const first = outcome.violations[0];
  if (first === undefined) {
    return null;
  }
  const small = tries === 0 ? history : await shrink(history, { kind: kindOf(first), tries });
  const { violations, happened } = await runHistory(small);
  return [
    `seed ${seed} fails: ${outcome.violations.slice(0, 5).join('\n')}`,
    `setting ${JSON.stringify(history.setting)}`,
    `shrunk from ${history.actions.length} to ${small.actions.length} actions: ${JSON.stringify(small.actions)}`,
    ...violations.slice(0, 5),
    ...happened.slice(0, 100),
  ].join('\n');
}
