/**
 * One connection to Redis that never sends anything twice (C2): no offline queue, no re-sending, no reconnecting by itself. When it is lost
 * or a command times out, everything outstanding is rejected and it is of no use any more; the next `connect` makes a new one. Whoever needs
 * the old one (a leader) sees that his `Link` is dead.
 */
import { createHash } from 'node:crypto';
import { Redis, type RedisOptions } from 'ioredis';
import { hearLateErrors } from '../../lib/late-errors.ts';
import { PatchwireError } from '../../model/errors.ts';
import { isUnknownCommand } from '../../wire/redis-replies.ts';
import type { RedisPlaces } from '../../wire/redis-target.ts';
import { LargeCommand } from './large-command.ts';
import { mapRedisError, type Purpose, replyCode } from './errors.ts';
import { Sentinels } from './sentinels.ts';
import { ADOPT } from './scripts/adopt.ts';
import { BATCH } from './scripts/batch.ts';
import { ANNOUNCE, DEPART, READ_DAEMONS } from './scripts/daemons.ts';
import { PURGE_END, PURGE_STEP, RESIGN } from './scripts/ending.ts';
import { HEARTBEAT } from './scripts/heartbeat.ts';
import { LEAD } from './scripts/lead.ts';
import { type Publish, publishing } from './scripts/prelude.ts';
import { PROGRESS } from './scripts/progress.ts';
import { READ_BASES, READ_META } from './scripts/reads.ts';
import { TRANSITION } from './scripts/transition.ts';

const SCRIPTS = {
  adopt: ADOPT,
  batch: BATCH,
  lead: LEAD,
  transition: TRANSITION,
  heartbeat: HEARTBEAT,
  resign: RESIGN,
  purgeStep: PURGE_STEP,
  purgeEnd: PURGE_END,
  progress: PROGRESS,
  readMeta: READ_META,
  readBases: READ_BASES,
  announce: ANNOUNCE,
  depart: DEPART,
  readDaemons: READ_DAEMONS,
} as const;

export type ScriptName = keyof typeof SCRIPTS;

/** By the way of publishing: the texts, and the names under which Redis keeps them. */
const LIBRARY: Readonly<Record<Publish, { readonly texts: readonly string[]; readonly hashes: Readonly<Record<ScriptName, string>> }>> = {
  PUBLISH: library('PUBLISH'),
  SPUBLISH: library('SPUBLISH'),
};

function library(publish: Publish) {
  const texts = Object.entries(SCRIPTS).map(([name, text]) => [name, publishing(text, publish)] as const);
  const hashes = texts.map(([name, text]) => [name, createHash('sha1').update(text).digest('hex')]);
  return { texts: texts.map(([, text]) => text), hashes: Object.fromEntries(hashes) as Record<ScriptName, string> };
}

/** ioredis options; Sentinels as addresses, or a cluster. */
export type RedisTargetOptions = Omit<RedisOptions, keyof RedisPlaces> & RedisPlaces;

export interface ConnectionOptions {
  readonly url?: string;
  /** ioredis options; those that C2 needs are not taken from here. */
  readonly options?: RedisTargetOptions;
  readonly node?: ClusterNode;
  /** A command that has no answer after so many ms ends the connection. */
  readonly commandTimeoutMs: number;
  readonly connectionName: string;
}

/** The node of a cluster that a connection goes to. */
export interface ClusterNode {
  /** host:port, as errors name it. */
  readonly address: string;
  /** A channel that the user may use, to learn whether the server has SPUBLISH. */
  readonly channel: string;
  /** Told a reply that says: who serves which slot has changed, or may have. The command was not executed. */
  readonly moved: (reply: string) => void;
}

/** A live connection with all scripts loaded. */
export interface Link {
  readonly alive: boolean;
  /** SPUBLISH where it is a node of a cluster that has it. */
  readonly publish: Publish;
  /** Sends a script at once, in the order of the calls. @throws a mapped PatchwireError */
  run(name: ScriptName, keys: readonly string[], args: readonly string[], purpose: Purpose, what: string): Promise<unknown>;
  /** Sends a plain command. @throws a mapped PatchwireError */
  call(command: string, args: readonly string[], purpose: Purpose, what: string): Promise<unknown>;
}

/** Replies of a cluster's node that speak of its place in the cluster. Source: redis.io, "Redis cluster specification", redirection. */
const MOVES: ReadonlySet<string> = new Set(['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN']);

class RedisLink implements Link {
  readonly #client: Redis;
  readonly #node: ClusterNode | null;
  publish: Publish = 'PUBLISH';
  #alive = true;
  #ended = false;

