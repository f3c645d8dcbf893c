/**
 * Who waits for whom. A statement that met a lock waits here for the transaction that holds it; a cycle is a deadlock and costs the
 * participant with the lowest priority (then the one with less to undo) its transaction.
 */
import { SqlError } from '../session.ts';
import type { SandboxClock } from './clock.ts';
import type { Transaction } from './transaction.ts';

/** The victim's error. Whoever receives it rolls its transaction back. */
export function deadlockVictim(spid: number): SqlError {
  return new SqlError(
    1205,
    `Transaction (Process ID ${spid}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.`,
    { class: 13, state: 51 },
  );
}

export function lockTimeout(): SqlError {
  return new SqlError(1222, 'Lock request time out period exceeded.', { state: 51 });
}

/**
 * Waits for the end of `blocker`.
 * @param timeoutMs LOCK_TIMEOUT; -1 waits for ever, 0 not at all.
 * @throws SqlError 1222 after the time, 1205 for a deadlock's victim, the signal's reason at an attention.
 */
export async function waitFor(
  waiter: Transaction,
  blocker: Transaction,
  options: { spid: number; timeoutMs: number; signal: AbortSignal; clock: SandboxClock },
): Promise<void> {
  options.signal.throwIfAborted();
  if (blocker.state === 'ended') {
    return;
  }
  if (options.timeoutMs === 0) {
    throw lockTimeout();
  }
  const cycle = cycleOf(waiter, blocker);
  if (cycle.length > 0) {
    const victim = cycle.reduce((least, each) => (weight(each) < weight(least) ? each : least), waiter);
    if (victim === waiter) {
      throw deadlockVictim(options.spid);
    }
    victim.interruptWait?.(new DeadlockSignal());
  }
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      waiter.waitingFor = null;
      waiter.interruptWait = null;
      cancelTimer();
      options.signal.removeEventListener('abort', aborted);
    };
    const fail = (reason: Error): void => {
      end();
      reject(reason instanceof DeadlockSignal ? deadlockVictim(options.spid) : reason);
    };
    const aborted = (): void => {
      fail(options.signal.reason instanceof Error ? options.signal.reason : new Error('cancelled'));
    };
    const cancelTimer =
      options.timeoutMs > 0
        ? options.clock.after(options.timeoutMs, () => {
            fail(lockTimeout());
          })
        : () => undefined;
    options.signal.addEventListener('abort', aborted);
    waiter.waitingFor = blocker;
    waiter.interruptWait = fail;
    void blocker.ended.then(() => {
      if (waiter.interruptWait === fail) {
        end();
        resolve();
      }
    });
  });
}

class DeadlockSignal extends Error {}

/** The transactions from `blocker` to `waiter` when waiting would close a circle, else none. */
function cycleOf(waiter: Transaction, blocker: Transaction): Transaction[] {
  const path: Transaction[] = [];
  for (let each: Transaction | null = blocker; each !== null && path.length < 1000; each = each.waitingFor) {
    path.push(each);
    if (each === waiter) {
      return path;
    }
  }
  return [];
}

/** Lower is chosen first. */
function weight(transaction: Transaction): number {
  return transaction.priority() * 1e9 + Math.min(transaction.log.length, 1e8);
}
