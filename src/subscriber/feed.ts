/**
 * The thin Redis end of one subscription: reports what it sees of its section as inputs of the state machine and does what it is told; decides
 * nothing. The connections may be shared with others.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { asPatchwireError } from '../model/failure.ts';
import { parseMessage } from '../wire/codec.ts';
import type { SectionKeys } from '../wire/keys.ts';
import type { Message } from '../wire/messages.ts';
import type { SectionConnections } from './connection.ts';
import { mapSubscriberError } from './redis-errors.ts';
import { type PageLimits, readAside, readKeys, readPages, readStream, readView } from './section-reader.ts';
import type { Effect, Input, KeyName, SectionView } from './section-view.ts';

/** What a mode hears and reads instead of documents. */
export interface Listening {
  readonly channel: (keys: SectionKeys) => string;
  /** What it takes a message for; those of a replay are only shown to it. */
  readonly read: (message: Message) => Message;
  /** Looks at what meta says when a load begins or a replay is asked for. @throws PatchwireError when this section cannot be listened to */
  readonly look: (view: SectionView | null) => void;
  /** Whether a replay reads the stream; else it reads meta alone, and finds that nothing was missed, or that history is lost. */
  readonly replays: boolean;
}

/** What is asked of Redis. */
export type ReadEffect = Exclude<Effect, { type: 'filled' | 'stop' | 'emit' }>;

export interface FeedOptions {
  readonly pair: SectionConnections;
  readonly keys: SectionKeys;
  readonly pages: PageLimits;
  readonly listening?: Listening | undefined;
  readonly input: (input: Input) => void;
  /** The connections were closed by somebody else. */
  readonly closed: () => void;
}

/** Redis takes nothing for the moment, or the section lies on another node. */
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PW-M310', 'PW-M330']);

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
    const { pair, keys, listening, closed } = this.#options;
    this.#leave = pair.join({
      channel: listening?.channel(keys) ?? keys.channel,
      up: () => this.#send({ type: 'connected' }),
      down: (error) => this.#send({ type: 'disconnected', error }),
      text: (text) => this.#onText(text),
      closed,
    });
  }

  /** Does what the machine asks for. */
  perform(effect: ReadEffect): void {
    switch (effect.type) {
      case 'load':
        this.#load(effect.request);
        break;
      case 'scan':
        this.#scan(effect.request);
        break;
      case 'fetch':
        this.#fetch(effect.request, effect.seq, effect.names);
        break;
      case 'survey':
        this.#survey(effect.request, effect.seq);
        break;
      case 'replay':
        this.#replay(effect.request, effect.seq);
        break;
      case 'resubscribe':
        this.#options.pair.resubscribe();
        break;
      case 'look':
        this.#options.pair.look();
    }
  }

  #load(request: number): void {
    const { pair, keys, listening } = this.#options;
    this.#run(request, 'reading meta', async () => {
      const view = await readView(pair.reader, keys);
      listening?.look(view);
      this.#answer(request, { type: 'meta', request, view });
    });
  }

  #scan(request: number): void {
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

  #fetch(request: number, seq: number, names: readonly KeyName[]): void {
    const { pair, keys, pages } = this.#options;
    this.#run(request, 'reading keys', async () => {
      for await (const page of readKeys(pair.reader, keys, names, pages)) {
        this.#answer(request, { type: 'found', request, seq, ...page });
      }
    });
  }

  #survey(request: number, seq: number): void {
    const { pair, keys } = this.#options;
    this.#run(request, 'reading the quarantine', async () => {
      this.#answer(request, { type: 'found', request, seq, ...(await readAside(pair.reader, keys)) });
    });
  }

  #replay(request: number, seq: number): void {
    const { pair, keys, listening } = this.#options;
    this.#run(request, 'reading the replay stream', async () => {
      const reads = listening?.replays ?? true;
      const history = reads ? await readStream(pair.reader, keys, seq) : { view: await readView(pair.reader, keys), messages: [] };
      listening?.look(history.view);
      history.messages.forEach((message) => listening?.read(message));
      this.#answer(request, { type: 'replayed', request, ...history });
    });
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
      const message = parseMessage(text);
      input = { type: 'message', message: this.#options.listening?.read(message) ?? message, bytes: text.length };
    } catch (error) {
      input = { type: 'invalid', error: asPatchwireError(error) };
    }
    this.#send(input);
  }

  #run(request: number, what: string, work: () => Promise<void>): void {
    this.#request = request;
    const running = work()
      .catch((error: unknown) => {
        let mapped = mapSubscriberError(error, what);
        if (mapped.code === 'PW-W403' && !this.#disposed) {
          // No reply: the connection is lost, or only seems to be there.
          this.#options.pair.reread();
        } else if (AWAY.has(mapped.code) && !this.#disposed) {
          mapped = this.#options.pair.doubt(mapped);
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
