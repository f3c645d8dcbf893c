import { describe, expect, it } from 'vitest';
import { type HealthStatus, judgeLiveness, judgeReadiness } from '../../../src/http/health.ts';
import type { SectionPhase, SectionStatus } from '../../../src/observe/section-record.ts';
import type { ServerStatus } from '../../../src/observe/server-status.ts';

const NOW = 1_000_000;

function section(phase: SectionPhase, more: Partial<SectionStatus> = {}): HealthStatus['sections'][number] {
  return {
    section: 'orders',
    table: 'dbo.Orders',
    source: 'shop',
    phase,
    trouble: null,
    leading: phase === 'live' || phase === 'loading' || phase === 'resyncing',
    epoch: null,
    checkpoint: null,
    confirmed: null,
    upTo: null,
    current: null,
    lagVersions: null,
    caughtUpAtMs: null,
    progressAtMs: NOW - 1000,
    load: null,
    paused: null,
    incomplete: null,
    sweepHeld: null,
    quarantine: { rows: 0, alert: false },
    totals: {
      windows: 0,
      rowsRead: 0,
      rowsDelivered: 0,
      unchanged: 0,
      patches: 0,
      batches: 0,
      bytes: 0,
      heartbeats: 0,
      resets: 0,
      resyncs: 0,
      errors: 0,
    },
    silenceMs: 5000,
    ...more,
  };
}

const status = (sections: HealthStatus['sections'], more: Partial<HealthStatus> = {}): HealthStatus => ({
  stopping: false,
  servers: [],
  sections,
  ...more,
});

const redis = (state: ServerStatus['state']): ServerStatus => ({
  server: 'redis',
  what: 'Redis at x',
  state,
  trouble: { code: 'PW-M301', message: 'refused', hint: 'Start it.' },
  downSinceMs: NOW - 60_000,
  openings: 1,
});

const trouble = { code: 'PW-S201', message: 'cannot reach db', hint: 'Check it.' } as const;

describe('judgeLiveness', () => {
  it('is live while every loop advances within its time, whatever else is wrong', () => {
    for (const phase of ['starting', 'standby', 'loading', 'live', 'retrying', 'stopped'] as const) {
      expect(judgeLiveness(status([section(phase, { trouble })], { servers: [redis('open')], stopping: true }), NOW).ok).toBe(true);
    }
  });

  it('is not live when a loop has not advanced for longer than its slowest round', () => {
    const verdict = judgeLiveness(status([section('live'), section('live', { section: 'lines', progressAtMs: NOW - 5001 })]), NOW);
    expect(verdict).toEqual({ ok: false, reasons: [{ section: 'lines', reason: 'the loop has not advanced for 5 s' }] });
  });

  it('does not judge a stopped table or a standby by its loop: a restart would not help', () => {
    expect(judgeLiveness(status([section('stopped', { progressAtMs: 0 })]), NOW).ok).toBe(true);
    expect(judgeLiveness(status([section('standby', { progressAtMs: 0 })]), NOW).ok).toBe(true);
    expect(judgeLiveness(status([section('retrying', { progressAtMs: 0 })]), NOW).ok).toBe(false);
  });
});

describe('judgeReadiness', () => {
  it.each(['standby', 'loading', 'resyncing', 'live'] as const)('is ready while a section is %s', (phase) => {
    expect(judgeReadiness(status([section(phase)]), NOW)).toEqual({ ok: true, reasons: [] });
  });

  it('is ready while a sweep waits for a confirmation, and says so', () => {
    const verdict = judgeReadiness(status([section('live', { sweepHeld: { missing: 4, documents: 9 } })]), NOW);
    expect(verdict).toMatchObject({ ok: true, reasons: [], notes: [{ section: 'orders', code: 'PW-S231' }] });
    expect(verdict.notes?.[0]?.reason).toContain('4 of 9');
  });

  it('gives code and hint of what a section retries or stopped for', () => {
    const verdict = judgeReadiness(status([section('retrying', { trouble })]), NOW);
    expect(verdict.ok).toBe(false);
    expect(verdict.reasons).toEqual([{ section: 'orders', code: 'PW-S201', reason: 'retrying: cannot reach db', hint: 'Check it.' }]);
    expect(judgeReadiness(status([section('stopped', { trouble })]), NOW).reasons[0]?.reason).toContain('stopped');
  });

  it.each([
    ['the leader is not known yet', status([section('starting')]), 'starting'],
    ['a server is waited for', status([section('live')], { servers: [redis('halfOpen')] }), 'waiting for Redis at x'],
    ['it is stopping', status([section('live')], { stopping: true }), 'stopping'],
    ['the lead was lost', status([section('live', { leading: false })]), 'lead was lost'],
    ['a loop hangs', status([section('live', { progressAtMs: 0 })]), 'not advanced'],
  ])('is not ready while %s', (_title, given, reason) => {
    const verdict = judgeReadiness(given, NOW);
    expect(verdict.ok).toBe(false);
    expect(verdict.reasons.map((item) => item.reason).join()).toContain(reason);
  });
});
