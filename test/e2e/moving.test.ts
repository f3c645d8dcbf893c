/** Moving to another Redis with `checkpoint export` and `import`, with two real servers; `get`, `poll`, `pause` and `set` through the built CLI. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { daemonWorld, type DaemonWorld, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';

let redis: PrivateTestRedis;
let target: PrivateTestRedis;
let server: TestServer;

beforeAll(async () => {
  redis = await privateTestRedis();
  target = await privateTestRedis();
  server = await startServer();
});

afterAll(async () => {
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

const ITEMS: TableShape = { table: 'dbo.Items', section: 'items', key: ['Code'], columns: { Code: 'plain', N: 'plain' } };
const LINES: TableShape = { table: 'dbo.Lines', section: 'lines', key: ['A', 'B'], columns: { A: 'plain', B: 'plain', N: 'plain' } };

async function shop(entry: Readonly<Record<string, unknown>> = {}): Promise<DaemonWorld> {
  const database = await server.freshDatabase();
  const world = daemonWorld({ database, redis, tables: [{ shape: ITEMS, entry }, { shape: LINES }] });
  await world.sql(
    `CREATE TABLE dbo.Items (Code nvarchar(20) COLLATE Latin1_General_100_CI_AS NOT NULL PRIMARY KEY, N int NOT NULL);
     CREATE TABLE dbo.Lines (A int NOT NULL, B nvarchar(20) NOT NULL, N int NOT NULL, PRIMARY KEY (A, B));
     ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING; ALTER TABLE dbo.Lines ENABLE CHANGE_TRACKING`,
    "INSERT INTO dbo.Items VALUES (N'Alpha', 1), (N'beta', 2), (N'x y', 3)",
    "INSERT INTO dbo.Lines VALUES (1, N'a|b', 1), (1, N'c', 2)",
  );
  return world;
}

/** Documents and index, but not the checkpoint, as the README moves them. */
async function moveDocuments(from: Redis, partition: string, sections: readonly string[]): Promise<void> {
  for (const section of sections) {
    const keys = [...(await from.keys(`{${partition}:${section}}:*`)), `{${partition}:${section}}/index`];
    const { port } = new URL(target.url);
    await from.call('MIGRATE', '127.0.0.1', port, '', '0', '60000', 'COPY', 'REPLACE', 'KEYS', ...keys);
  }
}

const inTarget = (): string[] => ['--set', `manager.redis.url=${target.url}`];
const said = ({ code, stderr }: CliResult): string => `${code} ${stderr}`;

