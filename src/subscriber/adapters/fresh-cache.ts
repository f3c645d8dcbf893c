/**
 * A cache that a program already has, kept in step: what is told of goes out of it, and what is filled in by `get` is never older than that. For
 * anything with get, set, delete and clear, at once (lru-cache, a Map) or by promises (keyv, cacheable). Owns no values.
 */
import type { Invalidations } from '../invalidations.ts';
import type { Key } from '../keys.ts';
import type { WaitOptions } from '../subscription.ts';
import { FillGuard, type Told } from './fill-guard.ts';
import { ReadAt } from './read-at.ts';

/** lru-cache, Map, … */
export interface SyncCache<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: NoInfer<V>): unknown;
  delete(key: K): unknown;
  clear(): void;
}

/** keyv, cacheable, … An error that it emits instead of throwing counts as one of whatever is under way. */
export interface AsyncCache<K, V> {
  get(key: K): Promise<V | null | undefined>;
  set(key: K, value: NoInfer<V>): Promise<unknown>;
  delete(key: K): Promise<unknown>;
  clear(): Promise<unknown>;
  on?(event: string, listener: (error: unknown) => void): unknown;
  off?(event: string, listener: (error: unknown) => void): unknown;
}

export interface FreshCacheOptions<K> {
  /** How the cache calls a row. Default: by its identity, which is the data key as its collation folds it (`42`, `7|3`, `ann`). */
  readonly key?: ((identity: string) => K) | undefined;
  /** While the subscription is not live (cut off, catching up), what is cached may be old. serve (default) it, or bypass it. */
  readonly whenBehind?: 'serve' | 'bypass' | undefined;
  /** Told what a cache throws or emits. It is tried again where something had to go; nobody reads it meanwhile. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Ms until it is tried again. Default 1,000. */
  readonly retryMs?: number | undefined;
}

export interface FreshCache<V> extends AsyncDisposable {
  /**
   * What is cached; else what `load` reads, which is cached unless its key was told of meanwhile. Gets of a key share one load, unless it was told of
   * since. undefined is returned and never cached; for a row that is not there cache something of your own. @throws what `load` throws
   */
  get(key: Key, load: () => Promise<V | ReadAt<V>> | V | ReadAt<V>): Promise<V>;
  /** A key is old: after a write of one's own, before it is told of. */
  invalidate(key: Key): void;
  /** Resolves when every change up to `version` was told, and what it made old is out of the cache. @throws as for a replica */
  waitForVersion(version: bigint | string, options?: WaitOptions): Promise<void>;
  /** Resolves when nothing that had to go is in the cache any more. */
  settled(): Promise<void>;
  /** Values that were read, and of these the ones that were not stored because they may have been old. */
  readonly counters: { readonly loads: number; readonly refused: number };
}

type Subscribed = Told & Pick<Invalidations, 'state' | 'waitForVersion'>;

/** More keys than these, that could not be deleted yet, are all keys. */
const MOST_DIRTY = 10_000;

/**
 * Keeps a cache fresh from now on. What is in it goes: nobody knows how old it is. Disposing of it empties it once more.
 * @throws what a synchronous cache throws
 */
