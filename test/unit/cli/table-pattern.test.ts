import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTablePattern } from '../../../src/cli/table-pattern.ts';
import { formatTableName } from '../../../src/config/table-name.ts';

const matches = (pattern: string, schema: string, name: string): boolean => parseTablePattern(pattern)?.matches({ schema, name }) ?? false;

describe('a pattern of tables', () => {
  it('means what it spells, a star any characters, in any case', () => {
    expect(matches('dbo.*', 'dbo', 'Orders')).toBe(true);
    expect(matches('dbo.*', 'sales', 'Orders')).toBe(false);
    expect(matches('sales.Order*', 'Sales', 'orderLines')).toBe(true);
    expect(matches('sales.Order*', 'sales', 'MyOrders')).toBe(false);
    expect(matches('*.*Order*', 'x', 'MyOrders')).toBe(true);
    expect(matches('dbo.a.b', 'dbo', 'a.b')).toBe(false);
    expect(matches('dbo.a+b*', 'dbo', 'aab')).toBe(false);
  });

  it('takes a star inside brackets for a part of the name', () => {
    expect(parseTablePattern('dbo.[a*]')?.name).toEqual({ schema: 'dbo', name: 'a*' });
    expect(matches('dbo.[a*]', 'dbo', 'ab')).toBe(false);
    expect(matches('dbo.[a*]', 'dbo', 'A*')).toBe(true);
  });

  it('is a name where it has no star, and nothing where it is neither', () => {
    expect(parseTablePattern('dbo.Orders')?.name).toEqual({ schema: 'dbo', name: 'Orders' });
    expect(parseTablePattern('dbo.*')?.name).toBeNull();
    for (const text of ['*', 'Orders', 'a.b.c', '']) {
      expect(parseTablePattern(text)).toBeNull();
    }
  });

  it('spelled as formatTableName spells a name means just that table', () => {
    const part = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'B', ']', '[', '.', ' ', '+', '(', '\\', "'") });
    fc.assert(
      fc.property(part, part, part, (schema, name, other) => {
        const text = formatTableName({ schema, name });
        expect(matches(text, schema, name)).toBe(true);
        expect(matches(text, schema, other)).toBe(other.toLowerCase() === name.toLowerCase());
      }),
    );
  });
});
