import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isChangesMessage, isMessage, parseMessage } from '../../../src/wire/codec.ts';
import { changesMessage, message } from '../../../src/wire/messages.ts';

const changes = {
  ...{ v: 1, type: 'changes', partitionKey: 'p', section: 's', managerId: 'm', epoch: 'e', seq: 7, id: 'b', prevId: 'a' },
  ...{ checkpoint: '9007199254740993', upTo: null, changeTime: '2026-11-22T10:30:00.000Z' },
  changes: [
    {
      dataKey: '42',
      op: 'upsert',
      versionId: '8',
      prevVersionId: null,
      changeVersion: '7',
      patch: [{ op: 'add', path: '', value: { a: 1 } }],
    },
    {
      dataKey: 'B',
      identity: 'b',
      op: 'remove',
      versionId: '8',
      prevVersionId: '3',
      changeVersion: '8',
      patch: [{ op: 'remove', path: '' }],
    },
  ],
};
const heartbeat = {
  ...{
    v: 1,
    type: 'heartbeat',
    partitionKey: 'p',
    section: 's',
    managerId: 'm',
    epoch: 'e',
    intervalMs: 5000,
    seq: 7,
    last: 'b',
    tip: 't',
  },
  ...{ checkpoint: '9', upTo: '9', state: 'live', digest: '0000000000000000', count: 2, quarantined: 0 },
  ...{ sourceReadAt: null, time: '2026-11-22T10:30:00.000Z' },
};
const reset = {
  ...{ v: 1, type: 'reset', partitionKey: 'p', section: 's', managerId: 'm', epoch: 'e', seq: 8, id: 'c', prevId: 'b' },
  ...{ phase: 'begin', reason: 'x', state: 'loading' },
};
const removed = { v: 1, type: 'removed', partitionKey: 'p', section: 's', managerId: 'm', epoch: 'e', reason: 'x' };

describe('parseMessage', () => {
  it.each([changes, heartbeat, reset, removed])('reads a message of every type: $type', (value) => {
    expect(parseMessage(JSON.stringify(value))).toEqual(value);
  });

  it('ignores fields that it does not know', () => {
    for (const value of [changes, heartbeat, reset, removed]) {
      expect(parseMessage(JSON.stringify({ ...value, later: { a: 1 } }))).toMatchObject(value);
    }
    const withMore = { ...changes, changes: [{ ...changes.changes[0], later: 1 }] };
    expect(parseMessage(JSON.stringify(withMore))).toMatchObject({ type: 'changes', changes: [changes.changes[0]] });
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[1]'],
    ['null', 'null'],
    ['no version', JSON.stringify({ ...changes, v: undefined })],
    ['an unknown type', JSON.stringify({ ...changes, type: 'news' })],
    ['a version that is a number', JSON.stringify({ ...changes, checkpoint: 5 })],
    ['a version with a leading zero', JSON.stringify({ ...changes, checkpoint: '05' })],
    ['no previous id', JSON.stringify({ ...changes, prevId: undefined })],
    ['an unknown state', JSON.stringify({ ...heartbeat, state: 'asleep' })],
  ])('PW-W401: refuses %s', (_what, text) => {
    expect(() => parseMessage(text)).toThrow(expect.objectContaining({ code: 'PW-W401' }));
  });

  it('PW-W402: names a version that is newer, whatever else the message holds', () => {
    expect(() => parseMessage('{"v":2,"type":"other"}')).toThrow(expect.objectContaining({ code: 'PW-W402' }));
  });

  it('the check by hand accepts exactly what the schema accepts', () => {
    const odd = fc.constantFrom<unknown>(
      undefined,
      null,
      0,
      1.5,
      -1,
      '',
      '0',
      '01',
      'upsert',
      'unavailable',
      'replace',
      true,
      [],
      {},
      [{}],
      [null],
    );
    const path = fc.constantFrom(
      ...Object.keys(changes).map((name) => [name]),
      ...Object.keys(changes.changes[1]!).map((name) => ['changes', '1', name]),
      ['changes', '0'],
      ['changes', '0', 'patch', '0'],
      ['changes', '0', 'patch', '0', 'op'],
      ['changes', '0', 'patch', '0', 'path'],
      ['changes', '0', 'patch', '0', 'value'],
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(path, odd), { maxLength: 3 }), (edits) => {
        const copy: unknown = structuredClone(changes);
        edits.forEach(([at, value]) => set(copy, at, value));
        const text = JSON.parse(JSON.stringify(copy)) as unknown;
        expect(isChangesMessage(text)).toBe(changesMessage.safeParse(text).success);
      }),
      { numRuns: 2000 },
    );
  });

  it('the check by hand accepts exactly what the schemas of the other messages accept', () => {
    const odd = fc.constantFrom<unknown>(
      undefined,
      null,
      0,
      1.5,
      -1,
      2 ** 60,
      '',
      '0',
      '01',
      'live',
      'asleep',
      'begin',
      'end',
      true,
      [],
      {},
    );
    const full = { ...heartbeat, incomplete: 'initial', paused: null, fingerprint: 'f', sweepHeld: 5 };
    const edited = fc
      .constantFrom<Record<string, unknown>>(heartbeat, full, reset, { ...reset, fingerprint: 'f' }, removed)
      .chain((value) => fc.tuple(fc.constant(value), fc.array(fc.tuple(fc.constantFrom(...Object.keys(value)), odd), { maxLength: 3 })));
    fc.assert(
      fc.property(edited, ([value, edits]) => {
        const copy = JSON.parse(JSON.stringify({ ...value, ...Object.fromEntries(edits) })) as unknown;
        expect(isMessage(copy)).toBe(message.safeParse(copy).success);
      }),
      { numRuns: 2000 },
    );
  });
});

function set(target: unknown, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (typeof target !== 'object' || target === null || name === undefined) {
    return;
  }
  const fields = target as Record<string, unknown>;
  if (rest.length === 0) {
    fields[name] = value;
  } else {
    set(fields[name], rest, value);
  }
}
