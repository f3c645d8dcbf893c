/** The forms of manager.redis: which keys go together, and what manager and subscribers are given. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { secretsOf } from '../../../src/config/print.ts';
import type { Config } from '../../../src/config/schema.ts';
import { describeManager, redisTarget, subscriberRedis } from '../../../src/daemon/parts.ts';
import type { PatchwireError } from '../../../src/model/errors.ts';

const parse = (redis: object, env: Record<string, string> = {}): Config =>
  parseConfig(JSON.stringify({ sources: { s: { connection: 'Server=x' } }, manager: { redis, partition: 'p' } }), {
    ...{ origin: 'test', folder: '/', env },
  });

function refusal(redis: object): readonly [path: string, rule: string][] {
  try {
    parse(redis);
  } catch (error) {
    const { problems } = (error as PatchwireError).details as { problems: readonly { path: string; rule: string }[] };
    return problems.map(({ path, rule }) => [path, rule]);
  }
  throw new Error('it was accepted');
}

describe('manager.redis', () => {
  it.each([
    [{}, 'manager.redis.url', 'required; or sentinels and name, or cluster'],
    [{ url: 'redis://h', cluster: ['a:1'] }, 'manager.redis.cluster', 'not beside url'],
    [{ sentinels: ['a:1'], name: 'm', cluster: ['a:1'] }, 'manager.redis.cluster', 'not beside sentinels'],
    [{ sentinels: ['a:1'] }, 'manager.redis.name', 'needed with sentinels'],
    [{ sentinels: [], name: 'm' }, 'manager.redis.sentinels', 'a list of addresses'],
    [{ cluster: ['redis://h'] }, 'manager.redis.cluster[0]', 'an address such as redis-1:6379'],
    [{ cluster: 'a:1' }, 'manager.redis.cluster', 'a list of addresses'],
    [{ cluster: ['a:1'], db: 1 }, 'manager.redis.db', 'database 0 only'],
    [{ url: 'redis://h', db: 1 }, 'manager.redis.db', 'redis://host:6379/2'],
    [{ url: 'redis://h', name: 'm' }, 'manager.redis.name', 'only with sentinels'],
    [{ cluster: ['a:1'], sentinelPassword: 'x' }, 'manager.redis.sentinelPassword', 'only with sentinels'],
    [{ url: 'redis://h', tls: { ca: 'x' } }, 'manager.redis.tls.ca', 'only with TLS'],
  ])('refuses %j', (redis, path, rule) => {
    expect(refusal(redis)).toEqual([[path, expect.stringContaining(rule)]]);
  });

  it('gives Sentinels with what they and the primary want', () => {
    const redis = { sentinels: ['a', 'b:2'], name: 'm', sentinelPassword: 'guarded', username: 'u', password: 'secret', db: 3 };
    const config = parse({ ...redis, tls: { enabled: true, ca: 'PEM' } });
    expect(redisTarget(config)).toEqual({ options: { ...redis, tls: { ca: 'PEM' } } });
    expect(subscriberRedis(config)).toEqual({ ...redis, tls: { ca: 'PEM' } });
    expect(describeManager(config)).toBe('Redis m of Sentinels a, b:2');
    expect(secretsOf(config)).toEqual(expect.arrayContaining(['guarded', 'secret']));
  });

  it('gives the nodes of a cluster', () => {
    const config = parse({ cluster: ['a:1', 'b:2'], password: 'secret' });
    expect(subscriberRedis(config)).toEqual({ cluster: ['a:1', 'b:2'], password: 'secret' });
    expect(describeManager(config)).toBe('Redis Cluster at a:1, b:2');
  });

  it('gives a url with what TLS wants beside it, to subscribers in parts', () => {
    expect(subscriberRedis(parse({ url: 'redis://u:p%40ss@h:1/2' }))).toBe('redis://u:p%40ss@h:1/2');
    const config = parse({ url: 'rediss://u:p%40ss@h/2', tls: { ca: 'PEM' } });
    expect(redisTarget(config)).toEqual({ url: 'rediss://u:p%40ss@h/2', options: { tls: { ca: 'PEM' } } });
    expect(subscriberRedis(config)).toEqual({ host: 'h', port: 6379, username: 'u', password: 'p@ss', db: 2, tls: { ca: 'PEM' } });
  });

  it('takes them from the environment', () => {
    const env = { PATCHWIRE_MANAGER__REDIS__CLUSTER: '[a:1, "b:2"]', PATCHWIRE_MANAGER__REDIS__TLS__ENABLED: 'true' };
    expect(redisTarget(parse({}, env))).toEqual({ options: { cluster: ['a:1', 'b:2'], tls: {} } });
  });
});
