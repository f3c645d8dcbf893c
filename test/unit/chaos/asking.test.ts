import { describe, expect, it } from 'vitest';
import { anyKey, folded, spelled } from '../../chaos/asking.ts';
import { SECTIONS } from '../../chaos/tables.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { identityOf, parseCollation } from '../../../src/model/row-key.ts';

const COLLATION = parseCollation('Latin1_General_100_CI_AS');

describe('keys that are asked for', () => {
  it.each(SECTIONS)('fold as their identity does, in any spelling (%s)', (section) => {
    const random = seededRandom(5);
    for (let i = 0; i < 500; i++) {
      const key = anyKey(section, random);
      const identity = identityOf(
        key.map(String),
        key.map((value) => (typeof value === 'string' ? COLLATION : null)),
      );
      expect(folded(identity)).toBe(folded(spelled(key)));
    }
  });
});
