/**
 * Folds a key as the publisher folds it, by what the section says of its key columns, so that a row is found in any spelling that the collation
 * calls equal. Asks nobody: where SQL Server calls two spellings different that fold alike, the one that is there is found. Loaded with what speaks
 * to Redis: before that no section has said what its key is.
 */
import { decodeDataKey } from '../model/data-key.ts';
import { comparableKeyText, type KeyCollation, identityOf, parseCollation } from '../model/row-key.ts';
import type { KeyColumnForm } from '../model/table.ts';

export class KeyFolding {
  #form: readonly KeyColumnForm[] | null = null;
  #collations: readonly (KeyCollation | null)[] = [];

  /** The data key as the collation folds it: the same for every spelling that it calls equal. What cannot be folded is its own identity. */
  identityOf(form: readonly KeyColumnForm[] | null, dataKey: string): string {
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

/** What is no data key is taken for the only value of one. */
function valuesOf(dataKey: string): readonly string[] {
  try {
    return decodeDataKey(dataKey);
  } catch {
    return [dataKey];
  }
}
