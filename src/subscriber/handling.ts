/**
 * Runs a user's handler over changes: in order per key, so many keys beside each other, and by a named rule when it throws. A reset or a live
 * waits for what runs, and nothing overtakes it.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { PatchwireError } from '../model/failure.ts';
import type { ChangeFlow, FlowItem } from './change-flow.ts';
import type { ChangeEvent, LiveEvent, ResetEvent } from './events.ts';

/** stop: the handling ends, `done` rejects with PW-W409; skip: told by `trouble`, and on; retry: again after a back-off, until it succeeds. */
export type OnError = 'stop' | 'skip' | 'retry';

export interface HandleOptions {
  /** How many changes, of different keys, are handled beside each other. Default 1. */
  readonly concurrency?: number;
  /** What happens when the handler throws or rejects. Default: stop. */
  readonly onError?: OnError;
  /** What was seen may have been rewound: what was derived from it does not count. Runs alone; `onError` holds for it, too. */
  readonly onReset?: (event: ResetEvent) => void | Promise<void>;
  /** The documents are whole: at first, and after each reset, whose changes come as no events. Runs alone. */
  readonly onLive?: (event: LiveEvent) => void | Promise<void>;
  /** Changes that may wait; beyond it the replica is held and fetches what it missed later. Default 1,000, 16 MiB. */
  readonly limits?: { readonly items?: number; readonly bytes?: number };
  readonly signal?: AbortSignal;
}

/** A handler at work. */
export interface Handling extends AsyncDisposable {
  /**
   * Resolves when it was stopped or the replica is closed. Whoever neither waits for it nor catches it ends the process by a handler that fails, as
   * by any promise: a handler that has stopped without a word would be worse. @throws PW-W409, or what closed the replica
   */
  readonly done: Promise<void>;
  /**
   * Takes no more changes; resolves when what runs has ended, so a handler that waits for it waits for itself: it goes by `context.signal`. What was
   * waiting is not handled.
   */
  stop(): Promise<void>;
}

export interface HandlingParts<T> {
  readonly flow: ChangeFlow<T>;
  readonly handler: (change: ChangeEvent<T>, context: { readonly signal: AbortSignal }) => void | Promise<void>;
  readonly options: HandleOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly trouble: (error: PatchwireError) => void;
}

const RETRY_MS = { minMs: 50, maxMs: 5000 } as const;

/** Handles what comes out of the flow until it ends, `stopped` fires, or the handler fails and that is to stop it. */
export async function handleChanges<T>(parts: HandlingParts<T>, stopped: AbortController): Promise<void> {
  const { flow, options } = parts;
  const { concurrency = 1 } = options;
  const running = new Set<Promise<void>>();
  /** The last one of each key. */
  const tails = new Map<string, Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  const start = (work: () => Promise<void>): Promise<void> => {
    const run = work()
      .catch((error: unknown) => {
        failure ??= { error };
        flow.discard();
      })
      .finally(() => running.delete(run));
    running.add(run);
    return run;
  };
  try {
    for (let item = await flow.next(); item !== null && failure === null; item = await flow.next()) {
      const now = item;
      if (now.type !== 'change') {
        await Promise.all(running);
        await start(() => attempt(parts, stopped.signal, now));
        continue;
      }
      const before = tails.get(now.identity);
      const mine = start(async () => {
        await before;
        if (failure === null) {
          await attempt(parts, stopped.signal, now);
        }
      });
      tails.set(now.identity, mine);
      void mine.finally(() => {
        if (tails.get(now.identity) === mine) {
          tails.delete(now.identity);
        }
      });
      if (running.size >= concurrency) {
        await Promise.race(running);
      }
    }
  } finally {
    await Promise.all(running);
  }
  const failed = failure as { readonly error: unknown } | null;
  if (failed !== null) {
    throw failed.error;
  }
}

/** Once, or as often as `onError` says. @throws PW-W409 when that is to stop it */
async function attempt<T>(
  { handler, options, clock, random, trouble }: HandlingParts<T>,
  signal: AbortSignal,
  item: FlowItem<T>,
): Promise<void> {
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      if (item.type === 'change') {
        await handler(item, { signal });
      } else if (item.type === 'reset') {
        await options.onReset?.(item);
      } else if (item.type === 'live') {
        await options.onLive?.(item);
      }
      return;
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      const what = item.type === 'change' ? `the handler of the change of ${item.dataKey}` : `the handler of ${item.type}`;
      const failure = new PatchwireError('PW-W409', `${what} failed: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
        ...(item.type === 'change' ? { details: { dataKey: item.dataKey, seq: item.seq } } : {}),
      });
      const { onError = 'stop' } = options;
      if (onError === 'stop') {
        throw failure;
      }
      trouble(failure);
      if (onError === 'skip') {
        return;
      }
      await clock.sleep(backoffDelayMs(tries, { ...RETRY_MS, random }), { signal }).catch(() => {});
    }
  }
}
