/** What the CLI asks of sections in a real Redis: through a running daemon, and by taking the lease where there is none. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { createDaemon } from '../../src/daemon/daemon.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import { subscribe } from '../../src/subscriber/index.ts';
import { runCli, startCli } from '../support/cli.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { ScriptedTracker } from '../support/scripted-tracker.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await testRedis();
});

afterAll(async () => {
  await redis?.flush();
  await redis?.[Symbol.asyncDispose]();
});

interface World {
  readonly partition: string;
  readonly tracker: ScriptedTracker;
  readonly file: string;
  readonly cli: { readonly cwd: string; readonly env: Readonly<Record<string, string>> };
  /** Starts a daemon in this process, over the scripted table. */
  daemon(): Promise<{ live(): Promise<void>; stop(): Promise<void> }>;
}

function world(): World {
  const partition = redis.partition();
  const cwd = temporaryFolder('cli');
  const file = join(cwd, 'cdc.config.yaml');
  const text = `sources:
  shop:
    connection: "Server=127.0.0.1,1;Database=x;User Id=sa;Password=hush-hush;Encrypt=false;Connect Timeout=1"
    polling: { confirm: 100ms }
manager: { redis: { url: "${redis.url}" }, partition: ${partition}, heartbeat: 500ms, lease: 2s }
tables:
  - { table: dbo.Items, section: items }
http: { port: 0 }
`;
  writeFileSync(file, text);
  const tracker = new ScriptedTracker({ clock: systemClock, confirmMs: 100 });
  tracker.commit({ 1: { n: 1 }, 2: { n: 2 } });
  return {
    partition,
    tracker,
    file,
    cli: { cwd, env: {} },
    async daemon() {
      const config = parseConfig(text, { origin: 'test', env: {}, folder: cwd });
      const log = createLogger({ level: 'silent', pretty: false });
      const daemon = createDaemon(config, { log, tracker: () => tracker });
      onTestFinished(() => daemon.stop());
      await daemon.start();
      return {
        live: async () => {
          await expect.poll(() => daemon.status().sections[0]?.phase, { timeout: 30_000 }).toBe('live');
        },
        stop: () => daemon.stop(),
      };
    },
  };
}

async function json(args: readonly string[], { cli }: World): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runCli([...args, '--json'], cli);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('checkpoint list and show', () => {
  it('say where a section stands, and what is not there yet', async () => {
    const here = world();
    expect(await json(['checkpoint', 'list'], here)).toMatchObject([{ section: 'items', state: null, checkpoint: null }]);
    expect(await runCli(['checkpoint', 'show', 'items'], here.cli)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PW-W404') as string,
    });
    const daemon = await here.daemon();
    await daemon.live();
    expect(await json(['checkpoint', 'show', 'dbo.items'], here)).toMatchObject({
      section: 'items',
      table: 'dbo.Items',
      partition: here.partition,
      state: 'live',
      checkpoint: '1',
      upTo: '1',
      documents: 2,
      load: null,
    });
    const { stdout } = await runCli(['checkpoint', 'list'], here.cli);
    expect(stdout).toMatch(/^SECTION[^]*items +dbo\.Items +live +1 +1 +2 /u);
  });
});

describe('checkpoint reset', () => {
  it('L6: goes through the running daemon: a new epoch and a load', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    const before = await json(['checkpoint', 'show', 'items'], here);
    const asked = await runCli(['checkpoint', 'reset', 'items'], here.cli);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringMatching(/2 documents[^]*PW-C110[^]*--yes/u) as string });
    const { code, stdout } = await runCli(['checkpoint', 'reset', 'items', '--yes'], here.cli);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('new epoch') as string });
    await daemon.live();
    const after = await json(['checkpoint', 'show', 'items'], here);
    expect(after['epoch']).not.toBe(before['epoch']);
    expect(after['documents']).toBe(2);
  });

  it('--to reads again from an older version under the same epoch, and refuses one that history does not reach', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    here.tracker.commit({ 3: { n: 3 } });
    await expect.poll(async () => (await json(['checkpoint', 'show', 'items'], here))['upTo'], { timeout: 30_000 }).toBe('2');
    const { epoch } = await json(['checkpoint', 'show', 'items'], here);
    expect(await json(['checkpoint', 'reset', 'items', '--to', '1', '--yes'], here)).toMatchObject({ by: 'leader' });
    expect((await json(['checkpoint', 'show', 'items'], here))['epoch']).toBe(epoch);
    here.tracker.minValid = 2n;
    const refused = await runCli(['checkpoint', 'reset', 'items', '--to', '1', '--yes'], here.cli);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('PW-M317') as string });
  });
});

