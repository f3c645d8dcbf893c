/** Takes away from a failing history what the failure does not need: delta debugging over its actions. */
import type { Action } from './actions.ts';
import type { History } from './history.ts';
import { runHistory } from './run.ts';

/** What a violation is, without the numbers of this run. */
export function kindOf(violation: string): string {
  return violation.replaceAll(/\{.*?\}|[0-9a-zA-Z_-]{16,}|k?\d+/g, '#').slice(0, 40);
}

export interface ShrinkOptions {
  readonly kind: string;
  /** Most histories that are tried. */
  readonly tries: number;
}

/** The smallest history found that fails in the same way. */
export async function shrink(history: History, { kind, tries }: ShrinkOptions): Promise<History> {
  let left = tries;
  const fails = async (actions: readonly Action[]): Promise<boolean> => {
    left -= 1;
    const { violations } = await runHistory({ ...history, actions });
    return violations.some((violation) => kindOf(violation) === kind);
  };
  let { actions } = history;
  for (let size = Math.ceil(actions.length / 2); size >= 1 && left > 0;) {
    let smaller: readonly Action[] | null = null;
    for (let from = 0; from < actions.length && left > 0; from += size) {
      const without = [...actions.slice(0, from), ...actions.slice(from + size)];
      if (await fails(without)) {
        smaller = without;
        break;
      }
    }
    if (smaller === null) {
      size = size === 1 ? 0 : Math.ceil(size / 2);
    } else {
      actions = smaller;
      size = Math.min(size, Math.max(1, Math.ceil(actions.length / 2)));
    }
  }
  return { ...history, actions };
}
