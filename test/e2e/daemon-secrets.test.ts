/**
 * `patchwire run` and the commands beside it, with a secret planted wherever one can stand, right ones and wrong ones: none is seen in what they
 * print at any level, in /live, /ready and /metrics, in Redis, or in a file that they write. Nor is a value of a row in the log.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { type CliOptions, runCli, startCli } from '../support/cli.ts';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Every one of them has what quoting and escaping is for. */
const SECRETS = {
  sql: `Sql"one'; Server=two; 77!`,
  wrongSql: `Wrong"sql'; Server=three 78!`,
  redis: 're:d/is@se#cret? 79',
  wrongRedis: 'wrong:re/dis@se#cret 80',
  hash: `hash-key/with"quotes' and = and ; 81`,
  otherHash: `other-hash-key/with"quotes' and = 82`,
} as const;
/** What would be left if one were cut at its quotes, its semicolons or its signs. */
const PIECES = ['Sql"one', 'two; 77!', 'Wrong"sql', 'three 78!', 'se#cret', 'se%23cret', 'hash-key/with'];
const VALUES = ['ROWVALUE-first', 'ROWVALUE-second', 'ROWVALUE-third'] as const;

const quoted = (password: string): string => `"${password.replaceAll('"', '""')}"`;

let sandbox: Sandbox;
let admin: sql.ConnectionPool;
let redis: PrivateTestRedis;
const cwd = temporaryFolder('secrets');
/** All that was printed and answered, by what printed it. */
const seen: { readonly from: string; readonly text: string }[] = [];
/** The same of logs: no value of a row may be in them. */
const logs: typeof seen = [];

beforeAll(async () => {
  sandbox = await startSandbox();
  admin = await new sql.ConnectionPool({
    ...sql.ConnectionPool.parseConnectionString(sandbox.connectionString('master')),
    pool: { min: 1, max: 1 },
  } as sql.config).connect();
  for (const batch of [
    'CREATE DATABASE Shop',
    'ALTER DATABASE Shop SET CHANGE_TRACKING = ON; ALTER DATABASE Shop SET ALLOW_SNAPSHOT_ISOLATION ON',
    `CREATE LOGIN odd WITH PASSWORD = N'${SECRETS.sql.replaceAll("'", "''")}'`,
    `USE Shop; CREATE TABLE dbo.Orders (OrderID int NOT NULL PRIMARY KEY, Status varchar(40) NULL, Email nvarchar(40) NULL);
     INSERT INTO dbo.Orders VALUES (1, '${VALUES[0]}', N'${VALUES[1]}');`,
    `USE Shop; ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING;
     CREATE USER odd FOR LOGIN odd; GRANT SELECT ON SCHEMA::dbo TO odd; GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO odd;`,
  ]) {
    await admin.request().batch(batch);
  }
  redis = await privateTestRedis();
  await redis.raw.call('ACL', 'SETUSER', 'daemon', 'on', `>${SECRETS.redis}`, '~*', '&*', '+@all');
  writeFileSync(join(cwd, 'sql-password'), `${SECRETS.sql}\n`);
  writeFileSync(join(cwd, 'hash-key'), SECRETS.hash);
  writeFileSync(join(cwd, 'broken-url'), `redis:/daemon:${SECRETS.redis}@nowhere`);
});

afterAll(async () => {
  await admin?.close();
  await sandbox?.close();
  await redis?.[Symbol.asyncDispose]();
});

const stringOf = (password: string): string =>
  `Server=127.0.0.1,${sandbox.port};Database=Shop;User Id=odd;Password=${quoted(password)};Encrypt=false`;
const fields = (password: string) => ({ server: '127.0.0.1', port: sandbox.port, database: 'Shop', user: 'odd', password, encrypt: false });
const urlOf = (password: string): string => `redis://daemon:${encodeURIComponent(password)}@${new URL(redis.url).host}`;

interface Settings {
  readonly source?: unknown;
  readonly redis?: unknown;
  readonly hashKey?: string;
  readonly tables?: readonly unknown[];
  readonly more?: object;
}

const ORDERS = { table: 'dbo.Orders', shape: { Email: { hash: true } } };

