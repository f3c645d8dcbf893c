/**
 * Locks on whole tables: intent locks of readers and writers, shared locks of REPEATABLE READ and above, TABLOCK hints, and the schema locks
 * of DDL. Locks on rows are the uncommitted versions themselves (row-store.ts). A lock that cannot be had is a WaitSignal, never a queue.
 */
import type { Transaction } from './transaction.ts';
import { WaitSignal } from './transaction.ts';

export type LockMode =
  | 'schema stability'
  | 'intent shared'
  | 'intent exclusive'
  | 'shared'
  | 'update'
  | 'exclusive'
  | 'schema modification';

const CONFLICTS: Record<LockMode, readonly LockMode[]> = {
  'schema stability': ['schema modification'],
  'intent shared': ['exclusive', 'schema modification'],
  'intent exclusive': ['shared', 'update', 'exclusive', 'schema modification'],
  shared: ['intent exclusive', 'exclusive', 'schema modification'],
  update: ['intent exclusive', 'update', 'exclusive', 'schema modification'],
  exclusive: ['intent shared', 'intent exclusive', 'shared', 'update', 'exclusive', 'schema modification'],
  'schema modification': ['schema stability', 'intent shared', 'intent exclusive', 'shared', 'update', 'exclusive', 'schema modification'],
};

export class TableLocks {
  readonly #held = new Map<Transaction, Set<LockMode>>();

  /** Looks whether a statement may go ahead; nothing is held afterwards. @throws WaitSignal */
  pass(transaction: Transaction | null, mode: LockMode): void {
    const conflicting = CONFLICTS[mode];
    const blockers: Transaction[] = [];
    for (const [holder, modes] of this.#held) {
      if (holder !== transaction && conflicting.some((other) => modes.has(other))) {
        blockers.push(holder);
      }
    }
    if (blockers.length > 0) {
      throw new WaitSignal(...blockers);
    }
  }

  /** Takes a lock to the end of the transaction. @throws WaitSignal */
  hold(transaction: Transaction, mode: LockMode): void {
    const own = this.#held.get(transaction);
    if (own?.has(mode) === true) {
      return;
    }
    this.pass(transaction, mode);
    if (own !== undefined) {
      own.add(mode);
      return;
    }
    this.#held.set(transaction, new Set([mode]));
    transaction.onEnd(() => {
      this.#held.delete(transaction);
    });
  }

  /** The transaction that is changing the object's definition, if another one is. */
  modifiedBy(transaction: Transaction | null): Transaction | null {
    for (const [holder, modes] of this.#held) {
      if (holder !== transaction && modes.has('schema modification')) {
        return holder;
      }
    }
    return null;
  }
}
