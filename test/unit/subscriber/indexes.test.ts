import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DocumentIndex, sharedIndex, uniqueIndex } from '../../../src/subscriber/indexes.ts';

interface Order {
  readonly customer: string | null;
  readonly tags: readonly string[];
}

describe('an index', () => {
  it('finds documents by a function of them, and follows what becomes of them', () => {
    const kept = new DocumentIndex<string, Order>(({ customer }) => customer ?? undefined);
    const byCustomer = sharedIndex(kept, () => {});
    kept.put('1', '1', { customer: 'ann', tags: [] });
    kept.put('2', '2', { customer: 'ann', tags: ['x'] });
    kept.put('3', '3', { customer: null, tags: [] });
    expect(byCustomer.get('ann').map(({ tags }) => tags.length)).toEqual([0, 1]);
    kept.put('1', '1', { customer: 'bob', tags: [] });
    kept.put('2', '2', undefined);
    expect(byCustomer.get('ann')).toEqual([]);
    expect(byCustomer.has('ann')).toBe(false);
    expect([...byCustomer.keys()]).toEqual(['bob']);
    expect(byCustomer.size).toBe(1);
  });

  it('puts a document under several keys when the function gives a list', () => {
    const kept = new DocumentIndex<string, Order>(({ tags }) => tags);
    const byTag = sharedIndex(kept, () => {});
    kept.put('1', '1', { customer: null, tags: ['a', 'b', 'a'] });
    expect(byTag.get('a')).toHaveLength(1);
    kept.put('1', '1', { customer: null, tags: ['b'] });
    expect([byTag.get('a').length, byTag.get('b').length]).toEqual([0, 1]);
  });

  it('that is unique gives the document that came last, and counts the keys that several have', () => {
    const kept = new DocumentIndex<string, Order>(({ customer }) => customer ?? undefined);
    const byCustomer = uniqueIndex(kept, () => {});
    kept.put('1', '1', { customer: 'ann', tags: ['1'] });
    kept.put('2', '2', { customer: 'ann', tags: ['2'] });
    expect(byCustomer.get('ann')?.tags).toEqual(['2']);
    expect(byCustomer.conflicts).toBe(1);
    kept.put('1', '1', { customer: 'bob', tags: ['1'] });
    expect(byCustomer.conflicts).toBe(0);
    expect(byCustomer.get('bob')?.tags).toEqual(['1']);
    expect(byCustomer.get('nobody')).toBeUndefined();
  });

  it('forgets a document whose key function throws, and says so to whoever keeps it', () => {
    const kept = new DocumentIndex<string, Order>(({ customer }) => customer!.toLowerCase());
    kept.put('1', '1', { customer: 'Ann', tags: [] });
    expect(() => kept.put('1', '1', { customer: null, tags: [] })).toThrow(TypeError);
    expect(kept.size).toBe(0);
  });

  it('holds at every moment exactly what a scan over the documents would find', () => {
    const write = fc.record({ identity: fc.constantFrom('1', '2', '3', '4'), keys: fc.option(fc.array(fc.constantFrom('a', 'b', 'c'))) });
    fc.assert(
      fc.property(fc.array(write), (writes) => {
        const kept = new DocumentIndex<string, { readonly keys: readonly string[] }>(({ keys }) => keys);
        const documents = new Map<string, { readonly keys: readonly string[] }>();
        for (const { identity, keys } of writes) {
          documents.delete(identity);
          if (keys !== null) {
            documents.set(identity, { keys });
          }
          kept.put(identity, identity, documents.get(identity));
        }
        const scan = (key: string): string[] => [...documents].filter(([, { keys }]) => keys.includes(key)).map(([identity]) => identity);
        for (const key of ['a', 'b', 'c']) {
          expect([...(kept.bucket(key)?.keys() ?? [])].toSorted()).toEqual(scan(key).toSorted());
        }
        expect(kept.conflicts).toBe(['a', 'b', 'c'].filter((key) => scan(key).length > 1).length);
      }),
    );
  });
});
