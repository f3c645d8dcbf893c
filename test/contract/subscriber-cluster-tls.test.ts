/** A Redis Cluster that speaks TLS, for manager and subscriber: which addresses its nodes announce, a switch, and what is told when it is not trusted. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PatchwireError } from '../../src/model/errors.ts';
import { readAudience } from '../../src/subscriber/audience.ts';
import { type Replica, subscribe } from '../../src/subscriber/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { until } from '../support/daemon-process.ts';
import { startCluster, type TestCluster } from '../support/redis-topologies.ts';
import { leading, SectionWriter } from './subscriber-writer.ts';

const WAIT = { timeoutMs: 30_000 };
const PARTITION = 'guarded';
const { meta } = sectionKeys(PARTITION, 'orders');

let certificates: Certificates;
let redis: TestCluster;
let writer: SectionWriter;

const target = (over: object = {}): { cluster: readonly string[] } => ({
  ...{ cluster: redis.addresses, tls: { ca: certificates.trust }, username: 'worker', password: 'of-the-data' },
  ...over,
});
const follow = (over: object = {}): Replica => subscribe({ redis: target(over), partition: PARTITION, section: 'orders', name: 'guarded' });

beforeAll(async () => {
  certificates = makeCertificates();
  redis = await startCluster({ primaries: 2, replicas: 2, certificates });
  for (const { raw } of redis.nodes) {
    await raw.call('ACL', 'SETUSER', 'worker', 'on', '>of-the-data', '~*', '&*', '+@all');
  }
  writer = new SectionWriter(target(), PARTITION);
  await writer.lead();
  await writer.load([['1', { n: 1 }]]);
});
afterAll(async () => {
  await writer?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

describe('a Redis Cluster over TLS', () => {
  it('is spoken to, node by node, and who listens is told', async () => {
    await using replica = follow();
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), WAIT);
    expect(replica.state()).toMatchObject({ equal: true, error: null });
    await vi.waitFor(
      async () => {
        const listening = await readAudience({ redis: target(), partition: PARTITION, sections: ['orders'] });
        expect(listening.map(({ name }) => name)).toContain('guarded');
      },
      { timeout: 20_000 },
    );
    const clients = String(await (await redis.primaryOf(meta)).raw.call('CLIENT', 'LIST'));
    expect(clients).toMatch(/name=patchwire:guarded .*user=worker/u);
  });

  it('C3: is switched: the manager leads on the next primary, and the replica follows', async () => {
    await using replica = follow();
    await replica.waitForVersion(writer.version, WAIT);
    const next = await redis.replicaOf(await redis.primaryOf(meta));
    await redis.promote(next);
    await until('another primary', async () => (await redis.primaryOf(meta)) === next);
    await redis.whole();
    await leading(writer);
    await replica.waitForVersion(await writer.write([['1', { n: 3 }]]), WAIT);
    expect(replica.get('1')).toEqual({ n: 3 });
    expect(await next.raw.get(`{${PARTITION}:orders}:1`)).toBe('{"n":3}');
  });

  it.each([
    ['a certificate that is not trusted', { tls: { ca: undefined } }, /^PW-M301 .*self.signed/u, /^PW-W403 .*self.signed/u],
    ['a name that is not in it', { tls: { servername: 'redis.example' } }, /^PW-M301 .*redis\.example/u, /^PW-W403 .*redis\.example/u],
    ['a wrong password', { password: 'x' }, /^PW-M302 .*WRONGPASS/u, /^PW-M302 .*WRONGPASS/u],
  ])('says by name what is wrong: %s', async (_, over, manager, subscriber) => {
    const { tls = {}, ...rest }: { readonly tls?: object; readonly password?: string } = over;
    const given = { ...rest, tls: { ca: certificates.trust, ...tls } };
    await using replica = follow(given);
    await using other = new SectionWriter(target(given), PARTITION);
    const error = await other.lead().then(
      () => null,
      (thrown: unknown) => thrown as PatchwireError,
    );
    expect(`${error?.code} ${error?.message}`).toMatch(manager);
    await vi.waitFor(() => expect(`${replica.state().error?.code} ${replica.state().error?.message}`).toMatch(subscriber), {
      timeout: 20_000,
    });
  });

  it('does not end the program when a client is closed in the middle of a handshake that fails', async () => {
    const uncaught = vi.fn();
    process.on('uncaughtExceptionMonitor', uncaught);
    const port = Number(redis.addresses[0]!.split(':')[1]);
    for (let i = 0; i < 80; i += 1) {
      const replica = subscribe({ redis: { host: '127.0.0.1', port, tls: {} }, partition: PARTITION, section: 'orders' });
      // Wherever in the handshake that is.
      await new Promise((resolve) => setTimeout(resolve, (i % 8) * 0.5));
      await replica.close();
    }
    await using live = follow();
    await live.waitUntilLive(WAIT);
    process.off('uncaughtExceptionMonitor', uncaught);
    expect(uncaught).not.toHaveBeenCalled();
  });
});
