/**
 * The thin Redis end of one subscription: reports what it sees of its section as inputs of the state machine and does what it is told; decides
 * nothing. The connections may be shared with others.
 */
import { asPatchwireError } from '../model/failure.ts';
import { parseMessage } from '../wire/codec.ts';
import type { SectionKeys } from '../wire/keys.ts';
import type { ConnectionPair } from './connection.ts';
import { mapSubscriberError } from './redis-errors.ts';
import { type PageLimits, readPages, readStream, readView } from './section-reader.ts';
import type { Input } from './section-view.ts';

export interface FeedOptions {
  readonly pair: ConnectionPair;
  readonly keys: SectionKeys;
  readonly pages: PageLimits;
  readonly input: (input: Input) => void;
  /** The connections were closed by somebody else. */
  readonly closed: () => void;
}

export class Feed implements AsyncDisposable {
  readonly #options: FeedOptions;
  #leave: (() => void) | null = null;
  #disposed = false;
  /** The request that is being answered; an earlier one is given up at its next step. */
  #request = 0;
  readonly #running = new Set<Promise<void>>();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Begins to connect; `connected` follows when the channel is subscribed and Redis can be read. */
  start(): void {
    const { pair, keys, closed } = this.#options;
    this.#leave = pair.join({
      channel: keys.channel,
      up: () => this.#send({ type: 'connected' }),
      down: (error) => this.#send({ type: 'disconnected', error }),
      text: (text) => this.#onText(text),
      closed,
    });
  }

  load(request: number): void {
    const { pair, keys } = this.#options;
    this.#run(request, 'reading meta', async () => {
      this.#answer(request, { type: 'meta', request, view: await readView(pair.reader, keys) });
    });
  }

  scan(request: number): void {
    const { pair, keys, pages } = this.#options;
    this.#run(request, 'loading documents', async () => {
      for await (const page of readPages(pair.reader, keys, pages)) {
        if (!this.#answer(request, { type: 'page', request, ...page })) {
          return;
        }
      }
      this.#answer(request, { type: 'scanned', request });
    });
  }

  replay(request: number, seq: number): void {
    const { pair, keys } = this.#options;
    this.#run(request, 'reading the replay stream', async () => {
      this.#answer(request, { type: 'replayed', request, ...(await readStream(pair.reader, keys, seq)) });
    });
  }

  /** Drops the subscribing connection and makes a new one, for all who share it. */
  resubscribe(): void {
    this.#options.pair.resubscribe();
  }

  /** Leaves the connections; no input follows. What is being read is waited for: it ends with its command, or its time-out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#leave?.();
    await Promise.all(this.#running);
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
        if (mapped.code === 'PW-W403' && !this.#disposed) {
          // No reply: the connection is lost, or only seems to be there.
          this.#options.pair.reread();
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
