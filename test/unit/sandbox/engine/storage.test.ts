/** Row chains in key order, and which version of a row whom. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OrderedRows } from '../../../../src/sandbox/engine/ordered-rows.ts';
import { RowStore, visibleRow } from '../../../../src/sandbox/engine/row-store.ts';
import type { Row, RowChain } from '../../../../src/sandbox/engine/row-store.ts';
import { systemClock } from '../../../../src/sandbox/engine/clock.ts';
import { WaitSignal } from '../../../../src/sandbox/engine/transaction.ts';
import type { Transaction } from '../../../../src/sandbox/engine/transaction.ts';
import { TransactionManager } from '../../../../src/sandbox/engine/transaction-manager.ts';

const compare = (a: Row, b: Row): number => {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const order = Number(a[index]) - Number(b[index]);
    if (order !== 0) {
      return order;
    }
  }
  return 0;
};

describe('ordered rows', () => {
  test('hold what a sorted list would, whatever is added, removed and sought', () => {
    const operation = fc.record({ add: fc.boolean(), a: fc.nat(40), b: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 3000 }), fc.nat(40), fc.boolean(), (operations, from, inclusive) => {
        const rows = new OrderedRows<{ readonly key: Row }>(compare);
        const model = new Map<number, Row>();
        for (const { add, a, b } of operations) {
          const key = [a, b];
          if (add && rows.get(key) === undefined) {
            rows.add({ key });
            model.set(a * 100 + b, key);
          } else if (!add) {
            rows.remove(key);
            model.delete(a * 100 + b);
          }
        }
        const sorted = [...model].toSorted(([x], [y]) => x - y).map(([, key]) => key);
        expect([...rows.walk()].map((row) => row.key)).toEqual(sorted);
        expect(rows.size).toBe(sorted.length);
        const after = sorted.filter((key) => (inclusive ? Number(key[0]) >= from : Number(key[0]) > from));
        expect([...rows.walk({ prefix: [from], inclusive })].map((row) => row.key)).toEqual(after);
      }),
      { numRuns: 50 },
    );
  });
});

function setUp(): { manager: TransactionManager; store: RowStore; begin: () => Transaction } {
  const manager = new TransactionManager(systemClock, () => new Map());
  const store = new RowStore({ compare, keyOf: (row) => [row[0] ?? null], uniques: [], duplicate: () => new Error('duplicate') }, manager);
  return { manager, store, begin: () => manager.begin({ priority: () => 0, snapshot: true }) };
}

function versionsOf(chain: RowChain | undefined): number {
  let count = 0;
  for (let version = chain?.head ?? null; version !== null; version = version.prev) {
    count += 1;
  }
  return count;
}

describe('versions', () => {
  test('a view sees what was committed before it, its own transaction sees its writes, others wait', () => {
    const { manager, store, begin } = setUp();
    const first = begin();
    const chain = store.insert(first, [1, 'a']);
    expect(() => visibleRow(chain, begin(), { kind: 'locking' })).toThrow(WaitSignal);
    void manager.commit(first);
    const reader = begin();
    const { seq } = manager.fixView(reader);
    const second = begin();
    store.replace(second, chain, [1, 'b']);
    expect(visibleRow(chain, second, { kind: 'locking' })).toEqual([1, 'b']);
    void manager.commit(second);
    expect(visibleRow(chain, reader, { kind: 'view', seq })).toEqual([1, 'a']);
    expect(visibleRow(chain, begin(), { kind: 'locking' })).toEqual([1, 'b']);
  });

  test('old versions go when the last view that needs them ends, deleted rows with them', () => {
    const { manager, store, begin } = setUp();
    const first = begin();
    const chain = store.insert(first, [1, 'a']);
    void manager.commit(first);
    const reader = begin();
    manager.fixView(reader);
    const second = begin();
    store.remove(second, chain);
    void manager.commit(second);
    expect(versionsOf(store.get([1]))).toBe(2);
    expect(store.count).toBe(0);
    void manager.commit(reader);
    expect(store.get([1])).toBeUndefined();
  });

  test('a rollback leaves the rows and their count as they were', () => {
    const { manager, store, begin } = setUp();
    const first = begin();
    const chain = store.insert(first, [1, 'a']);
    void manager.commit(first);
    const second = begin();
    store.replace(second, chain, [1, 'b']);
    store.replace(second, chain, [1, 'c']);
    store.insert(second, [2, 'new']);
    manager.rollback(second);
    expect([...store.walk()].map((each) => each.head?.row)).toEqual([[1, 'a']]);
    expect(store.count).toBe(1);
  });
});