export function freshCache<V, K = string>(
  told: Subscribed,
  // A cache of promises is an asynchronous one.
  cache: SyncCache<K, V> & (V extends Promise<unknown> ? never : unknown),
  options?: FreshCacheOptions<K>,
): FreshCache<V>;
export function freshCache<V, K = string>(told: Subscribed, cache: AsyncCache<K, V>, options?: FreshCacheOptions<K>): FreshCache<V>;
export function freshCache<V, K = string>(
  told: Subscribed,
  cache: SyncCache<K, V> | AsyncCache<K, V>,
  options: FreshCacheOptions<K> = {},
): FreshCache<V> {
  const { key: keyOf = (identity: string): K => identity as K, whenBehind = 'serve', onError = (): void => {}, retryMs = 1000 } = options;
  const guard = new FillGuard(told);
  const loading = new Map<string, Promise<V>>();
  /** Identities whose value had to go and may still be there. ALL: every one. */
  const dirty = new Map<string | typeof ALL, Promise<void>>();
  /** By identity: what is being stored. */
  const storing = new Map<string, Promise<unknown>>();
  const counters = { loads: 0, refused: 0 };
  let errors = 0;
  let over = false;
  const fail = (error: unknown): void => {
    errors++;
    onError(error);
  };
  (cache as AsyncCache<K, V>).on?.('error', fail);

  const isDirty = (identity: string): boolean => dirty.has(identity) || dirty.has(ALL);
  const usable = (identity: string): boolean => !isDirty(identity) && (whenBehind === 'serve' || told.state().status === 'live');

  const remove = (identity: string | typeof ALL): unknown => (identity === ALL ? cache.clear() : cache.delete(keyOf(identity)));

  /** Until the value is gone nobody reads it. What is being stored goes after it is there. A cache that answers at once is tried once. */
  const drop = (identity: string | typeof ALL): void => {
    const before = errors;
    const stores = identity === ALL ? [...storing.values()] : [storing.get(identity)].filter((one) => one !== undefined);
    const gone = stores.length > 0 ? Promise.all(stores).then(() => remove(identity)) : remove(identity);
    if (!isPromise(gone)) {
      return;
    }
    const what = dirty.size < MOST_DIRTY ? identity : ALL;
    const done = gone
      .catch(fail)
      .then(() => (errors > before || what !== identity ? removeAtLast(what) : undefined))
      .finally(() => {
        if (dirty.get(what) === done) {
          dirty.delete(what);
        }
      });
    dirty.set(what, done);
  };
  const removeAtLast = async (identity: string | typeof ALL): Promise<void> => {
    for (let before = -1; before !== errors && !over;) {
      if (before >= 0) {
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
      before = errors;
      await Promise.resolve(remove(identity)).catch(fail);
    }
  };

  const forget = (identity: string): void => {
    loading.delete(identity);
    drop(identity);
  };
  const forgetAll = (): void => {
    loading.clear();
    drop(ALL);
  };

  const store = async (identity: string, value: V): Promise<void> => {
    const before = errors;
    try {
      const stored = cache.set(keyOf(identity), value);
      if (isPromise(stored)) {
        storing.set(identity, stored.catch(fail));
        await storing.get(identity);
        storing.delete(identity);
      }
    } catch (error) {
      fail(error);
    }
    if (errors > before || over) {
      drop(identity);
    }
  };

  const fill = async (identity: string, load: () => Promise<V | ReadAt<V>> | V | ReadAt<V>): Promise<V> => {
    const open = guard.begin(identity);
    try {
      const read = await load();
      counters.loads++;
      const { value, version } = read instanceof ReadAt ? read : { value: read, version: undefined };
      if (value === undefined || over || isDirty(identity) || !open.fresh(version)) {
        counters.refused += value === undefined ? 0 : 1;
        return value;
      }
      await store(identity, value);
      return value;
    } finally {
      open.end();
    }
  };

  const off = [told.on('invalidate', ({ identity }) => forget(identity)), told.on('invalidateAll', () => forgetAll())];
  forgetAll();

  return {
    counters,
    get: async (key, load) => {
      const identity = told.identityOf(key);
      if (usable(identity)) {
        const known = cache.get(keyOf(identity));
        const value = isPromise(known) ? await known.catch(fail) : known;
        if (value !== undefined && value !== null && !over) {
          return value as V;
        }
      }
      const shared = loading.get(identity);
      if (shared !== undefined) {
        return await shared;
      }
      const own = fill(identity, load).finally(() => {
        if (loading.get(identity) === own) {
          loading.delete(identity);
        }
      });
      loading.set(identity, own);
      return await own;
    },
    invalidate: (key) => {
      const identity = told.identityOf(key);
      guard.invalidate(identity);
      forget(identity);
    },
    waitForVersion: async (version, wait) => {
      await told.waitForVersion(version, wait);
      await Promise.all(dirty.values());
    },
    settled: async () => {
      while (dirty.size > 0) {
        await Promise.all(dirty.values());
      }
    },
    [Symbol.asyncDispose]: async () => {
      off.forEach((each) => each());
      guard[Symbol.dispose]();
      forgetAll();
      over = true;
      await Promise.all(dirty.values());
      (cache as AsyncCache<K, V>).off?.('error', fail);
    },
  };
}

const ALL = Symbol('every key');

function isPromise<T>(value: unknown): value is Promise<T> {
  return typeof (value as Promise<T> | null | undefined)?.then === 'function';
}
