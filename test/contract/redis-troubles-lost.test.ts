/** Redis that is empty, or has gone back in time, under a running daemon and while it is down: through the whole pipeline, to a replica that is equal again. */
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { openTcpGate } from '../support/tcp-gate.ts';
import { type TroubledWorld, troubled } from './redis-troubles-world.ts';

let server: TestServer;
let redis: PrivateTestRedis;
let here: TroubledWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
  here = await troubled(server, redis);
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await server?.close();
});

function resets(): number {
  return here.items.events.filter(({ type }) => type === 'reset').length;
}

describe('Redis that is empty', () => {
  it('C4: flushed while the daemon runs: the section is created anew, and subscribers are reset', async () => {
    const [epoch, before] = [await here.epoch(), resets()];
    await redis.raw.flushall();
    await here.endsEqual();
    expect(await here.epoch()).not.toBe(epoch);
    expect(resets()).toBeGreaterThan(before);
    expect(here.status.phase).toBe('live');
  });

  it('C4: killed and restarted empty while the daemon runs', async () => {
    const [epoch, before] = [await here.epoch(), resets()];
    await redis.kill();
    await here.inTrouble('PW-M301', 'PW-M311');
    await redis.start();
    await here.endsEqual();
    expect(await here.epoch()).not.toBe(epoch);
    expect(resets()).toBeGreaterThan(before);
  });

  it('C4: flushed while the daemon is down', async () => {
    const [epoch, before] = [await here.epoch(), resets()];
    await here.stop();
    await redis.raw.flushall();
    await here.change();
    await here.start();
    await here.endsEqual();
    expect(await here.epoch()).not.toBe(epoch);
    expect(resets()).toBeGreaterThan(before);
  });
});

describe('Redis that went back in time', () => {
  it('C4: restored from an older dump under a leader that kept its memory: a new epoch, read on from what is stored, nothing loaded', async () => {
    await redis.save('old.rdb');
    const [epoch, before] = [await here.epoch(), resets()];
    await here.endsEqual();
    await redis.restartFrom('old.rdb');
    await until('a new epoch', async () => ((await here.epoch()) ?? epoch) !== epoch);
    await here.endsEqual();
    expect(resets()).toBeGreaterThan(before);
    const messages = here.lines.map(({ msg }) => msg);
    expect(here.lines.some(({ msg, rewound }) => msg === 'leading' && rewound === true)).toBe(true);
    expect(messages.lastIndexOf('load begins')).toBeLessThan(messages.lastIndexOf('leading'));
  });

  it('C4: restored from an older dump while the daemon is down: the fresh leader keeps the epoch, subscribers notice by their chain', async () => {
    await redis.save('old.rdb');
    await here.endsEqual();
    const [epoch, before] = [await here.epoch(), resets()];
    await here.stop();
    await redis.restartFrom('old.rdb');
    await redis.raw.del(here.keys.lease);
    await here.start();
    await here.endsEqual();
    expect(await here.epoch()).toBe(epoch);
    expect(resets()).toBeGreaterThan(before);
  });

  it('C4: by its append-only file, whose end is missing: what had not come to the disk is read again', async () => {
    await using own = await privateTestRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
    await using there = await troubled(server, own);
    const folder = join(own.server.folder, 'appendonlydir');
    const name = (await readdir(folder)).find((each) => each.endsWith('.incr.aof')) ?? '';
    const { size } = await stat(join(folder, name));
    const epoch = await there.epoch();
    await there.endsEqual();
    await own.kill();
    const after = await stat(join(folder, name));
    expect(after.size).toBeGreaterThan(size);
    // Somewhere in what was written last: Redis cuts the file back to the last script that is whole (aof-load-truncated).
    await truncate(join(folder, name), size + Math.floor((after.size - size) / 2));
    await own.start();
    await until('a new epoch', async () => ((await there.epoch()) ?? epoch) !== epoch);
    await there.endsEqual();
    expect(there.items.events.some(({ type }) => type === 'reset')).toBe(true);
    expect(there.told('PW-M307')).toEqual([]);
  });

  it('C4: by a failover to a replica that missed the last writes', async () => {
    await using master = await privateTestRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    await using replica = await privateTestRedis({ args: ['--replicaof', '127.0.0.1', String(master.server.port)] });
    await using gate = await openTcpGate(master.server.port);
    const url = `redis://127.0.0.1:${gate.port}`;
    const raw = new Redis(url, { protocol: 2, retryStrategy: () => 20, maxRetriesPerRequest: null });
    raw.on('error', () => undefined);
    onTestFinished(() => raw.disconnect());
    await using own = await troubled(server, { ...master, url, raw });
    await until('a replica in step', async () => /master_link_status:up/.test(await replica.raw.info('replication')));
    const tip = async (of: Redis): Promise<string | null> => await of.hget(own.keys.meta, 'tip');
    await until('all in the replica', async () => (await tip(replica.raw)) === (await tip(master.raw)));
    // From here on the replica hears nothing more.
    await replica.raw.replicaof('127.0.0.1', '1');
    const epoch = await own.epoch();
    await own.endsEqual();
    await replica.raw.replicaof('NO', 'ONE');
    gate.target = replica.server.port;
    gate.cut();
    await master.kill();
    await until('a new epoch', async () => ((await own.epoch()) ?? epoch) !== epoch);
    await own.endsEqual();
    expect(await replica.raw.hget(own.keys.meta, 'epoch')).toBe(await own.epoch());
    expect(own.items.events.some(({ type }) => type === 'reset')).toBe(true);
  });
});
