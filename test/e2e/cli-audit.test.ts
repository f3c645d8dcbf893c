/** `patchwire audit` over the built command line and a real Redis; and what looking needs of a Redis that takes no writes. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { live } from '../contract/distributed-data-manager-rows.ts';
import { runCli } from '../support/cli.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let redis: PrivateTestRedis;
beforeAll(async () => {
  redis = await privateTestRedis();
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});
afterEach(async () => {
  await redis.raw.config('SET', 'maxmemory', '0');
});

interface World {
  readonly partition: string;
  readonly file: string;
  readonly cli: { readonly cwd: string };
}

/** A section `orders` that nobody leads, and a configuration whose SQL Server is not there. */
async function world({ url = redis.url } = {}): Promise<World> {
  const cwd = temporaryFolder('audit');
  const partition = redis.partition();
  const file = join(cwd, 'cdc.config.yaml');
  writeFileSync(
    file,
    `sources: { shop: { connection: "Server=127.0.0.1,1;Database=x;User Id=sa;Password=hush-hush;Encrypt=false;Connect Timeout=1" } }
manager: { redis: { url: "${url}" }, partition: ${partition}, heartbeat: 500ms, lease: 2s }
tables:
  - { table: dbo.Orders, section: orders }
`,
  );
  await using manager = redisDataManager({
    ...{
      url: redis.url,
      partition,
      leaseMs: 60_000,
      replay: { maxBytes: 1e6, maxAgeMs: 1e6 },
      commandTimeoutMs: 10_000,
      clock: systemClock,
    },
  });
  await live(manager);
  await manager.resign('orders');
  return { partition, file, cli: { cwd } };
}

describe('patchwire audit', () => {
  it('tells what was done by whom, the newest first, with its result', async () => {
    const { cli, file, partition } = await world();
    expect(await runCli(['audit'], cli)).toMatchObject({ code: 0, stdout: 'Nothing is written in the audit.' });
    expect((await runCli(['pause', 'orders'], cli)).code).toBe(0);
    expect((await runCli(['checkpoint', 'reset', 'orders'], cli)).code).toBe(2);
    chmodSync(file, 0o444);
    expect((await runCli(['table', 'remove', 'orders'], cli)).code).toBe(1);
    // Nothing is purged for a table that would stay registered.
    expect(await runCli(['table', 'remove', 'orders', '--purge', '--yes'], cli)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^PW-C107 /u) as string,
    });
    expect(await redis.raw.exists(`{${partition}:orders}/meta`)).toBe(1);
    chmodSync(file, 0o644);
    expect(await runCli(['table', 'remove', 'orders', '--purge', '--yes'], cli)).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).not.toContain('Orders');
    const { stdout, code } = await runCli(['audit', '--json'], cli);
    expect(code).toBe(0);
    const written = {
      at: expect.stringMatching(/^20.*Z$/u) as string,
      who: expect.stringMatching(/.@./u) as string,
      section: 'orders',
      table: 'dbo.Orders',
    };
    expect(JSON.parse(stdout)).toEqual([
      {
        ...written,
        command: 'table remove',
        arguments: { purge: 'true' },
        outcome: 'done',
        code: null,
        message: expect.stringContaining('purged') as string,
      },
      { ...written, command: 'table remove', arguments: {}, outcome: 'failed', code: 'PW-C107', message: expect.any(String) as string },
      { ...written, command: 'pause', arguments: { what: 'all' }, outcome: 'done', code: null, message: expect.any(String) as string },
    ]);
    const table = (await runCli(['audit', '--limit', '1'], cli)).stdout.split('\n');
    expect(table[0]).toMatch(/^WHEN +WHO +COMMAND +SECTION +ARGUMENTS +OUTCOME$/u);
    expect(table[1]).toMatch(/ table remove +orders +purge=true +done: /u);
    expect(await runCli(['audit', '--limit', '0'], cli)).toMatchObject({ code: 2, stderr: expect.stringContaining('PW-C109') as string });
  });

  it('a command is not held up by a Redis that is not there: its entry is missing, and it says so', async () => {
    const { cli, file } = await world({ url: 'redis://127.0.0.1:1' });
    const { code, stderr } = await runCli(['table', 'remove', 'orders'], cli);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^not written to the audit: PW-M301 [^\n]+$/u) as string });
    expect(readFileSync(file, 'utf8')).not.toContain('Orders');
  });
});

describe('a Redis that is full', () => {
  it('keeps nobody from looking; what writes is refused by name', async () => {
    const { cli } = await world();
    await redis.raw.config('SET', 'maxmemory', '1');
    for (const args of [
      ['checkpoint', 'list'],
      ['checkpoint', 'show', 'orders'],
      ['leases'],
      ['audit'],
      ['quarantine', 'list', 'orders'],
    ]) {
      expect({ args, ...(await runCli(args, cli)) }).toMatchObject({ args, code: 0 });
    }
    expect(await runCli(['pause', 'orders'], cli)).toMatchObject({ code: 1, stderr: expect.stringContaining('PW-M310') as string });
  });
});
