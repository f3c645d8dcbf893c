/**
 * Which connection leads to a key: the one there is, or in a cluster the one to the primary of the key's slot. Nothing is followed by itself: a
 * command that a node refuses because its slot has moved was not executed, fails, and whoever sent it asks for the way again (C2).
 */
import { formatHostPort, type HostPort, parseHostPort } from '../../lib/host-port.ts';
import { PatchwireError } from '../../model/errors.ts';
import { type ClusterSlots, readClusterSlots } from '../../wire/cluster-slots.ts';
import { readAddresses, REDIS_PORT } from '../../wire/redis-target.ts';
import { isNoCluster } from '../../wire/redis-replies.ts';
import { keySlot } from '../../wire/slot.ts';
import { type ConnectionOptions, type Link, RedisConnection } from './connection.ts';

/** A live connection, and which keys lie behind it. */
export interface Way {
  readonly link: Link;
  readonly serves: (key: string) => boolean;
}

export interface Routes extends AsyncDisposable {
  /** A failover or a moved slot may lead to a server that was not tried when the manager was opened. */
  readonly shifting: boolean;
  /** The live connection that leads to a key, or a new one. @throws PW-M301, PW-M302, PW-M303, PW-M310 */
  to(key: string): Promise<Way>;
  /** Asks again who serves what, and leads to every primary. @throws as `to` */
  primaries(): Promise<readonly (() => Promise<Way>)[]>;
}

export interface RoutesOptions extends Omit<ConnectionOptions, 'node'> {
  /** As of ClusterNode. */
  readonly channel: string;
}

/** @throws RangeError for an address that is none */
export function redisRoutes(options: RoutesOptions): Routes {
  const { cluster } = options.options ?? {};
  return cluster === undefined ? new OneServer(options) : new Cluster(options, readAddresses(cluster, REDIS_PORT));
}

/** One server, or the primary that Sentinels name. */
class OneServer implements Routes {
  readonly shifting: boolean;
  readonly #connection: RedisConnection;

  constructor(options: ConnectionOptions) {
    this.shifting = options.options?.sentinels !== undefined;
    this.#connection = new RedisConnection(options);
  }

