/**
 * Sentinels and data servers over TLS, each kind with users of its own, as the README gives them their rights: the manager finds, leads and leaves,
 * a subscriber follows, and what is not trusted or not allowed is told by name.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { PatchwireError } from '../../src/model/errors.ts';
import { Sentinels } from '../../src/manager/redis/sentinels.ts';
import { readAudience } from '../../src/subscriber/audience.ts';
import { ConnectionPair } from '../../src/subscriber/connection.ts';
import { type Replica, subscribe, type SubscriberEvent } from '../../src/subscriber/index.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { openTcpGate } from '../support/tcp-gate.ts';
import { startSentinels, type TestSentinels } from '../support/redis-topologies.ts';
import { leading, SectionWriter } from './subscriber-writer.ts';

const WAIT = { timeoutMs: 30_000 };
const PARTITION = 'guarded';
const DATA = { username: 'worker', password: 'of-the-data' };
const SENTINEL = { sentinelUsername: 'seeker', sentinelPassword: 'of-the-sentinels' };
/** As the README has them. */
const SENTINEL_RIGHTS = ['+sentinel|get-master-addr-by-name', '+subscribe', '&+switch-master'];

let certificates: Certificates;
let redis: TestSentinels;
let writer: SectionWriter;

const target = (over: object = {}): { sentinels: readonly string[]; name: string } => ({
  ...{ sentinels: redis.addresses, name: redis.name, tls: { ca: certificates.trust }, ...DATA, ...SENTINEL },
  ...over,
});
const follow = (over: object = {}, onEvent?: (event: SubscriberEvent) => void): Replica =>
  subscribe({
    redis: target(over),
    partition: PARTITION,
    section: 'orders',
    name: 'guarded',
    ...(onEvent === undefined ? {} : { onEvent }),
  });

async function grant(without?: string): Promise<void> {
  const rights = SENTINEL_RIGHTS.filter((right) => right !== without);
  for (const { raw } of redis.sentinels) {
    await raw.call('ACL', 'SETUSER', SENTINEL.sentinelUsername, 'reset', 'on', `>${SENTINEL.sentinelPassword}`, ...rights);
  }
}

