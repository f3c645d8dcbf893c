/** Keys as a program has them, and as messages name them. What of their spellings is equal is key-folding.ts's. */
import { encodeDataKey } from '../model/data-key.ts';

/** One value of a key: a text as the documents have it, or a number. */
export type KeyValue = string | number | bigint;

/** A data key as messages name it ('42', '7|3', 'Stra%C3%9Fe'), a number, or the values in key order. */
export type Key = KeyValue | readonly KeyValue[];

/** As messages name it. */
export function dataKeyOf(key: Key): string {
  return typeof key === 'string' ? key : encodeDataKey((Array.isArray(key) ? key : [key]).map(String));
}
