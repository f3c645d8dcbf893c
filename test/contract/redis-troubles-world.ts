/**
 * A daemon inside the test's process, over a sandbox and a real redis-server that the test stops, fills up, demotes or sets back, and a replica that
 * must end equal. One table of 30 rows. Waits are for conditions; the limits are generous, and name what did not come.
 */
import { readConfig } from '../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../src/daemon/daemon.ts';
import { createManager } from '../../src/daemon/parts.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Batch, DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import type { SectionStatus } from '../../src/observe/section-record.ts';
import { type SectionKeys, sectionKeys } from '../../src/wire/keys.ts';
import { type DaemonWorld, daemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import type { TestRedis } from '../support/redis.ts';
import type { TestServer } from '../support/sandbox.ts';

export const ITEMS: TableShape = {
  table: 'dbo.Items',
  section: 'items',
  key: ['Id'],
  columns: { Id: 'plain', A: 'plain', T: 'plain' },
};
export const ROWS = 30;

export type LogLine = Readonly<Record<string, unknown>>;

export class TroubledWorld implements AsyncDisposable {
  readonly world: DaemonWorld;
  readonly keys: SectionKeys;
  readonly items: FollowedReplica;
  /** Of all daemons of this world, from warn on. */
  readonly lines: LogLine[] = [];
  /** What happens in Redis just before a batch is published, by daemons that are started while it is set. */
  beforePublish: (() => Promise<unknown>) | null = null;
  #daemon: Daemon | null = null;

  constructor(world: DaemonWorld) {
    this.world = world;
    this.keys = sectionKeys(world.partition, ITEMS.section);
    this.items = world.follow(ITEMS.section);
  }

  async start(): Promise<void> {
    const { cwd = '', env = {} } = this.world.cli;
    const { config } = readConfig({ path: `${cwd}/cdc.config.yaml`, env });
    const log = createLogger({
      level: 'info',
      pretty: false,
      destination: { write: (line) => void this.lines.push(JSON.parse(line) as LogLine) },
    });
    const manager = (): DistributedDataManager => {
      const real = createManager(config, { clock: systemClock, log });
      const publish = real.publish.bind(real);
      return Object.assign(real, {
        publish: async (batch: Batch) => {
          await this.beforePublish?.();
          await publish(batch);
        },
      });
    };
    this.#daemon = createDaemon(config, { log, ...(this.beforePublish === null ? {} : { manager }) });
    await this.#daemon.start();
  }

  /** In good order, the lease handed over. */
  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = null;
  }

  get status(): SectionStatus {
    const status = this.#daemon?.status().sections[0];
    if (status === undefined) {
      throw new Error('no daemon runs');
    }
    return status;
  }

  /** The page of metrics. */
  async metrics(): Promise<string> {
    return await (await fetch(`${this.address}/metrics`)).text();
  }

  /** Where the daemon serves. */
  get address(): string {
    const { host, port } = this.#daemon?.status().http ?? { host: '', port: 0 };
    return `http://${host}:${port}`;
  }

  /** Waits until the section is in trouble by one of these codes. */
  async inTrouble(...codes: string[]): Promise<SectionStatus> {
    return await until(`trouble with ${codes.join(' or ')}`, () => {
      const { status } = this;
      return codes.includes(status.trouble?.code ?? '') && status;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it is ${JSON.stringify(this.status)}`);
    });
  }

  told(code: string): readonly LogLine[] {
    return this.lines.filter((line) => line['code'] === code);
  }

  epoch(): Promise<string | undefined> {
    return this.world.meta(ITEMS.section).then(({ epoch }) => epoch);
  }

  /** Changes rows in every way: 1 to `updated` are updated, one goes, one comes. */
  async change(updated = 5): Promise<void> {
    await this.world.sql(
      `UPDATE dbo.Items SET A = A + 1, T = N'changed' WHERE Id <= ${updated}`,
      'DELETE dbo.Items WHERE Id = (SELECT MAX(Id) FROM dbo.Items)',
      "INSERT INTO dbo.Items SELECT MAX(Id) + 2, 7, N'came' FROM dbo.Items",
    );
  }

  /** Changes rows, and expects table, Redis and replica to end equal. @throws Error with the differences */
  async endsEqual(): Promise<void> {
    await this.change();
    try {
      await this.world.equal();
    } catch (error) {
      throw new Error(
        `${String(error)}\n${this.lines
          .slice(-12)
          .map((line) => JSON.stringify(line))
          .join('\n')}`,
        { cause: error },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.world.close();
  }
}

/** A database of its own, its table loaded by a daemon, and a replica that is equal. */
export async function troubled(
  server: TestServer,
  redis: TestRedis,
  { redisUrl = redis.url }: { readonly redisUrl?: string } = {},
): Promise<TroubledWorld> {
  const database = await server.freshDatabase();
  const world = daemonWorld({ database, redis, tables: [{ shape: ITEMS }], redisUrl });
  await world.sql(
    'CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, A int NOT NULL, T nvarchar(30) NULL)',
    'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
    `INSERT INTO dbo.Items VALUES ${Array.from({ length: ROWS }, (_, i) => `(${i + 1}, 0, N'row')`).join(', ')}`,
  );
  const troubledWorld = new TroubledWorld(world);
  await troubledWorld.start();
  await world.equal();
  return troubledWorld;
}
