/** Daemon and subscribers over a primary that Sentinels name: it is killed, and it is switched, under load. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSentinels, type TestSentinels } from '../support/redis-topologies.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { until } from '../support/daemon-process.ts';
import { type PlacesWorld, placesWorld } from './redis-places-world.ts';

let server: TestServer;
let redis: TestSentinels;
let here: PlacesWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), startSentinels()]);
  here = await placesWorld(server, { sentinels: redis.addresses, name: redis.name });
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await Promise.all([redis?.[Symbol.asyncDispose](), server?.close()]);
});

/** Waits until the daemon is connected to whom the Sentinels name. */
const led = (): Promise<unknown> =>
  until('a daemon at the primary', async () =>
    String(await (await redis.primary()).raw.call('CLIENT', 'LIST')).includes('name=patchwire:places '),
  );

describe('a primary that Sentinels name', () => {
  it('is switched under load by SENTINEL FAILOVER: the new one is led before the old one, which lives on, takes no more writes', async () => {
    here.write();
    await here.more(5);
    await redis.switchOver();
    await led();
    await here.more(5);
    await here.endsEqual();
  });

  it('C3: is cut off from the Sentinels and lives on, a primary for whoever reaches it: it is left, also by subscribers, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const old = await redis.primary();
    await redis.isolate(old);
    await redis.failedOver(old);
    await led();
    expect(await old.raw.call('ROLE')).toEqual(['master', expect.anything(), []]);
    const tip = (): Promise<unknown> =>
      Promise.all(here.shapes.map(({ section }) => old.raw.hmget(`{${here.world.partition}:${section}}/meta`, 'tip', 'last')));
    const left = await tip();
    await here.more(10);
    await here.endsEqual();
    expect(await tip()).toEqual(left);
    await redis.rejoin(old);
  });

  it('C3, C4: is killed under load: the next one is found and led, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const old = await redis.primary();
    await old.server.kill();
    await redis.failedOver(old);
    await led();
    await here.more(5);
    await here.endsEqual();
  });
});