beforeAll(async () => {
  certificates = makeCertificates();
  redis = await startSentinels({ replicas: 1, certificates, passwords: { data: 'harness-data', sentinel: 'harness-sentinel' } });
  await grant();
  for (const { raw } of redis.nodes) {
    await raw.call('ACL', 'SETUSER', DATA.username, 'on', `>${DATA.password}`, '~*', '&*', '+@all');
  }
  writer = new SectionWriter(target(), PARTITION);
  await writer.lead();
  await writer.load([['1', { n: 1 }]]);
});
afterAll(async () => {
  await writer?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

describe('Sentinels over TLS, with users of their own', () => {
  it('name the primary to manager and subscriber, and who listens there is told', async () => {
    const events: SubscriberEvent[] = [];
    await using replica = follow({}, (event) => events.push(event));
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), WAIT);
    expect(replica.state()).toMatchObject({ equal: true, error: null });
    await vi.waitFor(
      async () => {
        const listening = await readAudience({ redis: target(), partition: PARTITION, sections: ['orders'] });
        expect(listening.map(({ name }) => name)).toContain('guarded');
      },
      { timeout: 20_000 },
    );
    expect(events.filter(({ type }) => type === 'trouble')).toEqual([]);
  });

  it('C3: name another one: the manager leads there, and the replica follows', async () => {
    await using replica = follow();
    await replica.waitForVersion(writer.version, WAIT);
    const gates = await Promise.all(redis.sentinels.map(({ address }) => openTcpGate(Number(address.split(':')[1]))));
    const switched = vi.fn();
    using deaf = new Sentinels({
      options: target({ sentinels: gates.map(({ port }) => `127.0.0.1:${port}`) }),
      timeoutMs: 10_000,
      switched,
    });
    const old = await deaf.primary();
    gates.forEach((gate) => gate.hold('replies'));

    const next = await redis.switchOver();
    await leading(writer);
    await replica.waitForVersion(await writer.write([['1', { n: 3 }]]), WAIT);
    expect(replica.get('1')).toEqual({ n: 3 });
    expect(await next.raw.get(`{${PARTITION}:orders}:1`)).toBe('{"n":3}');

    // Whoever could not hear it then asks when it can.
    expect(switched).not.toHaveBeenCalled();
    gates.forEach((gate) => gate.cut());
    await vi.waitFor(() => expect(switched).toHaveBeenCalled(), { timeout: 20_000 });
    expect(await deaf.primary()).not.toEqual(old);
    await Promise.all(gates.map((gate) => gate[Symbol.asyncDispose]()));
  });

  /** What manager and subscriber say when they are given something else. */
  const refused = async (over: object): Promise<readonly [manager: string, subscriber: string]> => {
    await using replica = follow(over);
    await using other = new SectionWriter(target(over), PARTITION);
    const error = await other.lead().then(
      () => null,
      (thrown: unknown) => thrown as PatchwireError,
    );
    await vi.waitFor(() => expect(replica.state().error).not.toBeNull(), { timeout: 20_000 });
    const said = replica.state().error!;
    return [`${error?.code} ${error?.message}`, `${said.code} ${said.message}`];
  };

  it.each([
    [
      'a certificate that is not trusted',
      { tls: {} },
      /^PW-M301 asking Sentinel .*self.signed/u,
      /^PW-W403 asking Sentinel .*self.signed/u,
    ],
    ['a wrong password', { sentinelPassword: 'x' }, /^PW-M302 asking Sentinel .*WRONGPASS/u, /^PW-M302 asking Sentinel .*WRONGPASS/u],
    [
      'no user, not that of the data servers either',
      { sentinelUsername: undefined, sentinelPassword: undefined },
      /^PW-M302 asking Sentinel .*NOAUTH/u,
      /^PW-M302 asking Sentinel .*NOAUTH/u,
    ],
    ['a name that they do not know', { name: 'nobody' }, /^PW-M301 .*knows no primary called nobody/u, /^PW-W403 .*none called nobody/u],
    ['a wrong password of the data servers', { password: 'x' }, /^PW-M302 connecting .*WRONGPASS/u, /^PW-M302 connecting .*WRONGPASS/u],
  ])('say by name what is wrong: %s', async (_, over, manager, subscriber) => {
    expect(await refused(over)).toEqual([expect.stringMatching(manager), expect.stringMatching(subscriber)]);
  });

  it('S3: a connection that is dropped while a Sentinel is asked is made all the same', async () => {
    await using gate = await openTcpGate(Number(redis.addresses[0]!.split(':')[1]));
    await using pair = new ConnectionPair({
      ...{ redis: target({ sentinels: [`127.0.0.1:${gate.port}`] }), name: 'pair', commandTimeoutMs: 20_000 },
      ...{ clock: systemClock, random: Math.random, reconnect: { minMs: 20, maxMs: 50 } },
    });
    const listener = { channel: 'any', up: vi.fn(), down: vi.fn(), text: vi.fn(), closed: vi.fn() };
    pair.join(listener);
    await vi.waitFor(() => expect(listener.up).toHaveBeenCalledTimes(1), { timeout: 20_000 });
    gate.hold('replies');
    const before = gate.connections;
    pair.reread();
    await vi.waitFor(() => expect(gate.connections).toBeGreaterThan(before), { timeout: 20_000 });
    pair.reread();
    gate.cut();
    await vi.waitFor(() => expect(listener.up).toHaveBeenCalledTimes(2), { timeout: 20_000 });
  });

  it('are told by the operators’ command, too', async () => {
    const sections = ['orders'];
    const reading = readAudience({ redis: target({ sentinelPassword: 'x' }), partition: PARTITION, sections });
    await expect(reading).rejects.toMatchObject({ code: 'PW-M302' });
  });

  it.each(SENTINEL_RIGHTS)('C5: without %s the manager is refused and says what is missing', async (right) => {
    await grant(right);
    try {
      await using other = new SectionWriter(target(), PARTITION);
      await expect(other.lead()).rejects.toMatchObject({
        code: 'PW-M303',
        message: expect.stringMatching(/asking Sentinel .*NOPERM/u) as string,
      });
    } finally {
      await grant();
    }
  });
});
