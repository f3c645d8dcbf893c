import { describe, expect, it } from 'vitest';
import type { Base } from '../../../src/manager/distributed-data-manager.ts';
import type { RowState } from '../../../src/model/change.ts';
import { compose, type ComposeOptions } from '../../../src/pipeline/patches.ts';
import { DEFAULT_QUARANTINE, Quarantine } from '../../../src/pipeline/quarantine.ts';
import type { QuarantineEntry } from '../../../src/wire/quarantine-entry.ts';

const row = (over: Partial<RowState> = {}): RowState => ({
  identity: 'k',
  dataKey: 'k',
  changeVersion: 7n,
  document: { Id: 'k', n: 1 },
  ...over,
});

/** Nothing is in quarantine but `held`. */
function options(
  bases: Record<string, Base>,
  more: Partial<ComposeOptions> = {},
  held: Record<string, QuarantineEntry> = {},
): ComposeOptions {
  const nobody = { scanQuarantine: () => Promise.reject(new Error('nothing is read')) };
  const quarantine = new Quarantine(nobody, { section: 's', count: 0, limits: { ...DEFAULT_QUARANTINE, maxRows: 3 } });
  Object.entries(held).forEach(([identity, entry]) => quarantine.queue({ identity, quarantine: entry }));
  return {
    to: 9n,
    mode: 'publish',
    base: (identity) => bases[identity] ?? null,
    quarantine,
    suspects: { group: () => null, verdict: () => null },
    maxDocumentBytes: 1000,
    retry: false,
    tellBeyond: null,
    filtered: false,
    nowMs: 1_000_000,
    ...more,
  };
}

