import { getEventListeners } from 'node:events';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { BURST_MS, Guest } from '../../../../src/source/sqlserver/guest.ts';
import { ManualClock, settled } from '../../../support/manual-clock.ts';

const TIMEOUT_MS = 1000;

function guestWith(clock: ManualClock): Guest {
  return new Guest({
    config: { server: '127.0.0.1', port: 1 },
    readers: 1,
    timeShare: 0.5,
    requestTimeoutMs: TIMEOUT_MS,
    clock,
    logger: pino({ level: 'silent' }),
  });
}

it('R9: a machine that slept during a read was not reading', async () => {
  const clock = new ManualClock();
  await using guest = guestWith(clock);
  const { signal } = new AbortController();
  await guest.read(() => clock.advance(3_600_000), { signal });
  let again = false;
  const reading = guest.read(() => Promise.resolve(), { signal }).then(() => (again = true));
  await clock.advance(BURST_MS + 2 * TIMEOUT_MS);
  expect(again).toBe(true);
  await reading;
});

it('R9: a wall clock that is set neither delays the next read nor gives it time', async () => {
  const clock = new ManualClock();
  await using guest = guestWith(clock);
  const { signal } = new AbortController();
  const wall = (ms: number): void => {
    const now = clock.now() + ms;
    clock.now = () => now;
  };
  // More than the burst: the share binds from here on.
  for (let i = 0; i < 6; i += 1) {
    await guest.read(() => clock.advance(TIMEOUT_MS), { signal });
  }
  wall(3_600_000);
  let again = false;
  const reading = guest.read(() => Promise.resolve(), { signal }).then(() => (again = true));
  await settled();
  expect(again).toBe(false);
  wall(-7_200_000);
  await clock.advance(2 * TIMEOUT_MS);
  expect(again).toBe(true);
  await reading;
});

it('R9: a read leaves nothing behind at the signal of its caller, also when it fails', async () => {
  const clock = new ManualClock();
  await using guest = guestWith(clock);
  const { signal } = new AbortController();
  await guest.read(() => Promise.resolve(), { signal });
  await expect(guest.read(() => Promise.reject(new Error('no')), { signal })).rejects.toThrow('no');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('many reads may wait at once without a warning, and closing ends them all', async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  const clock = new ManualClock();
  const guest = guestWith(clock);
  const reads = Array.from({ length: 30 }, () => guest.read(() => clock.sleep(1), { signal: new AbortController().signal }));
  const ends = Promise.allSettled(reads);
  await settled();
  expect(guest.load).toBe(30);
  await guest[Symbol.asyncDispose]();
  await clock.advance(1);
  expect((await ends).filter(({ status }) => status === 'rejected')).toHaveLength(29);
  process.off('warning', warned);
  expect(warnings).toEqual([]);
});
