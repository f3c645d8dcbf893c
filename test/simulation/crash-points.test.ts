/** kill -9 before and after each await of pipeline and manager, one after another: first load, windows, sweep, requests, a reset. */
import { describe, expect, it } from 'vitest';
import type { Action, ActionName } from './actions.ts';
import type { History } from './history.ts';
import { runHistory } from './run.ts';

const happens = (name: ActionName, afterMs: number): Action => ({ name, n: 7, afterMs, afterCalls: null });

/** Loads while rows change, is live, and is reset. */
const HISTORY: History = {
  seed: 11,
  setting: {
    profile: 'live',
    isolation: 'snapshot',
    claims: 'implied',
    gaps: false,
    keyType: 'nvarchar',
    filtered: true,
    limits: { pageRows: 6, pageBytes: 1 << 20, batchRows: 3, inFlight: 3 },
    replayBytes: 1500,
  },
  actions: [
    happens('merge', 200),
    happens('respell', 350),
    happens('bigTransaction', 200),
    happens('askReset', 300),
    happens('delete', 450),
    happens('askPoll', 300),
  ],
};

/** Points in the first seconds of its life; later ones are the idling of a caught-up section. */
const MOST = 260;

describe('crash points', () => {
  it.each(['before', 'after'] as const)(
    'L3: killed %s any await, it goes on where it was and ends equal',
    { timeout: 600_000 },
    async (side) => {
      const points = new Set<string>();
      for (let n = 1; n <= MOST; n += 1) {
        const { violations, crashes } = await runHistory(HISTORY, { n, side });
        expect(violations, `at ${[...crashes.keys()].join()}, await ${n}`).toEqual([]);
        if (crashes.size === 0) {
          break;
        }
        [...crashes.keys()].forEach((point) => points.add(point.split(' ')[0] ?? ''));
      }
      expect([...points].toSorted()).toEqual(expect.arrayContaining(AWAITS));
    },
  );
});

const AWAITS = [
  'clock.sleep',
  ...['bases', 'heartbeat', 'lead', 'pendingRequests', 'progress', 'publish', 'readMeta', 'scan', 'store', 'transition'].map(
    (name) => `manager.${name}`,
  ),
  ...['describe', 'existing', 'probe', 'readLoadPage', 'readWindow'].map((name) => `tracker.${name}`),
];
