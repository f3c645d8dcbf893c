/** What only a real Redis can do to the manager: cut connections, refuse, evict, run out of memory, go back in time. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { type RedisDataManager, redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { PatchwireError } from '../../src/model/errors.ts';
import { type SectionKeys, sectionKeys } from '../../src/wire/keys.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { openTcpGate, type TcpGate } from '../support/tcp-gate.ts';
import { batch, codeOf, live, removal, S, upsert } from './distributed-data-manager-rows.ts';

const signal = (): AbortSignal => AbortSignal.timeout(30_000);

let redis: PrivateTestRedis;
let partition: string;
let keys: SectionKeys;
const managers: RedisDataManager[] = [];

beforeAll(async () => {
  redis = await privateTestRedis({ args: ['--lua-time-limit', '5'] });
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});
beforeEach(() => {
  partition = redis.partition();
  keys = sectionKeys(partition, S);
});
afterEach(async () => {
  for (const manager of managers.splice(0)) {
    await manager[Symbol.asyncDispose]();
  }
  await redis.flush();
});

function make(
  options: { port?: number; leaseMs?: number; commandTimeoutMs?: number; username?: string; password?: string } = {},
): RedisDataManager {
  const { port = redis.server.port, leaseMs = 60_000, commandTimeoutMs = 10_000, ...login } = options;
  const manager = redisDataManager({
    options: { host: '127.0.0.1', port, ...login },
    partition,
    leaseMs,
    replay: { maxBytes: 1e7, maxAgeMs: 1e9 },
    commandTimeoutMs,
    clock: systemClock,
  });
  managers.push(manager);
  return manager;
}

/** Everything of the section, to see that nothing was written. */
async function everything(): Promise<unknown> {
  const all: Record<string, unknown> = {};
  for (const key of (await redis.raw.keys(`{${partition}:*`)).toSorted()) {
    all[key] = (await redis.raw.dumpBuffer(key))?.toString('base64');
  }
  return all;
}

async function evalshaCalls(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.raw.info('commandstats'))?.[1] ?? 0);
}

describe('C2: a connection that is cut with four scripts in flight', () => {
  let gate: TcpGate;
  beforeEach(async () => {
    gate = await openTcpGate(redis.server.port);
  });
  afterEach(async () => {
    await gate[Symbol.asyncDispose]();
  });

  /** The codes of four calls, once all their bytes have arrived at the gate. */
  const fourInFlight = async (manager: RedisDataManager): Promise<readonly Promise<string>[]> => {
    const bytes = gate.requestBytes;
    const codes = [1, 2, 3, 4].map((i) => codeOf(manager.publish(batch([upsert(String(i), '5', null)]))));
    await vi.waitFor(() => expect(gate.requestBytes).toBeGreaterThan(bytes + 4 * 500), 10_000);
    return codes;
  };

  it('sees four rejections, and nothing is sent again (requests lost)', async () => {
    const manager = make({ port: gate.port });
    await live(manager);
    gate.hold('requests');
    const codes = await fourInFlight(manager);
    const sent = await evalshaCalls();
    gate.cut();
    expect(await Promise.all(codes)).toEqual(['PW-M311', 'PW-M311', 'PW-M311', 'PW-M311']);
    expect(await codeOf(manager.publish(batch([])))).toBe('PW-M311');
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { seq: 1, count: 0 } });
    expect(await evalshaCalls()).toBe(sent + 1);
    await manager.publish(batch([upsert('1', '5', null)]));
  });

  it('sees four rejections, and takes what was written for its own (replies lost)', async () => {
    const manager = make({ port: gate.port });
    await live(manager);
    gate.hold('replies');
    const codes = await fourInFlight(manager);
    await vi.waitFor(async () => expect(await redis.raw.hget(keys.meta, 'seq')).toBe('5'), 10_000);
    const sent = await evalshaCalls();
    gate.cut();
    expect(await Promise.all(codes)).toEqual(['PW-M311', 'PW-M311', 'PW-M311', 'PW-M311']);
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { seq: 5, count: 4 } });
    expect(await evalshaCalls()).toBe(sent + 1);
  });

  it('a command that times out ends the connection; the lead is taken again on a new one', async () => {
    const manager = make({ port: gate.port, commandTimeoutMs: 300 });
    await live(manager);
    gate.hold('replies');
    const first = codeOf(manager.publish(batch([upsert('1', '5', null)])));
    const second = codeOf(manager.publish(batch([upsert('2', '5', null)])));
    expect([await first, await second]).toEqual(['PW-M311', 'PW-M311']);
    gate.cut();
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { seq: 3 } });
  });

  it('a connection that ends with much outstanding is closed once: Node warns of no leak', async () => {
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(`${warning.name} ${warning.message}`);
    process.on('warning', warned);
    try {
      const manager = make({ port: gate.port, commandTimeoutMs: 200 });
      await manager.readMeta(S);
      gate.hold('replies');
      const reads = Array.from({ length: 30 }, (_, i) => codeOf(manager.readMeta(`s${i}`)));
      expect(new Set(await Promise.all(reads))).toEqual(new Set(['PW-M301']));
      // Warnings are told in a turn of their own.
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', warned);
    }
  });

  it('C4: a lead whose answer was lost is no rewind', async () => {
    const manager = make({ port: gate.port });
    await live(manager);
    gate.hold('replies');
    const token = await redis.raw.hget(keys.meta, 'leader');
    const lost = codeOf(manager.lead(S));
    await vi.waitFor(async () => expect(await redis.raw.hget(keys.meta, 'leader')).not.toBe(token), 10_000);
    gate.cut();
    expect(await lost).toBe('PW-M311');
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { seq: 1 } });
  });

  it('C3: after a reconnect every lead is lost, also of sections that had nothing in flight', async () => {
    const manager = make({ port: gate.port });
    await live(manager);
    await live(manager, 1n, 'other');
    gate.cut();
    await vi.waitFor(async () => expect(await codeOf(manager.publish(batch([])))).toBe('PW-M311'), 10_000);
    expect((await manager.lead(S)).kind).toBe('leading');
    await manager.publish(batch([]));
    expect(await codeOf(manager.publish(batch([], {}, 'other')))).toBe('PW-M311');
  });
});

