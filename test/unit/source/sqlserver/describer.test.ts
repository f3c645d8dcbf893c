import { describe, expect, it } from 'vitest';
import type { TableSelection } from '../../../../src/model/table.ts';
import { DESCRIBED_AT_A_TIME, Describer } from '../../../../src/source/sqlserver/describer.ts';
import type { Run } from '../../../../src/source/sqlserver/guest.ts';
import type { SourceRequest } from '../../../../src/source/sqlserver/request.ts';
import { settled } from '../../../support/manual-clock.ts';

interface Held {
  readonly tables: readonly string[];
  readonly signal: AbortSignal;
  /** The database is named, and nothing else is there. */
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** A reader that serves one request after another, each when the test says so. */
function setUp() {
  const held: Held[] = [];
  let turn = Promise.resolve();
  const describer = new Describer({
    describe: { source: 's', isolation: 'auto', request: { lockTimeoutMs: 5000 }, hashKey: null },
    guest: {
      read: <T>(work: (run: Run) => Promise<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> => {
        const run = (request: SourceRequest): Promise<{ readonly cut: boolean }> =>
          new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error));
            const tables = [...new Set([...request.text.matchAll(/\(\d+, N'\[dbo\]\.\[(\w+)\]'\)/g)].map(([, name]) => name ?? ''))];
            held.push({
              tables,
              signal,
              fail: reject,
              answer() {
                for (const set of [0, 5]) {
                  request.onRow(set, { name: 'd', updateability: 'READ_WRITE', service_broker_guid: 'g' });
                }
                resolve({ cut: false });
              },
            });
          });
        const result = turn.then(() => work(run));
        turn = result.then(
          () => {},
          () => {},
        );
        return result;
      },
    },
  });
  const ask = (name: string, signal: AbortSignal = new AbortController().signal): Promise<unknown> => {
    const selection: TableSelection = { schema: 'dbo', name, columns: 'all', json: [], filter: null };
    return describer.describe(selection, signal).catch((error: unknown) => error);
  };
  return { ask, held };
}

const MISSING = { code: 'PW-S206' };

describe('descriptions', () => {
  it('that are asked for while a request is under way share the next one', async () => {
    const { ask, held } = setUp();
    const first = ask('A');
    await settled();
    const rest = Array.from({ length: DESCRIBED_AT_A_TIME + 1 }, (_, i) => ask(`B${i}`));
    await settled();
    expect(held.map(({ tables }) => tables)).toEqual([['A']]);
    held[0]!.answer();
    await first;
    await settled();
    expect(held[1]!.tables).toHaveLength(DESCRIBED_AT_A_TIME);
    held[1]!.answer();
    await settled();
    expect(held[2]!.tables).toEqual([`B${DESCRIBED_AT_A_TIME}`]);
    held[2]!.answer();
    for (const [i, answer] of (await Promise.all(rest)).entries()) {
      expect(answer).toMatchObject({ ...MISSING, details: { table: `dbo.B${i}` } });
    }
  });

  it('of a table that is locked fails alone: the others are asked for by themselves', async () => {
    const { ask, held } = setUp();
    const answers = [ask('A'), ask('Locked'), ask('C')];
    await settled();
    expect(held[0]!.tables).toEqual(['A', 'Locked', 'C']);
    held[0]!.fail(Object.assign(new Error('lock time-out'), { number: 1222 }));
    for (const at of [1, 2, 3]) {
      await settled();
      const [table] = held[at]!.tables;
      if (table === 'Locked') {
        held[at]!.fail(Object.assign(new Error('lock time-out'), { number: 1222 }));
      } else {
        held[at]!.answer();
      }
    }
    expect(await Promise.all(answers)).toMatchObject([MISSING, { number: 1222 }, MISSING]);
  });

  it('of a server that is gone fail together, with one request', async () => {
    const { ask, held } = setUp();
    const answers = [ask('A'), ask('B')];
    await settled();
    held[0]!.fail(Object.assign(new Error('cut'), { code: 'ESOCKET' }));
    expect(await Promise.all(answers)).toMatchObject([{ code: 'ESOCKET' }, { code: 'ESOCKET' }]);
    await settled();
    expect(held).toHaveLength(1);
  });

  it('are cancelled when the last who waits has left, not before', async () => {
    const { ask, held } = setUp();
    const [one, two] = [new AbortController(), new AbortController()];
    const answers = [ask('A', one.signal), ask('B', two.signal)];
    await settled();
    one.abort(new Error('one'));
    expect(await answers[0]).toBe(one.signal.reason);
    expect(held[0]!.signal.aborted).toBe(false);
    two.abort(new Error('two'));
    expect(await answers[1]).toBe(two.signal.reason);
    expect(held[0]!.signal.aborted).toBe(true);
  });
});