  async to(): Promise<Way> {
    return { link: await this.#connection.connect(), serves: () => true };
  }

  primaries(): Promise<readonly (() => Promise<Way>)[]> {
    return Promise.resolve([() => this.to()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

class Cluster implements Routes {
  readonly shifting = true;
  readonly #options: RoutesOptions;
  readonly #seeds: readonly HostPort[];
  readonly #nodes = new Map<string, RedisConnection>();
  #slots: ClusterSlots | null = null;
  /** What was known last, also when it does not count any more. */
  #known: readonly HostPort[] = [];
  /** Who is asked first, and who last: where a slot has moved to, and who gave the answer that did not hold. */
  #hint: HostPort | null = null;
  #doubted: string | null = null;
  #asking: Promise<ClusterSlots> | null = null;

  constructor(options: RoutesOptions, seeds: readonly HostPort[]) {
    this.#options = options;
    this.#seeds = seeds;
  }

  async to(key: string): Promise<Way> {
    const slot = keySlot(key);
    const first = await this.#ownerOf(slot);
    try {
      return await this.#way(first);
    } catch (error) {
      // Nothing was sent: where another node serves the slot by now, it is asked at once.
      this.#doubt(first, null);
      const second = await this.#ownerOf(slot);
      if (second === first) {
        throw error;
      }
      return await this.#way(second);
    }
  }

  async primaries(): Promise<readonly (() => Promise<Way>)[]> {
    this.#slots = null;
    const { primaries } = await this.#current();
    return primaries.map((owner) => () => this.#way(formatHostPort(owner)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node[Symbol.asyncDispose]()));
  }

  async #way(address: string): Promise<Way> {
    const link = await this.#node(address).connect();
    const slots = this.#slots;
    return {
      link,
      serves: (key) => {
        const owner = slots?.ownerOf(keySlot(key)) ?? null;
        return owner !== null && formatHostPort(owner) === address;
      },
    };
  }

  /** The address of the slot's primary. @throws PW-M310 when nobody serves it */
  async #ownerOf(slot: number): Promise<string> {
    const owner = (await this.#current()).ownerOf(slot);
    if (owner === null) {
      this.#slots = null;
      throw new PatchwireError('PW-M310', `no node of the cluster serves slot ${slot}`, {
        hint: 'Give the slot to a node (CLUSTER SHARDS, redis-cli --cluster fix); tried again.',
        details: { node: 'none', slot },
      });
    }
    return formatHostPort(owner);
  }

  #current(): Promise<ClusterSlots> {
    if (this.#slots !== null) {
      return Promise.resolve(this.#slots);
    }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Asks one node after another: those that are connected first. @throws what the last one that was asked threw */
  async #ask(): Promise<ClusterSlots> {
    let failure: unknown = null;
    for (const asked of this.#candidates()) {
      const address = formatHostPort(asked);
      try {
        const link = await this.#node(address).connect();
        const slots = readClusterSlots(await link.call('CLUSTER', ['SLOTS'], 'read', 'asking for the slots of the cluster'), asked);
        if (slots !== null) {
          this.#slots = slots;
          this.#known = [...slots.primaries, ...slots.replicas];
          this.#hint = null;
          this.#doubted = null;
          await this.#forget(slots);
          return slots;
        }
        failure = new PatchwireError('PW-M310', `node ${address} knows of no slots`);
      } catch (error) {
        failure = error instanceof PatchwireError && isNoCluster(error.details['reply']) ? noCluster(address, error) : error;
      }
    }
    // All of them: it is the cluster's trouble, not one node's.
    throw ofAll(failure);
  }

  #candidates(): readonly HostPort[] {
    const all = [...(this.#hint === null ? [] : [this.#hint]), ...this.#known, ...this.#seeds];
    const once = [...new Map(all.map((node) => [formatHostPort(node), node])).values()];
    const hint = this.#hint === null ? null : formatHostPort(this.#hint);
    const rank = (node: HostPort): number => {
      const address = formatHostPort(node);
      return address === hint ? 0 : address === this.#doubted ? 3 : this.#nodes.get(address)?.link ? 1 : 2;
    };
    return once.toSorted((a, b) => rank(a) - rank(b));
  }

  /** Connections to nodes that serve nothing any more have nothing outstanding that could still be executed. */
  async #forget(slots: ClusterSlots): Promise<void> {
    const serving = new Set(slots.primaries.map(formatHostPort));
    const gone = [...this.#nodes].filter(([address]) => !serving.has(address));
    gone.forEach(([address]) => this.#nodes.delete(address));
    await Promise.all(gone.map(([, node]) => node[Symbol.asyncDispose]()));
  }

  #node(address: string): RedisConnection {
    let node = this.#nodes.get(address);
    if (node === undefined) {
      const { channel, options, ...rest } = this.#options;
      const { host, port } = parseHostPort(address, REDIS_PORT) ?? { host: address, port: REDIS_PORT };
      node = new RedisConnection({
        ...rest,
        options: { ...options, host, port },
        node: { address, channel, moved: (reply) => this.#doubt(address, reply) },
      });
      this.#nodes.set(address, node);
    }
    return node;
  }

  /** What is known of the slots does not count any more. */
  #doubt(address: string, reply: string | null): void {
    this.#slots = null;
    this.#doubted = address;
    // MOVED 3999 127.0.0.1:6381; without a host it is on the same one. ASK names a node that does not own the slot yet.
    const [, host, port] = /^MOVED \d+ (.*):(\d+)/u.exec(reply ?? '') ?? [];
    if (host !== undefined && port !== undefined) {
      this.#hint = { host: host === '' ? (parseHostPort(address, REDIS_PORT)?.host ?? '') : host, port: Number(port) };
    }
  }
}

function noCluster(address: string, cause: unknown): PatchwireError {
  return new PatchwireError('PW-M330', `${address} is no node of a cluster`, {
    hint: 'Name it in manager.redis.url instead of manager.redis.cluster.',
    cause,
  });
}

/** The same failure, no more of one node only. */
function ofAll(failure: unknown): unknown {
  if (!(failure instanceof PatchwireError)) {
    return failure;
  }
  const { code, message, hint, retry, waitMs, details } = failure;
  const { node: _, ...rest } = details;
  return new PatchwireError(code, `no node of the cluster told its slots; the last one asked: ${message}`, {
    ...{ hint, retry, waitMs, cause: failure },
    details: rest,
  });
}