describe('C4: Redis killed and restarted from an older dump', () => {
  it('draws a new epoch for a leader that kept its memory, and none for a fresh one', async () => {
    const own = await privateTestRedis();
    try {
      const manager = make({ port: own.server.port });
      await live(manager);
      await manager.publish(batch([upsert('1', '5', null)], { checkpoint: 5n }));
      const epoch = (await manager.readMeta(S))?.epoch;
      await own.save('old.rdb');
      await manager.publish(batch([upsert('2', '7', null)], { checkpoint: 7n }));
      await own.restartFrom('old.rdb');
      await vi.waitFor(async () => expect(await codeOf(manager.publish(batch([])))).toBe('PW-M311'), 10_000);
      await own.raw.del(keys.lease);
      const fresh = make({ port: own.server.port });
      expect(await fresh.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { epoch, checkpoint: 5n, seq: 2 } });
      await own.restartFrom('old.rdb');
      const result = await manager.lead(S);
      expect(result).toMatchObject({ kind: 'leading', rewound: true, meta: { checkpoint: 5n, seq: 3 } });
      expect(result.kind === 'leading' && result.meta.epoch).not.toBe(epoch);
    } finally {
      await own[Symbol.asyncDispose]();
    }
  });
});

describe('C5: what can fail is checked before the first write', () => {
  it.each([
    ['index', 'hash'],
    ['changes', 'stream'],
    ['lease', 'string'],
  ] as const)('%s of a type that is no %s refuses the batch', async (which, _type) => {
    const manager = make();
    await live(manager);
    await redis.raw.del(keys[which]);
    await (which === 'lease' ? redis.raw.hset(keys[which], 'a', '1') : redis.raw.set(keys[which], 'x'));
    const before = await everything();
    expect(await codeOf(manager.publish(batch([upsert('1', '5', null)])))).toBe('PW-M312');
    expect(await everything()).toEqual(before);
    expect(await codeOf(manager.lead(S))).toBe('PW-M312');
    expect(await everything()).toEqual(before);
  });

  it('a meta of a foreign type is named', async () => {
    await redis.raw.set(keys.meta, 'x');
    expect(await codeOf(make().lead(S))).toBe('PW-M312');
    expect(await codeOf(make().readMeta(S))).toBe('PW-M312');
  });

  it('a log that is ahead of the chain refuses the batch; only a new epoch heals it', async () => {
    const manager = make();
    await live(manager);
    await redis.raw.xadd(keys.changes, '0-100', 'message', 'x', 'time', '1');
    const before = await everything();
    const error: unknown = await manager.publish(batch([upsert('1', '5', null)])).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'PW-M306', retry: 'resync' });
    expect(await everything()).toEqual(before);
  });

  it('a log whose last id is ahead although its entry is gone refuses it too', async () => {
    const manager = make();
    await live(manager);
    await redis.raw.xadd(keys.changes, '0-100', 'message', 'x', 'time', '1');
    await redis.raw.xdel(keys.changes, '0-100');
    const before = await manager.readMeta(S);
    expect(await codeOf(manager.publish(batch([upsert('1', '5', null)])))).toBe('PW-M306');
    expect(await manager.readMeta(S)).toEqual(before);
    await manager.lead(S);
    await manager.transition(S, { state: 'live', newEpoch: true, reset: { phase: 'end', reason: 'log' }, advance: {} });
    await manager.publish(batch([upsert('1', '5', null)]));
  });

  it('a script that is stopped half-way leaves at worst an index entry without its document, and its marker', async () => {
    await redis.raw.acl('SETUSER', 'torn', 'on', '>pw', '~*', '&*', '+@all');
    const manager = make({ username: 'torn', password: 'pw' });
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null)]));
    await redis.raw.acl('SETUSER', 'torn', '-mset');
    // Redis 7.0 answers ERR where later ones answer NOPERM: neither is tried again.
    await expect(manager.publish(batch([upsert('3', '6', null), removal('1', '5')]))).rejects.toMatchObject({ retry: 'never' });
    expect(await redis.raw.hgetall(keys.index)).toEqual({ '2': '5', '3': '6' });
    expect(await redis.raw.exists(`${keys.document}1`, `${keys.document}3`)).toBe(0);
    await redis.raw.acl('SETUSER', 'torn', '+mset');
    expect(await codeOf(manager.lead(S))).toBe('PW-M307');

    await manager.lead(S, { repair: true });
    await manager.transition(S, { state: 'live', newEpoch: true, reset: { phase: 'end', reason: 'torn' }, advance: {} });
    await redis.raw.acl('SETUSER', 'torn', '-hdel');
    await expect(manager.publish(batch([removal('2', '5')]))).rejects.toMatchObject({ retry: 'never' });
    expect(await redis.raw.hexists(keys.index, '2')).toBe(1);
    expect(await redis.raw.exists(`${keys.document}2`)).toBe(0);
    await redis.raw.acl('SETUSER', 'torn', '+hdel');
    expect((await manager.bases(S, ['2'], { documents: true })).get('2')).toMatchObject({ document: null });
  });

  it("C8: a document's key of another type is foreign, not missing", async () => {
    const manager = make();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null)]));
    const { entries } = await manager.scan(S, '0', 100);
    await redis.raw.del(`${keys.document}1`);
    expect(await manager.missing(S, entries)).toEqual(['1']);
    await redis.raw.hset(`${keys.document}1`, 'a', '1');
    expect(await codeOf(manager.bases(S, ['1', '2'], { documents: true }))).toBe('PW-M312');
    expect(await manager.missing(S, entries)).toEqual([]);
  });

  it('a purge that is stopped half-way is marked, and the next lead ends it', async () => {
    await redis.raw.acl('SETUSER', 'half', 'reset', 'on', '>pw', '~*', '&*', '+@all');
    const manager = make({ username: 'half', password: 'pw' });
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)]));
    await redis.raw.acl('SETUSER', 'half', '-hdel');
    await expect(manager.purge(S, 'x')).rejects.toMatchObject({ retry: 'never' });
    await redis.raw.acl('SETUSER', 'half', '+hdel');
    expect(await manager.readMeta(S)).toMatchObject({ pending: true, count: 1 });
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', created: true, meta: { count: 0 } });
  });

  const commands = ['unlink', 'mset', 'xadd', 'xtrim', 'publish', 'hscan', 'pexpire', 'type', 'xrevrange'];
  it.each(commands)('at start, a user who may not use %s is refused by that name', async (command) => {
    await redis.raw.acl('SETUSER', 'short', 'reset', 'on', '>pw', '~*', '&*', '+@all', `-${command}`);
    const error: unknown = await make({ username: 'short', password: 'pw' })
      .open({ signal: signal() })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PatchwireError);
    expect(error).toMatchObject({ code: 'PW-M303', details: { commands: [command.toUpperCase()] } });
    expect(await redis.raw.keys(`{${partition}*`)).toEqual([]);
  });

  it('at start, a user without the channel is refused', async () => {
    await redis.raw.acl('SETUSER', 'mute', 'reset', 'on', '>pw', `~{${partition}*`, 'resetchannels', '+@all');
    const opening = make({ username: 'mute', password: 'pw' }).open({ signal: signal() });
    await expect(opening).rejects.toMatchObject({ code: 'PW-M303', details: { commands: ['PUBLISH'] } });
  });

  it('at start, a user with exactly the keys and channels of the partition passes', async () => {
    await redis.raw.acl(
      'SETUSER',
      'exact',
      'reset',
      'on',
      '>pw',
      `~{${partition}*`,
      'resetchannels',
      `&__dataChanged:{${partition}:*`,
      '+@all',
    );
    const manager = make({ username: 'exact', password: 'pw' });
    expect(await manager.open({ signal: signal() })).toEqual({ warnings: [] });
    expect(await redis.raw.keys(`{${partition}*`)).toEqual([]);
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)]));
  });
});

