/**
 * Everything that runs: SQL Server, Redis, two daemons with one configuration, five subscribers, the writers, and an operator who confirms the
 * sweeps that wait for one. Each daemon and each subscriber has lines of its own, so that they can be hurt one by one.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findRedisServer } from '../../src/demo/private-redis.ts';
import type { Random } from '../../src/lib/random.ts';
import { Process, type ProcessOptions } from './process.ts';
import { Daemon, SHUTDOWN_MS, Subscriber } from './programs.ts';
import type { Proxy } from './proxy.ts';
import { RedisFleet } from './redis-fleet.ts';
import { SqlServer } from './sql-server.ts';
import { PARTITION, SECTIONS, TABLES } from './tables.ts';
import { sleep, within } from './waiting.ts';
import { type Mark, Writers } from './writers.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const program = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));
const PYTHON = '/usr/bin/python3';

export const LEASE_MS = 3000;
/** Ordinary rows are far below, the action's rows above. */
const MAX_DOCUMENT = '2KiB';

/** How a process is started. */
type Program = Pick<ProcessOptions, 'command' | 'args'>;

/** What is drawn from the seed once: how the database answers, and what the daemons may believe of it. */
export interface Setting {
  readonly profile: 'implied' | 'live' | 'worst';
  readonly snapshot: boolean;
  /** Between a commit's version and its rows: then only what was confirmed may be claimed. */
  readonly gapMs: number;
  /** sqlserver: every restore is proven, also one that the counter has overtaken. */
  readonly store: 'redis' | 'sqlserver';
}

export function drawSetting(random: Random): Setting {
  const profile = (['implied', 'live', 'worst'] as const)[Math.floor(random() * 3)] ?? 'implied';
  return { profile, snapshot: random() < 0.6, gapMs: random() < 0.5 ? 0 : 20, store: random() < 0.5 ? 'redis' : 'sqlserver' };
}

export class World implements AsyncDisposable {
  readonly folder: string;
  readonly sql: SqlServer;
  readonly redis: RedisFleet;
  readonly daemons: Daemon[] = [];
  readonly subscribers: Subscriber[] = [];
  readonly violations: string[] = [];
  readonly setting: Setting;
  readonly #seed: number;
  #writers: Writers | null = null;
  #operator: Promise<void> | null = null;
  #ending = false;
  /** Whether what writers committed is told to subscribers: not while versions of an earlier history may still be claimed. */
  marksCount = true;
  /** Which history of the database: each restore and each rebuild begins another, whose versions say nothing about those of the one before. */
  history = 0;
  /** Sweeps that an operator let go on. */
  confirmed = 0;

  constructor(folder: string, seed: number, setting: Setting) {
    const redis = findRedisServer();
    if (redis === null) {
      throw new Error('there is no redis-server: npm run setup');
    }
    this.folder = folder;
    this.setting = setting;
    this.#seed = seed;
    this.sql = new SqlServer({ main: MAIN, folder, ...setting });
    this.redis = new RedisFleet(redis, folder);
  }

  get started(): boolean {
    return this.#writers !== null;
  }

  get writers(): Writers {
    if (this.#writers === null) {
      throw new Error('nothing was started');
    }
    return this.#writers;
  }

