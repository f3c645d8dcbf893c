/** A server that has gone silent: nothing passes any more, and no connection is refused. What is asked of the source ends all the same. */
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import { CANCEL_GRACE_MS } from '../../src/source/sqlserver/request.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { openTcpGate, type TcpGate } from '../support/tcp-gate.ts';

/** Well above all that is waited for, well below the driver's connect time-outs added up. */
const CONNECT_TIMEOUT_MS = 40_000;

describe('a source that has gone silent', () => {
  let sandbox: Sandbox;
  let gate: TcpGate;
  beforeAll(async () => {
    sandbox = await startSandbox();
    gate = await openTcpGate(sandbox.port);
  });
  afterAll(async () => {
    await gate[Symbol.asyncDispose]();
    await sandbox.close();
  });
  const open = (requestTimeoutMs: number) =>
    sqlServerChangeTracker({
      source: 'shop',
      connection: {
        ...parseConnectionString(sandbox.connectionString('master')),
        port: gate.port,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      },
      limits: { requestTimeoutMs },
      logger: pino({ level: 'silent' }),
    });

  it('R9: an abort while it connects settles at once', async () => {
    await using tracker = open(30_000);
    gate.hold('replies');
    const abort = new AbortController();
    const opening = tracker.open({ signal: abort.signal });
    const before = gate.requestBytes;
    await expect.poll(() => gate.requestBytes, { timeout: 20_000 }).toBeGreaterThan(before);
    const startedAt = Date.now();
    abort.abort(new Error('stop'));
    await expect(opening).rejects.toThrow('stop');
    expect(Date.now() - startedAt).toBeLessThan(CANCEL_GRACE_MS);
    gate.cut();
  });

  it('R9: the watchdog leaves a request whose cancellation is not answered either', async () => {
    await using tracker = open(1000);
    const { signal } = new AbortController();
    // The first connection passes; a database without change tracking is all the same here.
    await expect(tracker.open({ signal })).rejects.toMatchObject({ code: 'PW-S204' });
    gate.hold('requests');
    const startedAt = Date.now();
    await expect(tracker.open({ signal })).rejects.toMatchObject({ code: 'PW-S216' });
    expect(Date.now() - startedAt).toBeLessThan(CONNECT_TIMEOUT_MS);
    gate.cut();
    await expect(tracker.open({ signal })).rejects.toMatchObject({ code: 'PW-S204' });
  });

  it('R9: a request that is aborted, and whose cancellation is not answered, is not rolled back over another connection', async () => {
    await using tracker = open(30_000);
    await expect(tracker.open({ signal: new AbortController().signal })).rejects.toMatchObject({ code: 'PW-S204' });
    gate.hold('requests');
    const { connections, requestBytes } = gate;
    const abort = new AbortController();
    const opening = tracker.open({ signal: abort.signal });
    await expect.poll(() => gate.requestBytes, { timeout: 20_000 }).toBeGreaterThan(requestBytes);
    abort.abort(new Error('stop'));
    await expect(opening).rejects.toThrow('stop');
    expect(gate.connections).toBe(connections);
    gate.cut();
  });
});
