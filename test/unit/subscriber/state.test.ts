import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import { Rig } from './scripted-publisher.ts';

/** A live replica of three rows. */
function liveRig(): Rig {
  const rig = new Rig();
  rig.publisher.publish([
    ['1', { a: 1 }],
    ['2', { a: 2 }],
    ['3', { a: 3 }],
  ]);
  return rig.live();
}

/** A rig that has been told to scan, and the number of that request. */
function scanning(rig: Rig): number {
  rig.input({ type: 'connected' });
  rig.answer();
  const request = rig.open!.request;
  expect(rig.open?.type).toBe('scan');
  rig.open = null;
  return request;
}

function expectEqual(rig: Rig): void {
  expect(rig.documents).toBe(rig.publisher.documents());
  expect(rig.state).toMatchObject({ status: 'live', equal: true, reasons: [] });
}

describe('S1: the load', () => {
  it('S1: reads meta, then pages, and is live at the highest page', () => {
    const rig = liveRig();
    expectEqual(rig);
    expect(rig.told).toEqual(['live']);
    expect(rig.machine.position(rig.nowMs)).toMatchObject({ epoch: 'e1', seq: 1, upTo: '101', checkpoint: '101' });
  });

  it('S1: an empty section is live at once', () => {
    const rig = new Rig().live();
    expectEqual(rig);
    expect(rig.machine.documents.size).toBe(0);
  });

  it('S1: a message between subscribing and meta counts once: its page contains it', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    rig.input({ type: 'connected' });
    rig.message(rig.publisher.publish([['1', { a: 2 }]]), rig.publisher.publish([['1', { a: 4 }]]));
    rig.settle();
    expectEqual(rig);
    rig.message(rig.publisher.publish([['1', { a: 3 }]]));
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ reloads: 0, replays: 0 });
  });

  it('S1: a page that contains a buffered message skips it for its own keys only', () => {
    const rig = new Rig();
    rig.publisher.publish([
      ['1', { a: 1 }],
      ['2', { a: 2 }],
    ]);
    const request = scanning(rig);
    rig.page(request, ['1']);
    rig.message(
      rig.publisher.publish([
        ['1', { a: 10 }],
        ['2', { a: 20 }],
      ]),
    );
    rig.page(request, ['2']);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    expectEqual(rig);
    expect(rig.state.counters.replays).toBe(0);
  });

  it('S1: a change of a key in no page counts only if prevVersionId matches', () => {
    const rig = new Rig();
    rig.publisher.publish([
      ['1', { a: 1 }],
      ['2', { a: 2 }],
    ]);
    const request = scanning(rig);
    // 2 changes and goes before its page is read, so the scan never names it; 9 comes while the scan runs, and is not named either.
    rig.message(rig.publisher.publish([['2', { a: 3 }]]), rig.publisher.publish([['2', null]]), rig.publisher.publish([['9', { a: 9 }]]));
    rig.message(rig.publisher.publish([['9', { a: 10 }]]));
    rig.page(request, ['1']);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    expectEqual(rig);
    expect(rig.state.counters.diverged).toBe(0);
  });

  it('S1: a key that was gone when its page was read is not brought back by an older message', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    const removed = rig.publisher.publish([['1', null]]);
    rig.page(request, ['1']);
    const added = rig.publisher.publish([['1', { a: 5 }]]);
    rig.message(removed, added);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    expectEqual(rig);
  });

  it('S1: a load whose messages did not all come fetches them from the stream before it is live', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    rig.page(request, ['1']);
    rig.publisher.publish([['1', { a: 2 }]]);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    expect(rig.state).toMatchObject({ status: 'replaying', equal: false });
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live']);
  });

  it.each([
    ['another epoch', { epoch: 'e2' }],
    ['another state', { state: 'resyncing' }],
    ['a seq that fell', { seq: 0 }],
    ['another tip at the same seq', { tip: 'other' }],
    ['a torn script', { pending: true }],
  ] as const)('S1: a page with %s begins the load again', (_what, over) => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    rig.input({ type: 'page', request, view: { ...rig.publisher.view(), ...over }, rows: [] });
    expect(rig.state).toMatchObject({ status: 'waiting', equal: false });
    rig.settle();
    expectEqual(rig);
  });

  it('S1: a chain that comes to a page with another id begins the load again', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    const message = rig.publisher.publish([['1', { a: 2 }]]);
    rig.page(request, ['1']);
    rig.page(request, []);
    rig.message({ ...message, id: 'another' });
    rig.input({ type: 'scanned', request });
    expect(rig.state.status).toBe('waiting');
    rig.settle();
    expectEqual(rig);
  });

  it('S1: what is held back is bounded, and what went beyond is fetched later', () => {
    const rig = new Rig(1, { messages: 2, bytes: 1_000_000 });
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    for (let i = 0; i < 5; i += 1) {
      rig.message(rig.publisher.publish([['1', { a: 10 + i }]]));
    }
    rig.page(request, ['1']);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    rig.settle();
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ replays: 1, reloads: 0 });
  });

  it('S1: answers to a request that was given up are ignored', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const old = scanning(rig);
    rig.disconnect();
    rig.input({ type: 'connected' });
    rig.page(old, ['1']);
    rig.input({ type: 'scanned', request: old });
    expect(rig.state.status).toBe('loading');
    rig.settle();
    expectEqual(rig);
  });
});

