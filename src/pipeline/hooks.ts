/**
 * What an embedding program may do around a batch. A hook is told, never asked: it changes no batch, and whatever it does (throws, rejects,
 * never ends) the batch goes its way: what went wrong is logged, and after `HOOK_TIMEOUT_MS` nobody waits any more.
 */
import type { Clock } from '../lib/clock.ts';
import type { RowWrite } from '../manager/distributed-data-manager.ts';
import type { Logger } from '../observe/logger.ts';
import type { WireChange } from '../wire/messages.ts';

/** What a batch brings, as a copy: publish is told to subscribers, store (rows of a first load or a replacement) is not. */
export interface HookedBatch {
  readonly section: string;
  readonly mode: 'publish' | 'store';
  readonly rows: number;
  /** As subscribers are told them; of a store empty. */
  readonly changes: readonly WireChange[];
  /** When the source was read, ms since 1970. */
  readonly readAtMs: number;
}

export interface BatchHooks {
  /**
   * Before the batch's script is sent. Delivery waits for it, heartbeats too, so keep it well below the lease. May be called for rows that are
   * delivered once more after a crash or a lost reply.
   */
  readonly beforeBatch?: (batch: HookedBatch) => void | Promise<void>;
  /**
   * After Redis acknowledged it. A batch whose reply was lost has none, although it may have been written: its rows are read again, and if
   * they are there already nobody is told.
   */
  readonly afterBatch?: (batch: HookedBatch & { readonly durationMs: number }) => void | Promise<void>;
}

/** So long a hook is waited for, ms. */
export const HOOK_TIMEOUT_MS = 2000;

interface HookOptions {
  readonly hooks?: BatchHooks | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The hooks around one batch; `before` is null where there is nothing to wait for. Neither ever throws. */
export function aroundBatch(
  options: HookOptions,
  batch: Pick<HookedBatch, 'section' | 'mode' | 'readAtMs'> & { readonly rows: readonly RowWrite[] },
): { readonly before: (() => Promise<void>) | null; readonly after: (durationMs: number) => Promise<void> } {
  const { beforeBatch, afterBatch } = options.hooks ?? {};
  const given = (): HookedBatch => {
    const { section, mode, rows, readAtMs } = batch;
    // A copy: what a hook does to it changes no batch.
    return { section, mode, rows: rows.length, changes: structuredClone(rows.flatMap(({ changes }) => changes)), readAtMs };
  };
  return {
    before: beforeBatch === undefined ? null : () => waitFor(options, batch.section, 'beforeBatch', () => beforeBatch(given())),
    after: (durationMs) =>
      afterBatch === undefined
        ? Promise.resolve()
        : waitFor(options, batch.section, 'afterBatch', () => afterBatch({ ...given(), durationMs })),
  };
}

async function waitFor(
  { clock, logger }: HookOptions,
  section: string,
  hook: keyof BatchHooks,
  call: () => void | Promise<void>,
): Promise<void> {
  const timer = new AbortController();
  const late = clock.sleep(HOOK_TIMEOUT_MS, { signal: timer.signal }).then(
    () => logger.warn({ hook, section, afterMs: HOOK_TIMEOUT_MS }, 'a hook has not ended: the batch goes on without it'),
    () => {},
  );
  try {
    const ran = Promise.resolve(call());
    // Once nobody waits any more, its rejection must not end the process.
    ran.catch(() => {});
    await Promise.race([ran, late]);
  } catch (error) {
    logger.warn({ hook, section, err: error }, 'a hook threw: the batch goes its way');
  } finally {
    timer.abort();
  }
}
