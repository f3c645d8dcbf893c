import { describe, expect, it } from 'vitest';
import type { Base } from '../../../src/manager/distributed-data-manager.ts';
import type { RowState } from '../../../src/model/change.ts';
import { compose } from '../../../src/pipeline/patches.ts';

const row = (over: Partial<RowState> = {}): RowState => ({
  identity: 'k',
  dataKey: 'k',
  changeVersion: 7n,
  document: { Id: 'k', n: 1 },
  ...over,
});

function composed(state: RowState, bases: Record<string, Base> = {}, mode: 'publish' | 'store' = 'publish', to = 9n) {
  return compose(state, { to, mode, base: (identity) => bases[identity] ?? null })?.writes ?? null;
}

const base = (over: Partial<Base> = {}): Base => ({ version: '5', dataKey: 'k', document: '{"Id":"k","n":0}', ...over });

describe('patches', () => {
  it('a row without a base is added whole', () => {
    expect(composed(row())).toEqual([
      {
        identity: 'k',
        expected: null,
        next: { version: '9', dataKey: 'k', document: '{"Id":"k","n":1}' },
        changes: [
          {
            dataKey: 'k',
            op: 'upsert',
            versionId: '9',
            prevVersionId: null,
            changeVersion: '7',
            patch: [{ op: 'add', path: '', value: { Id: 'k', n: 1 } }],
          },
        ],
      },
    ]);
  });

  it('a row with a base is patched from what was last delivered', () => {
    expect(composed(row(), { k: base() })).toMatchObject([
      { expected: { version: '5', dataKey: 'k' }, changes: [{ prevVersionId: '5', patch: [{ op: 'replace', path: '/n', value: 1 }] }] },
    ]);
  });

  it('an empty diff is nothing at all, whatever the order of properties', () => {
    expect(composed(row(), { k: base({ document: '{"n":1,"Id":"k"}' }) })).toBeNull();
    expect(composed(row(), { k: base({ document: '{"Id":"k","n":1}' }) })).toBeNull();
  });

  it('a row that is gone is removed when something was delivered, and otherwise nothing', () => {
    expect(composed(row({ document: null }))).toBeNull();
    expect(composed(row({ document: null }), { k: base() })).toMatchObject([
      {
        next: null,
        expected: { version: '5' },
        changes: [{ op: 'remove', prevVersionId: '5', versionId: '9', patch: [{ op: 'remove', path: '' }] }],
      },
    ]);
  });

  it('the version id is the greater of the change version and the `to` of the read', () => {
    expect(composed(row({ changeVersion: 12n }))?.[0]?.next?.version).toBe('12');
    expect(composed(row({ changeVersion: 9_007_199_254_740_993n }), {}, 'publish', 9_007_199_254_740_992n)?.[0]?.next?.version).toBe(
      '9007199254740993',
    );
  });

  it('a respelling is a remove and an add in one script, even when the document is the same', () => {
    const writes = composed(row({ dataKey: 'K' }), { k: base({ document: '{"Id":"k","n":1}' }) });
    expect(writes).toHaveLength(1);
    expect(writes?.[0]).toMatchObject({ identity: 'k', expected: { dataKey: 'k' }, next: { dataKey: 'K' } });
    expect(writes?.[0]?.changes).toMatchObject([
      { op: 'remove', dataKey: 'k', prevVersionId: '5' },
      { op: 'upsert', dataKey: 'K', identity: 'k', prevVersionId: null, patch: [{ op: 'add', path: '' }] },
    ]);
  });

  it('a removal names the key as it was delivered, not as change tracking spells it', () => {
    expect(composed(row({ document: null, dataKey: 'k' }), { k: base({ dataKey: 'K' }) })?.[0]?.changes).toMatchObject([
      { op: 'remove', dataKey: 'K', identity: 'k' },
    ]);
  });

  it('a former identity is removed together with the write of the new one', () => {
    const writes = composed(row({ formerIdentity: 'old' }), { old: base({ dataKey: 'old', version: '3' }) });
    expect(writes).toMatchObject([
      { identity: 'old', next: null, changes: [{ op: 'remove', dataKey: 'old', prevVersionId: '3' }] },
      { identity: 'k', changes: [{ op: 'upsert' }] },
    ]);
  });

  it('storing tells nobody and needs no document of the base', () => {
    expect(composed(row(), { k: base({ document: null }) }, 'store')).toMatchObject([{ expected: { version: '5' }, changes: [] }]);
    expect(composed(row({ document: null }), { k: base({ document: null }) }, 'store')).toMatchObject([{ next: null, changes: [] }]);
  });

  it('a value above the limit is refused by name, never published as null', () => {
    expect(() => composed(row({ document: null, oversizeBytes: 9_000_000 }), { k: base() })).toThrow(
      expect.objectContaining({ code: 'PW-S225' }),
    );
  });
});
