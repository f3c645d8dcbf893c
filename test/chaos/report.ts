/** What a run prints: its help, how often what was done, and where to look when something differed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines } from './process.ts';
import type { Outcome } from './run.ts';
import type { World } from './world.ts';

export const HELP = `npm run test:chaos -- [--minutes N] [--seed S] [--keep]

Two daemons, five subscribers (three replicas, one of them in Python, a lazy cache, and caches kept fresh by invalidation), a redis-server and
the SQL Server stand-in as processes, writers all the time, and everything is hurt: killed, stopped, cut off, restarted empty or with old data,
restored, truncated. Whenever it is quiet, every document, every replica, every answer and everything cached is compared with the tables.

  --minutes N   how long (default: 10); it ends with the first quiet moment after that, and goes on for up to half as long again until every
                action has happened once
  --seed S      what happens in which order (default: a random one, printed)
  --keep        keep the folder of logs; with a difference it is kept anyway

Runs dist/: npm run build first. Exit codes: 0 no difference, 1 differences, 2 wrong arguments, 130 interrupted.
`;

export interface ReportOptions {
  readonly world: World;
  readonly seed: number;
  readonly folder: string | null;
  readonly say: (line: string) => void;
}

const SHOWN_DIFFERENCES = 40;
const SHOWN_LINES = 12;

export function report(outcome: Outcome, { world, folder, say }: ReportOptions): void {
  const { counts, differences, quiets, rows, waitedMs } = outcome;
  const width = Math.max(...[...counts.keys()].map((name) => name.length));
  say('');
  for (const [name, { done, skipped }] of counts) {
    say(`${name.padEnd(width)} ${String(done).padStart(4)}${skipped > 0 ? ` (skipped ${skipped})` : ''}`);
  }
  const written = [...(world.started ? world.writers.tally : [])].map(([name, count]) => `${name} ${count}`);
  const marks = world.subscribers.map((subscriber) => `${subscriber.name} ${subscriber.totalChecked}`);
  const slowest = waitedMs.length === 0 ? 0 : Math.max(...waitedMs) / 1000;
  say('');
  say(`transactions: ${written.join(', ')}`);
  say(`claims of subscribers held against what was committed: ${marks.join(', ')}`);
  world.subscribers.filter(({ did }) => did !== '').forEach(({ name, did }) => say(`${name}, since its last start: ${did}`));
  say(
    `${quiets} quiet moments, caught up after ${slowest.toFixed(1)} s at most; ${rows} documents of subscribers compared; ${world.confirmed} sweeps confirmed`,
  );
  if (differences.length > 0) {
    say('');
    differences.slice(0, SHOWN_DIFFERENCES).forEach((line) => say(`DIFFERENCE ${line}`));
    if (differences.length > SHOWN_DIFFERENCES) {
      say(`and ${differences.length - SHOWN_DIFFERENCES} more`);
    }
  }
  if (folder !== null) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.log'))) {
      say('');
      say(`--- ${join(folder, file)}`);
      lastLines(join(folder, file), SHOWN_LINES).forEach((line) => say(line.slice(0, 400)));
    }
  }
}
