/** A subscriber over TLS: the options go through to Redis's client, and a certificate that is not trusted is refused, not ignored. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startPrivateRedis, type PrivateRedis } from '../../src/demo/private-redis.ts';
import { type Replica, subscribe } from '../../src/subscriber/index.ts';
import { SectionWriter } from './subscriber-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'patchwire-tls-'));
const file = (name: string): string => join(folder, name);
let server: PrivateRedis;
let writer: SectionWriter;
let port: number;

async function freePort(): Promise<number> {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  await new Promise((resolve) => taken.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

beforeAll(async () => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const out = ['-keyout', file('key.pem'), '-out', file('cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...out, ...subject], { stdio: 'ignore' });
  port = await freePort();
  const certificate = ['--tls-cert-file', file('cert.pem'), '--tls-key-file', file('key.pem'), '--tls-ca-cert-file', file('cert.pem')];
  server = await startPrivateRedis({ args: ['--tls-port', String(port), ...certificate, '--tls-auth-clients', 'optional'] });
  writer = new SectionWriter(server.url, 'tls');
  await writer.lead();
  await writer.load([['1', { n: 1 }]]);
});
afterAll(async () => {
  await writer[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const follow = (tls: object, rest: object = {}): Replica =>
  subscribe({ redis: { host: 'localhost', port, tls, ...rest }, partition: 'tls', section: 'orders' });

describe('TLS', () => {
  it('is spoken with what the options trust, and the user that they name', async () => {
    await using replica = follow({ ca: readFileSync(file('cert.pem')) });
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), { timeoutMs: 20_000 });
    expect(replica.state()).toMatchObject({ equal: true, error: null });
    await using stranger = follow({ ca: readFileSync(file('cert.pem')) }, { username: 'nobody', password: 'wrong' });
    await vi.waitFor(() => expect(stranger.state().error?.code).toBe('PW-M302'), { timeout: 20_000 });
  });

  it('is refused by name when the certificate is not trusted', async () => {
    await using replica = follow({});
    await vi.waitFor(() => expect(replica.state().error?.message).toMatch(/self.signed/u), { timeout: 20_000 });
    expect(replica.state()).toMatchObject({ status: 'disconnected', equal: false, error: { code: 'PW-W403' } });
  });

  it('by a rediss:// URL takes no less', async () => {
    await using replica = subscribe({ redis: `rediss://localhost:${port}`, partition: 'tls', section: 'orders' });
    await vi.waitFor(() => expect(replica.state().error?.message).toMatch(/self.signed/u), { timeout: 20_000 });
  });
});
