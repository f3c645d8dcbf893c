import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredReplica } from '../../../src/subscriber/section-view.ts';
import { decodeSnapshot, encodeSnapshot } from '../../../src/subscriber/snapshot.ts';

const OF = { partition: 'shop', section: 'orders' };
const stored: StoredReplica = {
  ...{ epoch: 'e1', seq: 7, last: 'm7', checkpoint: '101', upTo: '100', incomplete: false, key: [{ type: 'int', collation: null }] },
  entries: [
    { identity: '1', dataKey: '1', version: '99', document: { text: 'line\nbreak', n: 1 } },
    { identity: 'ab', dataKey: 'Ab', version: '9007199254740993', document: { nested: [{ a: null }] } },
  ],
};

const refusal = (bytes: Uint8Array, of = OF): unknown => {
  try {
    decodeSnapshot(of, bytes);
    return null;
  } catch (error) {
    return error;
  }
};

describe('a stored replica', () => {
  it('comes back as it was', () => {
    expect(decodeSnapshot(OF, encodeSnapshot(OF, stored))).toEqual(stored);
    const none = { ...stored, entries: [], key: null, upTo: null };
    expect(decodeSnapshot(OF, encodeSnapshot(OF, none))).toEqual(none);
  });

  it('of another section or partition is refused as foreign', () => {
    const bytes = encodeSnapshot(OF, stored);
    for (const of of [
      { partition: 'shop', section: 'customers' },
      { partition: 'test', section: 'orders' },
    ]) {
      expect(refusal(bytes, of)).toMatchObject({ code: 'PW-W408', details: { reason: 'foreign' } });
    }
  });

  it('of another format is refused by that name', () => {
    const text = Buffer.from(encodeSnapshot(OF, stored)).toString().replace('patchwire-replica 1 ', 'patchwire-replica 2 ');
    expect(refusal(Buffer.from(text))).toMatchObject({ code: 'PW-W408', details: { reason: 'format' } });
  });

  it('that is cut short, or of which any byte is another, is refused as damaged', () => {
    const bytes = encodeSnapshot(OF, stored);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, by, cut) => {
        const damaged = cut ? bytes.slice(0, at) : Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ by : byte));
        expect(refusal(damaged)).toMatchObject({ code: 'PW-W408' });
      }),
    );
    expect(refusal(new Uint8Array())).toMatchObject({ details: { reason: 'damaged' } });
    expect(refusal(Buffer.from('{"not":"it"}'))).toMatchObject({ details: { reason: 'damaged' } });
  });
});
