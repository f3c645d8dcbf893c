/** What a program hands in by mistake: it is told at once, or by what it waits for; never by a rejection that nobody can catch. */
import { describe, expect, it } from 'vitest';
import { connect, subscribe } from '../../../src/subscriber/index.ts';

const PLACE = { partition: 'shop', section: 'orders' };
// Nobody listens there.
const NOWHERE = 'redis://127.0.0.1:1';

describe('a place that is none', () => {
  // As an environment variable is that was never set, or set to nothing.
  it.each([undefined, null, '', 'localhost:6379', 'http://127.0.0.1:6379', 'redis://:secret@:::/', 6379])(
    'is refused at once and by name: %s',
    (redis) => {
      for (const open of [() => connect({ redis: redis as string }), () => subscribe({ redis: redis as string, ...PLACE })]) {
        expect(open).toThrow(new RangeError('redis: neither a redis:// or rediss:// URL nor options'));
      }
    },
  );
});

describe('a word that an option does not know', () => {
  it.each([
    [{ mode: 'lasy' }, 'mode: "lasy" is none of replica, lazy, invalidate'],
    [{ recovery: 'Strict' }, 'recovery: "Strict" is none of autoReset, strict, skipGap'],
    [{ mode: 'lazy', recovery: 'skipGap' }, 'recovery: "skipGap" is none of autoReset, strict'],
    [{ onInvalid: 'ignore' }, 'onInvalid: "ignore" is none of stop, skip, keep'],
    [{ mode: 'invalidate', onGap: null }, 'onGap: null is none of replay, all'],
  ])('is refused at once and by name: %j', (words, text) => {
    const options = { redis: NOWHERE, ...PLACE, ...words } as Parameters<typeof subscribe>[0];
    expect(() => subscribe(options)).toThrow(new RangeError(text));
  });
});

describe('a version that is none', () => {
  it.each(['abc', '', '007', '-1', -1n, 2n ** 70n, null, undefined, Number.NaN, {}])('rejects what waits for it: %s', async (version) => {
    await using orders = subscribe({ redis: NOWHERE, ...PLACE });
    // Not thrown: whoever has a catch behind it hears of it.
    const waiting = orders.waitForVersion(version as string);
    await expect(waiting).rejects.toThrow(RangeError);
  });
});

describe('closing', () => {
  it('never throws, though the connections could not even be made', async () => {
    const Connector = class {
      constructor() {
        throw new Error('made of nothing');
      }
    };
    const late: unknown[] = [];
    const hear = (error: unknown): number => late.push(error);
    process.on('unhandledRejection', hear);
    const orders = subscribe({ redis: { Connector: Connector as never }, ...PLACE });
    await expect(orders.waitUntilLive()).rejects.toThrow('made of nothing');
    await new Promise((resolve) => setImmediate(resolve));
    await orders.close();
    process.off('unhandledRejection', hear);
    expect([orders.state().status, late]).toEqual(['closed', []]);
  });
});
