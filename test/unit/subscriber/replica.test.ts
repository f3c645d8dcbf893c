import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplicaDocuments } from '../../../src/subscriber/replica.ts';
import { Digest, EMPTY_DIGEST } from '../../../src/wire/digest.ts';
import type { WireChange } from '../../../src/wire/messages.ts';

const upsert = (dataKey: string, versionId: string, prevVersionId: string | null, n: number): WireChange => ({
  ...{ dataKey, op: 'upsert', versionId, prevVersionId, changeVersion: versionId },
  patch: prevVersionId === null ? [{ op: 'add', path: '', value: { n } }] : [{ op: 'replace', path: '/n', value: n }],
});
const remove = (dataKey: string, versionId: string, prevVersionId: string): WireChange => ({
  ...{ dataKey, op: 'remove', versionId, prevVersionId, changeVersion: versionId, patch: [{ op: 'remove', path: '' }] },
});

describe('ReplicaDocuments', () => {
  it('applies a message whole or not at all', () => {
    const replica = new ReplicaDocuments();
    replica.apply([upsert('1', '5', null, 1), upsert('2', '5', null, 2)]);
    const digest = replica.digest;
    const result = replica.apply([upsert('1', '6', '5', 10), upsert('2', '6', '4', 20)]);
    expect(result).toMatchObject({ ok: false, detail: 'a change of 2 follows version 4, here is 5' });
    expect(replica.find('1')).toMatchObject({ version: '5', document: { n: 1 } });
    expect(replica.digest).toBe(digest);
  });

  it('says so when a patch does not fit its document', () => {
    const replica = new ReplicaDocuments();
    replica.apply([upsert('1', '5', null, 1)]);
    const result = replica.apply([{ ...upsert('1', '6', '5', 1), patch: [{ op: 'remove', path: '/x/y' }] }]);
    expect(result).toMatchObject({ ok: false });
    expect(replica.find('1')?.version).toBe('5');
  });

  it('leaves the document that was handed out before a change as it was', () => {
    const replica = new ReplicaDocuments();
    replica.apply([upsert('1', '5', null, 1)]);
    const before = replica.find('1')?.document;
    const result = replica.apply([upsert('1', '6', '5', 2)]);
    expect(before).toEqual({ n: 1 });
    expect(result).toMatchObject({ ok: true, applied: [{ before: { n: 1 }, after: { n: 2 } }] });
  });

  it('goes on with an iteration while documents change, and ends', () => {
    const replica = new ReplicaDocuments();
    replica.apply([upsert('1', '1', null, 1), upsert('2', '1', null, 1)]);
    let visited = 0;
    for (const { dataKey } of replica.entries()) {
      replica.apply([upsert(dataKey, '2', '1', 2)]);
      visited += 1;
      expect(visited).toBeLessThan(5);
    }
    expect(visited).toBe(2);
  });

  it('S4: keeps the digest of its living documents, whatever order they came in', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean())), (writes) => {
        const replica = new ReplicaDocuments();
        const versions = new Map<string, string>();
        let refused = false;
        writes.forEach(([key, lives], i) => {
          const version = String(i + 1);
          const prev = versions.get(key) ?? null;
          if (lives) {
            refused ||= !replica.apply([upsert(key, version, prev, i)]).ok;
            versions.set(key, version);
          } else if (prev !== null) {
            refused ||= !replica.apply([remove(key, version, prev)]).ok;
            versions.delete(key);
          }
        });
        expect(refused).toBe(false);
        const digest = new Digest(EMPTY_DIGEST);
        [...versions].toReversed().forEach(([key, version]) => digest.toggle(key, version));
        expect(replica.digest).toBe(digest.toString());
        expect(replica.size).toBe(versions.size);
      }),
    );
  });
});
