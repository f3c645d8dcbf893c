/**
 * Finds a row by its key in any spelling that the collation calls equal: the identity is folded here as the publisher folds it, by what the
 * section says of its key columns. Asks nobody: where SQL Server calls two spellings different that fold alike, the one that is there is found.
 */
import { decodeDataKey, encodeDataKey } from '../model/data-key.ts';
import { comparableKeyText, type KeyCollation, identityOf, parseCollation } from '../model/row-key.ts';
import type { KeyColumnForm } from '../model/table.ts';
import type { HeldEntry, Holding } from './holding.ts';

/** One value of a key: a text as the documents have it, or a number. */
export type KeyValue = string | number | bigint;

/** A data key as messages name it ('42', '7|3', 'Stra%C3%9Fe'), a number, or the values in key order. */
export type Key = KeyValue | readonly KeyValue[];

export class KeyFinder {
  #form: readonly KeyColumnForm[] | null = null;
  #collations: readonly (KeyCollation | null)[] = [];

  /** The row of a key: by its exact spelling, by its identity, or by the identity that it folds to. */
  find(holding: Holding, form: readonly KeyColumnForm[] | null, key: Key): HeldEntry | undefined {
    const dataKey = dataKeyOf(key);
    return holding.find(dataKey) ?? holding.find(this.identityOf(form, dataKey));
  }

  /** The key as the collation folds it: the same for every spelling that it calls equal. What cannot be folded is its own identity. */
  identityOf(form: readonly KeyColumnForm[] | null, key: Key): string {
    const dataKey = dataKeyOf(key);
    if (form === null) {
      return dataKey;
    }
    if (form !== this.#form) {
      this.#form = form;
      this.#collations = form.map(({ collation }) => (collation === null ? null : parseCollation(collation)));
    }
    const values = valuesOf(dataKey);
    if (values.length !== form.length) {
      return dataKey;
    }
    const comparable = values.map((text, i) => {
      const { type } = form[i] ?? { type: '' };
      return comparableKeyText(type, type === 'uniqueidentifier' ? text.toLowerCase() : text);
    });
    return identityOf(comparable, this.#collations);
  }
}

/** As messages name it. */
export function dataKeyOf(key: Key): string {
  return typeof key === 'string' ? key : encodeDataKey((Array.isArray(key) ? key : [key]).map(String));
}

/** What is no data key is taken for the only value of one. */
function valuesOf(dataKey: string): readonly string[] {
  try {
    return decodeDataKey(dataKey);
  } catch {
    return [dataKey];
  }
}