describe('S2: messages', () => {
  it('S2: a message that follows is applied, and tells before, after, patch and versions', () => {
    const rig = liveRig();
    rig.message(rig.publisher.publish([['2', { a: 20 }]]));
    expectEqual(rig);
    expect(rig.events.at(-1)).toMatchObject({
      ...{ type: 'change', dataKey: '2', op: 'upsert', before: { a: 2 }, after: { a: 20 }, versionId: '102', prevVersionId: '101', seq: 2 },
      patch: [{ op: 'replace', path: '/a', value: 20 }],
    });
  });

  it('S2: versions that go sideways are applied as long as the chain holds', () => {
    const rig = liveRig();
    rig.message(rig.publisher.publish([['1', { a: 5 }]], { version: '50', confirm: false }));
    rig.message(rig.publisher.publish([['1', { a: 6 }]], { version: '50', confirm: false }));
    rig.message(rig.publisher.publish([['1', { a: 7 }]], { version: '9', confirm: false }));
    expectEqual(rig);
    expect(rig.machine.position(rig.nowMs)?.upTo).toBe('101');
    expect(rig.state.counters).toMatchObject({ replays: 0, reloads: 0 });
  });

  it('S2: a patch whose prevVersionId is not mine is not applied, nor is the rest of its message', () => {
    const rig = liveRig();
    const message = rig.publisher.publish([
      ['1', { a: 10 }],
      ['2', { a: 20 }],
    ]);
    rig.message({ ...message, changes: [message.changes[0]!, { ...message.changes[1]!, prevVersionId: '7' }] });
    expect(rig.machine.documents.find('1')?.document).toEqual({ a: 1 });
    expect(rig.told).toEqual(['live', 'diverged', 'reset: diverged']);
    rig.settle();
    expectEqual(rig);
  });

  it('S2: a respelling is found by its new spelling and by its identity', () => {
    const rig = new Rig();
    rig.publisher.publish([['Ab', { k: 'Ab' }, 'ab']]);
    rig.live();
    expect(rig.machine.documents.find('Ab')?.document).toEqual({ k: 'Ab' });
    rig.message(rig.publisher.publish([['AB', { k: 'AB' }, 'ab']]));
    expectEqual(rig);
    expect(rig.machine.documents.find('Ab')).toBeUndefined();
    expect(rig.machine.documents.find('AB')).toBe(rig.machine.documents.find('ab'));
    expect(rig.machine.documents.size).toBe(1);
  });
});