function write(name: string, partition: string, { source, redis: manager, hashKey, tables, more }: Settings): string {
  const polling = { ladder: ['20ms'], confirm: '200ms' };
  writeFileSync(
    join(cwd, name),
    JSON.stringify(
      {
        sources: { shop: { ...((source ?? { connection: stringOf(SECRETS.sql) }) as object), polling } },
        manager: { redis: manager ?? { url: urlOf(SECRETS.redis) }, partition, heartbeat: '250ms', lease: '1s' },
        tables: tables ?? [ORDERS],
        shaping: { hashKey: hashKey ?? SECRETS.hash },
        http: { port: 0 },
        ...more,
      },
      null,
      2,
    ),
  );
  return name;
}

/** A command of the program to its end; what it printed is kept. */
async function command(from: string, args: readonly string[], options: CliOptions = {}): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await runCli(args, { cwd, ...options });
  const text = `${stdout}\n${stderr}`;
  seen.push({ from: `${from}: ${args.join(' ')}`, text });
  return { code, text };
}

/** A daemon until its log has `line`; then what HTTP says, `during`, and its end. */
async function daemon(
  from: string,
  args: readonly string[],
  line: string,
  { during, ...options }: CliOptions & { readonly during?: () => Promise<void> } = {},
): Promise<void> {
  await using running = startCli(['run', '--debug', ...args], { cwd, ...options });
  const started = running.line((each) => each.includes('daemon starts'));
  await running.line((each) => each.includes(line));
  const { http } = JSON.parse(await started) as { http: { host: string; port: number } };
  await during?.();
  for (const path of ['/live', '/ready', '/metrics', '/nothing', '/%zz']) {
    const answer = await fetch(`http://${http.host}:${http.port}${path}`);
    logs.push({ from: `${from} ${path}`, text: await answer.text() });
  }
  running.process.kill('SIGTERM');
  const { stdout, stderr } = await running.exited();
  logs.push({ from, text: `${stdout}\n${stderr}` });
}

interface Case extends Settings {
  readonly title: string;
  /** What the daemon's log says. */
  readonly line: string;
}

const trouble = (): readonly Case[] => [
  { title: 'a wrong password of SQL Server in a connection string', source: { connection: stringOf(SECRETS.wrongSql) }, line: 'PW-S202' },
  { title: 'a wrong password of SQL Server', source: fields(SECRETS.wrongSql), line: 'PW-S202' },
  { title: 'a wrong database', source: { ...fields('x'), password: '${file:sql-password}', database: 'Nowhere' }, line: 'PW-S203' },
  { title: 'a server that is not there', source: { ...fields(SECRETS.sql), port: 1 }, line: 'PW-S201' },
  { title: 'a wrong password in the url of Redis', redis: { url: urlOf(SECRETS.wrongRedis) }, line: 'PW-M302' },
  {
    title: 'a wrong password beside the url of Redis',
    redis: { url: redis.url, username: 'daemon', password: SECRETS.wrongRedis },
    line: 'PW-M302',
  },
  {
    title: 'a Redis that is not there',
    redis: { url: `redis://daemon:${encodeURIComponent(SECRETS.redis)}@127.0.0.1:1` },
    line: 'PW-M301',
  },
  { title: 'another hash key', hashKey: SECRETS.otherHash, line: 'PW-S220' },
];

