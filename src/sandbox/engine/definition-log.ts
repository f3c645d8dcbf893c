/**
 * Log entries of definitions: how a change of the catalog is undone, and what happens when it is committed. Counts the changes, so that what
 * was bound against the catalog knows when it no longer holds.
 */
import type { Transaction } from './transaction.ts';

let changes = 0;

/** A number that moves with every change of any catalog, and with its undoing. */
export function definitionStamp(): number {
  return changes;
}

/** For changes that no transaction undoes. */
export function noteDefinition(): void {
  changes += 1;
}

/** @param committed is called with the stamp under which the change becomes visible. */
export function logUndo(transaction: Transaction, undo: () => void, committed: (seq: number) => void = () => undefined): void {
  changes += 1;
  transaction.log.push({
    undo: () => {
      changes += 1;
      undo();
    },
    stamp: committed,
    definition: true,
  });
}