describe('S3: gaps', () => {
  it('S3: a dropped message is fetched from the stream', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.message(rig.publisher.publish([['1', { a: 11 }]]));
    expect(rig.state).toMatchObject({ status: 'replaying', equal: false, reasons: ['replaying'] });
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: missed', 'change', 'change', 'recovered']);
    expect(rig.state.counters.reloads).toBe(0);
  });

  it('S3: a duplicated message is passed over', () => {
    const rig = liveRig();
    const message = rig.publisher.publish([['1', { a: 10 }]]);
    const next = rig.publisher.publish([['1', { a: 11 }]]);
    rig.message(message, message, next, message, next);
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ duplicates: 3, replays: 0, changes: 2 });
  });

  it('S3: reordered and delayed messages end in the same documents', () => {
    const rig = liveRig();
    const [a, b, c] = [1, 2, 3].map((n) => rig.publisher.publish([['1', { a: 10 + n }]]));
    rig.message(b!, a!, c!);
    rig.settle();
    rig.message(a!);
    expectEqual(rig);
    expect(rig.state.counters.reloads).toBe(0);
  });

  it('S3: a message of an epoch that is not mine, when mine still stands, changes nothing', () => {
    const rig = liveRig();
    rig.message({ ...rig.publisher.publish([['1', { a: 10 }]]), epoch: 'old' });
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toContain('gap: epoch');
    expect(rig.state.counters.reloads).toBe(0);
  });

  it('S3: a new epoch is a reset and a load', () => {
    const rig = liveRig();
    rig.publisher.transition('live', 'end', true);
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: epoch', 'reset: epoch', 'live']);
    expect(rig.state.counters.reloads).toBe(1);
  });

  it('S3: a seq not above mine with another id is a rewind: reset and load', () => {
    const rig = liveRig();
    const rewind = rig.publisher.snapshot();
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    rewind();
    rig.message(rig.publisher.publish([['2', { a: 20 }]]));
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'change', 'gap: rewound', 'reset: rewound', 'live']);
  });

  it('S3: a rewind that has overtaken me is seen by the id at my seq', () => {
    const rig = liveRig();
    const rewind = rig.publisher.snapshot();
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    rewind();
    rig.publisher.publish([['2', { a: 20 }]]);
    rig.message(rig.publisher.publish([['3', { a: 30 }]]));
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toContain('reset: rewound');
  });

  it('S3: a section that has gone back is seen at the reconnect', () => {
    const rig = liveRig();
    const rewind = rig.publisher.snapshot();
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    rig.disconnect();
    rewind();
    rig.live();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'change', 'gap: disconnected', 'reset: rewound', 'live']);
  });

  it('S3: a stream that does not reach back to me is a reset and a load', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    const last = rig.publisher.publish([['1', { a: 11 }]]);
    rig.publisher.log = rig.publisher.log.slice(-1);
    rig.message(last);
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: missed', 'reset: trimmed', 'live']);
    expect(rig.state.counters.reloads).toBe(1);
  });

  it('S3: a reconnect replays from where the chain stood', () => {
    const rig = liveRig();
    rig.disconnect();
    expect(rig.state).toMatchObject({ status: 'disconnected', equal: false, reasons: ['disconnected'] });
    rig.publisher.publish([['1', null]]);
    rig.publisher.publish([['4', { a: 4 }]]);
    rig.input({ type: 'connected' });
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: disconnected', 'change', 'change', 'recovered']);
    expect(rig.state.counters.reloads).toBe(0);
  });

  it('S3: a heartbeat whose last is not mine replays', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.message(rig.publisher.heartbeat());
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'gap: heartbeat', 'change', 'recovered']);
  });

  it('S3: a script without a message is no gap', () => {
    const rig = liveRig();
    rig.publisher.silent();
    rig.message(rig.publisher.heartbeat());
    rig.publisher.silent();
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ gaps: 0, replays: 0, reloads: 0 });
  });

  it('S3: a stream with a hole is a reset and a load', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.publisher.publish([['1', { a: 11 }]]);
    rig.publisher.log.splice(-2, 1);
    rig.message(rig.publisher.heartbeat());
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toContain('reset: trimmed');
    expect(rig.state.counters.reloads).toBe(1);
  });

  it('S3: messages that come while a replay runs are applied after it', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.message(rig.publisher.publish([['1', { a: 11 }]]));
    const inFlight = rig.publisher.publish([['1', { a: 12 }]]);
    rig.answer();
    rig.message(inFlight);
    rig.message(rig.publisher.publish([['1', { a: 13 }]]));
    rig.settle();
    expectEqual(rig);
  });

  it('S3: a message that cannot be read counts as lost', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.input({ type: 'invalid', error: new PatchwireError('PW-W401', 'no message') });
    rig.settle();
    expectEqual(rig);
    expect(rig.state.counters.invalid).toBe(1);
  });

  it('S3: failing reads wait longer and longer, within their bound', () => {
    const rig = new Rig();
    rig.input({ type: 'connected' });
    const delays: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      const { request } = rig.open!;
      rig.input({ type: 'failed', request, error: new PatchwireError('PW-M310', 'LOADING') });
      expect(rig.state).toMatchObject({ status: 'waiting', equal: false, reasons: ['backing off'] });
      delays.push(rig.machine.wakeAtMs! - rig.nowMs);
      rig.wake();
    }
    expect(delays.every((delay) => delay >= 50 && delay <= 5000)).toBe(true);
    expect(Math.max(...delays.slice(6))).toBeGreaterThan(500);
    rig.settle();
    expectEqual(rig);
  });

  it('S3: gaps that nothing follows do not replay in a loop', () => {
    const rig = liveRig();
    const stray = { ...rig.publisher.heartbeat(), last: 'stray', seq: 99 };
    let waited = 0;
    for (let i = 0; i < 8; i += 1) {
      rig.message(stray);
      waited += rig.status === 'waiting' ? 1 : 0;
      rig.settle();
    }
    expect(waited).toBe(7);
    expectEqual(rig);
  });

  it('S3: a newer message version ends the subscription when the stream has it, and says so', () => {
    const rig = liveRig();
    const error = new PatchwireError('PW-W402', 'v 9');
    rig.input({ type: 'invalid', error });
    expect(rig.status).toBe('replaying');
    rig.input({ type: 'failed', request: rig.open!.request, error });
    expect(rig.state).toMatchObject({ status: 'closed', equal: false, error: { code: 'PW-W402' } });
    expect(rig.effects.at(-2)).toEqual({ type: 'stop' });
    rig.input({ type: 'connected' });
    expect(rig.status).toBe('closed');
  });

  it('S3: a newer message version that only the channel has ends nothing: anybody can put it there', () => {
    const rig = liveRig();
    rig.input({ type: 'invalid', error: new PatchwireError('PW-W402', 'v 9') });
    rig.settle();
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ invalid: 1, reloads: 0 });
  });
});

