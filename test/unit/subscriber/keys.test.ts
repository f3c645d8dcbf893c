import { describe, expect, it } from 'vitest';
import { encodeDataKey } from '../../../src/model/data-key.ts';
import { identityOf, parseCollation } from '../../../src/model/row-key.ts';
import type { HeldEntry } from '../../../src/subscriber/holding.ts';
import { KeyFolding } from '../../../src/subscriber/key-folding.ts';
import { dataKeyOf, type Key } from '../../../src/subscriber/keys.ts';
import { ReplicaDocuments } from '../../../src/subscriber/replica.ts';

const CI = { type: 'nvarchar', collation: 'Latin1_General_CI_AI' };
const CS = { type: 'nvarchar', collation: 'Latin1_General_CS_AS' };
const INT = { type: 'int', collation: null };

/** Documents whose rows spell their keys so. */
function holding(
  form: readonly { readonly type: string; readonly collation: string | null }[],
  ...keys: readonly (readonly string[])[]
): ReplicaDocuments {
  const documents = new ReplicaDocuments();
  const collations = form.map(({ collation }) => (collation === null ? null : parseCollation(collation)));
  keys.forEach((values, n) => {
    const identity = identityOf(values, collations);
    documents.set(identity, { identity, dataKey: encodeDataKey(values), version: '1', document: { n } });
  });
  return documents;
}

describe('a key is found', () => {
  const folding = new KeyFolding();
  /** By its exact spelling, else by the identity that it folds to. */
  const find = (documents: ReplicaDocuments, form: Parameters<KeyFolding['identityOf']>[0], key: Key): HeldEntry | undefined =>
    documents.find(dataKeyOf(key)) ?? documents.find(folding.identityOf(form, dataKeyOf(key)));

  it('in any spelling that the collation calls equal', () => {
    const documents = holding([CI], ['Welcome10'], ['Café au lait']);
    for (const spelling of ['Welcome10', 'welcome10', 'WELCOME10', 'welcome10  ']) {
      expect(find(documents, [CI], spelling)?.document).toEqual({ n: 0 });
      expect(find(documents, [CI], [spelling])?.document).toEqual({ n: 0 });
    }
    expect(find(documents, [CI], 'cafe AU lait')?.document).toEqual({ n: 1 });
    expect(find(documents, [CI], 'Caf%C3%A9%20au%20lait')?.document).toEqual({ n: 1 });
    expect(find(documents, [CI], 'welcome11')).toBeUndefined();
  });

  it('in no other spelling where the collation counts case, but for trailing spaces', () => {
    const documents = holding([CS], ['Welcome10']);
    expect(find(documents, [CS], 'welcome10')).toBeUndefined();
    expect(find(documents, [CS], 'Welcome10 ')?.document).toEqual({ n: 0 });
  });

  it('by values that are no texts, and by several values in key order', () => {
    const documents = holding([INT, CI], ['42', 'a|b%']);
    expect(find(documents, [INT, CI], [42, 'A|B%'])?.document).toEqual({ n: 0 });
    expect(find(documents, [INT, CI], [42n, 'a|b%'])?.document).toEqual({ n: 0 });
    expect(find(documents, [INT, CI], '42|A%7CB%25')?.document).toEqual({ n: 0 });
    expect(find(documents, [INT, CI], 42)).toBeUndefined();
    expect(find(holding([INT], ['7']), [INT], 7)?.document).toEqual({ n: 0 });
  });

  it('by what types without a collation call equal: a uniqueidentifier in capitals, an instant with another offset', () => {
    const guid = { type: 'uniqueidentifier', collation: null };
    const text = '6f9619ff-8b86-d011-b42d-00c04fc964ff';
    expect(find(holding([guid], [text]), [guid], text.toUpperCase())?.document).toEqual({ n: 0 });
    const time = { type: 'datetimeoffset', collation: null };
    expect(find(holding([time], ['2026-01-30T20:00:00Z']), [time], ['2026-01-31T01:30:00+05:30'])?.document).toEqual({ n: 0 });
  });

  it('by its exact spelling alone while the section does not say what its key is', () => {
    const documents = holding([CI], ['Welcome10']);
    expect(find(documents, null, 'Welcome10')?.document).toEqual({ n: 0 });
    expect(find(documents, null, 'WELCOME10')).toBeUndefined();
  });
});
