/**
 * What a program has of a section whatever its mode: events, changes to whoever wants them, handlers, documents as a parser makes them, and where
 * it stands. Knows nothing of what is held; nothing here touches Redis.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Document } from '../model/document.ts';
import type { PatchwireError } from '../model/failure.ts';
import { ChangeFlow, type FlowItem, type FlowLimits, type WhenFull } from './change-flow.ts';
import type { ChangeEvent, EventOf, Position, ReplicaState, SubscriberEvent } from './events.ts';
import type { ChangesOptions, Following } from './following.ts';
import type { HandleOptions, Handling } from './handling.ts';
import type { HeldEntry } from './holding.ts';
import { type OnInvalid, type Parser, Parsing } from './parsing.ts';
import type { LoadedRow } from './section-view.ts';
import { Subscription, type SubscriptionOptions, type WaitOptions } from './subscription.ts';

export interface FollowerOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  readonly subscription: Omit<SubscriptionOptions, 'observe' | 'filled' | 'taken' | 'clock' | 'listening'>;
  readonly parse?: Parser<T> | undefined;
  readonly onInvalid?: OnInvalid | undefined;
  readonly onEvent?: ((event: SubscriberEvent<T>) => void) | undefined;
}

const MIB = 1024 * 1024;
const CHANGES_LIMITS: FlowLimits = { items: 10_000, bytes: 16 * MIB };
const HANDLE_LIMITS: FlowLimits = { items: 1000, bytes: 16 * MIB };

/** Whoever extends it starts its subscription at the end of its constructor. */
export abstract class SectionFollower<T extends object> implements Following<T> {
  protected readonly subscription: Subscription;
  protected readonly parsing: Parsing<T>;
  readonly #options: FollowerOptions<T>;
  readonly #handlers = new Map<SubscriberEvent['type'], Set<(event: never) => void>>();
  readonly #flows = new Set<ChangeFlow<T>>();
  /** Flows that have no room. */
  readonly #full = new Set<ChangeFlow<T>>();
  /** A document was refused, and that is to be the end. */
  #stopped = false;
  /** What closed it; null: nothing has, or nothing special. */
  #failure: PatchwireError | null = null;

  constructor(options: FollowerOptions<T>) {
    this.#options = options;
    const { clock, subscription, parse, onInvalid = 'stop' } = options;
    this.parsing = new Parsing(parse, onInvalid);
    this.subscription = new Subscription({
      ...{ ...subscription, clock },
      observe: (events) => this.observe(events),
      filled: (rows) => this.filled(rows),
      taken: () => this.taken(),
    });
  }

  on<E extends SubscriberEvent['type']>(type: E, handler: (event: EventOf<E, T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
    };
  }

