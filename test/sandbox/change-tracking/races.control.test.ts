/**
 * Commits that fall between two statements of a reader, or between a version and the visibility of its rows: orders that lose rows do lose them
 * here, and the order that is safe loses none, under every profile and with every gap. On a sandbox in this process, with a clock of the test.
 */
import type sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SandboxClock } from '../../../src/sandbox/server.ts';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';

const SNAPSHOT = 5;
const READ_COMMITTED = 2;
const VERSION = 'SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v';
const changes = (base: bigint): string =>
  `SELECT c.id, t.a FROM CHANGETABLE(CHANGES dbo.t, ${base}) AS c LEFT JOIN dbo.t AS t ON t.id = c.id`;

/** Time that passes when the test says so; what falls due runs at once. */
class TestClock implements SandboxClock {
  #now = Date.parse('2026-01-01T00:00:00Z');
  readonly #waiting = new Set<{ readonly at: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, run };
    this.#waiting.add(entry);
    return () => {
      this.#waiting.delete(entry);
    };
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const entry of [...this.#waiting].filter(({ at }) => at <= this.#now)) {
      this.#waiting.delete(entry);
      entry.run();
    }
  }
}

interface Row {
  readonly id: number;
  /** null: the row is gone. */
  readonly a: number | null;
}

interface Read {
  readonly version: bigint;
  readonly rows: readonly Row[];
}

describe.each(['implied', 'live', 'worst'] as const)('profile %s', (profile) => {
  const clock = new TestClock();
  let server: ControlledServer;
  let db: TestDatabase;

  beforeAll(async () => {
    server = await startControlled({ profile, clock });
  });

  beforeEach(async () => {
    server.sandbox.control.setVisibilityGap(0);
    db = await server.freshDatabase();
    await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NOT NULL); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
  });

  afterAll(async () => {
    server.sandbox.control.closeGaps();
    await server.close();
  });

  /** Runs both statements as one batch of a transaction, with `between` in the middle. */
  async function race(level: number, order: readonly [string, string], between: () => Promise<unknown>): Promise<Read> {
    const reader = (await db.session({ appName: 'reader' })).transaction();
    await reader.begin(level);
    const pause = server.sandbox.control.pauseBefore({ appName: 'reader', sqlContains: order[1] });
    const answer = reader.request().batch(order.join(';\n'));
    await pause.reached;
    await between();
    pause.resume();
    const sets = (await answer).recordsets as unknown as readonly (readonly Record<string, unknown>[])[];
    await reader.commit();
    const version = sets.flat().find((row) => 'v' in row)!['v'];
    return { version: BigInt(String(version)), rows: sets.flat().filter((row) => 'id' in row) as unknown as Row[] };
  }

  /** The ids that a reader has after the race and the read that follows it. */
  async function idsAfter(level: number, order: 'version first' | 'changes first'): Promise<number[]> {
    await db.rows('INSERT INTO dbo.t VALUES (1, 1)');
    const statements = [VERSION, changes(0n)] as const;
    const first = await race(level, order === 'version first' ? statements : [statements[1], statements[0]], () =>
      db.rows('INSERT INTO dbo.t VALUES (2, 2)'),
    );
    const second = await db.rows<Row>(changes(first.version));
    return [...new Set([...first.rows, ...second].map(({ id }) => id))].toSorted((a, b) => a - b);
  }

  test('3.4-01 the version first, then the changes, in a SNAPSHOT transaction: the commit between them arrives', async () => {
    expect(await idsAfter(SNAPSHOT, 'version first')).toEqual([1, 2]);
  });

  test('3.4-04 the version first, then the changes, under READ COMMITTED: the commit between them arrives', async () => {
    expect(await idsAfter(READ_COMMITTED, 'version first')).toEqual([1, 2]);
  });

  test(`3.4-02 the changes first, then the version, in a SNAPSHOT transaction: the commit between them ${profile === 'implied' ? 'arrives' : 'is lost'}`, async () => {
    expect(await idsAfter(SNAPSHOT, 'changes first')).toEqual(profile === 'implied' ? [1, 2] : [1]);
  });

  test('3.4-06 the changes first, then the version, under READ COMMITTED: the commit between them is lost', async () => {
    expect(await idsAfter(READ_COMMITTED, 'changes first')).toEqual([1]);
  });

  test('3.6 a commit whose version shows before its rows is lost to who goes on from that version, and arrives for who goes back', async () => {
    server.sandbox.control.setVisibilityGap(1000);
    const writing = (await db.session()).request().batch('INSERT INTO dbo.t VALUES (1, 1)');
    await expect.poll(() => db.rows(VERSION), { timeout: 10_000 }).toEqual([{ v: '1' }]);
    const read = await snapshotRead(db.pool, 0n);
    expect(read).toEqual({ version: 1n, rows: [] });
    clock.advance(1000);
    await writing;
    expect((await snapshotRead(db.pool, read.version)).rows).toEqual([]);
    expect((await snapshotRead(db.pool, 0n)).rows).toEqual([{ id: 1, a: 1 }]);
  });

  test.each([0, 1, 6])('3.6 many writers and one reader, a gap of %i ms: not one row is lost', async (gap) => {
    server.sandbox.control.setVisibilityGap(gap);
    const WRITERS = 4;
    const COMMITS = 20;
    let running = WRITERS;
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      const session = await db.session();
      for (let n = 0; n < COMMITS; n += 1) {
        // Each row is written once or twice, so that no later write hides that one was missed.
        const id = writer * 1000 + n;
        const before =
          n % 3 === 2 ? `; UPDATE dbo.t SET a = a + 1000 WHERE id = ${id - 1}` : n % 5 === 4 ? `; DELETE dbo.t WHERE id = ${id - 2}` : '';
        await session.request().batch(`BEGIN TRANSACTION; INSERT INTO dbo.t VALUES (${id}, ${n})${before}; COMMIT`);
      }
      running -= 1;
    });
    const pool = await db.session();
    const replica = new Map<number, number>();
    /** Versions that were current, and when. */
    const versions: { readonly at: number; readonly version: bigint }[] = [];
    let base = 0n;
    for (let end = false; !end;) {
      end = running === 0;
      const at = clock.now();
      const { version, rows } = await snapshotRead(pool, base);
      for (const { id, a } of rows) {
        if (a === null) {
          replica.delete(id);
        } else {
          replica.set(id, a);
        }
      }
      versions.push({ at, version });
      // Without a gap the version itself. With one: whatever was current so long before this read that its rows were there for it.
      base = gap === 0 ? version : (versions.findLast((each) => each.at <= at - gap)?.version ?? base);
      clock.advance(1);
    }
    await Promise.all(writers);
    const rows = await db.rows<{ id: number; a: number }>('SELECT id, a FROM dbo.t ORDER BY id');
    expect([...replica].toSorted(([a], [b]) => a - b).map(([id, a]) => ({ id, a }))).toEqual(rows);
    expect(rows.length).toBeGreaterThan((WRITERS * COMMITS) / 2);
    expect(new Set(versions.map(({ version }) => version)).size).toBeGreaterThan(5);
  });
});

/** The order that is safe: in one SNAPSHOT transaction the version as a statement of its own, then the changes with their rows. */
async function snapshotRead(pool: sql.ConnectionPool, base: bigint): Promise<Read> {
  const reader = pool.transaction();
  await reader.begin(SNAPSHOT);
  const { recordset } = await reader.request().query<{ v: string }>(VERSION);
  const rows = (await reader.request().query<Row>(changes(base))).recordset;
  await reader.commit();
  return { version: BigInt(recordset[0]!.v), rows: [...rows] };
}
