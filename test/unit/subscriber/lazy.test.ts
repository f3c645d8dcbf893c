import { describe, expect, it } from 'vitest';
import { type LazyDocuments, LazyMode } from '../../../src/subscriber/lazy-documents.ts';
import type { Input } from '../../../src/subscriber/section-view.ts';
import { Rig } from './scripted-publisher.ts';

type Found = Extract<Input, { type: 'found' }>;

/** Live on three rows, of which nothing is held. */
function lazyRig(max: number = 10): Rig {
  const rig = new Rig(1, undefined, { mode: new LazyMode({ max }) });
  rig.publisher.publish([
    ['a', { n: 1 }],
    ['b', { n: 1 }],
    ['c', { n: 1 }],
  ]);
  return rig.live();
}

function want(rig: Rig, ...identities: string[]): void {
  rig.input({ type: 'want', names: identities.map((identity) => ({ identity, dataKey: identity })) });
}

/** Redis reads what was asked for first, now; the answer is on its way. */
function read(rig: Rig): Found {
  const { request, seq, names } = rig.fetches.shift()!;
  return { type: 'found', request, seq, view: rig.publisher.view(), rows: rig.publisher.read(names.map(({ identity }) => identity)) };
}

function load(rig: Rig, ...identities: string[]): void {
  want(rig, ...identities);
  rig.input(read(rig));
}

/** What is held of a key: its n; null: absent; undefined: nothing. */
function held(rig: Rig, identity: string): unknown {
  const entry = (rig.machine.documents as LazyDocuments).known(identity);
  return entry === null || entry === undefined ? entry : entry.document['n'];
}

describe('S1: keys on demand', () => {
  it('S1: an answer that was read before a change is not taken over the change: the key is read again', () => {
    const rig = lazyRig();
    want(rig, 'a', 'b');
    const answer = read(rig);
    rig.message(rig.publisher.publish([['a', { n: 2 }]]));
    rig.input(answer);
    expect([held(rig, 'a'), held(rig, 'b')]).toEqual([undefined, 1]);
    expect(rig.fetches.map(({ names }) => names.map(({ identity }) => identity))).toEqual([['a']]);
    rig.input(read(rig));
    expect(held(rig, 'a')).toBe(2);
    expect(rig.state.counters).toMatchObject({ replays: 0, reloads: 0 });
  });

  it('S1: messages that a page contains are skipped for its keys, later ones apply', () => {
    const rig = lazyRig();
    const first = rig.publisher.publish([['a', { n: 2 }]]);
    load(rig, 'a');
    expect(held(rig, 'a')).toBe(2);
    rig.message(first, rig.publisher.publish([['a', { n: 3 }]]));
    expect(held(rig, 'a')).toBe(3);
    expect(rig.told).toEqual(['live', 'change']);
    expect(rig.state.counters).toMatchObject({ replays: 0, reloads: 0, diverged: 0 });
  });

  it('S1: a page of another history at the same seq is found at once', () => {
    const rig = lazyRig();
    const back = rig.publisher.snapshot();
    rig.message(rig.publisher.publish([['a', { n: 2 }]]));
    want(rig, 'a');
    back();
    rig.publisher.publish([['b', { n: 9 }]]);
    rig.input(read(rig));
    expect(held(rig, 'a')).toBeUndefined();
    rig.settle();
    expect(rig.told).toEqual(['live', 'gap: rewound', 'reset: rewound', 'live']);
  });

  it('S1: when the chain comes to the seq of a page, its id must be the one of that page', () => {
    const rig = lazyRig();
    const back = rig.publisher.snapshot();
    rig.publisher.publish([['a', { n: 2 }]]);
    load(rig, 'a');
    back();
    rig.message(rig.publisher.publish([['b', { n: 9 }]]));
    expect(held(rig, 'a')).toBe(2);
    expect(rig.told).toEqual(['live', 'diverged', 'reset: diverged']);
    rig.settle();
    expect(held(rig, 'a')).toBeUndefined();
  });

  it('S1: no page may be older than one that was taken before, nor differ from one of its seq', () => {
    const rig = lazyRig();
    const back = rig.publisher.snapshot();
    rig.publisher.publish([['a', { n: 2 }]]);
    load(rig, 'a');
    back();
    load(rig, 'b');
    expect(held(rig, 'b')).toBeUndefined();
    expect(rig.told).toEqual(['live', 'gap: rewound']);

    const other = lazyRig();
    const again = other.publisher.snapshot();
    other.publisher.publish([['a', { n: 2 }]]);
    load(other, 'a');
    again();
    other.publisher.publish([['b', { n: 2 }]]);
    load(other, 'b');
    expect(held(other, 'b')).toBeUndefined();
    expect(other.told).toEqual(['live', 'gap: rewound']);
  });

  it('S1: pages of a section that is being loaded, or that a script left half-way, are not taken', () => {
    const rig = lazyRig();
    rig.publisher.transition('loading', 'begin');
    rig.publisher.store('a', { n: 2 });
    load(rig, 'a');
    expect(held(rig, 'a')).toBeUndefined();
    rig.answer();
    expect(rig.state.reasons).toEqual(['section loading']);

    const torn = lazyRig();
    torn.publisher.pending = true;
    load(torn, 'a');
    expect(held(torn, 'a')).toBeUndefined();
  });

  it('S1: a page of another epoch is not taken, whatever its number is', () => {
    const rig = lazyRig();
    want(rig, 'a');
    rig.publisher.transition('live', 'end', true);
    rig.publisher.store('a', { n: 2 });
    rig.input(read(rig));
    expect(held(rig, 'a')).toBeUndefined();
    rig.settle();
    expect(rig.told).toEqual(['live', 'gap: epoch', 'reset: epoch', 'live']);
    load(rig, 'a');
    expect(held(rig, 'a')).toBe(2);
  });

  it('S1: after a section was made anew with lower numbers, its pages are taken', () => {
    const rig = lazyRig();
    rig.publisher.publish([['a', { n: 2 }]]);
    rig.publisher.publish([['a', { n: 3 }]]);
    load(rig, 'a');
    const { publisher } = rig;
    publisher.seq = 0;
    publisher.transition('live', 'end', true);
    rig.message(publisher.heartbeat());
    rig.settle();
    rig.message(publisher.heartbeat());
    load(rig, 'a');
    expect(held(rig, 'a')).toBe(3);
  });

  it('S2: a change of a held key that does not follow what is held is a divergence; of any other key it means nothing', () => {
    const rig = lazyRig();
    load(rig, 'a', 'x');
    expect(held(rig, 'x')).toBeNull();
    rig.message(
      rig.publisher.publish([
        ['b', { n: 2 }],
        ['x', { n: 1 }],
      ]),
    );
    expect([held(rig, 'b'), held(rig, 'x')]).toEqual([undefined, 1]);
    rig.publisher.put('a', { dataKey: 'a', version: '7', document: { n: 0 } });
    rig.message(rig.publisher.publish([['a', { n: 5 }]]));
    expect(rig.told).toEqual(['live', 'change', 'diverged', 'reset: diverged']);
  });

  it('S3: a read that fails is told, and costs a replay; late answers to earlier requests are ignored', () => {
    const rig = lazyRig();
    want(rig, 'a');
    const late = read(rig);
    rig.disconnect();
    rig.input({ type: 'connected' });
    rig.settle();
    rig.input(late);
    expect(held(rig, 'a')).toBeUndefined();
  });

  it('S4: says that nothing was compared', () => {
    const rig = lazyRig();
    rig.message(rig.publisher.heartbeat({ digest: 'another' }));
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['not compared'] });
  });
});
