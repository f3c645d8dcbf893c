import { expect, it } from 'vitest';
import { systemClock } from '../../../../src/lib/clock.ts';
import { memoryDataManager } from '../../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore, type WritingCall } from '../../../../src/manager/memory/memory-store.ts';
import { batch, codeOf, live, S, upsert } from '../../../contract/distributed-data-manager-rows.ts';

function make(): { store: MemoryStore; manager: ReturnType<typeof memoryDataManager> } {
  const store = new MemoryStore();
  const options = { partition: 'p', leaseMs: 1000, replay: { maxBytes: 1e6, maxAgeMs: 1e6 }, clock: systemClock };
  return { store, manager: memoryDataManager({ store, ...options }) };
}

it('C2: a call that is lost before it takes effect takes all behind it along, and writes nothing', async () => {
  const { store, manager } = make();
  await live(manager);
  store.intercept = (call) => (call.method === 'publish' && call.number === 4 ? 'before' : null);
  const codes = [1, 2, 3].map((i) => codeOf(manager.publish(batch([upsert(String(i), '5', null)]))));
  expect(await Promise.all(codes)).toEqual(['resolved', 'PW-M311', 'PW-M311']);
  expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { count: 1, seq: 2 } });
});

it('C2: a call whose answer is lost has taken effect, and is no rewind', async () => {
  const { store, manager } = make();
  await live(manager);
  store.intercept = (call) => (call.method === 'publish' ? 'after' : null);
  expect(await codeOf(manager.publish(batch([upsert('1', '5', null)])))).toBe('PW-M311');
  expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false, meta: { count: 1, seq: 2 } });
});

it('a lead that is lost before or after it took effect can be taken again', async () => {
  for (const fate of ['before', 'after'] as const) {
    const { store, manager } = make();
    await live(manager);
    store.intercept = () => fate;
    expect(await codeOf(manager.lead(S))).toBe('PW-M311');
    store.intercept = () => null;
    expect(await manager.lead(S)).toMatchObject({ kind: 'leading', rewound: false });
  }
});

it('counts the writing calls of all managers of a store', async () => {
  const { store, manager } = make();
  const calls: WritingCall[] = [];
  store.intercept = (call) => {
    calls.push(call);
    return null;
  };
  await live(manager);
  await manager.store(batch([]));
  await manager.resign(S);
  expect(calls.map((call) => [call.number, call.method])).toEqual([
    [1, 'lead'],
    [2, 'transition'],
    [3, 'store'],
    [4, 'resign'],
  ]);
});

it('a listener hears until it ends', async () => {
  const { store, manager } = make();
  const heard: string[] = [];
  const end = store.listen((channel) => heard.push(channel));
  await live(manager);
  end();
  await manager.publish(batch([]));
  expect(heard).toEqual(['__dataChanged:{p:orders}']);
});
