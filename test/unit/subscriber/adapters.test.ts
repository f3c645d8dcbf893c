/**
 * Caches that programs have, kept fresh: whatever the order in which a database changes, changes are told, and fills read and store, nothing that is
 * old stays cached, and who has waited for a version reads it.
 */
import { Cacheable } from 'cacheable';
import fc from 'fast-check';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  type AsyncCache,
  fillGuard,
  type FreshCache,
  freshCache,
  type FreshCacheOptions,
  readAt,
  type SyncCache,
} from '../../../src/subscriber/adapters/index.ts';
import type { InvalidationEvent, Invalidations, Position, ReplicaState } from '../../../src/subscriber/index.ts';

/** A subscription that tells what a test says, and a database of versions that is ahead of it. */
class Told implements Pick<Invalidations, 'on' | 'identityOf' | 'position' | 'horizon' | 'state' | 'waitForVersion'> {
  readonly #handlers = new Map<string, Set<(event: never) => void>>();
  told = 1;
  counts = true;
  status: ReplicaState['status'] = 'live';

  on(type: string, handler: (event: never) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => {
      handlers.delete(handler);
    };
  }

  identityOf(key: unknown): string {
    return String(key).toLowerCase();
  }

  position(): Position | null {
    return this.counts ? { epoch: 'e', seq: 1, last: 'l', checkpoint: '1', upTo: String(this.told), ageMs: 0 } : null;
  }

  horizon(): string | null {
    return this.counts ? String(this.told) : null;
  }

  state(): ReplicaState {
    return { status: this.status, equal: false, reasons: ['not compared'], publisher: 'beating', counters: {} as never, error: null };
  }

  async waitForVersion(version: bigint | string): Promise<void> {
    await vi.waitUntil(() => this.told >= Number(version));
  }

  tell(identity: string, version: number): void {
    this.told = Math.max(this.told, version);
    this.emit({ type: 'invalidate', identity, dataKey: identity, op: 'upsert', versionId: String(version) } as InvalidationEvent);
  }

  all(): void {
    this.emit({ type: 'invalidateAll', reason: 'reset' as never, text: '' });
  }

  emit(event: InvalidationEvent): void {
    [...(this.#handlers.get(event.type) ?? [])].forEach((handler) => handler(event as never));
  }
}

const plain = (): Map<string, number> => new Map<string, number>();
const lru = (): LRUCache<string, number> => new LRUCache<string, number>({ max: 100 });
const keyv = (): Keyv<number> => new Keyv<number>();
const cacheable = (): Cacheable => new Cacheable();

/** Every call takes until the scheduler says, both before and after it takes effect. */
function slow(scheduler: fc.Scheduler): AsyncCache<string, number> {
  const store = plain();
  const step = <T>(name: string, effect: () => T): Promise<T> =>
    scheduler
      .schedule(Promise.resolve(), name)
      .then(effect)
      .then((result) => scheduler.schedule(Promise.resolve(result), `${name} answered`));
  return {
    get: (key) => step('get', () => store.get(key)),
    set: (key, value) => step('set', () => store.set(key, value)),
    delete: (key) => step('delete', () => store.delete(key)),
    clear: () => step('clear', () => store.clear()),
  };
}

describe('whatever the order', () => {
  const KEYS = ['a', 'b'];
  type Action = { readonly kind: 'write' | 'get' | 'tell' | 'all'; readonly key: string };
  const action = fc.record({ kind: fc.constantFrom<Action['kind']>('write', 'get', 'get', 'tell', 'all'), key: fc.constantFrom(...KEYS) });

  it.each([
    ['a Map', plain],
    ['lru-cache', lru],
    ['keyv', keyv],
    ['cacheable', cacheable],
    ['a cache that takes its time', slow],
  ] as const)('%s never keeps a value that was read before a change was told, and stored after it', async (_name, make) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(action, { minLength: 2, maxLength: 14 }), async (scheduler, actions) => {
        const told = new Told();
        const cache = freshCache<number>(told, make(scheduler) as SyncCache<string, number>);
        const database = new Map(KEYS.map((key) => [key, 1]));
        const toldOf = new Map(KEYS.map((key) => [key, 1]));
        const load = (key: string) => async (): Promise<number> => {
          await scheduler.schedule(Promise.resolve(), `ask for ${key}`);
          const value = database.get(key)!;
          await scheduler.schedule(Promise.resolve(), `${key} is ${value}`);
          return value;
        };
        const tell = (key: string): void => {
          toldOf.set(key, database.get(key)!);
          told.tell(key, database.get(key)!);
        };
        let version = 1;
        const running: Promise<void>[] = [];
        const old: string[] = [];
        scheduler.scheduleSequence(
          actions.map(({ kind, key }) => ({
            label: `${kind} ${key}`,
            builder: async () => {
              if (kind === 'write') {
                database.set(key, ++version);
              } else if (kind === 'tell') {
                tell(key);
              } else if (kind === 'all') {
                KEYS.forEach((each) => toldOf.set(each, database.get(each)!));
                told.all();
              } else {
                const least = toldOf.get(key)!;
                // Who asks after a change was told gets the change.
                running.push(
                  cache.get(key, load(key)).then((value) => {
                    old.push(...(value < least ? [`${key} is ${value}, told was ${least}`] : []));
                  }),
                );
              }
            },
          })),
        );
        const drain = async (work: Promise<unknown>): Promise<void> => {
          let over = false;
          void work.finally(() => {
            over = true;
          });
          while (!over) {
            await scheduler.waitIdle();
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        await scheduler.waitIdle();
        await drain(Promise.all(running));
        expect(old).toEqual([]);
        // Every change is told once, and no more: what was filled after it must be right by itself.
        KEYS.filter((key) => toldOf.get(key) !== database.get(key)).forEach(tell);
        await drain(cache.settled());
        const values = Promise.all(KEYS.map((key) => cache.get(key, load(key))));
        await drain(values);
        expect(await values).toEqual(KEYS.map((key) => database.get(key)));
      }),
      { numRuns: 600 },
    );
  });
});

/** A load that waits until it is told to go on. */
function gate<T>(value: () => T): { readonly load: () => Promise<T>; readonly open: () => void; readonly begun: Promise<void> } {
  let [open, begin] = [(): void => {}, (): void => {}];
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    load: async () => {
      const read = value();
      begin();
      await opened;
      return read;
    },
    open: () => open(),
    begun,
  };
}