describe('S4: equal or not', () => {
  it('S4: while the section is loading nothing counts; the end of the reset loads it', () => {
    const rig = liveRig();
    const begin = rig.publisher.transition('loading', 'begin', true);
    rig.message(begin);
    expect(rig.state).toMatchObject({ status: 'waiting', equal: false, reasons: ['section loading'] });
    expect(rig.machine.position(rig.nowMs)).toBeNull();
    rig.publisher.store('1', { a: 100 });
    rig.wake();
    rig.answer();
    expect(rig.state.reasons).toEqual(['section loading']);
    rig.publisher.store('2', null);
    rig.message(rig.publisher.heartbeat());
    expect(rig.state.reasons).toEqual(['section loading']);
    rig.message(rig.publisher.transition('live', 'end'));
    expect(rig.status).toBe('loading');
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'reset: announced', 'live']);
    expect(rig.state.counters.reloads).toBe(1);
  });

  it('S4: a heartbeat that says live ends the wait when the end of the reset was lost', () => {
    const rig = new Rig();
    rig.publisher.state = 'loading';
    rig.input({ type: 'connected' });
    rig.answer();
    expect(rig.state.reasons).toEqual(['section loading']);
    rig.publisher.transition('live', 'end');
    rig.message(rig.publisher.heartbeat());
    rig.settle();
    expectEqual(rig);
  });

  it('S4: resyncing, a pending script and quarantined rows are not equal', () => {
    const rig = new Rig();
    rig.publisher.state = 'resyncing';
    rig.publisher.quarantined = 2;
    rig.live();
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['section resyncing', 'rows quarantined'] });
    rig.publisher.quarantined = 0;
    rig.publisher.state = 'live';
    rig.message(rig.publisher.heartbeat());
    expectEqual(rig);
    rig.publisher.pending = true;
    rig.disconnect();
    rig.input({ type: 'connected' });
    rig.answer();
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['pending script'] });
  });

  it('S4: a pending script delays a load', () => {
    const rig = new Rig();
    rig.publisher.pending = true;
    rig.input({ type: 'connected' });
    rig.answer();
    expect(rig.state).toMatchObject({ status: 'waiting', reasons: ['pending script'] });
  });

  it('S4: a section that lacks rows is never equal, and the claim that was made before is taken back', () => {
    const rig = liveRig();
    expectEqual(rig);
    expect(rig.machine.position(0)?.upTo).not.toBeNull();
    rig.publisher.incomplete = 'skipped';
    rig.message({ ...rig.publisher.heartbeat(), upTo: null });
    expect(rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['section incomplete'] });
    expect(rig.machine.position(0)?.upTo).toBeNull();
    rig.publisher.incomplete = null;
    rig.message(rig.publisher.heartbeat());
    expectEqual(rig);
  });

  it('S4: a row that becomes unavailable is gone, and the replica is not equal', () => {
    const rig = liveRig();
    const message = rig.publisher.publish([['1', null]]);
    rig.message({ ...message, changes: [{ ...message.changes[0]!, op: 'unavailable', patch: [] }] });
    expect(rig.machine.documents.find('1')).toBeUndefined();
    expect(rig.state).toMatchObject({ equal: false, reasons: ['rows quarantined'] });
  });

  it('S4: a digest that differs at my last message is a divergence and a reload, each later than the one before', () => {
    const rig = liveRig();
    const delays: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      rig.message(rig.publisher.heartbeat({ digest: 'ffffffffffffffff' }));
      expect(rig.told.slice(-2)).toEqual(['diverged', 'reset: diverged']);
      expect(rig.state.equal).toBe(false);
      delays.push(rig.machine.wakeAtMs === null ? 0 : rig.machine.wakeAtMs - rig.nowMs);
      rig.settle();
      expectEqual(rig);
    }
    expect(delays[0]).toBe(0);
    expect(delays.slice(1).every((delay) => delay >= 50)).toBe(true);
    rig.message(rig.publisher.heartbeat());
    rig.message(rig.publisher.heartbeat({ digest: 'ffffffffffffffff' }));
    expect(rig.status).toBe('loading');
  });

  it('S4: documents that were loaded with another digest than meta has do not go live', () => {
    const rig = new Rig();
    rig.publisher.publish([['1', { a: 1 }]]);
    const request = scanning(rig);
    rig.page(request, []);
    rig.input({ type: 'scanned', request });
    expect(rig.state).toMatchObject({ status: 'loading', equal: false });
    expect(rig.told).toEqual(['diverged']);
  });

  it('S4: a section that is not there, or was removed, is waited for', () => {
    const rig = new Rig();
    rig.input({ type: 'connected' });
    rig.input({ type: 'meta', request: rig.open!.request, view: null });
    expect(rig.state).toMatchObject({ status: 'waiting', equal: false, reasons: ['section missing'] });
    rig.settle();
    expectEqual(rig);
    const { v, partitionKey, section, managerId, epoch } = rig.publisher.heartbeat();
    rig.message({ v, partitionKey, section, managerId, epoch, type: 'removed', reason: 'purged' });
    expect(rig.told).toEqual(['live', 'reset: removed']);
    expect(rig.state).toMatchObject({ equal: false, reasons: ['section missing'] });
  });
});

