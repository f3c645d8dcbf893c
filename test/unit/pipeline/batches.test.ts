import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AutoBatcher } from '../../../src/pipeline/batches.ts';

interface Item {
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly at: number;
}

const items = fc
  .array(
    fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), rows: fc.integer({ min: 1, max: 2 }), bytes: fc.nat(300) }),
  )
  .map((list): Item[] => list.map((item, at) => ({ ...item, at })));

const options = { maxRows: 5, maxBytes: 250, measure: (item: Item) => item, keys: (item: Item) => [item.key] };

async function collect<T>(batches: AsyncIterable<{ readonly items: readonly T[] }>): Promise<(readonly T[])[]> {
  const all: (readonly T[])[] = [];
  for await (const batch of batches) {
    all.push(batch.items);
  }
  return all;
}

describe('AutoBatcher', () => {
  it('keeps every item and the order of all of them', async () => {
    await fc.assert(
      fc.asyncProperty(items, async (list) => {
        expect((await collect(new AutoBatcher(options).batches(list))).flat()).toEqual(list);
      }),
    );
  });

  it('holds its limits, one oversize item alone excepted, and no key twice in a batch', async () => {
    await fc.assert(
      fc.asyncProperty(items, async (list) => {
        for (const batch of await collect(new AutoBatcher(options).batches(list))) {
          const sum = (of: (item: Item) => number): number => batch.reduce((total, item) => total + of(item), 0);
          expect(batch.length === 1 || (sum(({ rows }) => rows) <= 5 && sum(({ bytes }) => bytes) <= 250)).toBe(true);
          expect(new Set(batch.map(({ key }) => key)).size).toBe(batch.length);
        }
      }),
    );
  });

  it('cuts no earlier than it must', async () => {
    await fc.assert(
      fc.asyncProperty(items, async (list) => {
        const batches = await collect(new AutoBatcher(options).batches(list));
        batches.slice(0, -1).forEach((batch, i) => {
          const joined = [...batch, batches[i + 1]![0]!];
          const rows = joined.reduce((total, item) => total + item.rows, 0);
          const bytes = joined.reduce((total, item) => total + item.bytes, 0);
          expect(rows > 5 || bytes > 250 || new Set(joined.map(({ key }) => key)).size < joined.length).toBe(true);
        });
      }),
    );
  });

  it('pulls no further than the batch asked for, and closes its source when it is left', async () => {
    let pulled = 0;
    let closed = false;
    async function* source(): AsyncGenerator<Item> {
      try {
        for (;;) {
          pulled += 1;
          yield { key: String(pulled), rows: 1, bytes: 1, at: pulled };
        }
      } finally {
        closed = true;
      }
    }
    for await (const batch of new AutoBatcher(options).batches(source())) {
      expect(batch).toMatchObject({ rows: 5, bytes: 5 });
      expect(pulled).toBe(6);
      break;
    }
    expect(closed).toBe(true);
  });

  it('refuses limits below one', () => {
    expect(() => new AutoBatcher({ ...options, maxRows: 0 })).toThrow(RangeError);
    expect(() => new AutoBatcher({ ...options, maxBytes: Number.NaN })).toThrow(RangeError);
  });
});
