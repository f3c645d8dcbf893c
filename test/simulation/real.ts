/** Judges histories in real time, some beside each other: one sandbox and one redis-server for all, a database and a partition for each. */
import { startSandbox } from '../../src/sandbox/server.ts';
import { privateTestRedis } from '../support/redis.ts';
import { historyOf } from './history.ts';
import { openRealWorld } from './real-world.ts';
import { live } from './run.ts';
import type { Judgement } from './shards.ts';
import { Tally } from './tally.ts';

const BESIDE = 5;
/** Real time is dear: less of it passes between two actions. */
const PACE = 0.4;

export async function judgeReal(first: number, amount: { readonly histories: number } | { readonly ms: number }): Promise<Judgement> {
  await using redis = await privateTestRedis();
  const sandbox = await startSandbox({ profile: 'live' });
  const tally = new Tally();
  const wrong: string[] = [];
  const until = 'ms' in amount ? Date.now() + amount.ms : null;
  let next = first;
  const more = (): boolean => wrong.length === 0 && ('ms' in amount ? Date.now() < (until ?? 0) : next < first + amount.histories);
  const work = async (): Promise<void> => {
    while (more()) {
      const seed = next++;
      const drawn = historyOf(seed);
      const history = { ...drawn, actions: drawn.actions.map((action) => ({ ...action, afterMs: Math.round(action.afterMs * PACE) })) };
      const world = await openRealWorld({ sandbox, redisUrl: redis.url }, seed, history.setting);
      const outcome = await live(world, history);
      tally.add(history, outcome);
      if (outcome.violations.length > 0) {
        const actions = drawn.actions.map(({ name, n }) => `${name} #${n}`).join(', ');
        const told = [
          `seed ${seed} fails in real time: ${outcome.violations.slice(0, 5).join('\n')}`,
          JSON.stringify(drawn.setting),
          actions,
        ];
        wrong.push([...told, ...outcome.happened.slice(-80)].join('\n'));
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: BESIDE }, work));
  } finally {
    await sandbox.close();
  }
  return { tally, wrong };
}
