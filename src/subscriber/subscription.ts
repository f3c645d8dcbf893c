/**
 * A running subscription: joins the state machine to its feed, to the clock, to what is stored, and to whoever looks at its events. Inputs are
 * taken one after another, also those that a user's handler causes. Owns one timer; closing releases it, and the connections that are its own.
 */
import type { Clock } from '../lib/clock.ts';
import { asPatchwireError, PatchwireError } from '../model/failure.ts';
import { compareVersionTexts, parseVersion } from '../model/version.ts';
import type { SectionKeys } from '../wire/keys.ts';
import type { SectionConnections } from './connection.ts';
import type { SharedConnections } from './shared-connections.ts';
import type { MachineOptions } from './course.ts';
import type { Position, ReplicaState, SubscriberEvent } from './events.ts';
import type { Feed, Listening } from './feed.ts';
import type { Holding } from './holding.ts';
import type { PageLimits } from './section-reader.ts';
import type { Effect, Input, LoadedRow } from './section-view.ts';
import type { SnapshotOf } from './snapshot.ts';
import type { Keeping, ReplicaStore } from './keeping.ts';
import type { KeyFolding } from './key-folding.ts';
import { dataKeyOf, type Key } from './keys.ts';
import { SubscriberMachine } from './state.ts';

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default: as long as it takes. */
  readonly timeoutMs?: number | undefined;
}

export interface SubscriptionOptions {
  readonly clock: Clock;
  readonly machine: MachineOptions;
  readonly connections: SharedConnections;
  /** Closed with it; null: the connections are others' too. */
  readonly owned: AsyncDisposable | null;
  readonly of: SnapshotOf;
  readonly keys: SectionKeys;
  readonly pages: PageLimits;
  readonly listening?: Listening | undefined;
  readonly store?: ReplicaStore | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What it tells of itself in `subscribers`; absent: nothing. */
  readonly presence?: { readonly name: string | null; readonly mode: string } | undefined;
  /** All events of one input, in order; the documents are what they are after it. */
  readonly observe: (events: readonly SubscriberEvent[]) => void;
  /** Keys were read one by one, and are in step from now on. */
  readonly filled?: (rows: readonly LoadedRow[]) => void;
  /** All that was to be taken has been taken. */
  readonly taken?: () => void;
}

/** A timer that comes later than this says that the process stood still: what was sent meanwhile lies in its socket, and is heard first. */
const LATE_MS = 100;

interface Waiter {
  readonly ready: () => boolean;
  readonly settle: (error: unknown) => void;
}