describe('moving to another Redis', () => {
  it('with its documents a section goes on without a load, from where it stood', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    const exported = await world.command('checkpoint', 'export', '--output', 'checkpoints.json', '--json');
    expect(JSON.parse(exported.stdout)).toEqual({ file: 'checkpoints.json', sections: ['items', 'lines'] });
    await moveDocuments(world.raw, world.partition, ['items', 'lines']);
    // Committed while nothing runs: found by going on from the checkpoint.
    await world.sql("UPDATE dbo.Items SET N = 20 WHERE Code = N'beta'", "DELETE dbo.Lines WHERE B = N'c'");
    const imported = await world.command('checkpoint', 'import', 'checkpoints.json', '--yes', '--json', ...inTarget());
    expect(JSON.parse(imported.stdout)).toMatchObject([
      { section: 'items', result: 'adopted' },
      { section: 'lines', result: 'adopted' },
    ]);
    const { code, stdout } = await world.command('run', '--once', ...inTarget());
    expect(code).toBe(0);
    expect(stdout).not.toContain('load begins');
    expect(JSON.parse((await target.raw.get(`{${world.partition}:items}:beta`)) ?? '')).toEqual({ Code: 'beta', N: 20 });
    expect((await target.raw.keys(`{${world.partition}:lines}:*`)).length).toBe(1);
    const meta = await target.raw.hgetall(`{${world.partition}:items}/meta`);
    expect(BigInt(meta['upTo'] || -1)).toBe(await world.version());
    await world.close();
  });

  it('an import without its documents writes nothing, and the section is loaded', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    await world.command('checkpoint', 'export', '--output', 'checkpoints.json');
    await moveDocuments(world.raw, world.partition, ['lines']);
    // Of one section nothing came, of the other one document is missing.
    await target.raw.del(`{${world.partition}:lines}:1|c`);
    const imported = await world.command('checkpoint', 'import', 'checkpoints.json', '--yes', ...inTarget());
    expect(said(imported)).toMatch(/^0 /);
    expect(imported.stdout).toMatch(/items: nothing was written: 0 documents are here.*\nlines: nothing was written: .*only in the index/);
    expect(await target.raw.exists(`{${world.partition}:items}/meta`, `{${world.partition}:lines}/meta`)).toBe(0);
    const { code, stdout } = await world.command('run', '--once', ...inTarget());
    expect(code).toBe(0);
    expect(stdout.match(/load begins/g)?.length).toBe(2);
    expect((await target.raw.keys(`{${world.partition}:lines}:*`)).length).toBe(2);
    await world.close();
  });

  it('documents that moved on after the export are not those of the export', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    await world.command('checkpoint', 'export', 'items', '--output', 'checkpoints.json');
    await world.sql("UPDATE dbo.Items SET N = 20 WHERE Code = N'beta'");
    expect((await world.command('run', '--once')).code).toBe(0);
    await moveDocuments(world.raw, world.partition, ['items']);
    const imported = await world.command('checkpoint', 'import', 'checkpoints.json', '--yes', ...inTarget());
    expect(imported.stdout).toContain('others than those of the export');
    await world.close();
  });

  it('is refused over a section that lives, and under a daemon even with --replace; a file of nonsense is refused by name', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    await world.command('checkpoint', 'export', '--output', 'checkpoints.json');
    expect(said(await world.command('checkpoint', 'import', 'checkpoints.json', '--yes'))).toMatch(/^1 [^]*PW-M320/);
    const replaced = await world.command('checkpoint', 'import', 'checkpoints.json', '--yes', '--replace');
    expect(said(replaced)).toMatch(/^0 /);
    expect((await world.command('run', '--once')).stdout).not.toContain('load begins');
    await using daemon = world.daemon();
    await daemon.ready();
    expect(said(await world.command('checkpoint', 'import', 'checkpoints.json', '--yes', '--replace'))).toContain('PW-M314');
    await daemon.stop();
    writeFileSync(join(world.cli.cwd ?? '', 'nonsense.json'), '{"patchwireExport": 1}');
    expect(said(await world.command('checkpoint', 'import', 'nonsense.json', '--yes'))).toMatch(/^2 PW-C109 nonsense\.json/);
    expect(said(await world.command('checkpoint', 'import', 'gone.json', '--yes'))).toMatch(/^2 PW-C109 .*gone\.json is not there/);
    await world.close();
  });
});

describe('get', () => {
  it('finds a document by its key, in any spelling that the collation takes for the same', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    const get = async (...args: string[]): Promise<unknown> => {
      const result = await world.command('get', ...args, '--json');
      return result.code === 0 ? (JSON.parse(result.stdout) as { document: unknown }).document : said(result);
    };
    expect(await get('items', 'beta')).toEqual({ Code: 'beta', N: 2 });
    expect(await get('items', 'ALPHA')).toEqual({ Code: 'Alpha', N: 1 });
    expect(await get('dbo.Items', 'X Y  ')).toEqual({ Code: 'x y', N: 3 });
    expect(await get('lines', '1', 'a|b')).toEqual({ A: 1, B: 'a|b', N: 1 });
    expect(await get('lines', '1|a%7Cb')).toEqual({ A: 1, B: 'a|b', N: 1 });
    expect(await get('items', 'gone')).toMatch(/^1 .*PW-W405/);
    expect(await get('lines', '1')).toMatch(/^2 .*PW-C109/);
    await world.close();
  });
});

