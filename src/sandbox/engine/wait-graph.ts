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
 * Waits until one of `blockers` ends or gives locks back.
 * @param timeoutMs LOCK_TIMEOUT; -1 waits for ever, 0 not at all.
 * @throws SqlError 1222 after the time, 1205 for a deadlock's victim, the signal's reason at an attention.
 */
export async function waitFor(
  waiter: Transaction,
  blockers: readonly Transaction[],
  options: { spid: number; timeoutMs: number; signal: AbortSignal; clock: SandboxClock },
): Promise<void> {
  options.signal.throwIfAborted();
  if (blockers.some((each) => each.state === 'ended')) {
    return;
  }
  if (options.timeoutMs === 0) {
    throw lockTimeout();
  }
  for (let cycle = cycleOf(waiter, blockers); cycle !== null; cycle = cycleOf(waiter, blockers)) {
    const victim = cycle.reduce((least, each) => (each.interruptWait !== null && weight(each) < weight(least) ? each : least), waiter);
    if (victim === waiter) {
      throw deadlockVictim(options.spid);
    }
    victim.interruptWait?.(new DeadlockSignal());
  }
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      waiter.waitingFor = [];
      for (const cancel of cancels) {
        cancel();
      }
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
    waiter.waitingFor = blockers;
    waiter.interruptWait = fail;
    const cancels = blockers.map((each) =>
      each.onWake(() => {
        end();
        resolve();
      }),
    );
  });
}

class DeadlockSignal extends Error {}

/** The transactions on a way from `blockers` back to `waiter`: waiting would close a circle. Null without one. */
function cycleOf(waiter: Transaction, blockers: readonly Transaction[]): readonly Transaction[] | null {
  const seen = new Set<Transaction>();
  const path: Transaction[] = [];
  const leads = (from: readonly Transaction[]): boolean =>
    from.some((each) => {
      if (each === waiter) {
        return true;
      }
      if (seen.has(each)) {
        return false;
      }
      seen.add(each);
      path.push(each);
      const holder = each.heldFor?.() ?? null;
      if (leads(holder === null ? each.waitingFor : [holder])) {
        return true;
      }
      path.pop();
      return false;
    });
  return leads(blockers) ? path : null;
}

/** Lower is chosen first. */
function weight(transaction: Transaction): number {
  return transaction.priority() * 1e9 + Math.min(transaction.log.length, 1e8);
}
