/**
 * Where sections lie in a Redis Cluster, and the connections to those nodes: one pair a node, for all sections on it. A section that is down, moved
 * or silent asks again who serves it. Which node a section is on is never remembered beyond the first doubt.
 */
import { Redis } from 'ioredis';
import { backoffDelayMs } from '../lib/backoff.ts';
import { formatHostPort, type HostPort } from '../lib/host-port.ts';
import { PatchwireError } from '../model/failure.ts';
import { type ClusterSlots, readClusterSlots } from '../wire/cluster-slots.ts';
import { readAddresses, REDIS_PORT } from '../wire/redis-target.ts';
import { keySlot } from '../wire/slot.ts';
import { type ConnectionOptions, ConnectionPair, type Listener, type PairOptions } from './connection.ts';
import { askOnce } from './one-question.ts';
import { mapSubscriberError } from './redis-errors.ts';

/** One section's place: the node that serves it, as far as is known. */
export class SectionPlace {
  readonly #nodes: ClusterNodes;
  readonly #key: string;
  readonly #listener: Listener;
  #at: { readonly address: string; readonly pair: ConnectionPair; readonly leave: () => void } | null = null;
  #up = false;
  #seeking = false;
  #again = false;
  #over = false;

  constructor(nodes: ClusterNodes, key: string, listener: Listener) {
    this.#nodes = nodes;
    this.#key = key;
    this.#listener = listener;
    this.#seek(null);
  }

  get reader(): Redis | null {
    return this.#at?.pair.reader ?? null;
  }

  resubscribe(): void {
    this.#at?.pair.resubscribe();
    this.look();
  }

  /** Perhaps it is an old primary that lives on, so others are asked first. */
  look(): void {
    this.#seek(this.#at?.address ?? null);
  }

  reread(): void {
    this.#at?.pair.reread();
    this.look();
  }

  doubt(error: PatchwireError): PatchwireError {
    if (error.code !== 'PW-M330') {
      // A node that is cut off from the others still takes itself for the owner.
      this.look();
      return error;
    }
    this.#seek(null);
    // That it lies elsewhere is trouble of a moment here.
    return new PatchwireError('PW-M310', error.message, { cause: error });
  }

  leave(): void {
    this.#over = true;
    this.#depart();
    this.#nodes.forget(this);
  }

  /** The connections were closed by somebody else. */
  closed(): void {
    if (!this.#over) {
      this.#over = true;
      this.#listener.closed();
    }
  }

  /** Asks who serves the section, and goes there. @param doubted who is asked last */
  #seek(doubted: string | null): void {
    if (this.#over || this.#seeking) {
      this.#again = this.#seeking;
      return;
    }
    this.#seeking = true;
    void this.#find(doubted).finally(() => {
      this.#seeking = false;
      if (this.#again) {
        this.#again = false;
        this.look();
      }
    });
  }

  async #find(doubted: string | null): Promise<void> {
    for (let attempt = 1; !this.#over; attempt += 1) {
      try {
        const address = await this.#nodes.ownerOf(this.#key, doubted);
        if (!this.#over && address !== this.#at?.address) {
          this.#depart();
          this.#arrive(address);
        }
        return;
      } catch (error) {
        if (this.#at !== null || this.#over) {
          // Its pair connects again and again: every time that fails it is asked anew.
          return;
        }
        this.#listener.down(error instanceof PatchwireError ? error : mapSubscriberError(error, 'asking for the node of the section'));
        await this.#nodes.pause(attempt);
      }
    }
  }

  #arrive(address: string): void {
    const pair = this.#nodes.pair(address);
    let here = true;
    const leave = pair.join({
      channel: this.#listener.channel,
      up: () => {
        this.#up = true;
        this.#listener.up();
      },
      down: (error) => {
        if (here) {
          this.#up = false;
          this.#listener.down(error);
          this.#seek(address);
        }
      },
      text: (text) => this.#listener.text(text),
      // Only all of them are closed by somebody else: that is told once.
      closed: () => {},
    });
    this.#at = {
      ...{ address, pair },
      leave: () => {
        here = false;
        leave();
      },
    };
  }

  #depart(): void {
    const at = this.#at;
    this.#at = null;
    if (at !== null) {
      at.leave();
      this.#nodes.release(at.address);
      if (this.#up && !this.#over) {
        this.#up = false;
        this.#listener.down(null);
      }
    }
  }
}

