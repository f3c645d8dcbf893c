import { describe, expect, it } from 'vitest';
import { probedTable } from '../../../../src/source/change-tracker.ts';
import { sourceError } from '../../../../src/source/sqlserver/errors.ts';
import type { Run } from '../../../../src/source/sqlserver/guest.ts';
import { TimeShare, BURST_MS } from '../../../../src/source/sqlserver/guest.ts';
import { CATALOG_EVERY_MS, Prober } from '../../../../src/source/sqlserver/probe.ts';
import type { SourceRequest } from '../../../../src/source/sqlserver/request.ts';
import { ManualClock, settled } from '../../../support/manual-clock.ts';

interface Held {
  readonly request: SourceRequest;
  readonly signal: AbortSignal;
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

function setUp() {
  const clock = new ManualClock();
  const held: Held[] = [];
  const prober = new Prober({
    clock,
    request: { lockTimeoutMs: 5000 },
    tables: () => [{ fullName: 'dbo.T', name: '[dbo].[T]' }],
    onDatabase: () => {},
    locked: (error, table) => sourceError(error, { source: 's', doing: 'probing', table }),
    guest: {
      read: <T>(work: (run: Run) => Promise<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> =>
        work(
          (request) =>
            new Promise((resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error));
              const catalog = request.text.includes('sys.partitions');
              held.push({
                request,
                signal,
                fail: reject,
                answer() {
                  request.onRow(0, { version: '9007199254740993' });
                  if (catalog) {
                    request.onRow(1, { name: 'd', updateability: 'READ_WRITE', service_broker_guid: 'g' });
                    const definition = Buffer.from('d1', 'hex');
                    request.onRow(2, {
                      n: 0,
                      object_id: 7,
                      min_valid: '3',
                      begin_version: '2',
                      modified: 'm',
                      definition,
                      row_count: '11',
                    });
                  }
                  resolve({ cut: false });
                },
              });
            }),
        ),
    },
  });
  const never = new AbortController().signal;
  return { clock, held, prober, never };
}

describe('probe rounds', () => {
  it('R6: one round answers all who came before it began, and who comes while it is under way shares the next', async () => {
    const { held, prober, never } = setUp();
    const first = [prober.probe({ catalog: false, signal: never }), prober.probe({ catalog: false, signal: never })];
    await settled();
    const second = [prober.probe({ catalog: false, signal: never }), prober.probe({ catalog: true, signal: never })];
    await settled();
    expect(held).toHaveLength(1);
    held[0]!.answer();
    await Promise.all(first);
    await settled();
    expect(held).toHaveLength(2);
    held[1]!.answer();
    const [a, b] = await Promise.all(second);
    expect(a).toBe(b);
    expect(a!.tables?.get('dbo.T')).toEqual({ objectId: 7, beginVersion: 2n, minValidVersion: 3n, definition: 'd1', rows: 11 });
    expect(a!.version).toBe(9_007_199_254_740_993n);
  });

  it('R6: the catalog is asked for with every round a second or more after the last that did', async () => {
    const { clock, held, prober, never } = setUp();
    const asked: boolean[] = [];
    for (let at = 0; at < 3 * CATALOG_EVERY_MS; at += 250) {
      const probe = prober.probe({ catalog: false, signal: never });
      await settled();
      held.at(-1)!.answer();
      asked.push((await probe).tables !== null);
      await clock.advance(250);
    }
    expect(asked).toEqual([true, false, false, false, true, false, false, false, true, false, false, false]);
  });

  it('R6: a wall clock that is set moves no catalog round', async () => {
    const { clock, held, prober, never } = setUp();
    const ask = async (): Promise<boolean> => {
      const probe = prober.probe({ catalog: false, signal: never });
      await settled();
      held.at(-1)!.answer();
      return (await probe).tables !== null;
    };
    expect([await ask(), await ask()]).toEqual([true, false]);
    for (const offsetMs of [-3_600_000, 3_600_000]) {
      const now = clock.now() + offsetMs;
      clock.now = () => now;
      expect(await ask()).toBe(false);
    }
    await clock.advance(CATALOG_EVERY_MS);
    expect([await ask(), await ask()]).toEqual([true, false]);
  });

  it('R6: a round that failed answers its callers, and the next begins anew', async () => {
    const { held, prober, never } = setUp();
    const failing = prober.probe({ catalog: false, signal: never });
    await settled();
    const waiting = prober.probe({ catalog: false, signal: never });
    held[0]!.fail(new Error('broken'));
    await expect(failing).rejects.toThrow('broken');
    await settled();
    held[1]!.answer();
    await expect(waiting).resolves.toMatchObject({ version: 9_007_199_254_740_993n });
  });

  it("a round that everybody has left before it began is nobody else's: who comes then gets one of his own", async () => {
    const { held, prober, never } = setUp();
    const running = prober.probe({ catalog: false, signal: never });
    await settled();
    const leaving = new AbortController();
    const left = prober.probe({ catalog: false, signal: leaving.signal }).catch((error: unknown) => error);
    leaving.abort(new Error('left'));
    await settled();
    const late = prober.probe({ catalog: false, signal: never });
    await settled();
    held[0]!.answer();
    await running;
    expect(await left).toBe(leaving.signal.reason);
    await settled();
    held.at(-1)!.answer();
    await expect(late).resolves.toMatchObject({ version: 9_007_199_254_740_993n });
  });

  it('an abort leaves the others alone, and the last one cancels the request', async () => {
    const { held, prober } = setUp();
    const [one, two] = [new AbortController(), new AbortController()];
    const probes = [prober.probe({ catalog: false, signal: one.signal }), prober.probe({ catalog: false, signal: two.signal })];
    const settledProbes = Promise.allSettled(probes);
    await settled();
    one.abort(new Error('one'));
    await expect(probes[0]).rejects.toThrow('one');
    expect(held[0]!.signal.aborted).toBe(false);
    two.abort(new Error('two'));
    await expect(probes[1]).rejects.toThrow('two');
    expect(held[0]!.signal.aborted).toBe(true);
    await settledProbes;
  });
});

