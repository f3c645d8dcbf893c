import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document, JsonValue } from '../../../src/model/document.ts';
import { applyPatch, diff } from '../../../src/wire/json-patch.ts';

/** Parsed from JSON text, as documents are: `__proto__` is an ordinary own property then. */
const value: fc.Arbitrary<JsonValue> = fc
  .letrec<{ any: JsonValue; name: string }>((tie) => ({
    name: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c/d', 'e~f', '~1', '', '0') },
      { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'prototype', 'toJSON', 'hasOwnProperty') },
    ),
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.string(),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.array(fc.tuple(tie('name'), tie('any')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  }))
  .any.map((raw) => JSON.parse(JSON.stringify(raw)) as JsonValue);

const column = fc.constantFrom('Id', 'Name', 'a/b', 'a~b', 'Attributes', '__proto__', 'constructor');
const document = fc
  .uniqueArray(fc.tuple(column, value), { selector: ([name]) => name, maxLength: 7 })
  .map((entries) => Object.fromEntries(entries) as Document);

const text = (json: unknown): string =>
  JSON.stringify(json, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );

describe('json-patch', () => {
  it('applies to the previous document and gives the next one', () => {
    fc.assert(
      fc.property(fc.option(document, { freq: 6 }), fc.option(document, { freq: 6 }), (prev, next) => {
        const before = text(prev);
        expect(text(applyPatch(prev, diff(prev, next)))).toBe(text(next));
        expect(text(prev)).toBe(before);
      }),
      { numRuns: 2000 },
    );
  });

  it('is empty for equal documents, whatever the order of their properties', () => {
    fc.assert(
      fc.property(document, (doc) => {
        expect(diff(doc, Object.fromEntries(Object.entries(doc).toReversed()) as Document)).toEqual([]);
      }),
    );
  });

  it('survives the way over the wire', () => {
    fc.assert(
      fc.property(document, document, (prev, next) => {
        const patch = JSON.parse(JSON.stringify(diff(prev, next))) as ReturnType<typeof diff>;
        expect(text(applyPatch(prev, patch))).toBe(text(next));
      }),
    );
  });

  it('has the fixed forms of a new and of a removed row', () => {
    expect(diff(null, { Id: 1 })).toEqual([{ op: 'add', path: '', value: { Id: 1 } }]);
    expect(diff({ Id: 1 }, null)).toEqual([{ op: 'remove', path: '' }]);
    expect(diff(null, null)).toEqual([]);
  });

  it('holds only what changed, nested JSON included', () => {
    const prev = { Id: 1, Price: '10.00', Attributes: { size: 'L', tags: ['x'] } };
    const next = { Id: 1, Price: '10.50', Attributes: { size: 'L', tags: ['x', 'y'] } };
    expect(diff(prev, next).toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { op: 'add', path: '/Attributes/tags/1', value: 'y' },
      { op: 'replace', path: '/Price', value: '10.50' },
    ]);
  });

  it('replaces a column that holds __proto__ or constructor at any depth', () => {
    const prev = JSON.parse('{"Id":1,"J":{"deep":[{"__proto__":{"x":1}}]}}') as Document;
    const next = JSON.parse('{"Id":2,"J":{"deep":[{"__proto__":{"x":2}}]}}') as Document;
    expect(diff(prev, next).map(({ op, path }) => `${op} ${path}`)).toEqual(['replace /Id', 'replace /J']);
    expect(diff({ J: { constructor: 1 } }, { J: { constructor: 2 } })).toEqual([{ op: 'replace', path: '/J', value: { constructor: 2 } }]);
  });
});
