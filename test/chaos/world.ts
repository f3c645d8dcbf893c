/**
 * Everything that runs: SQL Server, Redis, two daemons with one configuration, three subscribers, the writers, and an operator who confirms the
 * sweeps that wait for one. Each daemon and each subscriber has lines of its own, so that they can be hurt one by one.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findRedisServer } from '../../src/demo/private-redis.ts';
import type { Random } from '../../src/lib/random.ts';
import { Process } from './process.ts';
import type { Proxy } from './proxy.ts';
import { RedisFleet } from './redis-fleet.ts';
import { SqlServer } from './sql-server.ts';
import type { Answer, Question, SectionStanding } from './subscriber.ts';
import { PARTITION, SECTIONS, TABLES } from './tables.ts';
import { sleep, within } from './waiting.ts';
import { type Mark, Writers } from './writers.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const SUBSCRIBER = fileURLToPath(new URL('./subscriber.ts', import.meta.url));
const PYTHON_SUBSCRIBER = fileURLToPath(new URL('./subscriber.py', import.meta.url));
const PYTHON = '/usr/bin/python3';

export const LEASE_MS = 3000;
const SHUTDOWN_MS = 10_000;
/** Ordinary rows are far below, the action's rows above. */
const MAX_DOCUMENT = '2KiB';

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

export class Daemon {
  readonly name: string;
  readonly sql: Proxy;
  readonly redis: Proxy;
  readonly #world: World;
  #process: Process | null = null;
  #wanted = false;

  constructor(name: string, sql: Proxy, redis: Proxy, world: World) {
    this.name = name;
    this.sql = sql;
    this.redis = redis;
    this.#world = world;
  }

  start(): void {
    const process = this.#world.daemonProcess(this);
    this.#process = process;
    this.#wanted = true;
    void process.exited().then(() => {
      if (this.#process === process && this.#wanted) {
        this.#world.violation(`${this.name} ended by itself, with ${process.child.exitCode ?? process.child.signalCode ?? 'an error'}`);
      }
    });
  }

  async kill(): Promise<void> {
    this.#wanted = false;
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    const ended = (await this.#process?.terminate(SHUTDOWN_MS + 30_000)) ?? true;
    if (!ended) {
      this.#world.violation(`${this.name} did not stop within ${SHUTDOWN_MS + 30_000} ms of SIGTERM, or not with 0`);
    }
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }
}

/** A subscriber process and the lines to it. */
export class Subscriber {
  readonly name: string;
  readonly redis: Proxy;
  readonly #launch: (onLine: (line: string) => void) => Process;
  readonly #violation: (text: string) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #process: Process | null = null;
  #questions = 0;
  #checked = 0;
  #checkedBefore = 0;

  constructor(name: string, redis: Proxy, launch: (onLine: (line: string) => void) => Process, violation: (text: string) => void) {
    this.name = name;
    this.redis = redis;
    this.#launch = launch;
    this.#violation = violation;
  }

  start(): void {
    this.#process = this.#launch((line) => {
      const answer = JSON.parse(line) as Answer;
      if ('violation' in answer) {
        this.#violation(`${this.name}: ${answer.violation}`);
      } else {
        this.#waiting.get(answer.id)?.(answer);
        this.#waiting.delete(answer.id);
      }
    });
  }

  /** Marks that it claimed and that were looked for. */
  get totalChecked(): number {
    return this.#checkedBefore + this.#checked;
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#waiting.clear();
    this.#checkedBefore += this.#checked;
    this.#checked = 0;
  }

  tell(question: Question): void {
    this.#process?.write(JSON.stringify(question));
  }

  async standing(): Promise<Readonly<Record<string, SectionStanding>>> {
    const answer = await this.#ask((id) => ({ do: 'standing', id }));
    if (!('sections' in answer)) {
      throw new Error('another answer');
    }
    this.#checked = answer.checked;
    return answer.sections;
  }

  async documents(section: string): Promise<{ readonly equal: boolean; readonly documents: readonly (readonly [string, unknown])[] }> {
    const answer = await this.#ask((id) => ({ do: 'documents', id, section }));
    if (!('documents' in answer)) {
      throw new Error('another answer');
    }
    return answer;
  }

  async #ask(make: (id: number) => Question): Promise<Answer> {
    this.#questions += 1;
    const id = this.#questions;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.tell(make(id));
    return await within(`an answer of ${this.name}`, answer, 20_000);
  }
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
      manager: { redis: { url: '${env:PATCHWIRE_REDIS}' }, partition: PARTITION, heartbeat: '500ms', lease: `${LEASE_MS}ms` },
      checkpoint: { store },
      batch: { rows: 100 },
      limits: { maxDocument: MAX_DOCUMENT },
      tables: TABLES.map(({ shape, entry }) => ({ table: shape.table, section: shape.section, ...entry })),
      daemon: { shutdown: `${SHUTDOWN_MS}ms` },
      http: { port: 0 },
    };
    writeFileSync(join(this.folder, 'cdc.config.yaml'), JSON.stringify(config, null, 2));
    for (const name of ['daemon-1', 'daemon-2']) {
      const daemon = new Daemon(name, await this.sql.openProxy(`sql ${name}`), await this.redis.openProxy(`redis ${name}`), this);
      this.daemons.push(daemon);
      daemon.start();
    }
    for (const name of ['subscriber-1', 'subscriber-2', ...(pythonIsThere() ? ['python-1'] : [])]) {
      const redis = await this.redis.openProxy(`redis ${name}`);
      const url = `redis://127.0.0.1:${redis.port}`;
      const python = name.startsWith('python');
      const launch = (onLine: (line: string) => void): Process =>
        new Process({
          name,
          command: python ? PYTHON : process.execPath,
          args: python ? [PYTHON_SUBSCRIBER, url, PARTITION, SECTIONS.join(',')] : ['--import', 'tsx', SUBSCRIBER, url],
          logFile: join(this.folder, `${name}.log`),
          onLine,
        });
      const subscriber = new Subscriber(name, redis, launch, (text) => this.violation(text));
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

  /** Versions begin again, or go back: what was committed before is no measure any more, until all have found out. */
  forgetMarks(): void {
    this.marksCount = false;
    this.subscribers.forEach((subscriber) => subscriber.tell({ do: 'forget' }));
  }

  daemonProcess(daemon: Daemon): Process {
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
