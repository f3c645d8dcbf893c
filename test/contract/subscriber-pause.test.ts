/** A subscriber whose process stands still for a while: what was said meanwhile lies in its socket, and is heard before silence is judged. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { scriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { testRedis } from '../support/redis.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Is live, hears the publisher's interval, and stands still for four of them. */
const PROGRAM = `
  import { setTimeout } from 'node:timers/promises';
  import { subscribe } from './src/subscriber/index.ts';
  const told = [];
  const orders = subscribe({ ...JSON.parse(process.env.PLACE), onEvent: ({ type }) => told.push(type) });
  await orders.waitUntilLive();
  while (orders.state().publisher !== 'beating') await setTimeout(10);
  const until = Date.now() + 4000;
  while (Date.now() < until);
  await setTimeout(100);
  const { gaps, replays } = orders.state().counters;
  await orders.close();
  console.log(JSON.stringify({ gaps, replays, told: told.filter((type) => type === 'gap') }));`;

it('S3: a process that stood still for longer than a silence may last has missed nothing, and drops no connection', async () => {
  await using redis = await testRedis();
  const place = { redis: redis.url, partition: redis.partition(), section: 'orders' };
  await using publisher = await scriptedPublisher({ ...place, intervalMs: 1000 });
  await publisher.load({ 1: { n: 1 } });
  publisher.beat();
  const env = { ...process.env, PLACE: JSON.stringify(place) };
  const args = ['--import', 'tsx', '--input-type=module', '-e', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  expect(JSON.parse(stdout)).toEqual({ gaps: 0, replays: 0, told: [] });
});