describe('checkpoint reset without a daemon', () => {
  it('names the source that is out of reach, and leaves the request for the next leader', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    const { epoch } = await json(['checkpoint', 'show', 'items'], here);
    await daemon.stop();
    const { code, stderr } = await runCli(['checkpoint', 'reset', 'items', '--yes'], here.cli);
    expect({ code, stderr }).toEqual({ code: 69, stderr: expect.stringMatching(/PW-S201 .*stays for the next leader/u) as string });
    expect(stderr).not.toContain('hush-hush');
    const next = await here.daemon();
    await next.live();
    await expect.poll(async () => (await json(['checkpoint', 'show', 'items'], here))['epoch'], { timeout: 30_000 }).not.toBe(epoch);
  });
});

describe('table remove --purge', () => {
  it('L6: is done by the running daemon: keys gone, subscribers told, the table unregistered', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    const resets: string[] = [];
    await using replica = subscribe({
      redis: redis.url,
      partition: here.partition,
      section: 'items',
      onEvent: (event) => void (event.type === 'reset' && resets.push(event.reason)),
    });
    await replica.waitUntilLive({ timeoutMs: 30_000 });
    const { code, stdout } = await runCli(['table', 'remove', 'items', '--purge', '--yes'], here.cli);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('purged section items (2 documents)') as string });
    // The replica's own line about itself is the replica's, and expires.
    expect((await redis.raw.keys(`{${here.partition}:*`)).filter((key) => !key.endsWith('/subscribers'))).toEqual([]);
    await expect.poll(() => resets, { timeout: 30_000 }).toContain('removed');
    expect(readFileSync(here.file, 'utf8')).toContain('tables: []');
  });

  it('L6: without a daemon takes the lease and does it itself, also while SQL Server is out of reach', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    await daemon.stop();
    expect(await redis.raw.keys(`{${here.partition}:*`)).not.toEqual([]);
    const { code, stderr } = await runCli(['table', 'remove', 'items', '--purge', '--yes'], here.cli);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('taking the lead here') as string });
    expect(await redis.raw.keys(`{${here.partition}:*`)).toEqual([]);
  });
});

describe('a leader that is late', () => {
  it('is said to have done what it did, also where this process had begun to wait for the lead', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    await daemon.stop();
    await using leader = redisDataManager({
      ...{ url: redis.url, partition: here.partition, leaseMs: 60_000, replay: { maxBytes: 1e6, maxAgeMs: 1e6 } },
      ...{ commandTimeoutMs: 10_000, clock: systemClock },
    });
    await leader.lead('items');
    await using cli = startCli(['resume', 'items', '--json'], here.cli);
    await expect.poll(() => cli.stderr.join('\n'), { timeout: 30_000 }).toContain('waiting for it');
    const [request] = await leader.pendingRequests('items');
    await leader.progress('items', { id: request?.id ?? '', verb: 'resume', state: 'done', message: 'Resumed.', atMs: Date.now() });
    const { code, stdout } = await cli.exited();
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, message: 'Resumed.', by: 'leader' });
  });
});

describe('tail', () => {
  it('prints every patch as it comes, one JSON value a line, and ends with a signal', async () => {
    const here = world();
    const daemon = await here.daemon();
    await daemon.live();
    await using tail = startCli(['tail', 'items', '--json'], here.cli);
    await tail.line((line) => line.includes('"type":"live"'));
    here.tracker.commit({ 1: { n: 11 }, 2: null });
    const line = await tail.line((text) => text.includes('"op":"replace"'));
    expect(JSON.parse(line)).toMatchObject({
      type: 'change',
      section: 'items',
      dataKey: '1',
      versionId: '2',
      prevVersionId: '1',
      patch: [{ op: 'replace', path: '/n', value: 11 }],
    });
    await tail.line((text) => text.includes('"dataKey":"2"') && text.includes('"op":"remove"'));
    tail.process.kill('SIGINT');
    expect(await tail.exited()).toMatchObject({ code: 0, stderr: '' });
  });
});