  /** Starts everything. The writers write from then on. */
  async start(): Promise<void> {
    await Promise.all([this.redis.start(), this.sql.start()]);
    const { snapshot, gapMs, store } = this.setting;
    const config = {
      sources: {
        shop: {
          connection: '${env:PATCHWIRE_MSSQL}',
          claims: gapMs > 0 || !snapshot ? 'confirmed' : 'implied',
          polling: { ladder: ['20ms x20', '100ms x50', '500ms'], confirm: '300ms' },
          limits: { timeShare: 1, pageRows: 700, lockTimeout: '1s', requestTimeout: '5s' },
        },
      },
      manager: {
        redis: { url: '${env:PATCHWIRE_REDIS}' },
        partition: PARTITION,
        invalidations: true,
        heartbeat: '500ms',
        lease: `${LEASE_MS}ms`,
      },
      checkpoint: { store },
      batch: { rows: 100 },
      limits: { maxDocument: MAX_DOCUMENT },
      tables: TABLES.map(({ shape, entry }) => ({ table: shape.table, section: shape.section, ...entry })),
      daemon: { shutdown: `${SHUTDOWN_MS}ms` },
      http: { port: 0 },
    };
    writeFileSync(join(this.folder, 'cdc.config.yaml'), JSON.stringify(config, null, 2));
    for (const name of ['daemon-1', 'daemon-2']) {
      const daemon = new Daemon({
        name,
        sql: await this.sql.openProxy(`sql ${name}`),
        redis: await this.redis.openProxy(`redis ${name}`),
        launch: (one) => this.#daemonProcess(one),
        violation: (text) => this.violation(text),
      });
      this.daemons.push(daemon);
      daemon.start();
    }
    const cacheLine = await this.sql.openProxy('sql invalidate-1');
    const seed = String(this.#seed);
    const typescript = (name: string, ...args: readonly string[]): Program => ({
      command: process.execPath,
      args: ['--import', 'tsx', program(name), ...args],
    });
    const kinds: readonly (readonly [name: string, whole: boolean, start: (url: string) => Program])[] = [
      ['subscriber-1', true, (url) => typescript('subscriber.ts', url)],
      ['subscriber-2', true, (url) => typescript('subscriber.ts', url)],
      ['lazy-1', false, (url) => typescript('lazy-subscriber.ts', url, seed)],
      [
        'invalidate-1',
        false,
        (url) => typescript('invalidate-subscriber.ts', url, this.sql.connectionString(cacheLine.port, 'chaos-cache'), seed),
      ],
    ];
    const python = (url: string): Program => ({ command: PYTHON, args: [program('subscriber.py'), url, PARTITION, SECTIONS.join(',')] });
    for (const [name, whole, start] of [...kinds, ...(pythonIsThere() ? [['python-1', true, python] as const] : [])]) {
      const redis = await this.redis.openProxy(`redis ${name}`);
      const launch = (onLine: (line: string) => void): Process =>
        new Process({ name, ...start(`redis://127.0.0.1:${redis.port}`), logFile: join(this.folder, `${name}.log`), onLine });
      const subscriber = new Subscriber({
        name,
        redis,
        whole,
        newColumns: !name.startsWith('invalidate'),
        launch,
        violation: (text) => this.violation(text),
      });
      this.subscribers.push(subscriber);
      subscriber.start();
    }
    const line = await this.sql.openProxy('sql writers');
    const onMark = (mark: Mark): void => {
      if (this.marksCount) {
        this.subscribers.forEach((subscriber) => subscriber.tell({ do: 'marks', marks: [mark] }));
      }
    };
    this.#writers = new Writers({ server: this.sql, port: line.port, writers: 3, seed: this.#seed, onMark });
    this.#operator = this.#operate(await this.redis.openProxy('redis operator'), await this.sql.openProxy('sql operator'));
  }

  violation(text: string): void {
    if (!this.#ending) {
      this.violations.push(text);
    }
  }

  /** Those that load on demand ask for nothing: what they hold when it is compared, they held while it was changed. */
  rest(rests: boolean): void {
    this.subscribers.filter(({ whole }) => !whole).forEach((subscriber) => subscriber.tell({ do: 'rest', rests }));
  }

  /** As an operator does who restores: where no daemon had read what is lost, nobody would tell caches that have. */
  tellRestored(): void {
    this.subscribers.filter(({ whole }) => !whole).forEach((subscriber) => subscriber.tell({ do: 'restored' }));
  }

  /** Versions begin again, or go back: what was committed before is no measure any more, until all have found out. */
  forgetMarks(): void {
    this.marksCount = false;
    this.subscribers.forEach((subscriber) => subscriber.tell({ do: 'forget' }));
  }

  #daemonProcess(daemon: Daemon): Process {
    return new Process({
      name: daemon.name,
      command: process.execPath,
      args: [MAIN, 'run'],
      cwd: this.folder,
      env: this.#environment(daemon.redis, daemon.sql),
      logFile: join(this.folder, `${daemon.name}.log`),
    });
  }

  async meta(section: string): Promise<Readonly<Record<string, string>>> {
    return await within('Redis', this.redis.client.hgetall(`{${PARTITION}:${section}}/meta`), 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await within('the writers end', this.#writers?.stop() ?? Promise.resolve(), 10_000).catch(() => undefined);
    await this.#operator;
    await Promise.all([...this.daemons, ...this.subscribers].map((each) => each.kill()));
    await this.sql.close();
    await this.redis.close();
  }

  #environment(redis: Proxy, sql: Proxy): Record<string, string> {
    return { PATCHWIRE_MSSQL: this.sql.connectionString(sql.port), PATCHWIRE_REDIS: `redis://127.0.0.1:${redis.port}` };
  }

  /** Somebody who looks every second whether a sweep waits, and says yes. */
  async #operate(redis: Proxy, sql: Proxy): Promise<void> {
    while (!this.#ending) {
      await sleep(1000);
      for (const section of SECTIONS) {
        const cursor = await this.meta(section).then(
          (meta) => meta['cursor'] ?? '',
          () => '',
        );
        if (!this.#ending && /"held":\s*\{/u.test(cursor)) {
          await this.#confirm(section, this.#environment(redis, sql));
        }
      }
    }
  }

  async #confirm(section: string, env: Record<string, string>): Promise<void> {
    const asked = new Process({
      name: 'operator',
      command: process.execPath,
      args: [MAIN, 'resync', section, '--confirm'],
      cwd: this.folder,
      env,
      logFile: join(this.folder, 'operator.log'),
    });
    // A person who waits too long gives up, and asks again.
    await within('the operator', asked.exited(), 60_000).catch(() => asked.kill());
    this.confirmed += 1;
  }
}

export function pythonIsThere(): boolean {
  return spawnSync(PYTHON, ['-c', 'import redis'], { stdio: 'ignore' }).status === 0;
}