function composed(state: RowState, bases: Record<string, Base> = {}, mode: 'publish' | 'store' = 'publish', to = 9n) {
  return compose(state, options(bases, { mode, to }))?.writes ?? null;
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

  describe('quarantine', () => {
    const oversize = row({ document: null, oversizeBytes: 9_000_000 });
    const entry = (over: Partial<QuarantineEntry> = {}): QuarantineEntry => ({
      dataKey: 'k',
      reason: 'tooLarge',
      code: 'PW-S225',
      message: 'too large',
      versionId: '9',
      changeVersion: '7',
      attempts: 1,
      firstAt: '2026-01-01T00:00:00.000Z',
      lastAt: '2026-01-01T00:00:00.000Z',
      ...over,
    });

    it('a value above the limit takes the document away and is told as unavailable, never published as null', () => {
      expect(composed(oversize, { k: base() })).toEqual([
        {
          identity: 'k',
          expected: { version: '5', dataKey: 'k' },
          next: null,
          changes: [{ dataKey: 'k', op: 'unavailable', versionId: '9', prevVersionId: '5', changeVersion: '7', patch: [] }],
          quarantine: {
            dataKey: 'k',
            reason: 'tooLarge',
            code: 'PW-S225',
            message: 'A value of 9000000 bytes is above limits.maxDocument (1000 bytes).',
            versionId: '9',
            changeVersion: '7',
            attempts: 1,
            firstAt: '1970-01-01T00:16:40.000Z',
            lastAt: '1970-01-01T00:16:40.000Z',
          },
        },
      ]);
    });

    it('a row whose values are small and whose document is not goes there too, counted in bytes', () => {
      const document = { a: 'ä'.repeat(250), b: 'ä'.repeat(250) };
      expect(composed(row({ document }))).toMatchObject([{ next: null, quarantine: { reason: 'tooLarge' } }]);
      expect(composed(row({ document: { a: 'a'.repeat(500), b: 'a'.repeat(450) } }))).toMatchObject([{ next: { dataKey: 'k' } }]);
    });

    it('a value without a text of its own goes there by the name of its column', () => {
      const state = row({ document: null, unrepresentable: 'Price is no number.' });
      expect(composed(state)).toMatchObject([
        { changes: [{ prevVersionId: null }], quarantine: { code: 'PW-S241', message: 'Price is no number.' } },
      ]);
    });

    it('while loading nobody is told', () => {
      expect(composed(oversize, {}, 'store')).toMatchObject([{ changes: [], quarantine: { attempts: 1 } }]);
    });

    it('read again as it was it is written no second time; changed or asked for it is tried once more, from the same beginning', () => {
      const there = { k: entry() };
      expect(compose(oversize, options({}, {}, there))).toBeNull();
      const again = { attempts: 2, firstAt: '2026-01-01T00:00:00.000Z', lastAt: '1970-01-01T00:16:40.000Z' };
      const renewed = { renewed: true, writes: [{ changes: [], quarantine: again }] };
      expect(compose({ ...oversize, changeVersion: 8n }, options({}, {}, there))).toMatchObject(renewed);
      expect(compose(oversize, options({}, { retry: true }, there))).toMatchObject(renewed);
    });

    it('what Redis refused is not sent again before it changes, and then alone', () => {
      const there = { k: entry({ reason: 'refused', code: 'PW-M325' }) };
      expect(compose(row(), options({}, {}, there))).toBeNull();
      expect(compose(row({ changeVersion: 8n }), options({}, {}, there))).toMatchObject({ group: 'k', writes: [{ quarantine: null }] });
    });

    it('a row that can be published leaves it by the same write, and so does one that is gone', () => {
      const there = { k: entry() };
      expect(compose(row(), options({}, {}, there))?.writes).toMatchObject([{ expected: null, next: { version: '9' }, quarantine: null }]);
      const gone = compose(row({ document: null }), options({}, {}, there))?.writes;
      expect(gone).toEqual([{ identity: 'k', expected: null, next: null, changes: [], quarantine: null }]);
    });

    it('a key that was respelled into another identity takes its entry along', () => {
      const writes = compose(row({ formerIdentity: 'old' }), options({}, {}, { old: entry({ dataKey: 'old' }) }))?.writes;
      expect(writes).toMatchObject([{ identity: 'old', next: null, quarantine: null }, { identity: 'k' }]);
    });

    it('where keys are told, what is here is told of again when it changes, and when it goes', () => {
      const there = { k: entry() };
      const large = row({ document: null, oversizeBytes: 9_000_000, changeVersion: 8n });
      expect(compose(large, options({}, { tellBeyond: 6n }, there))).toMatchObject({
        renewed: true,
        writes: [{ changes: [{ op: 'unavailable' }] }],
      });
      const gone = compose(row({ document: null }), options({}, { tellBeyond: 6n }, there))?.writes;
      expect(gone).toMatchObject([{ changes: [{ op: 'remove', prevVersionId: null }], quarantine: null }]);
    });

    it('one row more than it may hold stops the section by name; what is in it already does not', () => {
      const full = { a: entry(), b: entry(), k: entry() };
      expect(() => compose({ ...oversize, identity: 'd' }, options({}, {}, full))).toThrow(expect.objectContaining({ code: 'PW-S242' }));
      expect(compose({ ...oversize, changeVersion: 8n }, options({}, {}, full))).not.toBeNull();
    });
  });

  describe('where keys are told', () => {
    const told = { tellBeyond: 6n };
    const same = base({ document: '{"Id":"k","n":1}' });

    it('a row that changed and is as it was delivered is told without operations, under the version of now', () => {
      expect(compose(row(), options({ k: same }, told))?.writes).toEqual([
        {
          identity: 'k',
          expected: { version: '5', dataKey: 'k' },
          next: { version: '9', dataKey: 'k', document: '{"Id":"k","n":1}' },
          changes: [{ dataKey: 'k', op: 'upsert', versionId: '9', prevVersionId: '5', changeVersion: '7', patch: [] }],
        },
      ]);
    });

    it('a row that came and went between two reads is told as removed', () => {
      expect(compose(row({ document: null }), options({}, told))?.writes).toMatchObject([
        { identity: 'k', expected: null, next: null, changes: [{ dataKey: 'k', op: 'remove', versionId: '9', prevVersionId: null }] },
      ]);
    });

    it('of a filtered table nobody is told of a row that has no document: its key may be what the filter keeps out of Redis', () => {
      expect(compose(row({ document: null }), options({}, { ...told, filtered: true }))).toBeNull();
      expect(compose(row(), options({ k: same }, { ...told, filtered: true }))?.writes).toHaveLength(1);
    });

    it('nobody is told twice of one change, nor while documents are stored', () => {
      const seen = { tellBeyond: 7n };
      expect(compose(row(), options({ k: same }, seen))).toBeNull();
      expect(compose(row({ document: null }), options({}, seen))).toBeNull();
      // The checkpoint was set back: the document is of a later version.
      expect(compose(row(), options({ k: { ...same, version: '7' } }, told))).toBeNull();
    });
  });
});