export class Subscription implements AsyncDisposable {
  readonly #options: SubscriptionOptions;
  readonly #clock: Clock;
  readonly #machine: SubscriberMachine;
  /** Null until what speaks to Redis is loaded. */
  #feed: Feed | null = null;
  #folding: KeyFolding | null = null;
  readonly #waiters = new Set<Waiter>();
  readonly #inputs: Input[] = [];
  #busy = false;
  #timer: { readonly atMs: number; readonly cancel: AbortController } | null = null;
  #stopping: Promise<void> | null = null;
  readonly #over = new AbortController();
  #keeping: Promise<Keeping> | null = null;
  readonly #abort = (): void => {
    // Whoever aborts does not wait; close() may be called for that.
    void this.close();
  };

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#machine = new SubscriberMachine(options.machine);
  }

  /** Takes up what is stored, and connects. */
  start(): void {
    const { signal, store } = this.#options;
    if (signal?.aborted === true) {
      this.#abort();
      return;
    }
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (store !== undefined) {
      this.#keeping = this.#keep(store);
    }
    this.#open().catch((error: unknown) => this.take({ type: 'close', error: asPatchwireError(error) }));
  }

  get documents(): Holding {
    return this.#machine.documents;
  }

  /** The key as its collation folds it; as it is spelled, while that is not known. */
  identityOf(key: Key): string {
    const dataKey = dataKeyOf(key);
    return this.#folding?.identityOf(this.#machine.key, dataKey) ?? dataKey;
  }

  /** The number under which keys are read now; another one means that what was asked for before does not come. Null: none are read. */
  get reading(): number | null {
    return this.#machine.reading;
  }

  get closed(): boolean {
    return this.#stopping !== null;
  }

  state(): ReplicaState {
    return this.#machine.state(this.#clock.now());
  }

  position(): Position | null {
    return this.#machine.position(this.#clock.now());
  }

  async waitForVersion(version: bigint | string, options: WaitOptions): Promise<void> {
    const wanted = String(version);
    parseVersion(wanted);
    await this.wait(() => {
      const upTo = this.position()?.upTo ?? null;
      return this.#isLive() && upTo !== null && compareVersionTexts(upTo, wanted) >= 0;
    }, options);
  }

  waitUntilLive(options: WaitOptions): Promise<void> {
    return this.wait(() => this.#isLive(), options);
  }

  /** Stores what is held now. @returns false when it does not count, or is not whole: nothing is stored then. @throws what the store throws */
  async save(): Promise<boolean> {
    return (await (await this.#keeping)?.save()) ?? false;
  }

  /** Saves, then closes. Never throws: what the store throws is told by `trouble`. */
  async close(): Promise<void> {
    if (this.#keeping !== null && !this.closed) {
      await (await this.#keeping).saveOrTell();
    }
    this.take({ type: 'close', error: null });
    // Called by a handler, it is taken after what is being taken now.
    await Promise.resolve();
    await this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  take(input: Input): void {
    this.#inputs.push(input);
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        this.#perform(this.#machine.handle(next, this.#clock.now()));
      }
    } finally {
      this.#busy = false;
    }
    this.#options.taken?.();
    this.#arm();
    for (const waiter of this.#waiters) {
      if (waiter.ready()) {
        waiter.settle(null);
      }
    }
  }

  /** Takes up what is stored, connects, and saves from then on. What speaks to Redis, and what few programs need, is loaded here. */
  async #open(): Promise<void> {
    const { connections, keys, pages, listening } = this.#options;
    const [connection, { Feed: RedisFeed }, { REACTIONS }, { KeyFolding: Folding }, keeping] = await Promise.all([
      connections.open(),
      import('./feed.ts'),
      import('./reactions.ts'),
      import('./key-folding.ts'),
      this.#keeping,
    ]);
    this.#machine.learn(REACTIONS);
    this.#folding = new Folding();
    await keeping?.restore();
    if (this.closed) {
      return;
    }
    const pair = connection.section(keys.meta);
    this.#feed = new RedisFeed({
      ...{ pair, keys, pages, listening },
      input: (input) => this.take(input),
      closed: () => this.take({ type: 'close', error: null }),
    });
    this.#beSeen(pair.reader);
    this.#feed.start();
    await keeping?.keepSaving();
  }

  #beSeen(redis: SectionConnections['reader']): void {
    const { presence, keys } = this.#options;
    if (presence !== undefined) {
      const standing = (): [ReplicaState, Position | null] => [this.state(), this.position()];
      const options = { ...presence, redis, key: keys.subscribers, clock: this.#clock, standing, signal: this.#over.signal };
      // Only a hint for people: nothing waits for it, or misses it.
      import('./presence.ts').then(({ keepPresence }) => keepPresence(options)).catch(() => {});
    }
  }

  #isLive(): boolean {
    return this.#machine.state().status === 'live';
  }

  async #keep(store: ReplicaStore): Promise<Keeping> {
    const { Keeping: Keeper } = await import('./keeping.ts');
    return new Keeper({
      ...{ store, of: this.#options.of, clock: this.#clock, signal: this.#over.signal },
      held: () => this.#machine.store(),
      position: () => this.position(),
      restore: (stored) => this.take({ type: 'restore', stored }),
      tell: (error) => this.#options.observe([{ type: 'trouble', error }]),
    });
  }

  /** Resolves when it is ready, which is looked at whenever something was taken. @throws as waitForVersion of a replica */
  async wait(ready: () => boolean, { signal, timeoutMs }: WaitOptions): Promise<void> {
    signal?.throwIfAborted();
    if (ready()) {
      return;
    }
    if (this.closed) {
      throw this.#closedError();
    }
    const cancel = new AbortController();
    const abort = (): void => waiter.settle(signal?.reason);
    let waiter: Waiter = { ready, settle: () => {} };
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { ready, settle: (error) => (error === null ? resolve() : reject(error as Error)) };
        this.#waiters.add(waiter);
        signal?.addEventListener('abort', abort, { once: true });
        if (timeoutMs !== undefined) {
          this.#clock.sleep(timeoutMs, { signal: cancel.signal }).then(
            () => waiter.settle(new DOMException(`not there after ${timeoutMs} ms`, 'TimeoutError')),
            () => {},
          );
        }
      });
    } finally {
      this.#waiters.delete(waiter);
      signal?.removeEventListener('abort', abort);
      cancel.abort();
    }
  }

  #perform(effects: readonly Effect[]): void {
    const events: SubscriberEvent[] = [];
    for (const effect of effects) {
      if (effect.type === 'emit') {
        events.push(effect.event);
      } else if (effect.type === 'filled') {
        this.#options.filled?.(effect.rows);
      } else if (effect.type === 'stop') {
        this.#stop();
      } else {
        this.#feed?.perform(effect);
      }
    }
    if (events.length > 0) {
      this.#options.observe(events);
    }
  }

  #stop(): void {
    const { signal, owned } = this.#options;
    signal?.removeEventListener('abort', this.#abort);
    this.#over.abort();
    const left = this.#feed?.[Symbol.asyncDispose]();
    const over = (): void => {};
    // Connections that could not be made are what it has told of already.
    this.#stopping = Promise.all([left, owned?.[Symbol.asyncDispose]()]).then(over, over);
    for (const waiter of this.#waiters) {
      waiter.settle(this.#closedError());
    }
  }

  #closedError(): PatchwireError {
    return this.#machine.state().error ?? new PatchwireError('PW-W410', 'the replica is closed');
  }

  /** One timer, for the machine's next tick. */
  #arm(): void {
    const atMs = this.#machine.wakeAtMs;
    if (atMs === (this.#timer?.atMs ?? null)) {
      return;
    }
    this.#timer?.cancel.abort();
    this.#timer = null;
    if (atMs === null) {
      return;
    }
    const timer = { atMs, cancel: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(atMs - this.#clock.now(), { signal: timer.cancel.signal }).then(
      () => {
        if (this.#timer === timer) {
          this.#timer = null;
        }
        const tick = (): void => this.take({ type: 'tick' });
        if (this.#clock.now() - atMs > LATE_MS) {
          setImmediate(tick);
        } else {
          tick();
        }
      },
      () => {},
    );
  }
}
