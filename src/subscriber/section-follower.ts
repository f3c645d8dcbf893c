/**
 * What a program has of a section whatever its mode: events, changes to whoever wants them, handlers, documents as a parser makes them, and where
 * it stands. Knows nothing of what is held; nothing here touches Redis.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Document } from '../model/document.ts';
import type { PatchwireError } from '../model/failure.ts';
import { ChangeFlow, type FlowItem, type FlowLimits, type WhenFull } from './change-flow.ts';
import type { ChangeEvent, SubscriberEvent } from './events.ts';
import { Follower } from './follower.ts';
import type { ChangesOptions, Following } from './following.ts';
import type { HandleOptions, Handling } from './handling.ts';
import type { HeldEntry } from './holding.ts';
import { type OnInvalid, type Parser, Parsing } from './parsing.ts';
import type { SubscriptionOptions } from './subscription.ts';

export interface FollowerOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  readonly subscription: Omit<SubscriptionOptions, 'observe' | 'filled' | 'taken' | 'clock' | 'listening'>;
  readonly parse?: Parser<T> | undefined;
  readonly onInvalid?: OnInvalid | undefined;
  readonly onEvent?: ((event: SubscriberEvent<T>) => void) | undefined;
}

interface OpenFlow<T> {
  readonly flow: ChangeFlow<T>;
  readonly end: () => void;
}

const MIB = 1024 * 1024;
const CHANGES_LIMITS: FlowLimits = { items: 10_000, bytes: 16 * MIB };
const HANDLE_LIMITS: FlowLimits = { items: 1000, bytes: 16 * MIB };

export abstract class SectionFollower<T extends object> extends Follower<SubscriberEvent<T>> implements Following<T> {
  protected readonly parsing: Parsing<T>;
  readonly #options: FollowerOptions<T>;
  readonly #flows = new Set<ChangeFlow<T>>();
  /** Flows that have no room. */
  readonly #full = new Set<ChangeFlow<T>>();
  /** A document was refused, and that is to be the end. */
  #stopped = false;
  /** What closed it; null: nothing has, or nothing special. */
  #failure: PatchwireError | null = null;

  constructor(options: FollowerOptions<T>) {
    const { clock, subscription, parse, onInvalid = 'stop', onEvent } = options;
    super({ ...subscription, clock }, onEvent);
    this.#options = options;
    this.parsing = new Parsing(parse, onInvalid);
  }

  changes({ limits, whenFull = 'drop', signal }: ChangesOptions = {}): AsyncIterableIterator<FlowItem<T>> {
    const { flow, end } = this.#open({ ...CHANGES_LIMITS, ...limits }, whenFull, signal, () => flow.discard(signal?.reason));
    const ended = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<FlowItem<T>> = {
      next: async () => {
        const value = await flow.next();
        return value === null ? (iterator.return?.() ?? ended) : { done: false, value };
      },
      return: async () => {
        end();
        return ended;
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
    const stopped = new AbortController();
    const stop = (): void => {
      stopped.abort();
      flow.discard();
    };
    const { flow, end } = this.#open({ ...HANDLE_LIMITS, ...options.limits }, 'wait', options.signal, () => stop());
    const trouble = (error: PatchwireError): void => this.dispatch({ type: 'trouble', error });
    // Loaded where it is needed.
    const done = import('./handling.ts')
      .then(({ handleChanges }) => handleChanges({ flow, handler, options, clock, random, trouble }, stopped))
      .finally(end);
    const leave = async (): Promise<void> => {
      stop();
      // Whoever waits for `done` hears of it.
      await done.catch(() => {});
    };
    return { done, stop: leave, [Symbol.asyncDispose]: leave };
  }

  reload(): void {
    this.subscription.take({ type: 'reload' });
  }

  /** Tells of what has happened: all events of one input, in order. A row that is as it was, or was not here, has not changed. */
  protected override observe(events: readonly SubscriberEvent[]): void {
    for (const event of events) {
      if (event.type !== 'change') {
        this.dispatch(event);
      } else if (event.before !== event.after) {
        this.dispatch(this.#typed(event));
      }
    }
  }

  protected documentOf({ dataKey, document }: Pick<HeldEntry, 'dataKey' | 'document'>): T | undefined {
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

  /** A queue of changes from now on. `aborted` is called when the signal fires, `end` when nobody takes any more. */
  #open(limits: FlowLimits, whenFull: WhenFull, signal: AbortSignal | undefined, aborted: () => void): OpenFlow<T> {
    const flow: ChangeFlow<T> = new ChangeFlow({ limits, whenFull, full: (full) => this.#hold(flow, full) });
    if (this.subscription.closed) {
      flow.finish(this.#failure);
    } else {
      this.#flows.add(flow);
    }
    signal?.addEventListener('abort', aborted, { once: true });
    if (signal?.aborted === true) {
      queueMicrotask(aborted);
    }
    const end = (): void => {
      this.#flows.delete(flow);
      signal?.removeEventListener('abort', aborted);
      flow.discard();
    };
    return { flow, end };
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
      document === null ? null : (this.documentOf({ dataKey: event.dataKey, document }) ?? null);
    return { ...event, before: value(event.before), after: value(event.after) };
  }

  protected override dispatch(event: SubscriberEvent<T>): void {
    for (const flow of [...this.#flows]) {
      if (event.type === 'change' || event.type === 'live' || event.type === 'reset' || event.type === 'skipped') {
        flow.push(event);
      } else if (event.type === 'closed') {
        this.#failure = event.error;
        flow.finish(event.error);
      }
    }
    super.dispatch(event);
  }
}
