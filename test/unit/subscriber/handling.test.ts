import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import type { PatchwireError } from '../../../src/model/failure.ts';
import { ChangeFlow } from '../../../src/subscriber/change-flow.ts';
import type { ChangeEvent } from '../../../src/subscriber/events.ts';
import { handleChanges, type HandleOptions } from '../../../src/subscriber/handling.ts';

const change = (key: string, seq: number): ChangeEvent => ({
  ...{ type: 'change', dataKey: key, identity: key, op: 'upsert', before: null, after: { seq }, versionId: '1', prevVersionId: null },
  ...{ changeVersion: '1', seq, changeTime: '', patch: [] },
});

function rig(options: HandleOptions, handler: (change: ChangeEvent) => void | Promise<void>) {
  const flow = new ChangeFlow<ChangeEvent['after'] & object>({ limits: { items: 1e4, bytes: 1e9 }, whenFull: 'wait', full: () => {} });
  const troubles: PatchwireError[] = [];
  const stopped = new AbortController();
  const parts = {
    ...{ flow, options, clock: systemClock, random: () => 0 },
    handler: handler as (change: ChangeEvent<ChangeEvent['after'] & object>) => void | Promise<void>,
    trouble: (error: PatchwireError) => void troubles.push(error),
  };
  return { flow, troubles, stopped, done: handleChanges(parts, stopped) };
}

describe('handling changes', () => {
  it('is in order per key, with so many beside each other and no more', async () => {
    const seen = new Map<string, number[]>();
    let running = 0;
    let most = 0;
    const { flow, done } = rig({ concurrency: 4 }, async ({ dataKey, seq }) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(seq % 3);
      seen.set(dataKey, [...(seen.get(dataKey) ?? []), seq]);
      running -= 1;
    });
    for (let seq = 0; seq < 120; seq += 1) {
      flow.push(change(`k${(seq * 7) % 6}`, seq));
    }
    flow.finish();
    await done;
    expect(most).toBe(4);
    expect([...seen.values()].flat()).toHaveLength(120);
    for (const seqs of seen.values()) {
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    }
  });

  it('is in one order where nothing else is said', async () => {
    const seen: number[] = [];
    const { flow, done } = rig({}, async ({ seq }) => {
      await sleep(seq % 2);
      seen.push(seq);
    });
    [1, 2, 3, 4, 5].forEach((seq) => flow.push(change(`k${seq}`, seq)));
    flow.finish();
    await done;
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('lets nothing overtake a reset or a live, nor them anything', async () => {
    const order: string[] = [];
    const onReset = async (): Promise<void> => {
      await sleep(5);
      order.push('reset');
    };
    const { flow, done } = rig({ concurrency: 8, onReset, onLive: () => void order.push('live') }, async ({ seq }) => {
      await sleep(3);
      order.push(`${seq}`);
    });
    flow.push(change('a', 1));
    flow.push(change('b', 1));
    flow.push({ type: 'reset', reason: 'epoch', text: '' });
    flow.push({ type: 'live', epoch: 'e', seq: 1, size: 0 });
    flow.push(change('a', 2));
    flow.finish();
    await done;
    expect(order).toEqual(['1', '1', 'reset', 'live', '2']);
  });

  it('stops at what the handler throws: the rest is not handled, and what runs has ended', async () => {
    const handled: number[] = [];
    const { flow, done } = rig({ concurrency: 2 }, async ({ seq }) => {
      await sleep(1);
      if (seq === 3) {
        throw new Error('no');
      }
      handled.push(seq);
    });
    for (let seq = 1; seq <= 20; seq += 1) {
      flow.push(change(`k${seq % 2}`, seq));
    }
    await expect(done).rejects.toMatchObject({ code: 'PW-W409', cause: { message: 'no' }, details: { dataKey: 'k1', seq: 3 } });
    expect(handled.every((seq) => seq < 6)).toBe(true);
    expect(handled).not.toContain(5);
  });

  it('skips what the handler throws at, and says so', async () => {
    const handled: number[] = [];
    const { flow, done, troubles } = rig({ onError: 'skip' }, ({ seq }) => {
      if (seq % 2 === 0) {
        throw new Error('even');
      }
      handled.push(seq);
    });
    [1, 2, 3, 4].forEach((seq) => flow.push(change('k', seq)));
    flow.finish();
    await done;
    expect(handled).toEqual([1, 3]);
    expect(troubles.map(({ code, details }) => [code, details['seq']])).toEqual([
      ['PW-W409', 2],
      ['PW-W409', 4],
    ]);
  });

  it('retries in its place until the handler succeeds; later changes of the key wait, those of others go on', async () => {
    const handled: string[] = [];
    let failures = 0;
    const { flow, done, troubles } = rig({ onError: 'retry', concurrency: 2 }, ({ dataKey, seq }) => {
      if (dataKey === 'a' && seq === 1 && failures < 2) {
        failures += 1;
        throw new Error('not yet');
      }
      handled.push(`${dataKey}${seq}`);
    });
    flow.push(change('a', 1));
    flow.push(change('b', 1));
    flow.push(change('b', 2));
    flow.push(change('a', 2));
    flow.finish();
    await done;
    expect(handled).toEqual(['b1', 'b2', 'a1', 'a2']);
    expect(troubles).toHaveLength(2);
  });

  it('ends while it retries, when it is stopped', async () => {
    const { flow, done, stopped, troubles } = rig({ onError: 'retry' }, () => {
      throw new Error('never');
    });
    flow.push(change('a', 1));
    await vi.waitFor(() => expect(troubles.length).toBeGreaterThan(1));
    stopped.abort();
    flow.discard();
    await done;
  });
});
