/** Log entries of definitions: how a change of the catalog is undone, and what happens when it is committed. */
import type { Transaction } from './transaction.ts';

/** @param committed is called with the stamp under which the change becomes visible. */
export function logUndo(transaction: Transaction, undo: () => void, committed: (seq: number) => void = () => undefined): void {
  transaction.log.push({ undo, stamp: committed });
}
