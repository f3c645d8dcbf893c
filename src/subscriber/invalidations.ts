/**
 * The mode `invalidate`, for a cache that a program already has: which keys have changed, in order, and when that cannot be said. Holds no document
 * and hears none: it follows the same chain on the channel of keys. What becomes of the cache is its owner's (adapters/).
 */
import type { Clock } from '../lib/clock.ts';
import { PatchwireError } from '../model/failure.ts';
import type { ChangesMessage, Message } from '../wire/messages.ts';
import type { ChangeEvent, Position, ReplicaState, ResetReason, SubscriberEvent } from './events.ts';
import type { Listening } from './feed.ts';
import { Follower } from './follower.ts';
import type { Holding, Mode } from './holding.ts';
import type { Key } from './keys.ts';
import type { SectionView } from './section-view.ts';
import { laterVersion } from './standing.ts';
import type { SubscriptionOptions, WaitOptions } from './subscription.ts';

/** A key has changed: what is cached of it is old. A respelled key is two: a remove as it was spelled, an upsert as it is. */
export type InvalidateEvent = { readonly type: 'invalidate' } & Pick<
  ChangeEvent,
  'dataKey' | 'identity' | 'op' | 'versionId' | 'prevVersionId' | 'seq' | 'changeTime'
>;

/**
 * Anything may have changed: everything that is cached is old. At the start, and whenever the chain is lost: once when that is known, and once
 * more when it goes on, for what was cached in between. `closed`: nobody tells of changes any more.
 */
export interface InvalidateAllEvent {
  readonly type: 'invalidateAll';
  readonly reason: 'start' | 'closed' | ResetReason;
  readonly text: string;
}

export type InvalidationEvent =
  | InvalidateEvent
  | InvalidateAllEvent
  | Exclude<SubscriberEvent, { readonly type: 'change' | 'restored' | 'skipped' }>;

export type InvalidationOf<E extends InvalidationEvent['type']> = Extract<InvalidationEvent, { type: E }>;

/** What a program has of a section of which it holds nothing. */
export interface Invalidations extends AsyncDisposable {
  /** Calls `handler` for every event of a type, at once and in order, until the returned function is called. */
  on<E extends InvalidationEvent['type']>(type: E, handler: (event: InvalidationOf<E>) => void): () => void;
  /**
   * The key by which every spelling is told that its collation calls equal: `identity` of the events. Before the first `live`, and of a section that
   * was loaded before the collations of its key were stored with it, it is the key as it is spelled.
   */
  identityOf(key: Key): string;
  /** What it is doing. It is never `equal`: there is nothing to compare (`not compared`). */
  state(): ReplicaState;
  /** Up to where it has told; null: it cannot say which keys have changed. */
  position(): Position | null;
  /**
   * The greatest source version of which anything told so far may be; null: not known. Whoever read a row from a database whose current version
   * was not below this one has seen everything that was told.
   */
  horizon(): string | null;
  /** Resolves when every change up to `version` has been told. @throws as for a replica */
  waitForVersion(version: bigint | string, options?: WaitOptions): Promise<void>;
  /** Resolves when it is live. @throws as waitForVersion */
  waitUntilLive(options?: WaitOptions): Promise<void>;
  close(): Promise<void>;
}

export interface InvalidationsOptions {
  readonly clock: Clock;
  readonly subscription: Omit<SubscriptionOptions, 'observe' | 'clock' | 'listening'>;
  /** What a gap costs: a replay, which reads the bodies too, or everything that is cached. */
  readonly onGap: 'replay' | 'all';
  readonly onInvalidate?: ((event: InvalidateEvent | InvalidateAllEvent) => void) | undefined;
  readonly onEvent?: ((event: InvalidationEvent) => void) | undefined;
}

/** Nothing. Whatever is told applies to it. */
const NOTHING: Holding = {
  ...{ size: 0, digest: null, aside: null },
  find: () => undefined,
  entries: () => [].values(),
  set: () => {},
  apply: (changes) => ({
    ok: true,
    applied: changes.map((change) => ({ change, identity: change.identity ?? change.dataKey, before: null, after: null })),
  }),
};