  constructor(client: Redis, node: ClusterNode | null) {
    this.#client = client;
    this.#node = node;
    client.on('close', () => {
      this.#alive = false;
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  run(name: ScriptName, keys: readonly string[], args: readonly string[], purpose: Purpose, what: string): Promise<unknown> {
    return this.call('EVALSHA', [LIBRARY[this.publish].hashes[name], String(keys.length), ...keys, ...args], purpose, what);
  }

  async call(command: string, args: readonly string[], purpose: Purpose, what: string): Promise<unknown> {
    try {
      return await this.#client.sendCommand(new LargeCommand(command, args, this.#client.options.keyPrefix));
    } catch (error) {
      const prefix = replyCode(error);
      // No reply (time-out, lost connection), a server that has lost our scripts, or one that is no master any more (the name may lead to
      // another by now): only a fresh connection helps.
      if (prefix === null || prefix === 'NOSCRIPT' || prefix === 'READONLY') {
        this.end();
      }
      if (this.#node !== null && prefix !== null && MOVES.has(prefix)) {
        this.#node.moved((error as Error).message);
      }
      throw mapRedisError(error, purpose, what, this.#node?.address);
    }
  }

  /** Learns how this server publishes, before the scripts are loaded. */
  async learnToPublish(): Promise<void> {
    if (this.#node !== null) {
      // Forbidden, or of another node's slot, is known too: what the user may do is the self-test's question.
      const unknown = await this.#client.call('SPUBLISH', this.#node.channel, '').then(
        () => false,
        (error: unknown) => {
          if (replyCode(error) === null) {
            throw error;
          }
          return isUnknownCommand(error);
        },
      );
      this.publish = unknown ? 'PUBLISH' : 'SPUBLISH';
    }
  }

  /** Once: everything outstanding ends it, and each further one would leave a listener on the socket. */
  end(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#alive = false;
      this.#client.disconnect();
    }
  }
}

export class RedisConnection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #sentinels: Sentinels | null;
  #link: RedisLink | null = null;
  /** It is being made: counted as connecting until its scripts are loaded. */
  #opening: RedisLink | null = null;
  #connecting: Promise<RedisLink> | null = null;
  #closed = false;

  /** @throws RangeError for an address of a Sentinel that is none */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { options: target = {}, commandTimeoutMs: timeoutMs } = options;
    // What has no answer when it ends has an unknown fate.
    const switched = (): void => [this.#link, this.#opening].forEach((link) => link?.end());
    this.#sentinels = target.sentinels === undefined ? null : new Sentinels({ options: target, timeoutMs, switched });
  }

  /** The live connection, if there is one. */
  get link(): Link | null {
    return this.#link?.alive === true ? this.#link : null;
  }

  /** The live connection, or a new one; concurrent callers share it. @throws PW-M301, PW-M302, PW-M303, PW-M310 */
  async connect(): Promise<Link> {
    const link = this.link;
    if (link !== null) {
      return link;
    }
    if (this.#closed) {
      throw mapRedisError(new Error('the manager is closed'), 'connect', 'connecting to Redis');
    }
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = null;
    });
    return await this.#connecting;
  }

  async #open(): Promise<RedisLink> {
    const {
      url,
      options: { sentinels: _, name: __, cluster: ___, ...options } = {},
      commandTimeoutMs,
      connectionName,
      node,
    } = this.#options;
    const primary = await this.#sentinels?.primary();
    const settings = {
      connectionName,
      connectTimeout: commandTimeoutMs,
      ...options,
      ...primary,
      protocol: 2,
      replyMapping: 'legacy',
      lazyConnect: true,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      retryStrategy: () => null,
      reconnectOnError: null,
    } as const satisfies RedisOptions;
    const client = url === undefined ? new Redis(settings) : new Redis(url, settings);
    hearLateErrors(client);
    let failure: unknown = null;
    client.on('error', (error: unknown) => {
      failure = error;
    });
    const link = new RedisLink(client, node ?? null);
    this.#opening = link;
    try {
      await client.connect();
      if (primary !== undefined) {
        await demandPrimary(client);
      }
      await link.learnToPublish();
      const { db = 0 } = client.options;
      if (db !== 0) {
        // ioredis selects it too, but goes on in database 0 when Redis has no such database.
        await client.call('SELECT', db).catch((error: unknown) => {
          const known = mapRedisError(error, 'connect', `selecting database ${db}`);
          const hint = known.code === 'PW-M316' ? { hint: 'Correct the number of the database at the end of the url.' } : {};
          throw new PatchwireError(known.code, known.message, { details: known.details, cause: error, ...hint });
        });
      }
      for (const text of LIBRARY[link.publish].texts) {
        await client.call('SCRIPT', 'LOAD', text);
      }
      if (this.#closed) {
        throw new Error('the manager is closed');
      }
    } catch (error) {
      link.end();
      // ioredis rejects with "Connection is closed." and tells the cause by its event.
      const cause = !(error instanceof PatchwireError) && replyCode(error) === null && failure !== null ? failure : error;
      const { username } = client.options;
      throw mapRedisError(cause, 'connect', `connecting to Redis as user ${username ?? 'default'}`, node?.address);
    } finally {
      this.#opening = null;
    }
    this.#link = link;
    return link;
  }

  /** Closes the connection; everything outstanding rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sentinels?.[Symbol.dispose]();
    this.#link?.end();
    await this.#connecting?.then(
      (link) => link.end(),
      () => undefined,
    );
  }
}

/**
 * Sentinels may name the old primary until they agree on another one, and it may be a replica by now. Source: redis.io, "Guidelines for Redis
 * clients with support for Redis Sentinel", step 3: ROLE. Where the user may not ask, READONLY says it later.
 */
async function demandPrimary(client: Redis): Promise<void> {
  const [role] = (await client.call('ROLE').catch((error: unknown) => {
    if (replyCode(error) === 'NOPERM') {
      return ['master'];
    }
    throw error;
  })) as readonly [string];
  if (role !== 'master') {
    throw new PatchwireError('PW-M310', `the Sentinels named a server that is a ${role} now`, {
      hint: 'None: a failover is under way; they are asked again.',
    });
  }
}