describe('S5: position', () => {
  it('S5: upTo moves with messages and with heartbeats at my last message, and never back', () => {
    const rig = liveRig();
    rig.message(rig.publisher.publish([['1', { a: 5 }]], { confirm: false }));
    expect(rig.machine.position(rig.nowMs)).toMatchObject({ checkpoint: '102', upTo: '101' });
    const late = rig.publisher.heartbeat();
    rig.publisher.upTo = '150';
    rig.publisher.checkpoint = '150';
    rig.message(rig.publisher.heartbeat());
    rig.message(late);
    expect(rig.machine.position(rig.nowMs)).toMatchObject({ checkpoint: '150', upTo: '150', seq: 2 });
  });

  it('S5: a heartbeat beyond my last message moves nothing', () => {
    const rig = liveRig();
    rig.publisher.publish([['1', { a: 5 }]], { version: '900' });
    rig.message(rig.publisher.heartbeat());
    expect(rig.machine.position(rig.nowMs)?.upTo).toBe('101');
  });

  it('S5: the age counts from the last read of the source, by the publisher its own clock', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat({ sourceReadAt: '2026-11-22T10:00:00.000Z', time: '2026-11-22T10:00:02.000Z' }));
    expect(rig.machine.position(rig.nowMs + 500)?.ageMs).toBe(2500);
  });
});
