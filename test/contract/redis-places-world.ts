/**
 * A daemon inside the test's process over a sandbox and more than one redis-server, with a writer that never pauses and replicas that must end
 * equal. Three tables, so that in a cluster they lie on different nodes. Waits are for conditions; the limits are generous.
 */
import { Cluster, Redis } from 'ioredis';
import { readConfig } from '../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../src/daemon/daemon.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import { type DaemonWorld, daemonWorld, until, type WorldOptions } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import type { TestServer } from '../support/sandbox.ts';

export type LogLine = Readonly<Record<string, unknown>>;

const ROWS = 60;

export class PlacesWorld implements AsyncDisposable {
  readonly world: DaemonWorld;
  readonly shapes: readonly TableShape[];
  readonly lines: LogLine[] = [];
  readonly #raw: { disconnect(reconnect?: boolean): void };
  #daemon: Daemon | null = null;
  #writing: Promise<void> | null = null;
  #stop = false;
  /** Transactions that were committed. */
  written = 0;

  constructor(world: DaemonWorld, shapes: readonly TableShape[], raw: { disconnect(reconnect?: boolean): void }) {
    this.world = world;
    this.shapes = shapes;
    this.#raw = raw;
  }

  async start(): Promise<void> {
    const { cwd = '', env = {} } = this.world.cli;
    const { config } = readConfig({ path: `${cwd}/cdc.config.yaml`, env });
    const log = createLogger({
      level: 'info',
      pretty: false,
      destination: { write: (line) => void this.lines.push(JSON.parse(line) as LogLine) },
    });
    this.#daemon = createDaemon(config, { log });
    await this.#daemon.start();
  }

  /** Stops the daemon; subscribers go on. */
  async stopDaemon(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = null;
  }

  told(code: string): readonly LogLine[] {
    return this.lines.filter((line) => line['code'] === code);
  }

  /** Changes rows of every table, one transaction after another, until `quiet`. */
  write(): void {
    this.#stop = false;
    this.#writing = (async () => {
      for (let i = 0; !this.#stop; i += 1) {
        const id = (i % ROWS) + 1;
        await this.world.sql(
          ...this.shapes.map(({ table }) =>
            i % 7 === 3
              ? `DELETE ${table} WHERE Id = ${id}; INSERT INTO ${table} VALUES (${id}, ${i}, N'again')`
              : `UPDATE ${table} SET A = A + 1, T = N'é${i}' WHERE Id <= ${id} AND Id > ${id - 5}`,
          ),
        );
        this.written += 1;
      }
    })();
  }

  /** Waits until so many more transactions were committed. */
  async more(transactions: number): Promise<void> {
    const goal = this.written + transactions;
    await until(`${goal} transactions`, () => this.written >= goal);
  }

  async quiet(): Promise<void> {
    this.#stop = true;
    await this.#writing;
  }

  /** Stops the writer and compares tables, Redis and replicas. @throws Error with the differences */
  async endsEqual(): Promise<void> {
    await this.quiet();
    if (this.#raw instanceof Redis) {
      // An old primary may live on: it is asked again who it is.
      this.#raw.disconnect(true);
    }
    try {
      await this.world.equal();
    } catch (error) {
      const last = this.lines.slice(-15).map((line) => JSON.stringify(line));
      throw new Error(`${String(error)}\n${last.join('\n')}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quiet();
    await this.stopDaemon();
    await this.world.close();
    this.#raw.disconnect();
  }
}

/** A daemon that has loaded three tables; `replicas`: followed by subscribers, too. */
export async function placesWorld(
  server: TestServer,
  redisPlaces: NonNullable<WorldOptions['redisPlaces']>,
  { replicas = true }: { readonly replicas?: boolean } = {},
): Promise<PlacesWorld> {
  const database = await server.freshDatabase();
  const raw = lookInto(redisPlaces);
  const partition = 'places';
  const redis = { url: '', raw, partition: () => partition, flush: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
  const shapes = ['A', 'B', 'C'].map((name): TableShape => ({
    table: `dbo.${name}`,
    section: `section${name}`,
    key: ['Id'],
    columns: { Id: 'plain', A: 'plain', T: 'plain' },
  }));
  const world = daemonWorld({ database, redis, redisPlaces, tables: shapes.map((shape) => ({ shape })) });
  for (const { table } of shapes) {
    await world.sql(
      `CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, A int NOT NULL, T nvarchar(30) NULL)`,
      `ALTER TABLE ${table} ENABLE CHANGE_TRACKING`,
      `INSERT INTO ${table} VALUES ${Array.from({ length: ROWS }, (_, i) => `(${i + 1}, 0, N'row')`).join(', ')}`,
    );
  }
  const places = new PlacesWorld(world, shapes, raw);
  if (replicas) {
    shapes.forEach(({ section }) => world.follow(section));
  }
  await places.start();
  await places.endsEqual();
  return places;
}

/** A client for comparisons, which follows by itself where the keys are. */
function lookInto(places: NonNullable<WorldOptions['redisPlaces']>): Redis {
  const addresses = (list: readonly string[]): { host: string; port: number }[] =>
    list.map((text) => ({ host: text.split(':')[0]!, port: Number(text.split(':')[1]) }));
  if ('sentinels' in places) {
    const { sentinels, name } = places;
    const raw = new Redis({ sentinels: addresses(sentinels), name, protocol: 2, maxRetriesPerRequest: null, retryStrategy: () => 100 });
    raw.on('error', () => undefined);
    return raw;
  }
  const cluster = new Cluster(addresses(places.cluster), {
    redisOptions: { protocol: 2 },
    slotsRefreshInterval: 200,
    clusterRetryStrategy: () => 100,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
    maxRedirections: 1000,
  });
  cluster.on('error', () => undefined);
  const scanStream = async function* (options: object): AsyncGenerator<string[]> {
    for (const node of cluster.nodes('master')) {
      yield* node.scanStream(options) as AsyncIterable<string[]>;
    }
  };
  return Object.assign(cluster, { scanStream }) as unknown as Redis;
}
