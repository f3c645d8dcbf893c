/** What somebody else wrote among the keys of a section, of the right type and with contents that are none of patchwire's: it stops nothing, and goes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type TroubledWorld, troubled } from './redis-troubles-world.ts';

let server: TestServer;
let redis: PrivateTestRedis;
let here: TroubledWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
  here = await troubled(server, redis, {});
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await server?.close();
});

const gone = (identity: string): Promise<true> =>
  until(`the entry ${identity} is gone`, async () => (await redis.raw.hexists(here.keys.index, identity)) === 0);

describe('foreign contents', () => {
  it('L6: requests that are none are never begun, and an operation that cannot be read answers nothing', async () => {
    const { requests, operations } = here.keys;
    for (const args of ['null', '5', '[]', '"to"', '{"keys":5}', '{"to":null}']) {
      await redis.raw.xadd(requests, '*', 'id', `foreign ${args}`, 'verb', 'resync', 'args', args, 'who', 'somebody');
    }
    await redis.raw.hset(operations, 'asked', 'garbage');
    await redis.raw.xadd(requests, '*', 'id', 'asked', 'verb', 'poll', 'args', '{}', 'who', 'somebody');
    await until('the request is done', async () => (await redis.raw.hget(operations, 'asked'))?.includes('"done"'));
    expect(await redis.raw.hlen(operations)).toBe(1);
    expect(here.told('PW-I901')).toEqual([]);
    await here.endsEqual();
  });

  it('C8: an index entry that is no key of the table, without a document, is removed', async () => {
    await redis.raw.hset(here.keys.index, 'no key', '1');
    await gone('no key');
    await here.endsEqual();
  });

  it('C6: an index entry whose version is none, with a document, is swept', async () => {
    await redis.raw.multi().hset(here.keys.index, '9000', 'garbage').set(`${here.keys.document}9000`, '{"Id":9000}').exec();
    await gone('9000');
    expect(await redis.raw.exists(`${here.keys.document}9000`)).toBe(0);
    await here.endsEqual();
    expect(here.told('PW-I901')).toEqual([]);
  });

  it('C5: an entry of the quarantine that cannot be read has its row tried again', async () => {
    await redis.raw.hset(
      here.keys.quarantine,
      '3',
      '{"reason":"tooLarge","dataKey":"3"}',
      'no key',
      '{"reason":"refused","changeVersion":5}',
    );
    // Read when the section is led.
    await here.stop();
    await here.start();
    await until('the quarantine is empty', async () => (await redis.raw.hlen(here.keys.quarantine)) === 0);
    await here.endsEqual();
  });
});
