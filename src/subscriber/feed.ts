/**
 * The thin Redis end of a subscriber: one connection is subscribed to the section's channel, one reads. Reports what it sees as inputs of the
 * state machine and does what it is told; decides nothing. Both connections reconnect by themselves, after a back-off with jitter; nothing is
 * re-sent.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import { asPatchwireError } from '../model/failure.ts';
import { parseMessage } from '../wire/codec.ts';
import type { SectionKeys } from '../wire/keys.ts';
import { mapSubscriberError } from './redis-errors.ts';
import { type PageLimits, readPages, readStream, readView } from './section-reader.ts';
import type { Input } from './section-view.ts';

/** ioredis options; those that decide about protocol, re-sending and reconnecting are set here. */
export type ConnectionOptions = Omit<RedisOptions, 'protocol' | 'replyMapping'>;

export interface FeedOptions {
  /** A redis:// or rediss:// URL, or ioredis options. */
  readonly redis: string | ConnectionOptions;
  readonly keys: SectionKeys;
  readonly name: string;
  readonly random: Random;
  readonly reconnect: { readonly minMs: number; readonly maxMs: number };
  readonly commandTimeoutMs: number;
  readonly pages: PageLimits;
  readonly input: (input: Input) => void;
}

export class Feed implements AsyncDisposable {
  readonly #options: FeedOptions;
  readonly #subscriber: Redis;
  readonly #reader: Redis;
  readonly #up = { subscriber: false, reader: false };
  #connected = false;
  #disposed = false;
  /** The request that is being answered; an earlier one is given up at its next step. */
  #request = 0;
  readonly #running = new Set<Promise<void>>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#subscriber = this.#client('subscriber');
    this.#reader = this.#client('reader');
    this.#subscriber.on('message', (_channel: string, text: string) => this.#onText(text));
  }

  /** Begins to connect; `connected` follows when the channel is subscribed and Redis can be read. */
  start(): void {
    // What connect() rejects with comes as an event too, and the client tries again.
    this.#subscriber.connect().catch(() => {});
    this.#reader.connect().catch(() => {});
  }

  load(request: number): void {
    this.#run(request, 'reading meta', async () => {
      this.#answer(request, { type: 'meta', request, view: await readView(this.#reader, this.#options.keys) });
    });
  }

  scan(request: number): void {
    this.#run(request, 'loading documents', async () => {
      for await (const page of readPages(this.#reader, this.#options.keys, this.#options.pages)) {
        if (!this.#answer(request, { type: 'page', request, ...page })) {
          return;
        }
      }
      this.#answer(request, { type: 'scanned', request });
    });
  }

  replay(request: number, seq: number): void {
    this.#run(request, 'reading the replay stream', async () => {
      this.#answer(request, { type: 'replayed', request, ...(await readStream(this.#reader, this.#options.keys, seq)) });
    });
  }

  /** Drops the subscribing connection and makes a new one. */
  resubscribe(): void {
    this.#subscriber.disconnect(true);
  }

  /** Closes both connections; no input follows. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#subscriber.disconnect();
    this.#reader.disconnect();
    await Promise.all(this.#running);
  }

  #client(role: 'subscriber' | 'reader'): Redis {
    const { redis, name, random, reconnect, commandTimeoutMs } = this.#options;
    const settings: ConnectionOptions & { readonly protocol: 2 } = {
      connectTimeout: commandTimeoutMs,
      ...(typeof redis === 'string' ? {} : redis),
      connectionName: `${name}:${role}`,
      protocol: 2,
      lazyConnect: true,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      retryStrategy: (attempt) => backoffDelayMs(attempt, { ...reconnect, random }),
      reconnectOnError: null,
    };
    const client = typeof redis === 'string' ? new Redis(redis, settings) : new Redis(settings);
    let failure: unknown = null;
    client.on('error', (error: unknown) => {
      failure = error;
    });
    client.on('close', () => {
      this.#lost(role, failure);
      failure = null;
    });
    client.on('ready', () => this.#ready(role));
    return client;
  }

  #ready(role: 'subscriber' | 'reader'): void {
    if (role === 'reader') {
      this.#opened(role);
      return;
    }
    this.#subscriber.subscribe(this.#options.keys.channel).then(
      () => this.#opened(role),
      (error: unknown) => {
        this.#lost(role, error);
        // Tried again on a fresh connection, after the client's back-off.
        this.#subscriber.disconnect(true);
      },
    );
  }

  #opened(role: 'subscriber' | 'reader'): void {
    this.#up[role] = true;
    if (this.#up.subscriber && this.#up.reader && !this.#connected) {
      this.#connected = true;
      this.#send({ type: 'connected' });
    }
  }

  #lost(role: 'subscriber' | 'reader', error: unknown): void {
    this.#up[role] = false;
    if (this.#connected || error !== null) {
      this.#connected = false;
      this.#send({ type: 'disconnected', error: error === null ? null : mapSubscriberError(error, `connecting as ${role}`) });
    }
  }

  #onText(text: string): void {
    let input: Input;
    try {
      input = { type: 'message', message: parseMessage(text), bytes: text.length };
    } catch (error) {
      input = { type: 'invalid', error: asPatchwireError(error) };
    }
    this.#send(input);
  }

  #run(request: number, what: string, work: () => Promise<void>): void {
    this.#request = request;
    const running = work()
      .catch((error: unknown) => {
        const mapped = mapSubscriberError(error, what);
        if (mapped.code === 'PW-W403') {
          // No reply: the connection is lost, or only seems to be there.
          this.#reader.disconnect(true);
        }
        this.#answer(request, { type: 'failed', request, error: mapped });
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #answer(request: number, input: Input): boolean {
    if (request !== this.#request || this.#disposed) {
      return false;
    }
    this.#send(input);
    return request === this.#request;
  }

  #send(input: Input): void {
    if (!this.#disposed) {
      this.#options.input(input);
    }
  }
}
