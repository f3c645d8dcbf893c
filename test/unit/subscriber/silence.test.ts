/** S3 where nothing is heard: a deaf channel, a publisher that is gone, and clocks that jump. */
import { describe, expect, it } from 'vitest';
import { Rig } from './scripted-publisher.ts';

function liveRig(): Rig {
  const rig = new Rig();
  rig.publisher.publish([
    ['1', { a: 1 }],
    ['2', { a: 2 }],
  ]);
  return rig.live();
}

function expectEqual(rig: Rig): void {
  expect(rig.state).toMatchObject({ status: 'live', equal: true, reasons: [] });
  expect(rig.documents).toBe(rig.publisher.documents());
}

describe('silence', () => {
  it('S3: three intervals without a heartbeat are a gap, and what was missed is applied on a fresh subscription', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat());
    rig.publisher.publish([['1', { a: 10 }]]);
    rig.nowMs += 14_999;
    rig.input({ type: 'tick' });
    expect(rig.status).toBe('live');
    rig.wake();
    expect(rig.told).toEqual(['live', 'gap: silent']);
    rig.settle();
    expectEqual(rig);
    expect(rig.effects).toContainEqual({ type: 'resubscribe' });
  });

  it('S3: a channel that does not bring the heartbeats which meta knows of is deaf: it is subscribed anew', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat());
    rig.publisher.heartbeat();
    rig.wake();
    rig.settle();
    expect(rig.effects).toContainEqual({ type: 'resubscribe' });
    expect(rig.state.counters).toMatchObject({ gaps: 1, reloads: 0 });
  });

  it('S3: a publisher that is gone for long causes no churn, and one that comes back is trusted as before', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat());
    const begin = rig.nowMs;
    for (let i = 0; i < 30; i += 1) {
      rig.wake();
      rig.settle();
    }
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ replays: 30, reloads: 0 });
    // 15 s, 30 s, then once a minute.
    expect(rig.nowMs - begin).toBe(15_000 + 30_000 + 28 * 60_000);
    expect(rig.effects).not.toContainEqual({ type: 'resubscribe' });
    rig.message(rig.publisher.heartbeat());
    expect(rig.machine.wakeAtMs).toBe(rig.nowMs + 15_000);
  });

  it('S3: a heartbeat that names an absurd interval stops neither the clock nor the watch', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat({ intervalMs: 1e300 }));
    expect(rig.machine.wakeAtMs! - rig.nowMs).toBeLessThan(2 ** 31);
    rig.message(rig.publisher.heartbeat({ intervalMs: -5 }));
    expect(rig.machine.wakeAtMs! - rig.nowMs).toBe(300);
  });

  it('S3: a clock that is set back delays neither a retry nor the watch for silence', () => {
    const rig = liveRig();
    rig.message(rig.publisher.heartbeat());
    rig.nowMs -= 3_600_000;
    rig.input({ type: 'tick' });
    expect(rig.machine.wakeAtMs).toBe(rig.nowMs + 15_000);
    rig.publisher.state = 'loading';
    rig.message(rig.publisher.transition('loading', 'begin'));
    expect(rig.status).toBe('waiting');
    rig.nowMs -= 3_600_000;
    rig.input({ type: 'tick' });
    expect(rig.machine.wakeAtMs! - rig.nowMs).toBeLessThanOrEqual(5000);
  });

  it('S3: a section that went back to an earlier message of mine and has published nothing since is found by its first heartbeat', () => {
    const rig = liveRig();
    const back = rig.publisher.snapshot();
    rig.message(rig.publisher.publish([['1', { a: 10 }]]));
    back();
    rig.message(rig.publisher.heartbeat());
    expect(rig.state.status).toBe('replaying');
    rig.settle();
    expectEqual(rig);
    expect(rig.told).toEqual(['live', 'change', 'gap: rewound', 'reset: rewound', 'live']);
  });

  it('S3: a heartbeat that was on its way while a load or a replay ran is not a gap', () => {
    const rig = new Rig();
    const early = rig.publisher.heartbeat();
    rig.publisher.publish([['1', { a: 1 }]]);
    const loaded = rig.publisher.heartbeat();
    rig.live();
    rig.message(early, loaded);
    expect(rig.state.counters).toMatchObject({ gaps: 0, replays: 0 });

    rig.publisher.publish([['1', { a: 10 }]]);
    const late = rig.publisher.heartbeat();
    rig.message(rig.publisher.publish([['1', { a: 11 }]]));
    rig.settle();
    rig.message(late);
    expectEqual(rig);
    expect(rig.state.counters).toMatchObject({ gaps: 1, replays: 1 });
  });
});