  changes({ limits, whenFull = 'drop', signal }: ChangesOptions = {}): AsyncIterableIterator<FlowItem<T>> {
    const flow = this.#open({ ...CHANGES_LIMITS, ...limits }, whenFull);
    const abort = (): void => flow.discard(signal?.reason);
    const end = (): void => {
      this.#flows.delete(flow);
      signal?.removeEventListener('abort', abort);
      flow.discard();
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) {
      abort();
    }
    const iterator: AsyncIterableIterator<FlowItem<T>> = {
      next: async () => {
        const item = await flow.next();
        if (item === null) {
          end();
          return { done: true, value: undefined };
        }
        return { done: false, value: item };
      },
      return: async () => {
        end();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  handle(
    handler: (change: ChangeEvent<T>, context: { readonly signal: AbortSignal }) => void | Promise<void>,
    options: HandleOptions = {},
  ): Handling {
    const { clock, random } = this.#options;
    const flow = this.#open({ ...HANDLE_LIMITS, ...options.limits }, 'wait');
    const stopped = new AbortController();
    const stop = (): void => {
      stopped.abort();
      flow.discard();
    };
    options.signal?.addEventListener('abort', stop, { once: true });
    if (options.signal?.aborted === true) {
      stop();
    }
    const trouble = (error: PatchwireError): void => this.dispatch({ type: 'trouble', error });
    const run = async (): Promise<void> => {
      const { handleChanges } = await import('./handling.ts');
      await handleChanges({ flow, handler, options, clock, random, trouble }, stopped);
    };
    const done = run().finally(() => {
      this.#flows.delete(flow);
      options.signal?.removeEventListener('abort', stop);
      flow.discard();
    });
    const end = async (): Promise<void> => {
      stop();
      // Whoever waits for `done` hears of it.
      await done.catch(() => {});
    };
    return { done, stop: end, [Symbol.asyncDispose]: end };
  }

  state(): ReplicaState {
    return this.subscription.state();
  }

  position(): Position | null {
    return this.subscription.position();
  }

  waitForVersion(version: bigint | string, options: WaitOptions = {}): Promise<void> {
    return this.subscription.waitForVersion(version, options);
  }

  waitUntilLive(options: WaitOptions = {}): Promise<void> {
    return this.subscription.waitUntilLive(options);
  }

  reload(): void {
    this.subscription.take({ type: 'reload' });
  }

  close(): Promise<void> {
    return this.subscription.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Keys were read one by one, and are in step from now on. */
  protected filled(_rows: readonly LoadedRow[]): void {}

  /** All that was to be taken has been taken. */
  protected taken(): void {}

  /** Tells of what has happened: all events of one input, in order. */
  protected observe(events: readonly SubscriberEvent[]): void {
    events.forEach((event) => this.dispatch(event.type === 'change' ? this.#typed(event) : event));
  }

  protected valueOf({ dataKey, document }: Pick<HeldEntry, 'dataKey' | 'document'>): T | undefined {
    const parsed = this.parsing.of(dataKey, document, (error) => this.#refuse(error));
    return parsed.ok ? parsed.value : undefined;
  }

  #refuse(error: PatchwireError): void {
    if (this.#stopped) {
      return;
    }
    this.#stopped = (this.#options.onInvalid ?? 'stop') === 'stop';
    this.dispatch({ type: 'trouble', error });
    if (this.#stopped) {
      this.subscription.take({ type: 'close', error });
    }
  }

  #open(limits: FlowLimits, whenFull: WhenFull): ChangeFlow<T> {
    const flow: ChangeFlow<T> = new ChangeFlow({ limits, whenFull, full: (full) => this.#hold(flow, full) });
    if (this.subscription.closed) {
      flow.finish(this.#failure);
    } else {
      this.#flows.add(flow);
    }
    return flow;
  }

  /** While one flow has no room, the replica is held. */
  #hold(flow: ChangeFlow<T>, full: boolean): void {
    const before = this.#full.size;
    if (full) {
      this.#full.add(flow);
    } else {
      this.#full.delete(flow);
    }
    if (before === 0 && this.#full.size > 0) {
      this.subscription.take({ type: 'hold' });
    } else if (before > 0 && this.#full.size === 0) {
      this.subscription.take({ type: 'release' });
    }
  }

  #typed(event: ChangeEvent): ChangeEvent<T> {
    if (this.parsing.plain) {
      return event as ChangeEvent<unknown> as ChangeEvent<T>;
    }
    const value = (document: Document | null): T | null =>
      document === null ? null : (this.valueOf({ dataKey: event.dataKey, document }) ?? null);
    return { ...event, before: value(event.before), after: value(event.after) };
  }

  protected dispatch(event: SubscriberEvent<T>): void {
    for (const flow of [...this.#flows]) {
      if (event.type === 'change' || event.type === 'live' || event.type === 'reset' || event.type === 'skipped') {
        flow.push(event);
      } else if (event.type === 'closed') {
        this.#failure = event.error;
        flow.finish(event.error);
      }
    }
    const handlers = [...(this.#handlers.get(event.type) ?? [])] as ((event: SubscriberEvent<T>) => void)[];
    const { onEvent } = this.#options;
    for (const handler of onEvent === undefined ? handlers : [onEvent, ...handlers]) {
      try {
        handler(event);
      } catch (error) {
        // The user's error is the user's: it surfaces, and the replica stays whole.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
