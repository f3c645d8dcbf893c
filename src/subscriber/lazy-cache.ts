/**
 * A lazy cache as its user has it: documents are read when they are asked for, and in step from then on. What is held, what of an answer may be
 * taken and where it stands is the subscription's.
 */
import type { SubscriberEvent } from './events.ts';
import { KeyAsk, KeyAsks, type KeysHeld } from './key-asks.ts';
import type { Held } from './holding.ts';
import { type Key, dataKeyOf } from './keys.ts';
import type { LazyDocuments, LazyMode } from './lazy-documents.ts';
import type { LazyCache, LazyState } from './lazy-interface.ts';
import { type FollowerOptions, SectionFollower } from './section-follower.ts';
import type { LoadedRow } from './section-view.ts';
import type { WaitOptions } from './subscription.ts';

export interface LazyCacheOptions<T> extends FollowerOptions<T> {
  readonly mode: LazyMode;
  /** How long a `get` waits that names no time-out of its own. */
  readonly timeoutMs: number;
}

export class LazySection<T extends object> extends SectionFollower<T> implements LazyCache<T> {
  readonly #mode: LazyMode;
  readonly #timeoutMs: number;
  readonly #asks = new KeyAsks();
  /** The number under which keys were read last. */
  #reading: number | null = null;
  #scheduled = false;
  #hits = 0;
  #loads = 0;

  constructor(options: LazyCacheOptions<T>) {
    super(options);
    this.#mode = options.mode;
    this.#timeoutMs = options.timeoutMs;
    this.subscription.start();
  }

  async get(key: Key, options?: WaitOptions): Promise<T | undefined> {
    return (await this.getMany([key], options))[0];
  }

  async getMany(keys: readonly Key[], options?: WaitOptions): Promise<(T | undefined)[]> {
    return (await this.#ask(keys, options)).map((entry) => (entry ? this.documentOf(entry) : undefined));
  }

  async unavailable(key: Key, options?: WaitOptions): Promise<boolean> {
    return (await this.#ask([key], options))[0] === false;
  }

  /** What the keys are, once all are held or known. */
  async #ask(keys: readonly Key[], { signal, timeoutMs = this.#timeoutMs }: WaitOptions = {}): Promise<Held[]> {
    const ask = new KeyAsk(keys.map(dataKeyOf));
    // What has arrived with what is being taken now is taken first, so that nothing older is given out than what is told meanwhile.
    await Promise.resolve();
    this.#asks.add(ask, this.subscription.reading === null ? null : this.#held);
    this.#hits += ask.slots.length - ask.open;
    this.#schedule();
    try {
      await this.subscription.wait(() => ask.open === 0, { signal, timeoutMs });
      return ask.slots.map(({ row }) => {
        if (row?.error !== undefined) {
          throw row.error;
        }
        return row?.entry ?? null;
      });
    } finally {
      this.#asks.drop(ask);
    }
  }

  peek(key: Key): T | undefined {
    const entry = this.#known(key);
    return entry ? this.documentOf(entry) : undefined;
  }

  has(key: Key): boolean | undefined {
    const entry = this.#known(key);
    return entry && this.documentOf(entry) === undefined ? false : entry === undefined ? undefined : entry !== null;
  }

  get size(): number {
    return this.subscription.documents.size;
  }

  override state(): LazyState {
    const { counters, ...state } = super.state();
    return { ...state, counters: { ...counters, hits: this.#hits, loads: this.#loads, evictions: this.#mode.evictions } };
  }

  protected override observe(events: readonly SubscriberEvent[]): void {
    for (const event of events) {
      if (event.type === 'change') {
        const { identity, dataKey, op, versionId: version, after: document } = event;
        const gone = op === 'unavailable' ? false : null;
        this.#asks.tell({ identity, entry: document === null ? gone : { identity, dataKey, version, document } });
      }
    }
    super.observe(events);
  }

  protected override filled(rows: readonly LoadedRow[]): void {
    this.#loads += rows.length;
    rows.forEach((row) => this.#asks.tell(row));
  }

  protected override taken(): void {
    const { reading } = this.subscription;
    if (reading !== null && reading !== this.#reading) {
      this.#reading = reading;
      this.#asks.restart(this.#held);
      this.#read();
    }
  }

  get #held(): KeysHeld {
    const { subscription } = this;
    const { documents } = subscription;
    return {
      identityOf: (dataKey) => subscription.identityOf(dataKey),
      use: (identity) => (documents as LazyDocuments).use(identity),
    };
  }

  #known(key: Key): ReturnType<KeysHeld['use']> {
    return this.position() === null ? undefined : (this.subscription.documents as LazyDocuments).known(this.subscription.identityOf(key));
  }

  /** Reads what is wanted at the end of this turn of the event loop, together. */
  #schedule(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#read();
      });
    }
  }

  #read(): void {
    const names = this.subscription.reading === null ? [] : this.#asks.take();
    if (names.length > 0) {
      this.subscription.take({ type: 'want', names });
    }
  }
}