describe('secrets and rows', () => {
  it('a daemon that works tells none, at trace', async () => {
    const file = write('right.json', 'p1', { hashKey: '${file:hash-key}' });
    await daemon('right', ['-c', file, '--log-level', 'trace'], 'load ended', {
      during: async () => {
        await admin.request().batch(`UPDATE Shop.dbo.Orders SET Status = '${VALUES[1]}', Email = N'${VALUES[2]}'`);
        await command('right', ['poll', '-c', file]);
        await command('right', ['checkpoint', 'reset', 'Orders', '--yes', '-c', file]);
        await command('right', ['pause', 'Orders', '-c', file]);
        await command('right', ['resume', 'Orders', '-c', file]);
        await until('the change is delivered', async () => (await redis.raw.get('{p1:Orders}:1'))?.includes(VALUES[1]));
      },
    });
  });

  it('a daemon in trouble tells none', async () => {
    for (const [i, { title, line, ...settings }] of trouble().entries()) {
      // The section of the first test, so that another hash key is another one.
      const file = write(`trouble-${i}.json`, 'p1', settings);
      await daemon(title, ['-c', file, '--log-level', i % 2 === 0 ? 'info' : 'debug'], line);
    }
  });

  it('the same, said by the environment and by flags', async () => {
    const env = {
      PATCHWIRE_SOURCES__SHOP__CONNECTION: stringOf(SECRETS.wrongSql),
      PATCHWIRE_MANAGER__REDIS__PASSWORD: SECRETS.redis,
      PATCHWIRE_LOG__LEVEL: 'debug',
    };
    const file = write('env.json', 'p3', { redis: { url: redis.url, username: 'daemon' } });
    await daemon('environment', ['-c', file, '--set', `shaping.hashKey=${SECRETS.otherHash}`], 'PW-S202', { env });
  });

  it('commands tell none, right or wrong', async () => {
    const right = write('right.json', 'p1', {});
    const env = {
      PATCHWIRE_SOURCES__SHOP__PASSWORD: SECRETS.sql,
      PATCHWIRE_SOURCES__SHOP__SERVER: '127.0.0.1',
      PATCHWIRE_SOURCES__SHOP__DATABASE: 'Shop',
      PATCHWIRE_SOURCES__SHOP__USER: 'odd',
      PATCHWIRE_SOURCES__SHOP__CONNECTION: stringOf(SECRETS.sql),
      PATCHWIRE_SOURCES__SHOP__PASSWROD: SECRETS.sql,
      PATCHWIRE_MANAGER__REDIS__URL: urlOf(SECRETS.redis),
      PATCHWIRE_SHAPING__HASH_KEY: SECRETS.hash,
    };
    await command('init', ['init', '--name', 'shop', '--output', 'new.yaml'], { env });
    expect(readFileSync(join(cwd, 'new.yaml'), 'utf8')).toContain('${env:');
    const files = trouble().map(({ title: _title, line: _line, ...settings }, i) => write(`trouble-${i}.json`, 'p1', settings));
    files.push(
      write('short.json', 'p1', { hashKey: '81-too-short', source: { ...fields(SECRETS.sql), pass: SECRETS.sql } }),
      write('broken-url.json', 'p1', { redis: { url: '${file:broken-url}' } }),
      write('misplaced.json', 'p1', { redis: urlOf(SECRETS.redis), more: { hashKey: SECRETS.hash, connection: stringOf(SECRETS.sql) } }),
      write('unquoted.json', 'p1', { source: { connection: `Server=127.0.0.1;User Id=odd;Password=${SECRETS.sql}` } }),
    );
    writeFileSync(
      join(cwd, 'torn.yaml'),
      `sources:\n  shop:\n    connection: "${stringOf(SECRETS.sql)}\n manager: ${urlOf(SECRETS.redis)}\n`,
    );
    for (const file of [...files, 'torn.yaml']) {
      await command('commands', ['config', 'print', '--origin', '-c', file, '--debug']);
      await command('commands', ['config', 'plan', file, '-c', right, '--debug']);
    }
    for (const file of [right, 'unquoted.json', 'torn.yaml']) {
      for (const args of [
        ['config', 'check', '--online'],
        ['config', 'plan', right, '--online'],
        ['table', 'list', '--online'],
        ['run', '--once'],
      ]) {
        await command('commands', [...args, '-c', file, '--json', '--debug']);
      }
    }
    await command('flags', ['config', 'check', '-c', right, '--set', `manager.redis.password ${SECRETS.redis}`]);
    await command('flags', ['config', 'check', '-c', right, '--set', `sources.shop.passwort=${SECRETS.sql}`]);
    await command('export', ['checkpoint', 'export', '--output', 'export.json', '-c', right]);
  });

  it('none of it is seen anywhere', async () => {
    const given = new Set(['sql-password', 'hash-key', 'broken-url', 'torn.yaml']);
    const written = readdirSync(cwd)
      .filter((name) => !given.has(name) && (name === 'export.json' || !name.endsWith('.json')))
      .map((name) => ({ from: name, text: readFileSync(join(cwd, name), 'utf8') }));
    expect(written.map(({ from }) => from)).toEqual(['export.json', 'new.yaml']);
    const keys = await redis.raw.keys('*');
    const stored = await Promise.all(
      keys.map(async (key) => ({ from: key, text: key + ((await redis.raw.dumpBuffer(key))?.toString('latin1') ?? '') })),
    );
    expect(stored.length).toBeGreaterThan(5);
    const spellings = [...Object.values(SECRETS), ...PIECES].flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').slice(0, -4),
      quoted(secret),
    ]);
    const shown = [...seen, ...logs, ...written, ...stored].flatMap(({ from, text }) =>
      spellings.filter((secret) => text.includes(secret)).map((secret) => ({ from, secret })),
    );
    expect(shown).toEqual([]);
    expect(logs.filter(({ text }) => text.includes('ROWVALUE'))).toEqual([]);
  });
});