it('a user with only the commands that are tested at start can do all that a leader does', async () => {
  const commands = 'unlink del hset hget hmget hgetall hlen hscan hdel set get pttl pexpire mset mget type exists xadd xrange xrevrange';
  const rights = [...commands.split(' '), 'xtrim', 'xdel', 'publish', 'evalsha', 'script|load', 'time', 'info', 'config|get'];
  await redis.raw.acl('SETUSER', 'least', 'reset', 'on', '>pw', '~*', '&*', '-@all', ...rights.map((right) => `+${right}`));
  const manager = make({ username: 'least', password: 'pw' });
  expect(await manager.open({ signal: signal() })).toEqual({ warnings: [] });
  await live(manager);
  await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null, 'B')]));
  await manager.publish(batch([removal('1', '5')]));
  await manager.bases(S, ['1', '2'], { documents: true });
  await manager.bases(S, ['1', '2'], { documents: false });
  await manager.scan(S, '0', 10);
  await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 });
  await manager.request(S, { id: 'r', verb: 'poll', args: {}, who: 'ann' });
  expect(await manager.pendingRequests(S)).toHaveLength(1);
  await manager.progress(S, { id: 'r', verb: 'poll', state: 'done', message: '', atMs: 1 });
  await manager.operation(S, 'r');
  const said = { host: 'h', pid: 1, version: '1', startedAtMs: 0, sections: [S], led: {}, busy: [], unable: [] };
  expect((await manager.daemons.announce(said, { ttlMs: 60_000 })).daemons).toHaveLength(1);
  expect(await manager.daemons.leases([S])).toHaveLength(1);
  await manager.daemons.depart();
  await manager.resign(S);
  await manager.lead(S);
  await manager.purge(S, 'done');
  expect(await redis.raw.keys(`{${partition}*`)).toEqual([]);
});