describe('a running daemon', () => {
  it('polls when asked, rests when paused, also over a restart, and goes on when resumed', async () => {
    const world = await shop({ polling: { max: '1d' } });
    {
      await using daemon = world.daemon('--set', 'sources.shop.polling.ladder=["1d"]');
      await until(
        'both are live',
        async () => (await world.meta('items'))['state'] === 'live' && (await world.meta('lines'))['state'] === 'live',
      );
      await world.sql("INSERT INTO dbo.Items VALUES (N'asked', 4)");
      const polled = await world.command('poll', 'items');
      expect(said(polled)).toMatch(/^0 /);
      expect(await world.raw.exists(`{${world.partition}:items}:asked`)).toBe(1);
      expect(said(await world.command('pause', 'items'))).toMatch(/^0 /);
      expect((await world.command('checkpoint', 'list')).stdout).toMatch(/items +dbo\.Items +live \(paused\)/);
      expect(said(await world.command('poll', 'items'))).toContain('PW-M319');
      const metrics = await daemon.get('/metrics');
      expect(metrics.body).toContain('patchwire_paused{section="items",table="dbo.Items"} 1');
      await daemon.stop();
    }
    await world.sql("INSERT INTO dbo.Items VALUES (N'later', 5)");
    const once = await world.command('run', '--once');
    expect(once.stdout).toContain('paused: nothing is read until it is resumed');
    expect(await world.raw.exists(`{${world.partition}:items}:later`)).toBe(0);
    // No daemon runs: the command takes the lease itself.
    expect(said(await world.command('resume', 'items'))).toMatch(/^0 /);
    expect((await world.command('run', '--once')).code).toBe(0);
    expect(await world.raw.exists(`{${world.partition}:items}:later`)).toBe(1);
    await world.close();
  });

  it('a checkpoint goes back freely, forward only with --skip-changes, which ends the claim', async () => {
    const world = await shop();
    expect((await world.command('run', '--once')).code).toBe(0);
    await world.sql("UPDATE dbo.Items SET N = 10 WHERE Code = N'beta'", "UPDATE dbo.Items SET N = 30 WHERE Code = N'x y'");
    const version = await world.version();
    expect(said(await world.command('checkpoint', 'set', 'items', String(version - 1n), '--yes'))).toMatch(/^2 PW-C109 .*skip changes/);
    const skipped = await world.command('checkpoint', 'set', 'items', String(version - 1n), '--yes', '--skip-changes');
    expect(said(skipped)).toMatch(/^0 .*never be published/);
    expect((await world.command('run', '--once')).code).toBe(0);
    const document = async (code: string): Promise<unknown> =>
      JSON.parse((await world.raw.get(`{${world.partition}:items}:${code}`)) ?? '');
    expect([await document('beta'), await document('x%20y')]).toEqual([
      { Code: 'beta', N: 2 },
      { Code: 'x y', N: 30 },
    ]);
    expect(await world.meta('items')).toMatchObject({ upTo: '', incomplete: 'skipped' });
    const { replica } = world.follow('items');
    await until('the replica is live', () => replica.state().status === 'live');
    expect(replica.state()).toMatchObject({ equal: false, reasons: ['section incomplete'] });
    expect(said(await world.command('checkpoint', 'reset', 'items', '--yes'))).toMatch(/^0 /);
    await using daemon = world.daemon();
    await world.caughtUp('items');
    expect(await document('beta')).toEqual({ Code: 'beta', N: 10 });
    await until('the replica is equal', () => replica.state().equal);
    await daemon.stop();
    await world.close();
  });

  it('initial: none follows from now, and no replica ever calls itself equal', async () => {
    const world = await shop({ initial: 'none' });
    await using daemon = world.daemon();
    await until('it is live', async () => (await world.meta('items'))['state'] === 'live');
    const { replica } = world.follow('items');
    await world.sql("UPDATE dbo.Items SET N = 10 WHERE Code = N'beta'", "DELETE dbo.Items WHERE Code = N'x y'");
    await until('the change is there', () => replica.get('beta') !== undefined);
    await daemon.line('live: rows are published as they change').catch(() => undefined);
    expect(await world.raw.keys(`{${world.partition}:items}:*`)).toEqual([`{${world.partition}:items}:beta`]);
    expect(replica.state()).toMatchObject({ equal: false, reasons: ['section incomplete'] });
    expect(replica.position()?.upTo ?? null).toBeNull();
    await daemon.stop();
    await world.close();
  });
});

describe('room in Redis', () => {
  it('a load beyond maxmemory is refused with nothing stored, and begins when there is room', async () => {
    const world = await shop();
    for (let from = 0; from < 20_000; from += 1000) {
      const rows = Array.from({ length: 1000 }, (_, n) => `(N'k${from + n}', ${n})`).join(', ');
      await world.sql(`INSERT INTO dbo.Items VALUES ${rows}`);
    }
    await using small = await privateTestRedis();
    const used = Number(/used_memory:(\d+)/.exec(await small.raw.info('memory'))?.[1] ?? 0);
    await small.raw.config('SET', 'maxmemory', String(used + 2 * 1024 * 1024));
    await small.raw.config('SET', 'maxmemory-policy', 'noeviction');
    const inSmall = ['--set', `manager.redis.url=${small.url}`];
    const refused = await world.command('run', '--once', ...inSmall);
    expect(said(refused)).toMatch(/^1 [\s\S]*PW-M318 dbo\.Items needs about .* maxmemory leaves/);
    expect((await small.raw.keys(`{${world.partition}:items}:*`)).length).toBe(0);
    await small.raw.config('SET', 'maxmemory', '0');
    expect((await world.command('run', '--once', ...inSmall)).code).toBe(0);
    expect((await small.raw.keys(`{${world.partition}:items}:*`)).length).toBe(20_003);
    await world.close();
  });
});
