import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChangePage } from '../../../src/model/change.ts';
import type { PollPacing } from '../../../src/source/change-tracker.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { DEFAULT_LADDER, Ladder, ladderDelayMs } from '../../../src/pipeline/polling.ts';
import { trackChanges, type TrackOptions } from '../../../src/source/track-changes.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { BASE, GappySource, TABLE } from './gappy-source.ts';

const CONFIRM = 1000;

/** Waits as a script says; notes what it was told. */
class ScriptedPacing implements PollPacing {
  readonly outcomes: string[] = [];
  delayMs = 50;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async wait(outcome: 'empty' | 'changes' | 'full'): Promise<void> {
    this.outcomes.push(outcome);
    if (outcome !== 'full') {
      await this.#clock.advance(this.delayMs);
    }
  }
}

/** A wall clock: somebody may set it. */
class WallClock extends ManualClock {
  offsetMs = 0;

  override now(): number {
    return super.now() + this.offsetMs;
  }
}

function setUp(overrides: Partial<TrackOptions> = {}) {
  const clock = new WallClock();
  const source = new GappySource(clock);
  const pacing = new ScriptedPacing(clock);
  const abort = new AbortController();
  const start = (from = source.current): AsyncGenerator<ChangePage, void, undefined> =>
    trackChanges(source, {
      table: TABLE,
      from: { checkpoint: from, confirmed: from, high: from },
      backoff: pacing,
      signal: abort.signal,
      claims: 'implied',
      confirmMs: CONFIRM,
      clock,
      ...overrides,
    });
  return { clock, source, pacing, abort, start };
}

async function take(pages: AsyncGenerator<ChangePage, void, undefined>): Promise<ChangePage> {
  const next = await pages.next();
  if (next.done === true) {
    throw new Error('the iteration ended');
  }
  return next.value;
}

const keysOf = (page: ChangePage): string[] => page.rows.map(({ dataKey }) => dataKey);

describe('what a page proves', () => {
  it('R4: a page that is not full moves checkpoint and upTo to its version', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    const version = source.commit(['a', 'b']);
    const page = await take(pages);
    expect(keysOf(page)).toEqual(['a', 'b']);
    expect(page).toMatchObject({ full: false, upTo: version, position: { checkpoint: version, high: version } });
    expect(version > 2n ** 53n).toBe(true);
  });

  it('R4: a full page moves the checkpoint to its last version minus one, and upTo not at all', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    source.commit(['a']);
    const wide = source.commit(['b', 'c', 'd', 'e']);
    const first = await take(pages);
    expect(keysOf(first)).toEqual(['a', 'b', 'c']);
    expect(first).toMatchObject({ full: true, upTo: null });
    expect(first.position.checkpoint).toBe(wide - 1n);
    const second = await take(pages);
    expect(keysOf(second)).toEqual(['d', 'e']);
    expect(second).toMatchObject({ full: false, upTo: wide, position: { checkpoint: wide } });
  });

  it('R4: a page that ends inside a version is continued behind its last key, not from the version', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    const version = source.commit(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    const seen: string[] = [];
    const checkpoints: bigint[] = [];
    for (let page = await take(pages); ; page = await take(pages)) {
      seen.push(...keysOf(page));
      checkpoints.push(page.position.checkpoint);
      if (!page.full) {
        break;
      }
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(checkpoints).toEqual([version - 1n, version - 1n, version]);
  });

  it('R4: a row changed twice around a full page is contained before upTo says so', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    const five = source.commit(['z']);
    source.commit(['a', 'b', 'c']);
    source.sliver = () => {
      source.sliver = null;
      source.commit(['z']);
    };
    const first = await take(pages);
    expect(keysOf(first)).toEqual(['a', 'b', 'c']);
    expect(first.upTo).toBeNull();
    expect(first.position.checkpoint).toBe(five);
    const second = await take(pages);
    expect(keysOf(second)).toEqual(['z']);
    expect(second.upTo).toBe(source.current);
  });

  it('R1: a commit between the version and the view comes above `to` and is read again', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    const to = source.commit(['a']);
    source.sliver = () => {
      source.sliver = null;
      source.commit(['a', 'b']);
    };
    const page = await take(pages);
    expect(keysOf(page)).toEqual(['a', 'b']);
    expect(page).toMatchObject({ to, upTo: to, position: { checkpoint: to, high: to + 1n } });
    expect(keysOf(await take(pages))).toEqual(['a', 'b']);
  });

  it('R4: under READ COMMITTED and with confirmed claims, upTo is what is confirmed', async () => {
    for (const overrides of [{ claims: 'confirmed' as const }, { table: { ...TABLE, isolation: 'readCommitted' as const } }]) {
      const { source, start } = setUp(overrides);
      const pages = start();
      await take(pages);
      const version = source.commit(['a']);
      const page = await take(pages);
      expect(page.position.checkpoint).toBe(version);
      expect(page.upTo ?? BASE).toBe(BASE);
      let last = page;
      for (let i = 0; i < 60 && last.upTo !== version; i += 1) {
        last = await take(pages);
      }
      expect(last).toMatchObject({ upTo: version, confirming: true, position: { confirmed: version } });
    }
  });
});

