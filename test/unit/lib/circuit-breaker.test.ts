import { describe, expect, it } from 'vitest';
import { type BreakerEvent, CircuitBreaker, HURRY_GAP_MS } from '../../../src/lib/circuit-breaker.ts';
import { ManualClock, settled } from '../../support/manual-clock.ts';

const REFUSED = new Error('refused');

/** A breaker over a server that is `up` or not; waits a second more for each try. */
function bench({ up = true }: { up?: boolean } = {}) {
  const clock = new ManualClock();
  const events: BreakerEvent[] = [];
  const probes: number[] = [];
  const server = { up, hold: null as Promise<void> | null };
  const end = new AbortController();
  let probing = 0;
  const breaker = new CircuitBreaker({
    probe: async () => {
      probes.push(clock.monotonic());
      probing += 1;
      expect(probing).toBe(1);
      await server.hold;
      probing -= 1;
      if (!server.up) {
        throw new Error(`down ${probes.length}`);
      }
    },
    delayMs: (attempt) => attempt * 1000,
    threshold: 3,
    refusal: () => REFUSED,
    onEvent: (event) => events.push(event),
    clock,
    signal: end.signal,
  });
  const kinds = () => events.map(({ kind }) => kind);
  return { breaker, clock, end, events, kinds, probes, server };
}

async function closed() {
  const it = bench();
  it.breaker.start();
  await it.breaker.pass();
  return it;
}

describe('circuit breaker', () => {
  it('begins with one probe; whoever comes meanwhile waits for its outcome', async () => {
    const { breaker, probes, server } = bench();
    let open = (): void => {};
    server.hold = new Promise((resolve) => (open = resolve));
    breaker.start();
    const passes = [breaker.pass(), breaker.pass(), breaker.pass()];
    await settled();
    expect(breaker.state).toBe('halfOpen');
    open();
    await Promise.all(passes);
    expect(breaker.state).toBe('closed');
    expect(probes).toHaveLength(1);
  });

  it('a first probe that fails opens it, and refuses all that waited', async () => {
    const { breaker, events } = bench({ up: false });
    breaker.start();
    await expect(breaker.pass()).rejects.toBe(REFUSED);
    expect(events).toMatchObject([{ kind: 'opened', first: true, retryInMs: 1000 }]);
  });

  it('opens after three failures in a row, whoever made them, and not when one success lies between', async () => {
    const { breaker, kinds } = await closed();
    const { outage } = breaker;
    for (const step of [1, 1, 0, 1, 1]) {
      if (step === 1) {
        breaker.failed(new Error('x'));
      } else {
        breaker.succeeded();
      }
    }
    expect(breaker.isClosed).toBe(true);
    const last = new Error('the last');
    breaker.failed(last);
    expect(breaker.state).toBe('open');
    expect(breaker.failure).toBe(last);
    expect(outage.reason).toBe(REFUSED);
    await expect(breaker.pass()).rejects.toBe(REFUSED);
    expect(kinds()).toEqual(['closed', 'opened']);
  });

  it('opens at once by a failure that weighs as much', async () => {
    const { breaker } = await closed();
    breaker.failed(new Error('x'), 3);
    expect(breaker.state).toBe('open');
  });

  it('probes once after each wait, ever later, and closes with the first success', async () => {
    const { breaker, clock, probes, server, events } = await closed();
    server.up = false;
    breaker.failed(new Error('x'), 3);
    await clock.advance(10_000);
    expect(probes).toEqual([0, 1000, 3000, 6000, 10_000]);
    expect(breaker.state).toBe('open');
    server.up = true;
    const next = breaker.next(new AbortController().signal);
    await clock.advance(5000);
    await next;
    expect(breaker.isClosed).toBe(true);
    expect(breaker.failure).toBeNull();
    expect(breaker.outage.aborted).toBe(false);
    expect(events.at(-1)).toEqual({ kind: 'closed', attempts: 5, durationMs: 15_000 });
    await breaker.pass();
    expect(breaker.openings).toBe(1);
  });

  it('what fails while it is open, or succeeds late, changes nothing', async () => {
    const { breaker, kinds } = await closed();
    breaker.failed(new Error('x'), 3);
    breaker.failed(new Error('y'), 3);
    breaker.succeeded();
    expect(breaker.state).toBe('open');
    expect(kinds()).toEqual(['closed', 'opened']);
  });

  it('a server that lets only probes through is probed ever later, until a call succeeds', async () => {
    const { breaker, clock, probes } = await closed();
    for (let i = 0; i < 3; i += 1) {
      breaker.failed(new Error('x'), 3);
      await clock.until(() => breaker.isClosed);
    }
    expect(probes).toEqual([0, 1000, 3000, 6000]);
    breaker.succeeded();
    breaker.failed(new Error('x'), 3);
    await clock.until(() => breaker.isClosed);
    expect(probes.at(-1)).toBe(7000);
  });

  it('probes at once when somebody asks, but never twice within a second', async () => {
    const { breaker, clock, probes, server } = await closed();
    server.up = false;
    breaker.failed(new Error('x'), 3);
    await clock.advance(40_000);
    const before = probes.length;
    const [last = 0] = probes.slice(-1);
    for (let i = 0; i < 50; i += 1) {
      breaker.hurry();
      await clock.advance(100);
    }
    const hurried = probes.slice(before);
    expect(hurried.length).toBeGreaterThanOrEqual(4);
    expect(hurried.length).toBeLessThanOrEqual(6);
    expect(hurried.every((at, i) => at - (hurried[i - 1] ?? last) >= HURRY_GAP_MS)).toBe(true);
  });

  it('ends with its signal, also while it waits, and leaves no timer behind', async () => {
    const { breaker, clock, end } = bench({ up: false });
    breaker.start();
    await expect(breaker.pass()).rejects.toBe(REFUSED);
    const waiting = breaker.next(end.signal);
    end.abort(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
    await settled();
    expect(clock.waiting).toBe(0);
  });
});
