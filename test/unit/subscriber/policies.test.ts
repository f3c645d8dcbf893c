/** What the machine does when history is lost, when its user is slow, when it begins with what was stored, and when nobody publishes. */
import { describe, expect, it } from 'vitest';
import type { Recovery } from '../../../src/subscriber/events.ts';
import { Rig } from './scripted-publisher.ts';

function liveRig(over: ConstructorParameters<typeof Rig>[2] = {}): Rig {
  const rig = new Rig(1, undefined, over);
  rig.publisher.publish([
    ['1', { a: 1 }],
    ['2', { a: 2 }],
    ['3', { a: 3 }],
  ]);
  return rig.live();
}

/** Two messages are published and neither delivered nor in the stream any more; the heartbeat behind them tells of it. */
function loseTwo(rig: Rig): void {
  rig.publisher.publish([['1', { a: 10 }]]);
  rig.publisher.publish([['2', { a: 20 }]]);
  rig.publisher.log = [];
  rig.message(rig.publisher.heartbeat());
  rig.settle();
}

function expectEqual(rig: Rig): void {
  expect(rig.documents).toBe(rig.publisher.documents());
  expect(rig.state).toMatchObject({ status: 'live', equal: true, reasons: [] });
}

describe('S3: recovery', () => {
  it('S3: autoReset tells a reset and loads again', () => {
    const rig = liveRig({ recovery: 'autoReset' });
    loseTwo(rig);
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: heartbeat', 'reset: trimmed', 'live']);
  });

  it('S3: strict closes with PW-W406 instead of a reset, and does nothing any more', () => {
    const rig = liveRig({ recovery: 'strict' });
    loseTwo(rig);
    expect(rig.state).toMatchObject({ status: 'closed', equal: false, error: { code: 'PW-W406', details: { reason: 'trimmed' } } });
    expect(rig.told).toEqual(['live', 'gap: heartbeat', 'closed']);
    expect(rig.effects.filter(({ type }) => type === 'load')).toHaveLength(1);
    rig.input({ type: 'connected' });
    expect(rig.status).toBe('closed');
  });

  it.each(['a new epoch', 'a rewind', 'an announced reset', 'a removed section', 'a divergence', 'a section that loads'])(
    'S3: strict ends at %s, too',
    (what) => {
      const rig = liveRig({ recovery: 'strict' });
      const { publisher } = rig;
      const { v, partitionKey, section, managerId, epoch } = publisher.heartbeat();
      if (what === 'a new epoch') {
        publisher.transition('live', 'end', true);
        rig.message(publisher.heartbeat());
      } else if (what === 'a rewind') {
        const rewind = publisher.snapshot();
        rig.message(publisher.publish([['1', { a: 10 }]]));
        rewind();
        rig.message(publisher.publish([['2', { a: 20 }]]));
      } else if (what === 'an announced reset') {
        rig.message(publisher.transition('loading', 'begin'));
      } else if (what === 'a removed section') {
        rig.message({ v, partitionKey, section, managerId, epoch, type: 'removed', reason: 'purged' });
      } else if (what === 'a divergence') {
        rig.message(publisher.heartbeat({ digest: 'ffffffffffffffff' }));
      } else {
        rig.disconnect();
        publisher.transition('loading', 'begin');
        rig.input({ type: 'connected' });
      }
      rig.settle();
      expect(rig.state).toMatchObject({ status: 'closed', error: { code: 'PW-W406' } });
      expect(rig.told.filter((text) => text.startsWith('reset'))).toEqual([]);
    },
  );

  it('S3: strict goes on over gaps that the stream closes', () => {
    const rig = liveRig({ recovery: 'strict' });
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.message(rig.publisher.publish([['1', { a: 11 }]]));
    rig.settle();
    expectEqual(rig);
  });

  it('S3, S4: skipGap says so, goes on with what follows, and is never equal nor claims a version until it is reloaded', () => {
    const rig = liveRig({ recovery: 'skipGap' });
    loseTwo(rig);
    expect(rig.told).toEqual(['live', 'gap: heartbeat', 'skipped']);
    expect(rig.events.find(({ type }) => type === 'skipped')).toMatchObject({ from: 1, to: 3 });
    const unequal = { status: 'live', equal: false, reasons: ['gap skipped'] };
    expect(rig.state).toMatchObject(unequal);
    rig.message(
      rig.publisher.publish([
        ['1', { a: 11 }],
        ['3', { a: 30 }],
      ]),
    );
    rig.message(rig.publisher.heartbeat());
    expect(rig.machine.documents.find('1')?.document).toEqual({ a: 1 });
    expect(rig.machine.documents.find('3')?.document).toEqual({ a: 30 });
    expect(rig.state).toMatchObject({ ...unequal, counters: { skipped: 1, reloads: 0, diverged: 0 } });
    expect(rig.machine.position(rig.nowMs)).toMatchObject({ seq: 4, upTo: null });
    expect(rig.machine.store()).toBeNull();
    rig.disconnect();
    rig.live();
    expect(rig.state).toMatchObject(unequal);
    rig.input({ type: 'reload' });
    rig.settle();
    expectEqual(rig);
    expect(rig.machine.position(rig.nowMs)?.upTo).toBe('104');
    expect(rig.told.slice(-2)).toEqual(['reset: asked', 'live']);
  });

  it('S3: skipGap skips only what is missing of the same history: a new epoch is a reset', () => {
    const rig = liveRig({ recovery: 'skipGap' });
    rig.publisher.transition('live', 'end', true);
    rig.message(rig.publisher.heartbeat());
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toContain('reset: epoch');
  });

  it.each(['autoReset', 'strict', 'skipGap'] as Recovery[])('S3: %s loads when asked to, also while disconnected', (recovery) => {
    const rig = liveRig({ recovery });
    rig.disconnect();
    rig.input({ type: 'reload' });
    expect(rig.status).toBe('disconnected');
    rig.live();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: disconnected', 'reset: asked', 'live']);
  });
});