describe('confirming reads', () => {
  it('R5: a commit that becomes visible late is read', async () => {
    const { source, start } = setUp();
    const pages = start();
    await take(pages);
    const late = source.commit(['late'], { visibleAfterMs: 600 });
    const on = source.commit(['a']);
    const first = await take(pages);
    expect(keysOf(first)).toEqual(['a']);
    expect(first.position).toMatchObject({ checkpoint: on, confirmed: BASE });
    const seen: string[] = [];
    for (let i = 0; i < 40 && !seen.includes('late'); i += 1) {
      const page = await take(pages);
      seen.push(...keysOf(page));
      expect(page.position.checkpoint >= on).toBe(true);
      expect(page.position.confirmed < late || seen.includes('late')).toBe(true);
    }
    expect(seen).toContain('late');
  });

  it('R5: runs every `confirm` while versions move, once after they stop, and never again', async () => {
    const { source, pacing, clock, start } = setUp();
    const pages = start();
    const begins: number[] = [];
    const from = clock.now();
    for (let i = 0; clock.now() < from + 20_000; i += 1) {
      if (clock.now() < from + 5000) {
        source.commit([`k${i % 2}`]);
      }
      const page = await take(pages);
      if (page.confirming) {
        begins.push(clock.now() - from);
      }
    }
    const moving = begins.filter((at) => at < 5000);
    expect(moving.length).toBeGreaterThanOrEqual(4);
    for (let i = 1; i < begins.length; i += 1) {
      expect(begins[i]! - begins[i - 1]!).toBeGreaterThanOrEqual(CONFIRM);
      expect(begins[i]! - begins[i - 1]!).toBeLessThanOrEqual(CONFIRM + 2 * pacing.delayMs);
    }
    const after = begins.filter((at) => at >= 5000);
    expect(after.length).toBeGreaterThanOrEqual(1);
    expect(after.length).toBeLessThanOrEqual(2);
    expect(source.windows.at(-1)!.position.confirmed).toBeLessThanOrEqual(source.current);
    expect((await take(pages)).position.confirmed).toBe(source.current);
  });

  it('R5: confirmed becomes only what was current `confirm` before the first page of the read', async () => {
    const { source, clock, start } = setUp();
    const pages = start();
    const currentAt: { atMs: number; version: bigint }[] = [];
    let begun = 0;
    for (let i = 0; i < 200; i += 1) {
      currentAt.push({ atMs: clock.now(), version: source.commit([`k${i % 5}`]) });
      const page = await take(pages);
      const call = source.windows.at(-1)!;
      begun = call.cursor === null ? call.atMs : begun;
      const bound = currentAt.filter(({ atMs }) => atMs <= begun - CONFIRM).at(-1)?.version ?? BASE;
      expect(page.full || page.position.confirmed <= bound).toBe(true);
    }
    expect(source.windows.at(-1)!.position.confirmed > BASE).toBe(true);
  });

  it('R5: a clock that is set back neither confirms anything early nor holds confirming up', async () => {
    const { source, clock, start } = setUp();
    const pages = start();
    await take(pages);
    source.commit(['a']);
    await take(pages);
    clock.offsetMs -= 3_600_000;
    const setBackAt = clock.now();
    const version = source.commit(['b']);
    const from = source.windows.length;
    let page = await take(pages);
    while (page.position.confirmed < version && clock.now() - setBackAt < 10 * CONFIRM) {
      page = await take(pages);
    }
    expect(page.position.confirmed).toBe(version);
    const confirming = source.windows.slice(from).filter((call) => call.from < version);
    expect(confirming.at(-1)!.atMs - setBackAt).toBeGreaterThanOrEqual(CONFIRM);
  });

  it('R5: a clock that jumps an hour forward confirms nothing early: what becomes visible late is read before it is claimed', async () => {
    const { clock, source, start } = setUp({ claims: 'confirmed' });
    const pages = start();
    await take(pages);
    const late = source.commit(['late'], { visibleAfterMs: CONFIRM - 100 });
    source.commit(['a']);
    const committedAt = clock.monotonic();
    const seen = keysOf(await take(pages));
    clock.offsetMs += 3_600_000;
    let page = await take(pages);
    for (; page.position.confirmed < late && clock.monotonic() - committedAt < 10 * CONFIRM; page = await take(pages)) {
      seen.push(...keysOf(page));
    }
    seen.push(...keysOf(page));
    expect(page.position.confirmed).toBeGreaterThanOrEqual(late);
    expect(seen).toContain('late');
    expect(clock.monotonic() - committedAt).toBeGreaterThanOrEqual(CONFIRM);
  });

  it('R5: a long backlog is not read a second time to confirm it', async () => {
    const { source, clock, pacing, start } = setUp();
    const keys = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    source.commit(keys);
    const pages = start(BASE);
    let rows = 0;
    let page = await take(pages);
    for (rows += page.rows.length; page.position.confirmed < source.current; rows += page.rows.length) {
      await clock.advance(40);
      page = await take(pages);
    }
    // 100 pages of 40 ms: about 25 pages within `confirm`, read twice.
    expect(rows).toBeLessThan(300 + 2 * 27 * 3);
    expect(new Set(pacing.outcomes)).toContain('full');
  });

  it('R5: min valid above `confirmed` is lost history', async () => {
    const { source, start } = setUp();
    source.catalogAlways = true;
    const pages = start();
    await take(pages);
    source.commit(['a']);
    await take(pages);
    source.minValid = BASE + 1n;
    await expect(take(pages)).rejects.toMatchObject({ code: 'PW-S211' });
  });

  it('R5: whatever becomes visible within `confirm` arrives, and confirmed claims are true at every moment', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 5 }),
            gap: fc.integer({ min: 0, max: CONFIRM - 1 }),
            rounds: fc.nat(8),
          }),
          { minLength: 1, maxLength: 25 },
        ),
        fc.integer({ min: 1, max: 4 }),
        async (script, pageRows) => {
          const { source, pacing, start } = setUp({ claims: 'confirmed' });
          source.pageRows = pageRows;
          pacing.delayMs = 100;
          const pages = start();
          const seen = new Map<string, bigint>();
          const round = async (): Promise<void> => {
            const page = await take(pages);
            for (const { dataKey, changeVersion } of page.rows) {
              seen.set(dataKey, changeVersion > (seen.get(dataKey) ?? 0n) ? changeVersion : seen.get(dataKey)!);
            }
            for (const claim of [page.upTo, page.position.confirmed]) {
              for (const [key, version] of claim === null ? [] : source.truthAt(claim)) {
                expect((seen.get(key) ?? 0n) >= version).toBe(true);
              }
            }
          };
          for (const { keys, gap, rounds } of script) {
            source.commit(keys, { visibleAfterMs: gap });
            for (let i = 0; i < rounds; i += 1) {
              await round();
            }
          }
          for (let i = 0; i < 150; i += 1) {
            await round();
          }
          expect(seen).toEqual(source.truth);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('rounds', () => {
  it('R6: CHANGETABLE is read in the first round and then only when the version moved', async () => {
    const { source, start } = setUp();
    const pages = start();
    expect(await take(pages)).toMatchObject({ read: true, rows: [], upTo: BASE });
    expect(await take(pages)).toMatchObject({ read: false, rows: [], upTo: null, to: BASE });
    expect(await take(pages)).toMatchObject({ read: false });
    expect(source.windows).toHaveLength(1);
    // The catalog of all tables is asked for by the clock alone: hundreds of tables may begin at once.
    expect(source.probes.map(({ catalog }) => catalog)).toEqual([false, false, false]);
    source.commit(['a']);
    expect(await take(pages)).toMatchObject({ read: true });
    expect(source.windows).toHaveLength(2);
  });

  it.each([
    ['PW-S213', (source: GappySource) => (source.objectId = 8)],
    ['PW-S211', (source: GappySource) => (source.beginVersion = 5n)],
    ['PW-S221', (source: GappySource) => (source.objectId = null)],
    ['PW-S212', (source: GappySource) => (source.current = BASE - 1n)],
  ])('R6: an idle probe finds %s although no counter moved', async (code, change) => {
    const { source, start } = setUp();
    source.catalogAlways = true;
    const pages = start();
    await take(pages);
    await take(pages);
    change(source);
    await expect(take(pages)).rejects.toMatchObject({ code });
  });

  it('R7: the pacing hears of changes, full pages and nothing, and nothing is read before it is asked for', async () => {
    const { source, pacing, start } = setUp();
    const pages = start();
    await take(pages);
    expect(pacing.outcomes).toEqual([]);
    source.commit(['a']);
    await take(pages);
    source.commit(['a', 'b', 'c', 'd']);
    await take(pages);
    await take(pages);
    await take(pages);
    expect(pacing.outcomes).toEqual(['empty', 'changes', 'full', 'changes']);
    expect(source.windows).toHaveLength(4);
  });

  it('R7: the delays between rounds follow the ladder within their seeded jitter, and a change puts it back', async () => {
    const { clock, source, abort } = setUp();
    const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: seededRandom(7) });
    const rounds: number[] = [];
    const pages = trackChanges(source, {
      table: TABLE,
      from: { checkpoint: BASE, confirmed: BASE, high: BASE },
      backoff: ladder,
      signal: abort.signal,
      claims: 'implied',
      confirmMs: CONFIRM,
      clock,
    });
    const follow = (async () => {
      for await (const page of pages) {
        rounds.push(clock.now());
        void page;
      }
    })();
    await clock.until(() => rounds.length >= 125);
    const delays = rounds.slice(1).map((at, i) => at - rounds[i]!);
    delays.forEach((delay, i) => {
      const nominal = ladderDelayMs(DEFAULT_LADDER, i);
      expect(delay).toBeGreaterThanOrEqual(nominal * 0.9 - 1);
      expect(delay).toBeLessThanOrEqual(nominal * 1.1 + 1);
    });
    expect(new Set(delays).size).toBeGreaterThan(20);
    const count = rounds.length;
    source.commit(['a']);
    await clock.until(() => rounds.length >= count + 3);
    const reset = rounds.slice(count).map((at, i) => at - rounds[count - 1 + i]!);
    expect(reset[1]).toBeLessThanOrEqual(56);
    abort.abort(new Error('enough'));
    await expect(follow).rejects.toThrow('enough');
  });

  it('ends with the reason of its signal', async () => {
    const { abort, start } = setUp();
    const pages = start();
    await take(pages);
    abort.abort(new Error('stop'));
    await expect(take(pages)).rejects.toThrow('stop');
  });
});