it('C2: a master that was demoted is left: the next try connects anew, wherever the name leads by then', async () => {
  const demoted = await privateTestRedis();
  const gate = await openTcpGate(demoted.server.port);
  try {
    const manager = make({ port: gate.port });
    await live(manager);
    await demoted.raw.replicaof('127.0.0.1', 1);
    gate.target = redis.server.port;
    expect(await codeOf(manager.publish(batch([upsert('1', '5', null)])))).toBe('PW-M310');
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', created: true });
  } finally {
    await gate[Symbol.asyncDispose]();
    await demoted[Symbol.asyncDispose]();
  }
});

describe('C8: Redis that evicts or takes no writes', () => {
  it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])('refuses %s at start', async (policy) => {
    await redis.raw.config('SET', 'maxmemory-policy', policy);
    try {
      await expect(make().open({ signal: signal() })).rejects.toMatchObject({ code: 'PW-M304', details: { policy } });
      await expect(make().inspect()).rejects.toMatchObject({ code: 'PW-M304', details: { policy } });
    } finally {
      await redis.raw.config('SET', 'maxmemory-policy', 'noeviction');
    }
    await make().inspect();
  });

  it('warns when the policy is hidden, and finds it by INFO where only CONFIG is', async () => {
    await redis.raw.acl('SETUSER', 'blind', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-config', '-info');
    const { warnings } = await make({ username: 'blind', password: 'pw' }).open({ signal: signal() });
    expect(warnings.join(' ')).toContain('eviction policy');
    await redis.raw.acl('SETUSER', 'blind', '+info');
    expect(await make({ username: 'blind', password: 'pw' }).open({ signal: signal() })).toEqual({ warnings: [] });
    await redis.raw.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      expect(await codeOf(make({ username: 'blind', password: 'pw' }).open({ signal: signal() }))).toBe('PW-M304');
    } finally {
      await redis.raw.config('SET', 'maxmemory-policy', 'noeviction');
    }
  });

  const refusals: readonly (readonly [string, () => Promise<unknown>, () => Promise<unknown>])[] = [
    ['OOM', () => redis.raw.config('SET', 'maxmemory', '1'), () => redis.raw.config('SET', 'maxmemory', '0')],
    [
      'NOREPLICAS',
      () => redis.raw.config('SET', 'min-replicas-to-write', '1'),
      () => redis.raw.config('SET', 'min-replicas-to-write', '0'),
    ],
    ['READONLY', () => redis.raw.replicaof('127.0.0.1', 1), () => redis.raw.replicaof('NO', 'ONE')],
  ];
  it.each(refusals)('%s: nothing is written, by no kind of script', async (_name, begin, end) => {
    const manager = make();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)]));
    const before = await everything();
    await begin();
    try {
      expect(await codeOf(manager.publish(batch([upsert('1', '6', '5'), upsert('2', '6', null)])))).toBe('PW-M310');
      expect(await codeOf(manager.lead(S))).toBe('PW-M310');
      expect(await codeOf(make().open({ signal: signal() }))).toBe('PW-M310');
      expect(await codeOf(make().lead('new'))).toBe('PW-M310');
    } finally {
      await end();
    }
    expect(await everything()).toEqual(before);
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false });
    await begin();
    const beat = codeOf(manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 1 }));
    const beatCode = await beat;
    await end();
    expect(beatCode).toBe('PW-M310');
    await manager.lead(S);
    await manager.publish(batch([upsert('1', '6', '5')]));
  });

  it('BUSY: another script runs without end', async () => {
    const manager = make();
    await live(manager);
    const helper = redis.raw.duplicate({ enableReadyCheck: false });
    await helper.ping();
    const endless = redis.raw.eval('while true do end', 0).catch(() => undefined);
    try {
      await vi.waitFor(async () => expect(await codeOf(manager.readMeta(S))).toBe('PW-M310'), 10_000);
      expect(await codeOf(manager.publish(batch([])))).toBe('PW-M310');
    } finally {
      await helper.script('KILL');
      helper.disconnect();
      await endless;
    }
    await manager.lead(S);
    await manager.publish(batch([]));
  });
});

