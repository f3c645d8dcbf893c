import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { mapSubscriberError } from '../../src/subscriber/redis-errors.ts';
import { BY_REPLY } from '../../src/wire/redis-replies.ts';

/** The product; the sandbox and the demo are none of it. */
const src = fileURLToPath(new URL('../../src/', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !/^(?:sandbox|demo)\//u.test(file),
);
const code = (file: string): string => readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gmu, '');

/** Every loop without an end of its own, and what each of its rounds waits for. A new one comes here, with its wait. */
const ENDLESS: Readonly<Record<string, string>> = {
  'config/replace-file.ts': 'sleeps between looks at the lock, until WAIT_MS is over',
  'daemon/daemon.ts': "the breaker's next change: its probes rest between tries",
  'daemon/eviction-watch.ts': 'sleeps EVERY_MS first',
  'daemon/sharing.ts': 'sleeps after every look, longer after each that failed',
  'lib/circuit-breaker.ts': 'rests after every failed probe; the others wait for its next change',
  'manager/memory/section-writes.ts': 'ends with the messages that are old or too many',
  'manager/redis/purge.ts': 'ends with the keys that are there',
  'manager/redis/take-lead.ts': 'comes again only after a purge that it ended',
  'observe/counter-line.ts': 'sleeps COUNTER_LINE_MS first',
  'pipeline/heartbeats.ts': 'waits for the interval, never less than URGENT_GAP_MS',
  'pipeline/lane.ts': 'the ladder, or the rows of a full page',
  'pipeline/pauses.ts': 'waits LOOK_EVERY_MS or for a request that is new',
  'pipeline/requests.ts': 'sleeps REQUEST_INTERVAL_MS',
  'pipeline/section.ts': 'every reign that fails goes through Recovery or the pause before a repair; one that is refused stands by',
  'source/track-changes.ts': 'its pacing, after every round',
  'subscriber/change-flow.ts': 'waits for the next item',
  'subscriber/keeping.ts': 'sleeps before every save',
  'subscriber/presence.ts': 'sleeps after every write, done or not',
};

it('G5: every loop without an end is known, with what it waits for', () => {
  const found = files.filter((file) => /for \(;;\)|while \(true\)|while \(!(?:\w+\.)*aborted\)/u.test(code(file)));
  expect(found.toSorted()).toEqual(Object.keys(ENDLESS).toSorted());
});

it('no retry has numbers of its own: they come from the one table, or from the options of the subscriber', () => {
  const users = files.filter((file) => /\bbackoffDelayMs\(/u.test(code(file)) && file !== 'lib/backoff.ts');
  expect(users.filter((file) => !file.startsWith('subscriber/'))).toEqual(['model/retry-delay.ts']);
  const delays = files.filter((file) => /\bretryDelayMs\(/u.test(code(file)) && file !== 'model/retry-delay.ts');
  expect(delays.toSorted()).toEqual(['daemon/server-breaker.ts', 'pipeline/recovery.ts']);
});

it('errors are classified in one place for each driver, and nowhere by their text', () => {
  const byText = files.filter((file) =>
    /\.message\s*\.(?:startsWith|endsWith|includes|match|search)\(|\.(?:test|exec)\(\w*(?:[eE]rror|thrown|failure|cause)\w*\.message\)/u.test(
      code(file),
    ),
  );
  // The code that a reply of Redis begins with is its code. The subscriber carries a few of them itself: see below.
  expect(byText.toSorted()).toEqual(['subscriber/redis-errors.ts', 'wire/redis-replies.ts']);
  const numbers = files.filter((file) => /\b(?:18456|4060|1205|1222|22105|3961)\b/u.test(code(file)));
  expect(numbers).toEqual(['source/sqlserver/errors.ts']);
});

it('what the subscriber knows of the replies of Redis is what the daemon knows', () => {
  for (const [reply, { code: known }] of BY_REPLY) {
    const { code: read } = mapSubscriberError(Object.assign(new Error(`${reply} as it says`), { name: 'ReplyError' }), 'reading');
    expect([`${reply} ${known}`, `${reply} PW-M316`]).toContain(`${reply} ${read}`);
  }
});

it('neither driver tries again by itself', () => {
  expect(code('manager/redis/connection.ts')).toContain('retryStrategy: () => null');
  expect(code('source/sqlserver/connection.ts')).toMatch(/new mssql\.ConnectionPool\(/u);
});
