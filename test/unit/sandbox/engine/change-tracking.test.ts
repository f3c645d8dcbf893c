/** What change tracking stores: answers relative to any baseline, without keeping what changes none of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChangeTracker } from '../../../../src/sandbox/engine/change-tracking.ts';
import { systemClock } from '../../../../src/sandbox/engine/clock.ts';
import { TransactionManager } from '../../../../src/sandbox/engine/transaction-manager.ts';
import { DatabaseTracking } from '../../../../src/sandbox/engine/version-counter.ts';

/** A view of everything that is committed. */
const NOW = Number.MAX_SAFE_INTEGER;

interface World {
  readonly manager: TransactionManager;
  readonly tracker: ChangeTracker;
  readonly tracking: DatabaseTracking;
  readonly commit: (...writes: readonly (readonly ['I' | 'U' | 'D', number, (readonly number[])?])[]) => void;
}

function world(horizon?: () => number): World {
  const manager = new TransactionManager(systemClock, () => new Map());
  const tracking = new DatabaseTracking(systemClock);
  const tracker = new ChangeTracker({
    tracksColumns: true,
    beginVersion: 0n,
    identity: (key) => JSON.stringify(key),
    horizon: horizon ?? (() => manager.horizon()),
  });
  const commit: World['commit'] = (...writes) => {
    const transaction = manager.begin({ priority: () => 0, snapshot: false });
    for (const [operation, key, columns] of writes) {
      tracker.record(transaction, tracking, {
        operation,
        key: [key],
        columns: operation === 'U' ? (columns ?? null) : null,
        context: null,
      });
    }
    void manager.commit(transaction);
  };
  return { manager, tracker, tracking, commit };
}

describe('memory', () => {
  test('ten thousand updates of two rows are two changes', () => {
    const { tracker, commit } = world();
    for (let index = 0; index < 10_000; index += 1) {
      commit(['U', index % 2]);
    }
    expect(tracker.stored).toBe(2);
    expect(tracker.changes(0n, NOW).map((change) => change.version)).toEqual([9999n, 10_000n]);
  });

  test('a view that is open keeps what it sees, and lets go of it when it ends', () => {
    const { manager, tracker, commit } = world();
    commit(['U', 1]);
    const reader = manager.begin({ priority: () => 0, snapshot: true });
    const { seq } = manager.fixView(reader);
    for (let index = 0; index < 100; index += 1) {
      commit(['U', 1]);
    }
    expect(tracker.changes(0n, seq).map((change) => change.version)).toEqual([1n]);
    expect(tracker.changes(0n, NOW).map((change) => change.version)).toEqual([101n]);
    void manager.commit(reader);
    commit(['U', 1]);
    expect(tracker.stored).toBe(1);
  });

  test('a cleanup frees what it removes', () => {
    const { manager, tracker, commit } = world();
    commit(['I', 1]);
    commit(['D', 1]);
    commit(['I', 2]);
    expect(tracker.cleanUp(2n, manager.stampNow())).toBe(2);
    tracker.purge(manager.horizon());
    expect(tracker.stored).toBe(1);
    expect(tracker.lastChange([1], NOW)).toBeNull();
    expect(tracker.lastChange([2], NOW)).toMatchObject({ version: 3n });
  });
});

test('what is kept answers like everything: for any history, baseline and view', () => {
  const write = fc.tuple(fc.constantFrom('I', 'U', 'U', 'U', 'D'), fc.nat(2), fc.uniqueArray(fc.integer({ min: 2, max: 4 })));
  const history = fc.array(fc.array(write, { minLength: 1, maxLength: 3 }), { maxLength: 12 });
  fc.assert(
    fc.property(history, fc.nat(12), (commits, viewAt) => {
      const kept = world();
      // No view ever lets go: nothing is merged.
      const whole = world(() => 0);
      let seq = NOW;
      commits.forEach((writes, index) => {
        if (index === viewAt) {
          seq = kept.manager.fixView(kept.manager.begin({ priority: () => 0, snapshot: true })).seq;
        }
        const tuples = writes.map(([operation, key, columns]) => [operation as 'I' | 'U' | 'D', key, columns] as const);
        kept.commit(...tuples);
        whole.commit(...tuples);
      });
      for (let baseline = 0n; baseline <= BigInt(commits.length); baseline += 1n) {
        expect(kept.tracker.changes(baseline, NOW)).toEqual(whole.tracker.changes(baseline, NOW));
        expect(kept.tracker.changes(baseline, seq)).toEqual(whole.tracker.changes(baseline, seq));
      }
    }),
    { numRuns: 300 },
  );
});