describe('reaching Redis', () => {
  it('open throws PW-M301 when nothing listens, and an aborted open its reason', async () => {
    const gone = await openTcpGate(redis.server.port);
    await gone[Symbol.asyncDispose]();
    await expect(make({ port: gone.port }).open({ signal: signal() })).rejects.toMatchObject({ code: 'PW-M301', retry: 'reconnect' });
    const reason = new Error('stop');
    await expect(make().open({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('a wrong password is PW-M302', async () => {
    await redis.raw.acl('SETUSER', 'known', 'reset', 'on', '>pw', '~*', '&*', '+@all');
    expect(await codeOf(make({ username: 'known', password: 'other' }).open({ signal: signal() }))).toBe('PW-M302');
  });

  it('a server that lost the scripts refuses; the next lead loads them again', async () => {
    const manager = make();
    await live(manager);
    await redis.raw.script('FLUSH');
    expect(await codeOf(manager.publish(batch([])))).toBe('PW-M311');
    await manager.lead(S);
    await manager.publish(batch([]));
  });

  it('C3: a lease that runs out is taken over by the one who waits', async () => {
    const first = make({ leaseMs: 200 });
    await live(first);
    const second = make({ leaseMs: 60_000 });
    await vi.waitFor(async () => expect((await second.lead(S)).kind).toBe('leading'), 20_000);
    expect(await codeOf(first.publish(batch([])))).toBe('PW-M305');
  });

  it('disposal rejects what is outstanding and opens nothing again', async () => {
    const manager = make();
    await live(manager);
    const outstanding = codeOf(manager.publish(batch([])));
    await manager[Symbol.asyncDispose]();
    expect(['PW-M311', 'resolved']).toContain(await outstanding);
    expect(await codeOf(manager.readMeta(S))).toBe('PW-M301');
  });
});
