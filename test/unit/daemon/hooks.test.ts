import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { createDaemon, type DaemonDependencies } from '../../../src/daemon/daemon.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { MemoryDataManager } from '../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../../src/manager/memory/memory-store.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { HOOK_TIMEOUT_MS, type HookedBatch } from '../../../src/pipeline/hooks.ts';
import type { SectionFault } from '../../../src/observe/section-hooks.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedTracker } from '../../support/scripted-tracker.ts';

const TEXT = `
sources: { a: { connection: "Server=a" } }
manager: { redis: { url: "redis://nowhere" }, partition: p }
tables: [{ table: dbo.A, source: a, section: one }]
http: { port: 0 }
`;

/** A daemon with these hooks over a scripted table; `run` gets it while its section is live. */
async function withHooks(
  hooks: NonNullable<DaemonDependencies['hooks']>,
  run: (world: {
    clock: ManualClock;
    tracker: ScriptedTracker;
    documents: () => Record<string, string>;
    /** The data keys that subscribers were told of. */
    told: () => readonly string[];
    lines: readonly Record<string, unknown>[];
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const tracker = new ScriptedTracker({ clock });
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'debug',
    pretty: false,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const daemon = createDaemon(parseConfig(TEXT, { origin: 'test', env: {}, folder: '/' }), {
    clock,
    random: seededRandom(1),
    log,
    tracker: () => tracker,
    manager: () => new MemoryDataManager({ store, partition: 'p', leaseMs: 10_000, replay: { maxBytes: 1e6, maxAgeMs: 3_600_000 }, clock }),
    hooks,
  });
  const documents = (): Record<string, string> => Object.fromEntries(store.section('p', 'one').documents);
  const told = (): string[] =>
    store.section('p', 'one').changes.flatMap(({ text }) => [...text.matchAll(/"dataKey":"(.*?)"/gu)].map((match) => match[1] ?? ''));
  try {
    await daemon.start();
    await clock.until(() => daemon.status().sections[0]?.phase === 'live');
    await run({ clock, tracker, documents, told, lines });
  } finally {
    let over = false;
    void daemon.stop().then(() => {
      over = true;
    });
    await clock.until(() => over);
  }
}

describe('hooks', () => {
  it('are told of each batch before it is sent and after it was acknowledged', async () => {
    const told: (HookedBatch & { hook: string })[] = [];
    const hooks = {
      beforeBatch: (batch: HookedBatch) => void told.push({ hook: 'before', ...batch }),
      afterBatch: (batch: HookedBatch) => void told.push({ hook: 'after', ...batch }),
    };
    await withHooks(hooks, async ({ clock, tracker }) => {
      told.length = 0;
      tracker.commit({ 1: { n: 1 } });
      await clock.until(() => told.length === 2);
    });
    expect(told).toMatchObject([
      { hook: 'before', section: 'one', mode: 'publish', rows: 1, changes: [{ dataKey: '1', op: 'upsert' }] },
      { hook: 'after', section: 'one', mode: 'publish', rows: 1, changes: [{ dataKey: '1', op: 'upsert' }] },
    ]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('a hook of mine'))],
    [
      'throws at once',
      () => {
        throw new Error('a hook of mine');
      },
    ],
    ['never ends', () => new Promise<void>(() => {})],
    ['rejects when nobody waits any more', () => new Promise<void>((_, reject) => setTimeout(() => reject(new Error('late')), 5))],
    [
      'breaks what it is given',
      (batch?: unknown) => {
        const { changes } = batch as { changes: { patch: unknown[]; dataKey: string }[] };
        changes.forEach((change) => Object.assign(change, { dataKey: 'other', patch: [] }));
      },
    ],
  ])('that %s loses no row', async (_, hook) => {
    const hooks = { beforeBatch: hook, afterBatch: hook, onFault: hook, onGiveUp: hook } as NonNullable<DaemonDependencies['hooks']>;
    await withHooks(hooks, async ({ clock, tracker, documents, told }) => {
      for (let n = 1; n <= 5; n += 1) {
        tracker.commit({ [n]: { n } });
      }
      tracker.commit({ 1: { n: 10 }, 2: null });
      const whole = { 1: '{"n":10}', 3: '{"n":3}', 4: '{"n":4}', 5: '{"n":5}' };
      await clock.until(() => JSON.stringify(documents()) === JSON.stringify(whole));
      expect(documents()).toEqual(whole);
      expect(new Set(told())).toEqual(new Set(Object.keys(whole)));
    });
  });

  it('one that never ends is not waited for longer than is said, and is named in the log', async () => {
    await withHooks({ beforeBatch: () => new Promise<void>(() => {}) }, async ({ clock, tracker, documents, lines }) => {
      const begunAt = clock.monotonic();
      tracker.commit({ 1: { n: 1 } });
      await clock.until(() => documents()['1'] !== undefined);
      expect(clock.monotonic() - begunAt).toBeGreaterThanOrEqual(HOOK_TIMEOUT_MS);
      expect(clock.monotonic() - begunAt).toBeLessThan(HOOK_TIMEOUT_MS + 6000);
      expect(lines.filter((line) => line['hook'] === 'beforeBatch')).not.toEqual([]);
    });
  });

  it('are told of what is tried again, and of what is given up, with code and what to do', async () => {
    const faults: SectionFault[] = [];
    const givenUp: SectionFault[] = [];
    const hooks = {
      onFault: (fault: SectionFault) => void faults.push(fault),
      onGiveUp: (fault: SectionFault) => void givenUp.push(fault),
    };
    await withHooks(hooks, async ({ clock, tracker }) => {
      tracker.fail('readWindow', new PatchwireError('PW-S215', 'a deadlock'));
      tracker.commit({ 1: { n: 1 } });
      await clock.until(() => faults.length > 0);
      tracker.fail('readWindow', new PatchwireError('PW-S209', 'no right'));
      tracker.commit({ 1: { n: 2 } });
      await clock.until(() => givenUp.length > 0);
    });
    expect(faults[0]).toMatchObject({ section: 'one', code: 'PW-S215', message: 'a deadlock', hint: expect.any(String) as string });
    expect(givenUp[0]).toMatchObject({ section: 'one', code: 'PW-S209' });
  });
});
