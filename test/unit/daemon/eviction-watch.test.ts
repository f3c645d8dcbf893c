import { expect, it } from 'vitest';
import { watchEviction } from '../../../src/daemon/eviction-watch.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

it('C8: a policy that is set to allkeys-* while the daemon runs is told once, counted with every look, and told when it is over', async () => {
  const clock = new ManualClock();
  const lines: { readonly msg: string; readonly code?: string }[] = [];
  const log = createLogger({ level: 'info', pretty: false, destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const answers: (PatchwireError | null)[] = [];
  const inspect = async (): Promise<void> => {
    const answer = answers.at(-1) ?? null;
    if (answer !== null) {
      throw answer;
    }
  };
  const stop = new AbortController();
  let counted = 0;
  const ended = watchEviction({ manager: { inspect }, clock, log, evicts: () => (counted += 1), signal: stop.signal });
  await clock.advance(300_000);
  expect(lines).toEqual([]);
  answers.push(new PatchwireError('PW-M304', 'maxmemory-policy is allkeys-lru', { details: { policy: 'allkeys-lru' } }));
  await clock.advance(300_000);
  expect(lines).toMatchObject([{ msg: 'redis evicts documents and checkpoints', code: 'PW-M304' }]);
  expect(counted).toBe(5);
  // Out of reach is another trouble, and no end of this one.
  answers.push(new PatchwireError('PW-M301', 'down'));
  await clock.advance(300_000);
  expect(lines).toHaveLength(1);
  answers.push(null);
  await clock.advance(300_000);
  expect(lines.map(({ msg }) => msg)).toEqual(['redis evicts documents and checkpoints', 'redis evicts keys of every kind no more']);
  stop.abort(new Error('stop'));
  await ended;
  expect(clock.waiting).toBe(0);
});