export class ClusterNodes implements AsyncDisposable {
  readonly #options: PairOptions;
  readonly #given: ConnectionOptions;
  readonly #seeds: readonly HostPort[];
  readonly #pairs = new Map<string, ConnectionPair>();
  readonly #places = new Set<SectionPlace>();
  readonly #over = new AbortController();
  #known: readonly HostPort[] = [];
  #asking: Promise<ClusterSlots> | null = null;

  /** @throws RangeError for an address that is none */
  constructor(options: PairOptions) {
    const { cluster = [], ...given }: ConnectionOptions = typeof options.redis === 'string' ? {} : options.redis;
    this.#options = options;
    this.#given = given;
    this.#seeds = readAddresses(cluster, REDIS_PORT);
  }

  place(key: string, listener: Listener): SectionPlace {
    const place = new SectionPlace(this, key, listener);
    this.#places.add(place);
    return place;
  }

  forget(place: SectionPlace): void {
    this.#places.delete(place);
  }

  /** The address of the primary that serves a key now. @throws PatchwireError PW-M310 when none does, PW-W403 when nobody tells */
  async ownerOf(key: string, doubted: string | null): Promise<string> {
    this.#asking ??= this.#ask(doubted).finally(() => {
      this.#asking = null;
    });
    const owner = (await this.#asking).ownerOf(keySlot(key));
    if (owner === null) {
      throw new PatchwireError('PW-M310', `no node of the cluster serves slot ${keySlot(key)}`);
    }
    return formatHostPort(owner);
  }

  /** The connections to a node, for as long as somebody listens there. */
  pair(address: string): ConnectionPair {
    let pair = this.#pairs.get(address);
    if (pair === undefined) {
      pair = new ConnectionPair({ ...this.#options, redis: this.#at(address), node: true });
      this.#pairs.set(address, pair);
    }
    return pair;
  }

  release(address: string): void {
    const pair = this.#pairs.get(address);
    if (pair?.listeners === 0) {
      this.#pairs.delete(address);
      void pair[Symbol.asyncDispose]();
    }
  }

  /** A client of its own to a node. */
  client(address: string): Redis {
    const { commandTimeoutMs, name } = this.#options;
    const { sentinels: _, name: __, cluster: ___, ...given } = this.#at(address);
    const client = new Redis({
      ...{ connectTimeout: commandTimeoutMs, ...given, connectionName: `${name}:cluster`, protocol: 2, lazyConnect: true },
      ...{ enableReadyCheck: false, disableClientInfo: true, maxRetriesPerRequest: 0, commandTimeout: commandTimeoutMs },
      retryStrategy: () => null,
    });
    client.on('error', () => {});
    return client;
  }

  /** A wait that grows with the attempts; over at once when all is closed. */
  async pause(attempt: number): Promise<void> {
    const { clock, random, reconnect } = this.#options;
    await clock.sleep(backoffDelayMs(attempt, { ...reconnect, random }), { signal: this.#over.signal }).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    this.#places.forEach((place) => place.closed());
    await Promise.all([...this.#pairs.values()].map((pair) => pair[Symbol.asyncDispose]()));
  }

  #at(address: string): ConnectionOptions {
    const at = address.lastIndexOf(':');
    return { ...this.#given, host: address.slice(0, at).replace(/^\[|\]$/gu, ''), port: Number(address.slice(at + 1)) };
  }

  /** Asks one node after another, those that are connected first, whoever is doubted last. @throws what the last one that was asked threw */
  async #ask(doubted: string | null): Promise<ClusterSlots> {
    const nodes = new Map([...this.#known, ...this.#seeds].map((node) => [formatHostPort(node), node]));
    const rank = (address: string): number => (address === doubted ? 2 : this.#pairs.get(address)?.ready === true ? 0 : 1);
    let failure: unknown = null;
    for (const [address, node] of [...nodes].toSorted(([a], [b]) => rank(a) - rank(b))) {
      const client = this.client(address);
      try {
        const slots = await askOnce(client, `asking node ${address} for the slots of the cluster`, async () =>
          readClusterSlots(await client.call('CLUSTER', 'SLOTS'), node),
        );
        if (slots !== null) {
          this.#known = [...slots.primaries, ...slots.replicas];
          return slots;
        }
        failure = new PatchwireError('PW-M310', `node ${address} knows of no slots`);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
