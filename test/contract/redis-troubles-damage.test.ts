/** What others do to a section in Redis: torn scripts, foreign versions, lost documents, foreign types: through the whole pipeline, to a replica that is equal again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscribe } from '../../src/subscriber/index.ts';
import { until } from '../support/daemon-process.ts';
import { replicaDifferences } from '../support/equality.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { ITEMS, type TroubledWorld, troubled } from './redis-troubles-world.ts';

let server: TestServer;
let redis: PrivateTestRedis;
let here: TroubledWorld;

const PASSWORD = 'pw';

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
  await redis.raw.acl('SETUSER', 'daemon', 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  here = await troubled(server, redis, { redisUrl: `redis://daemon:${PASSWORD}@127.0.0.1:${redis.server.port}` });
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await server?.close();
});

function loads(): number {
  return here.lines.filter(({ msg }) => msg === 'load begins').length;
}

describe('a script that stopped half-way', () => {
  it('C5: is not repaired in a loop while its user may not use a command; granted again, a new epoch repairs it without a load', async () => {
    const [epoch, before] = [await here.epoch(), loads()];
    // The index is written, the documents are not: what is left is index entries without documents, and old documents under new versions.
    await redis.raw.acl('SETUSER', 'daemon', '-mset');
    await here.change();
    // Redis 7.0 calls it ERR, later ones NOPERM.
    await here.inTrouble('PW-M316', 'PW-M303');
    expect(await redis.raw.hget(here.keys.meta, 'pending')).not.toBe('');
    await here.stop();
    await here.start();
    expect((await here.inTrouble('PW-M303')).phase).toBe('stopped');
    expect(await redis.raw.hget(here.keys.meta, 'pending')).not.toBe('');
    expect(await here.epoch()).toBe(epoch);
    await here.stop();
    await redis.raw.acl('SETUSER', 'daemon', '+mset');
    await here.start();
    await here.world.equal();
    expect(await here.epoch()).not.toBe(epoch);
    expect(loads()).toBe(before);
    await here.endsEqual();
    expect(await here.metrics()).toMatch(/patchwire_errors_total\{[^}]*code="PW-M307"[^}]*\} 1\n/u);
  });

  it('C5: a pending marker while the daemon runs is repaired, and no claim is made before everything was looked for', async () => {
    const [epoch, before] = [await here.epoch(), loads()];
    // As a script leaves it that stopped when the documents of two removals were gone.
    await redis.raw.multi().hset(here.keys.meta, 'pending', 'torn').unlink(`${here.keys.document}3`, `${here.keys.document}4`).exec();
    await until('a new epoch', async () => (await here.epoch()) !== epoch);
    await here.world.equal();
    expect(loads()).toBe(before);
    expect(here.items.events.filter(({ type }) => type === 'reset').length).toBeGreaterThan(0);
    await here.endsEqual();
  });
});

describe('foreign versions', () => {
  it('C6: an index entry that somebody changed between base and script is counted and repaired, never overridden', async () => {
    const [epoch, before] = [await here.epoch(), loads()];
    let version = 0;
    await here.stop();
    here.beforePublish = async () => {
      if (here.told('PW-M308').length === 0) {
        version += 1;
        await redis.raw.hset(here.keys.index, '1', String(version));
      }
    };
    await here.start();
    await here.change();
    await until('damage that is noticed', () => here.told('PW-M308').length > 0);
    await here.endsEqual();
    expect(await here.epoch()).not.toBe(epoch);
    expect(loads()).toBe(before);
    expect(here.told('PW-M308')).toHaveLength(1);
    expect(await here.metrics()).toMatch(/patchwire_errors_total\{[^}]*code="PW-M308"[^}]*\} 1\n/u);
    here.beforePublish = null;
    await here.stop();
    await here.start();
  });

  it('C6: an index entry that somebody changed or took away, and that nobody meets, is noticed by the patrol', async () => {
    const [epoch, before] = [await here.epoch(), here.told('PW-M308').length];
    await redis.raw.hset(here.keys.index, '8', '0');
    await until('a new epoch', async () => (await here.epoch()) !== epoch);
    expect(here.told('PW-M308')).toHaveLength(before + 1);
    await here.endsEqual();
  });

  it('C8: an index entry without document or row is removed', async () => {
    await redis.raw.hset(here.keys.index, '8000', '1');
    await until('the entry is gone', async () => (await redis.raw.hexists(here.keys.index, '8000')) === 0);
    await here.endsEqual();
  });
});

describe('lost documents', () => {
  it('C8: one that is gone when its row changes is published whole, and all others are looked for at once', async () => {
    const [epoch, before] = [await here.epoch(), loads()];
    const { length } = here.items.events.filter(({ type }) => type === 'reset');
    await redis.raw.unlink(`${here.keys.document}1`, `${here.keys.document}17`, `${here.keys.document}18`);
    await here.world.sql('UPDATE dbo.Items SET A = 4711 WHERE Id = 1');
    await until('every document', async () => (await redis.raw.exists(`${here.keys.document}17`, `${here.keys.document}18`)) === 2);
    await here.endsEqual();
    expect(here.told('PW-M309').length).toBeGreaterThan(0);
    expect(await here.epoch()).toBe(epoch);
    expect(loads()).toBe(before);
    expect(here.items.events.filter(({ type }) => type === 'reset')).toHaveLength(length);
  });

  it('C8: one that nobody touches is found by the patrol; a subscriber that loads meanwhile never calls itself equal', async () => {
    const before = here.told('PW-M309').length;
    await here.stop();
    await redis.raw.unlink(`${here.keys.document}20`);
    await using late = subscribe({ redis: redis.url, partition: here.world.partition, section: ITEMS.section });
    await until('the subscriber has met it', () => late.state().error?.code === 'PW-M309');
    expect(late.state().equal).toBe(false);
    await here.start();
    await until('the patrol has found it', () => here.told('PW-M309').length > before);
    await until('the subscriber is equal', () => late.state().equal);
    expect(await replicaDifferences(here.world.pool, ITEMS, late)).toEqual([]);
    await here.endsEqual();
  });

  it('C8: what is no document of ours is written anew', async () => {
    await redis.raw.set(`${here.keys.document}2`, 'no json');
    await here.endsEqual();
  });

  it('C8: volatile eviction and expiry take single documents: they come back', async () => {
    await redis.raw.pexpire(`${here.keys.document}6`, 1);
    await until('it is gone', async () => (await redis.raw.exists(`${here.keys.document}6`)) === 0);
    await until('it is there again', async () => (await redis.raw.exists(`${here.keys.document}6`)) === 1);
    await here.endsEqual();
  });

  it('C8: a foreign type under a key of the section stops it, and what is foreign stays as it is', async () => {
    await redis.raw.multi().unlink(`${here.keys.document}5`).hset(`${here.keys.document}5`, 'foreign', '1').exec();
    await here.world.sql('UPDATE dbo.Items SET A = A + 1 WHERE Id = 5');
    await here.inTrouble('PW-M312');
    expect(here.status.phase).toBe('stopped');
    expect(await redis.raw.hgetall(`${here.keys.document}5`)).toEqual({ foreign: '1' });
    await redis.raw.unlink(`${here.keys.document}5`);
    await here.stop();
    await here.start();
    await here.endsEqual();
    await here.stop();
    await redis.raw.rename(here.keys.index, 'aside');
    await redis.raw.set(here.keys.index, 'foreign');
    await here.start();
    await here.inTrouble('PW-M312');
    await redis.raw.rename('aside', here.keys.index);
    await here.stop();
    await here.start();
    await here.endsEqual();
  });
});