export const invalidateMode: Mode = { name: 'invalidate', whole: false, empty: () => ({ ...NOTHING }) };

export class KeyInvalidations extends Follower<InvalidationEvent> implements Invalidations {
  readonly #onInvalidate: InvalidationsOptions['onInvalidate'];
  /** Why everything is told next; null: it is known which keys have changed. */
  #lost: Omit<InvalidateAllEvent, 'type'> | null = { reason: 'start', text: 'nothing was told before' };
  /** What meta said last. */
  #view: SectionView | null = null;
  /** The greatest version of what was published before the chain began; null: not known. */
  #before: string | null = null;
  /** The greatest version that was told since. */
  #told: string | null = null;

  constructor(options: InvalidationsOptions) {
    const { clock, subscription, onGap, onInvalidate, onEvent } = options;
    const listening: Listening = {
      channel: ({ keysChannel }) => keysChannel,
      read: (message) => this.#read(message),
      look: (view) => this.#look(view),
      replays: onGap === 'replay',
    };
    super({ ...subscription, clock, listening }, onEvent);
    this.#onInvalidate = onInvalidate;
    this.subscription.start();
  }

  identityOf(key: Key): string {
    return this.subscription.identityOf(key);
  }

  horizon(): string | null {
    const at = this.position();
    if (this.#before === null && at !== null && at.upTo !== null) {
      // Rows that were corrected under a version of their own are below the first that is claimed after them.
      this.#before = laterVersion(this.#view?.high ?? null, at.upTo);
    }
    return at === null || this.#before === null ? null : laterVersion(this.#before, this.#told);
  }

  /** @throws PatchwireError PW-W411 */
  #look(view: SectionView | null): void {
    if (view?.toldKeys === false) {
      throw new PatchwireError('PW-W411', 'the publisher of the section does not tell keys on a channel of their own');
    }
    this.#view = view;
  }

  /** A message of either channel, or of the stream, as one that has no bodies to apply. */
  #read<M extends Message>(message: M): M | ChangesMessage {
    if (message.type === 'changes' && message.state === 'resyncing') {
      // History was lost: of rows that are now what was delivered, nobody will be told what they were in between.
      this.dispatch({ type: 'invalidateAll', reason: 'announced', text: 'resync' });
    }
    return message.type === 'keys'
      ? {
          ...message,
          type: 'changes',
          changes: message.changes.map((change) => ({ ...change, changeVersion: change.versionId, patch: [] })),
        }
      : message;
  }

  protected override observe(events: readonly SubscriberEvent[]): void {
    for (const event of events) {
      switch (event.type) {
        case 'change': {
          const { dataKey, identity, op, versionId, prevVersionId, seq, changeTime } = event;
          this.#told = laterVersion(this.#told, versionId);
          this.dispatch({ type: 'invalidate', dataKey, identity, op, versionId, prevVersionId, seq, changeTime });
          break;
        }
        case 'reset':
          this.#lost = { reason: event.reason, text: event.text };
          this.dispatch({ type: 'invalidateAll', ...this.#lost });
          this.dispatch(event);
          break;
        case 'live':
          this.#begin();
          this.dispatch(event);
          break;
        case 'closed':
          this.dispatch({ type: 'invalidateAll', reason: 'closed', text: event.error?.message ?? 'closed' });
          this.dispatch(event);
          break;
        case 'restored':
        case 'skipped':
          break;
        case 'gap':
        case 'recovered':
        case 'diverged':
        case 'lag':
        case 'trouble':
          this.dispatch(event);
      }
    }
  }

  /** The chain begins: what was published before it, nobody was told of. */
  #begin(): void {
    const { state, high, checkpoint } = this.#view ?? {};
    this.#told = null;
    this.#before = state === 'live' ? laterVersion(checkpoint ?? null, high ?? null) : null;
    if (this.#lost !== null) {
      this.dispatch({ type: 'invalidateAll', ...this.#lost });
      this.#lost = null;
    }
  }

  protected override dispatch(event: InvalidationEvent): void {
    super.dispatch(event, event.type === 'invalidate' || event.type === 'invalidateAll' ? this.#onInvalidate : undefined);
  }
}