describe('S3: a slow user', () => {
  it('S3: while it is held nothing is taken, and what came is fetched from the stream when it is released', () => {
    const rig = liveRig();
    rig.input({ type: 'hold' });
    expect(rig.state).toMatchObject({ status: 'behind', equal: false, reasons: ['behind'] });
    for (let n = 0; n < 5; n += 1) {
      rig.message(rig.publisher.publish([['1', { a: 10 + n }]]));
    }
    rig.message(rig.publisher.heartbeat());
    expect(rig.events.at(-1)).toMatchObject({ type: 'lag', messages: 5, publisher: 'beating' });
    expect(rig.state.counters.changes).toBe(0);
    expect(rig.machine.wakeAtMs).toBeNull();
    rig.input({ type: 'release' });
    expect(rig.status).toBe('replaying');
    rig.settle();
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ changes: 5, reloads: 0, replays: 1 });
    expect(rig.told).toEqual(['live', 'gap: slow', ...Array.from({ length: 5 }, () => 'change'), 'recovered']);
  });

  it('S3: what a replay brings may fill it again: it falls behind before it takes more', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.message(rig.publisher.heartbeat());
    rig.input({ type: 'hold' });
    expect(rig.status).toBe('replaying');
    rig.message(rig.publisher.publish([['1', { a: 11 }]]));
    const late = rig.publisher.publish([['1', { a: 12 }]]);
    rig.answer();
    expect(rig.status).toBe('behind');
    rig.message(late);
    rig.disconnect();
    rig.input({ type: 'connected' });
    expect(rig.status).toBe('behind');
    rig.input({ type: 'release' });
    rig.settle();
    expectEqual(rig);
  });

  it('S3: a reset that comes while it is behind is found by the replay', () => {
    const rig = liveRig();
    rig.input({ type: 'hold' });
    rig.message(rig.publisher.transition('loading', 'begin', true));
    rig.publisher.store('1', { a: 100 });
    rig.message(rig.publisher.transition('live', 'end'));
    expect(rig.status).toBe('behind');
    rig.input({ type: 'release' });
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toContain('reset: epoch');
  });

  it('S1: it is held while it loads only once it is live', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    rig.input({ type: 'hold' });
    rig.live();
    expect(rig.told).toEqual(['live', 'gap: slow']);
    expect(rig.status).toBe('behind');
    rig.input({ type: 'release' });
    rig.settle();
    expectEqual(rig);
  });
});

