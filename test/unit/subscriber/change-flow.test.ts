import { describe, expect, it } from 'vitest';
import { ChangeFlow, type FlowItem } from '../../../src/subscriber/change-flow.ts';
import type { ChangeEvent } from '../../../src/subscriber/events.ts';

const change = (n: number, bytes = 0): ChangeEvent => ({
  ...{ type: 'change', dataKey: `${n}`, identity: `${n}`, op: 'upsert', before: null, after: { n }, versionId: '1', prevVersionId: null },
  ...{ changeVersion: '1', seq: n, changeTime: '', patch: [{ op: 'replace', path: '/t', value: 'x'.repeat(bytes) }] },
});

async function drain(flow: ChangeFlow<unknown>): Promise<string[]> {
  const items: string[] = [];
  for (let item = await flow.next(); item !== null; item = await flow.next()) {
    items.push(nameOf(item));
  }
  return items;
}

function nameOf(item: FlowItem<unknown>): string {
  return item.type === 'change' ? item.dataKey : item.type === 'dropped' ? `dropped ${item.changes}` : item.type;
}

describe('a flow of changes', () => {
  it('gives out in order what was put in, and what was queued when it was finished', async () => {
    const flow = new ChangeFlow({ limits: { items: 10, bytes: 1e6 }, whenFull: 'drop', full: () => {} });
    flow.push(change(1));
    flow.push({ type: 'reset', reason: 'epoch', text: '' });
    flow.push({ type: 'live', epoch: 'e', seq: 1, size: 1 });
    flow.finish();
    flow.push(change(2));
    expect(await drain(flow)).toEqual(['1', 'reset', 'live']);
  });

  it('that drops says where and how many, when items or bytes are too many', async () => {
    const flow = new ChangeFlow({ limits: { items: 3, bytes: 1e6 }, whenFull: 'drop', full: () => {} });
    for (let n = 1; n <= 8; n += 1) {
      flow.push(change(n));
    }
    expect(nameOf((await flow.next())!)).toBe('dropped 5');
    expect(nameOf((await flow.next())!)).toBe('6');
    for (let n = 9; n <= 10; n += 1) {
      flow.push(change(n));
    }
    flow.finish();
    expect(await drain(flow)).toEqual(['dropped 1', '8', '9', '10']);

    const heavy = new ChangeFlow({ limits: { items: 100, bytes: 1000 }, whenFull: 'drop', full: () => {} });
    [1, 2, 3].forEach((n) => heavy.push(change(n, 400)));
    heavy.finish();
    expect(await drain(heavy)).toEqual(['dropped 1', '2', '3']);
  });

  it('answers everyone who asks before there is something, in order, and all of them at the end', async () => {
    const flow = new ChangeFlow({ limits: { items: 10, bytes: 1e6 }, whenFull: 'drop', full: () => {} });
    // As a race with a time-out leaves it behind, which asks again.
    const asked = [flow.next(), flow.next(), flow.next(), flow.next()];
    flow.push(change(1));
    flow.push(change(2));
    flow.finish();
    const items = await Promise.all(asked);
    expect(items.map((item) => (item === null ? null : nameOf(item)))).toEqual(['1', '2', null, null]);
  });

  it('keeps one item however large it is', async () => {
    const flow = new ChangeFlow({ limits: { items: 3, bytes: 10 }, whenFull: 'drop', full: () => {} });
    flow.push(change(1, 5000));
    flow.finish();
    expect(await drain(flow)).toEqual(['1']);
  });

  it('that waits loses nothing, says once that it is full, and once that it is half empty', async () => {
    const full: boolean[] = [];
    const flow = new ChangeFlow({ limits: { items: 4, bytes: 1e6 }, whenFull: 'wait', full: (now) => full.push(now) });
    for (let n = 1; n <= 6; n += 1) {
      flow.push(change(n));
    }
    expect(full).toEqual([true]);
    for (let n = 1; n <= 3; n += 1) {
      await flow.next();
    }
    expect(full).toEqual([true]);
    await flow.next();
    expect(full).toEqual([true, false]);
    flow.finish();
    expect(await drain(flow)).toEqual(['5', '6']);
  });

  it('that is discarded holds nobody, and ends whoever waits, with its reason', async () => {
    const full: boolean[] = [];
    const flow = new ChangeFlow({ limits: { items: 1, bytes: 1e6 }, whenFull: 'wait', full: (now) => full.push(now) });
    [1, 2, 3].forEach((n) => flow.push(change(n)));
    flow.discard(new Error('enough'));
    expect(full).toEqual([true, false]);
    await expect(flow.next()).rejects.toThrow('enough');

    const idle = new ChangeFlow({ limits: { items: 1, bytes: 1e6 }, whenFull: 'drop', full: () => {} });
    const waiting = idle.next();
    idle.discard();
    expect(await waiting).toBeNull();
  });

  it('costs the same a change, whatever is queued', async () => {
    const flow = new ChangeFlow({ limits: { items: 1e6, bytes: 1e9 }, whenFull: 'drop', full: () => {} });
    for (let n = 0; n < 50_000; n += 1) {
      flow.push(change(n));
    }
    for (let n = 0; n < 50_000; n += 1) {
      expect((await flow.next())?.type).toBe('change');
    }
    expect(flow.length).toBe(0);
  });
});