describe.each([
  ['lru-cache', lru],
  ['keyv', keyv],
  ['cacheable', cacheable],
] as const)('%s', (_name, make) => {
  const fresh = (told: Told, options: FreshCacheOptions<string> = {}): ReturnType<typeof freshCache<number>> =>
    freshCache<number>(told, make() as SyncCache<string, number>, options);

  it('a value that was told of while it was read is returned, and not kept: the stale refill', async () => {
    const told = new Told();
    const cache = fresh(told);
    await cache.settled();
    const { load, open, begun } = gate(() => 1);
    const first = cache.get('a', load);
    await begun;
    told.tell('a', 2);
    open();
    expect(await first).toBe(1);
    expect(await cache.get('a', () => 2)).toBe(2);
    expect(await cache.get('a', () => 3)).toBe(2);
    expect(cache.counters).toEqual({ loads: 2, refused: 1 });
  });

  it('gets of a key share one load, and who comes after a change does not wait for what was read before it', async () => {
    const told = new Told();
    const cache = fresh(told);
    await cache.settled();
    const { load, open, begun } = gate(() => 1);
    const early = [cache.get('a', load), cache.get('A', load)];
    await begun;
    told.tell('a', 2);
    await cache.settled();
    expect(await cache.get('a', () => 2)).toBe(2);
    open();
    expect(await Promise.all(early)).toEqual([1, 1]);
    expect(await cache.get('a', () => 3)).toBe(2);
  });

  it('nothing is kept while it cannot be said what has changed; at the end the cache is empty', async () => {
    const told = new Told();
    const cache = fresh(told);
    told.counts = false;
    expect(await cache.get('a', () => 1)).toBe(1);
    expect(await cache.get('a', () => 2)).toBe(2);
    told.counts = true;
    expect(await cache.get('a', () => 3)).toBe(3);
    expect(await cache.get('a', () => 4)).toBe(3);
    await cache[Symbol.asyncDispose]();
    expect(await cache.get('a', () => 5)).toBe(5);
    expect(await cache.get('a', () => 6)).toBe(6);
  });

  it('a value of a database that is behind what was told is not kept, one that is not is', async () => {
    const told = new Told();
    const cache = fresh(told);
    told.tell('a', 7);
    await cache.settled();
    expect(await cache.get('a', () => readAt(6n, 1))).toBe(1);
    expect(await cache.get('a', () => readAt('7', 2))).toBe(2);
    expect(await cache.get('a', () => 3)).toBe(2);
    expect(cache.counters).toEqual({ loads: 2, refused: 1 });
  });

  it('bypass: while it is not live, what is cached is not served, and is there again afterwards', async () => {
    const told = new Told();
    const cache = fresh(told, { whenBehind: 'bypass' });
    await cache.settled();
    await cache.get('a', () => 1);
    told.status = 'disconnected';
    expect(await cache.get('a', () => 2)).toBe(2);
    told.status = 'live';
    expect(await cache.get('a', () => 3)).toBe(2);
  });

  it('a write of one’s own makes a key old before it is told of, in any spelling', async () => {
    const told = new Told();
    const cache = fresh(told);
    await cache.settled();
    await cache.get('a', () => 1);
    cache.invalidate('A');
    await cache.settled();
    expect(await cache.get('a', () => 2)).toBe(2);
  });
});

