import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterFailure, FAULTED_AFTER, STOPPED_RETRY_MS, supervise, type Supervised } from '../../../src/daemon/supervisor.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { SectionRecord } from '../../../src/observe/section-record.ts';
import type { SectionEnd } from '../../../src/pipeline/section.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const logged: string[] = [];

function start(
  runs: (() => Promise<SectionEnd>)[],
  { once = false, progress = () => 0 }: { once?: boolean; progress?: () => number } = {},
) {
  const clock = new ManualClock();
  const observer = new SectionRecord({ section: 's', table: 't', source: 'x', clock });
  const stop = new AbortController();
  const began: number[] = [];
  const state: { end: Supervised | null } = { end: null };
  const run = (): Promise<SectionEnd> => {
    began.push(clock.now());
    return (runs.shift() ?? (() => Promise.resolve('stopped' as const)))();
  };
  const log = createLogger({ level: 'info', pretty: false, destination: { write: (line) => void logged.push(line) } });
  void supervise(run, { log, clock, random: seededRandom(1), observer, progress, once, stop: stop.signal }).then((end) => {
    state.end = end;
  });
  return { clock, observer, stop, began, state };
}

const failing = (code: 'PW-S201' | 'PW-S204') => () => Promise.reject(new PatchwireError(code, 'down'));

describe('supervise', () => {
  it('runs again after a failure, each time after a longer wait, and ends with the run', async () => {
    const { clock, state, began, observer } = start([failing('PW-S201'), failing('PW-S201'), () => Promise.resolve('caughtUp')]);
    await clock.until(() => observer.status().phase === 'retrying');
    expect(observer.status().trouble?.code).toBe('PW-S201');
    await clock.until(() => state.end !== null);
    expect(state.end).toEqual({ kind: 'caughtUp' });
    expect(began).toHaveLength(3);
    expect(began[1]! - began[0]!).toBeGreaterThanOrEqual(250);
  });

  it('stops for what no retry mends, says so, and tries again slowly', async () => {
    const { clock, began, observer, state } = start([failing('PW-S204')]);
    await clock.until(() => observer.status().phase === 'stopped');
    await clock.until(() => state.end !== null);
    expect(began[1]! - began[0]!).toBeGreaterThanOrEqual(STOPPED_RETRY_MS * 0.9);
  });

  it('logs an error that stays once when it fails, and once when it is stopped for it', async () => {
    logged.length = 0;
    const { clock, state } = start(Array.from({ length: 14 }, () => failing('PW-S201')));
    await clock.until(() => state.end !== null);
    expect(logged.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['section failed', 'section stopped']);
  });

  it('ends with such an error when it runs once', async () => {
    const { clock, state, began } = start([failing('PW-S204')], { once: true });
    await clock.until(() => state.end !== null);
    expect(state.end).toMatchObject({ kind: 'failed', error: { code: 'PW-S204' } });
    expect(began).toHaveLength(1);
  });

  it('takes ten failures in a row for a fault, but not ten failures with progress between them', async () => {
    const faulted = start(Array.from({ length: FAULTED_AFTER }, () => failing('PW-S201')));
    await faulted.clock.until(() => faulted.observer.status().phase === 'stopped');
    expect(faulted.began).toHaveLength(FAULTED_AFTER);
    let done = 0;
    const phases: string[] = [];
    const healthy = start(
      Array.from({ length: FAULTED_AFTER + 5 }, () => () => {
        phases.push(healthy.observer.status().phase);
        done += 1;
        return failing('PW-S201')();
      }),
      { progress: () => done },
    );
    await healthy.clock.until(() => healthy.state.end !== null);
    expect(phases).not.toContain('stopped');
  });

  it('ends at once when it is stopped, also while it waits', async () => {
    const { clock, stop, state, observer } = start([failing('PW-S204'), () => Promise.reject(new Error('never run'))]);
    await clock.until(() => observer.status().phase === 'stopped');
    const now = clock.now();
    stop.abort(new Error('stop'));
    await clock.until(() => state.end !== null);
    expect(state.end).toEqual({ kind: 'stopped' });
    expect(clock.now()).toBe(now);
  });

  it('never waits for nothing, and never longer than its limits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(),
        fc.constantFrom('PW-S201', 'PW-S204', 'PW-S211', 'PW-I901'),
        (n, seed, code) => {
          const { delayMs } = afterFailure(new PatchwireError(code, 'x'), n, seededRandom(seed));
          expect(delayMs).toBeGreaterThanOrEqual(50);
          expect(delayMs).toBeLessThanOrEqual(STOPPED_RETRY_MS * 1.1);
        },
      ),
    );
  });
});