/** A prober of tables a to e over a server that answers at once, or with a lock time-out as long as one of the tables asked for is locked. */
function lockable() {
  const clock = new ManualClock();
  const locked = new Set<string>();
  /** The tables of each request with the catalog, and how long it waits for locks. */
  const asked: string[] = [];
  const run: Run = ({ text, onRow }) => {
    const names = [...text.matchAll(/\((\d+), N'(\w)'\)/gu)].map(([, , name]) => name ?? '');
    onRow(0, { version: '5' });
    if (text.includes('sys.databases')) {
      asked.push(`${names.join('')} ${/LOCK_TIMEOUT (\d+)/u.exec(text)?.[1]}`);
      onRow(1, { name: 'd', updateability: 'READ_WRITE', service_broker_guid: 'g' });
    }
    if (names.some((name) => locked.has(name))) {
      return Promise.reject(Object.assign(new Error('Lock request time out period exceeded.'), { number: 1222 }));
    }
    names.forEach((_, n) => onRow(2, { n, object_id: 7 + n, min_valid: '3', begin_version: '2', row_count: '11' }));
    return Promise.resolve({ cut: false });
  };
  const prober = new Prober({
    clock,
    request: { lockTimeoutMs: 5000 },
    tables: () => ['a', 'b', 'c', 'd', 'e'].map((name) => ({ fullName: name, name })),
    onDatabase: () => {},
    locked: (error, table) => sourceError(error, { source: 's', doing: 'probing', table }),
    guest: { read: (work) => work(run) },
  });
  const probe = async (): Promise<string> => {
    const { tables } = await prober.probe({ catalog: true, signal: new AbortController().signal });
    return [...(tables ?? [])].map(([name, facts]) => ('locked' in facts ? facts.locked.code : name)).join(' ');
  };
  return { locked, asked, probe, prober };
}

describe('tables that are locked', () => {
  it('R6: a table under a Sch-M lock is told of as locked, and the others are asked for together without it until the lock goes', async () => {
    const { locked, asked, probe } = lockable();
    expect(await probe()).toBe('a b c d e');
    locked.add('c');
    expect(await probe()).toBe('a b PW-S215 d e');
    expect(asked.splice(0)).toEqual(['abcde 5000', 'abcde 5000', ' 5000', 'a 0', 'b 0', 'c 0', 'd 0', 'e 0']);
    expect((await probe()).split(' ').toSorted().join(' ')).toBe('PW-S215 a b d e');
    expect(asked.splice(0)).toEqual(['abde 5000', 'c 0']);
    locked.clear();
    expect((await probe()).split(' ').toSorted().join(' ')).toBe('a b c d e');
    expect(asked.splice(0)).toEqual(['abde 5000', 'c 0']);
    expect(await probe()).toBe('a b c d e');
    expect(asked).toEqual(['abcde 5000']);
  });

  it('R6: what is no lock fails the round for all, and a table of which nothing is said is none', async () => {
    const { locked, probe, prober } = lockable();
    ['a', 'b', 'c', 'd', 'e'].forEach((name) => locked.add(name));
    expect(await probe()).toBe('PW-S215 PW-S215 PW-S215 PW-S215 PW-S215');
    const answer = await prober.probe({ catalog: true, signal: new AbortController().signal });
    expect(() => probedTable(answer, 'a')).toThrow('SQL Server error 1222 while probing, a of source s');
    expect(probedTable(answer, 'elsewhere')).toBe(null);
  });
});

describe('the share of time', () => {
  it('R9: lets a burst through, and then no more than its share', () => {
    let now = 0;
    const share = new TimeShare(0.25, now);
    let reading = 0;
    while (now < 100_000) {
      now += share.waitMs(now);
      expect(share.waitMs(now)).toBe(0);
      share.spend(200);
      now += 200;
      reading += 200;
    }
    expect(reading).toBeLessThanOrEqual(0.25 * now + BURST_MS + 200);
    expect(reading).toBeGreaterThanOrEqual(0.25 * now - 200);
  });

  it('R9: does not slow a reader down that reads seldom', () => {
    const share = new TimeShare(0.5, 0);
    for (let now = 0; now < 100_000; now += 1000) {
      expect(share.waitMs(now)).toBe(0);
      share.spend(300);
    }
  });
});