describe('a cache that fails', () => {
  it('is tried again until the old value is gone; nobody reads it meanwhile', async () => {
    const told = new Told();
    const store = new Map<string, number>();
    const errors: unknown[] = [];
    let broken = false;
    const cache = freshCache<number>(
      told,
      {
        get: async (key: string) => store.get(key),
        set: async (key: string, value: number) => store.set(key, value),
        delete: async (key: string) => {
          if (broken) {
            throw new Error('no connection');
          }
          store.delete(key);
        },
        clear: async () => store.clear(),
      },
      { onError: (error) => errors.push(error), retryMs: 1 },
    );
    await cache.settled();
    await cache.get('a', () => 1);
    broken = true;
    told.tell('a', 2);
    expect(await cache.get('a', () => 2)).toBe(2);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(2));
    expect(store.get('a')).toBe(1);
    expect(await cache.get('a', () => 2)).toBe(2);
    broken = false;
    await cache.settled();
    expect(store.has('a')).toBe(false);
  });

  it('an error that keyv emits instead of throwing counts', async () => {
    const told = new Told();
    const store = new Map<string, unknown>();
    let broken = false;
    const failing = Object.assign(store, {
      delete: (key: string) => {
        if (broken) {
          throw new Error('no connection');
        }
        return Map.prototype.delete.call(store, key);
      },
    });
    const errors: unknown[] = [];
    const cache = freshCache<number>(told, new Keyv<number>({ store: failing }), { onError: (error) => errors.push(error), retryMs: 1 });
    await cache.settled();
    await cache.get('a', () => 1);
    broken = true;
    told.tell('a', 2);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1));
    expect(await cache.get('a', () => 2)).toBe(2);
    broken = false;
    await cache.settled();
    expect(await cache.get('a', () => 3)).toBe(3);
  });
});

describe('the guard by itself, for a store of one’s own', () => {
  it('remembers the fills that are under way, and nothing else', () => {
    const told = new Told();
    const guard = fillGuard(told);
    for (let i = 0; i < 1000; i++) {
      told.tell(`told ${i}`, i);
      const fill = guard.begin(`filled ${i}`);
      expect(fill.fresh()).toBe(true);
      fill.end();
    }
    expect(guard.size).toBe(0);
    const fills = ['a', 'A', 'b'].map((key) => guard.begin(key));
    expect(guard.size).toBe(2);
    told.tell('a', 2000);
    expect(fills.map((fill) => fill.fresh())).toEqual([false, false, true]);
    told.all();
    expect(fills.map((fill) => fill.fresh())).toEqual([false, false, false]);
    expect(guard.size).toBe(0);
    const last = guard.begin('a');
    guard[Symbol.dispose]();
    expect(last.fresh()).toBe(false);
  });
});

describe('types', () => {
  it('are those of the cache: what is got is what it holds', async () => {
    interface Order {
      readonly id: number;
    }
    const told = new Told();
    const load = (): Order => ({ id: 1 });
    const caches = [
      freshCache(told, new LRUCache<string, Order>({ max: 10 })),
      freshCache(told, new Map<string, Order>()),
      freshCache<Order>(told, new Keyv<Order>()),
      freshCache<Order>(told, new Cacheable()),
    ];
    for (const cache of caches) {
      expectTypeOf(cache).toEqualTypeOf<FreshCache<Order>>();
      expect((await cache.get(1, load)).id).toBe(1);
    }
  });
});
