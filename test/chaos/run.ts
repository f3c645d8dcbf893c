/** One run: rounds of the schedule, and the judge after each. Ends with the first difference. */
import type { Memory } from './action.ts';
import { ACTIONS } from './actions.ts';
import { judge } from './judge.ts';
import { Locks, schedule, type Scheduled } from './schedule.ts';
import { sleep, within } from './waiting.ts';
import type { World } from './world.ts';

/** None takes nearly so long: one that does hangs, and is a failure. */
const ACTION_LIMIT_MS = 300_000;

export interface Outcome {
  readonly actions: number;
  readonly comparisons: number;
  /** Documents of replicas that were compared. */
  readonly rows: number;
  readonly quiets: number;
  readonly differences: readonly string[];
  /** By action: done, skipped. */
  readonly counts: ReadonlyMap<string, { done: number; skipped: number }>;
  readonly waitedMs: readonly number[];
}

export interface RunOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export async function run(world: World, { seed, minutes, say }: RunOptions): Promise<Outcome> {
  const counts = new Map(ACTIONS.map(({ name }) => [name, { done: 0, skipped: 0 }]));
  const memory: Memory = { backup: null, dump: null, unnumbered: false, columns: 0 };
  const began = Date.now();
  const clock = (): string => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  };
  const differences: string[] = [];
  const waitedMs: number[] = [];
  let comparisons = 0;
  let rows = 0;
  let quiets = 0;

  const quiet = async (): Promise<boolean> => {
    world.rest(true);
    await sleep(300);
    await within('the writers pause', world.writers.pause(), 60_000);
    const verdict = await judge(world, memory.unnumbered);
    quiets += 1;
    comparisons += verdict.comparisons;
    rows += verdict.rows;
    waitedMs.push(verdict.waitedMs);
    differences.push(...world.violations, ...verdict.differences);
    say(
      `${clock()} quiet: caught up after ${(verdict.waitedMs / 1000).toFixed(1)} s, ${verdict.comparisons} comparisons, ${verdict.rows} documents of subscribers, ${differences.length} differences`,
    );
    if (differences.length > 0) {
      return false;
    }
    memory.unnumbered = false;
    world.marksCount = true;
    // Now and then, so that what comes back later is older than a round.
    if (quiets % 2 === 1 || memory.backup === null) {
      const version = await world.sql.version();
      await world.sql.backup(`chaos-${quiets}`);
      memory.backup = { name: `chaos-${quiets}`, version };
    }
    if (quiets % 2 === 1 || memory.dump === null) {
      memory.dump = { file: await world.redis.dump(`quiet-${quiets}`), history: world.history };
    }
    world.rest(false);
    world.writers.resume();
    return true;
  };

  const perform = async (round: readonly Scheduled[]): Promise<void> => {
    const locks = new Locks();
    const roundBegan = Date.now();
    const running: Promise<void>[] = [];
    for (const { position, action, drawn, atMs } of round) {
      await sleep(Math.max(0, roundBegan + atMs - Date.now()));
      const one = locks.hold(action.locks(drawn), async () => {
        const from = Date.now();
        try {
          const result = await within(action.name, action.run(world, drawn, memory), ACTION_LIMIT_MS);
          counts.get(action.name)![result] += 1;
          say(
            `${clock()} #${position} ${action.name}${result === 'done' ? `, ${((Date.now() - from) / 1000).toFixed(1)} s` : ': skipped'}`,
          );
        } catch (error) {
          const { message, cause } = error as Error;
          say(`${clock()} #${position} ${action.name}: ${message}`);
          world.violation(`#${position} ${action.name}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`);
        }
      });
      running.push(one);
    }
    await Promise.all(running);
  };

  const outcome = (): Outcome => {
    const actions = [...counts.values()].reduce((sum, { done }) => sum + done, 0);
    return { actions, comparisons, rows, quiets, differences, counts, waitedMs };
  };
  try {
    await world.start();
    say(`${clock()} started`);
    if (!(await quiet())) {
      return outcome();
    }
    for (const round of schedule(seed)) {
      const gone = (Date.now() - began) / (minutes * 60_000);
      if (quiets > 1 && (gone > 1.5 || (gone > 1 && round.every(({ position }) => position > ACTIONS.length)))) {
        break;
      }
      await sleep(500);
      await perform(round);
      if (!(await quiet())) {
        break;
      }
    }
  } catch (error) {
    differences.push(...world.violations, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return outcome();
}