describe('S3: what was stored', () => {
  const successor = (rig: Rig): Rig => {
    const stored = rig.machine.store();
    const next = Object.assign(new Rig(2), { publisher: rig.publisher });
    next.input({ type: 'restore', stored: stored! });
    return next;
  };

  it('S3: goes on by a replay from where it was stored, and tells what changed meanwhile', () => {
    const rig = liveRig();
    rig.publisher.publish([
      ['2', null],
      ['4', { a: 4 }],
    ]);
    const next = successor(rig);
    expect(next.state).toMatchObject({ status: 'disconnected', equal: false });
    expect(next.machine.documents.find('2')?.document).toEqual({ a: 2 });
    next.live();
    expectEqual(next);
    expect(next.told).toEqual(['restored', 'change', 'change', 'live']);
    expect(next.state.counters).toMatchObject({ reloads: 0, replays: 1 });
  });

  it('S3: a stream that does not reach back, or has another history, is a reset and a load', () => {
    const trimmed = liveRig();
    trimmed.publisher.publish([['1', { a: 10 }]]);
    trimmed.publisher.publish([['1', { a: 11 }]]);
    const first = successor(trimmed);
    trimmed.publisher.log = trimmed.publisher.log.slice(-1);
    first.live();
    expectEqual(first);
    expect(first.told).toEqual(['restored', 'reset: trimmed', 'live']);

    const rewound = liveRig();
    const rewind = rewound.publisher.snapshot();
    rewound.message(rewound.publisher.publish([['1', { a: 10 }]]));
    const second = successor(rewound);
    rewind();
    rewound.publisher.publish([['2', { a: 20 }]]);
    second.live();
    expectEqual(second);
    expect(second.told).toEqual(['restored', 'reset: rewound', 'live']);
  });

  it('S4: documents that are not those of the section, at a place that is, are a divergence', () => {
    const rig = liveRig();
    const stored = rig.machine.store()!;
    const next = Object.assign(new Rig(2), { publisher: rig.publisher });
    next.input({ type: 'restore', stored: { ...stored, entries: stored.entries.slice(1) } });
    next.live();
    expectEqual(next);
    expect(next.told).toEqual(['restored', 'diverged', 'reset: diverged', 'live']);
  });

  it('stores nothing while what is held does not count', () => {
    const rig = new Rig();
    expect(rig.machine.store()).toBeNull();
    rig.publisher.publish([['1', { a: 1 }]]);
    rig.live();
    rig.message(rig.publisher.transition('loading', 'begin'));
    expect(rig.machine.store()).toBeNull();
  });
});

describe('S4, S5: a resync', () => {
  it('S4, S5: while documents are being corrected no version is claimed; it comes again with the state', () => {
    const rig = liveRig();
    rig.publisher.state = 'resyncing';
    rig.message({ ...rig.publisher.publish([]), state: 'resyncing' });
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['section resyncing'] });
    expect(rig.machine.position(rig.nowMs)?.upTo).toBeNull();
    rig.message(rig.publisher.publish([['1', { a: 5 }]]), rig.publisher.heartbeat());
    expect(rig.machine.position(rig.nowMs)?.upTo).toBeNull();
    rig.publisher.state = 'live';
    rig.message({ ...rig.publisher.publish([]), state: 'live' });
    expect(rig.machine.position(rig.nowMs)?.upTo).toBe('104');
    expectEqual(rig);
  });
});

describe('S4, S5: nobody publishes', () => {
  const READ = { sourceReadAt: '2026-11-22T10:00:00.000Z', time: '2026-11-22T10:00:00.000Z' } as const;

  it('S4: a publisher that is gone is told, and what was published last stays what it is equal to', () => {
    const rig = liveRig();
    expect(rig.state.publisher).toBe('unknown');
    rig.message(rig.publisher.heartbeat());
    expect(rig.state.publisher).toBe('beating');
    rig.wake();
    rig.settle();
    expect(rig.state).toMatchObject({ status: 'live', equal: true, publisher: 'silent' });
    expect(rig.events.at(-1)).toEqual({ type: 'lag', messages: 0, ageMs: 15_001, publisher: 'silent' });
    rig.message(rig.publisher.heartbeat());
    expect(rig.state.publisher).toBe('beating');
  });

  it('S4: with a greatest age, documents that are older are not equal, and that is told when it happens', () => {
    const rig = liveRig({ maxAgeMs: 8000 });
    expect(rig.state).toMatchObject({ equal: false, reasons: ['too old'] });
    rig.message(rig.publisher.heartbeat(READ));
    expectEqual(rig);
    expect(rig.machine.state(rig.nowMs + 8000).equal).toBe(true);
    expect(rig.machine.state(rig.nowMs + 8001)).toMatchObject({ equal: false, reasons: ['too old'] });
    expect(rig.machine.wakeAtMs).toBe(rig.nowMs + 8001);
    rig.wake();
    expect(rig.events.at(-1)).toEqual({ type: 'lag', messages: 0, ageMs: 8001, publisher: 'beating' });
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['too old'] });
    expect(rig.machine.wakeAtMs).toBe(rig.nowMs - 8001 + 15_000);
    rig.message(rig.publisher.heartbeat(READ));
    expectEqual(rig);
  });

  it('S5: until a heartbeat says more, the age is what meta says by the clock here', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const view = rig.publisher.view.bind(rig.publisher);
    rig.publisher.view = () => ({ ...view(), sourceReadAtMs: rig.nowMs - 70_000 });
    rig.live();
    expect(rig.machine.position(rig.nowMs + 5)?.ageMs).toBe(70_005);
    rig.message(rig.publisher.heartbeat(READ));
    expect(rig.machine.position(rig.nowMs + 5)?.ageMs).toBe(5);
  });
});
