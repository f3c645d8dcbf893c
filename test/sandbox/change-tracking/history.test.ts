/**
 * Random histories of several sessions, compared with a model that knows only the rules: committed rows, and the net change of every key for
 * any baseline, now and as views of the past see it. The seed is in the title; PATCHWIRE_TEST_SEED adds one. Runs on any SQL Server.
 */
import type sql from 'mssql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

const SESSIONS = 3;
const KEYS = 8;
const STEPS = 500;

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(async () => {
  await server.close();
});

/** mulberry32 */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Write {
  readonly op: 'I' | 'U' | 'D';
  readonly id: number;
  /** Column ids of the SET list; null: none is told. */
  readonly columns: readonly number[] | null;
}

type Rows = ReadonlyMap<number, readonly [a: number, b: number]>;

/** What a moment of the database looks like. */
interface Moment {
  readonly rows: Rows;
  readonly commits: readonly (readonly Write[])[];
}

/** The net changes after a baseline, one line for each key, in order of key. */
function net({ commits }: Moment, baseline: number): string[] {
  const found = new Map<number, { first: Write; last: Write; version: number; created: number | null; columns: Set<number> | null }>();
  commits.forEach((writes, index) => {
    const version = index + 1;
    for (const write of version > baseline ? writes : []) {
      const before = found.get(write.id);
      const columns = before?.columns === null || write.columns === null ? null : new Set([...(before?.columns ?? []), ...write.columns]);
      const created = write.op === 'I' ? version : (before?.created ?? null);
      found.set(write.id, { first: before?.first ?? write, last: write, version, created, columns });
    }
  });
  return [...found]
    .toSorted(([a], [b]) => a - b)
    .map(([id, { first, last, version, created, columns }]) => {
      const op = last.op === 'D' ? 'D' : first.op === 'I' ? 'I' : 'U';
      const mask = op !== 'U' || columns === null ? null : [...columns].toSorted((a, b) => a - b).join(' ');
      return `${id} ${op} ${version} ${created} ${mask}`;
    });
}

function maskOf(bytes: Buffer | null): string | null {
  return bytes === null ? null : Array.from({ length: bytes.length / 4 - 1 }, (_, index) => bytes.readInt32LE(4 + index * 4)).join(' ');
}

type Runner = Pick<sql.Transaction, 'request'> | sql.ConnectionPool;

async function compare(on: Runner, table: string, moment: Moment, pick: (below: number) => number): Promise<void> {
  const { recordset } = await on.request().query<{ id: number; a: number; b: number }>(`SELECT id, a, b FROM ${table} ORDER BY id`);
  const expected = [...moment.rows].toSorted(([a], [b]) => a - b).map(([id, [a, b]]) => ({ id, a, b }));
  expect(recordset).toEqual(expected);
  const baseline = pick(moment.commits.length + 1);
  const changes = await on.request().query<{ id: number; v: string; c: string | null; op: string; m: Buffer | null }>(
    `SELECT c.id, c.SYS_CHANGE_VERSION AS v, c.SYS_CHANGE_CREATION_VERSION AS c, c.SYS_CHANGE_OPERATION AS op, c.SYS_CHANGE_COLUMNS AS m
     FROM CHANGETABLE(CHANGES ${table}, ${baseline}) AS c ORDER BY c.id`,
  );
  expect(changes.recordset.map(({ id, v, c, op, m }) => `${id} ${op} ${v} ${c} ${maskOf(m)}`)).toEqual(net(moment, baseline));
}

interface Player {
  readonly pool: sql.ConnectionPool;
  transaction: sql.Transaction | null;
  rows: Map<number, readonly [number, number]>;
  writes: Write[];
}

/** One statement on keys of the player's own (its number modulo SESSIONS), so that no player waits for another. */
function statement(player: Player, own: number, table: string, pick: (below: number) => number): string {
  const id = own + SESSIONS * pick(KEYS);
  const value = pick(100);
  const here = player.rows.get(id);
  const log = (op: Write['op'], key: number, columns: readonly number[] | null = null): void => {
    player.writes.push({ op, id: key, columns });
  };
  switch (pick(7)) {
    case 0:
    case 1:
      if (here === undefined) {
        player.rows.set(id, [value, value]);
        log('I', id);
        return `INSERT INTO ${table} (id, a, b) VALUES (${id}, ${value}, ${value})`;
      }
      player.rows.delete(id);
      log('D', id);
      return `DELETE ${table} WHERE id = ${id}`;
    case 2: {
      if (here !== undefined) {
        player.rows.set(id, [value, here[1]]);
        log('U', id, [2]);
      }
      return `UPDATE ${table} SET a = ${value} WHERE id = ${id}`;
    }
    case 3: {
      if (here !== undefined) {
        player.rows.set(id, [value, value]);
        log('U', id);
      }
      return `UPDATE ${table} SET a = ${value}, b = ${value} WHERE id = ${id}`;
    }
    case 4: {
      const to = own + SESSIONS * pick(KEYS);
      if (here !== undefined && !player.rows.has(to)) {
        player.rows.delete(id);
        player.rows.set(to, here);
        log('D', id);
        log('I', to);
        return `UPDATE ${table} SET id = ${to} WHERE id = ${id}`;
      }
      if (here !== undefined) {
        log('D', id);
        log('I', id);
      }
      return `UPDATE ${table} SET id = id WHERE id = ${id}`;
    }
    case 5: {
      const both = [id, own + SESSIONS * pick(KEYS)];
      for (const key of new Set(both)) {
        const row = player.rows.get(key);
        if (row !== undefined) {
          player.rows.set(key, [value, row[1]]);
          log('U', key, [2]);
        }
      }
      return `UPDATE ${table} SET a = ${value} WHERE id IN (${both.join(', ')})`;
    }
    default: {
      player.rows.set(id, [here?.[0] ?? value, value]);
      log(here === undefined ? 'I' : 'U', id, here === undefined ? null : [3]);
      return `MERGE ${table} AS t USING (VALUES (${id}, ${value})) AS s (id, v) ON t.id = s.id
        WHEN MATCHED THEN UPDATE SET b = s.v WHEN NOT MATCHED THEN INSERT (id, a, b) VALUES (s.id, s.v, s.v);`;
    }
  }
}

const extra = Number(process.env['PATCHWIRE_TEST_SEED'] ?? 0);

test.each([1, 20_260, 77_777, ...(extra === 0 ? [] : [extra])])('seed %i: rows and net changes are those of the model', async (seed) => {
  const pick = random(seed);
  const own = await server.freshDatabase();
  const table = 'dbo.t';
  await own.rows(`CREATE TABLE ${table} (id int NOT NULL PRIMARY KEY, a int NOT NULL, b int NOT NULL)`);
  await own.rows(`ALTER TABLE ${table} ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)`);
  const players: Player[] = [];
  for (let index = 0; index < SESSIONS; index += 1) {
    players.push({ pool: await own.session(), transaction: null, rows: new Map(), writes: [] });
  }
  let now: Moment = { rows: new Map(), commits: [] };
  const committed = (player: Player, index: number): void => {
    const others = [...now.rows].filter(([id]) => id % SESSIONS !== index);
    now = { rows: new Map([...others, ...player.rows]), commits: player.writes.length > 0 ? [...now.commits, player.writes] : now.commits };
    player.writes = [];
  };
  const views: { transaction: sql.Transaction; moment: Moment }[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    const index = pick(SESSIONS);
    const player = players[index]!;
    if (player.transaction === null && pick(3) === 0) {
      player.transaction = player.pool.transaction();
      await player.transaction.begin();
    }
    if (player.transaction === null) {
      await player.pool.request().batch(statement(player, index, table, pick));
      committed(player, index);
    } else if (pick(6) > 0) {
      const saved = { rows: new Map(player.rows), writes: [...player.writes] };
      const text = statement(player, index, table, pick);
      if (pick(5) === 0) {
        await player.transaction.request().batch(`SAVE TRAN s; ${text}; ROLLBACK TRAN s`);
        Object.assign(player, saved);
      } else {
        await player.transaction.request().batch(text);
      }
    } else if (pick(4) === 0) {
      await player.transaction.rollback();
      player.transaction = null;
      player.writes = [];
      player.rows = new Map([...now.rows].filter(([id]) => id % SESSIONS === index));
    } else {
      await player.transaction.commit();
      player.transaction = null;
      committed(player, index);
    }
    if (pick(25) === 0 && views.length < 3) {
      const transaction = (await own.session()).transaction();
      await transaction.begin(5);
      await compare(transaction, table, now, pick);
      views.push({ transaction, moment: now });
    }
    if (pick(12) === 0 && views.length > 0) {
      const at = pick(views.length);
      const view = views[at]!;
      await compare(view.transaction, table, view.moment, pick);
      if (pick(3) === 0) {
        await view.transaction.commit();
        views.splice(at, 1);
      }
    }
  }
  for (const [index, player] of players.entries()) {
    await player.transaction?.commit();
    committed(player, index);
  }
  for (const { transaction, moment } of views) {
    await compare(transaction, table, moment, pick);
    await transaction.commit();
  }
  for (let index = 0; index < 10; index += 1) {
    await compare(own.pool, table, now, pick);
  }
  expect(now.commits.length).toBeGreaterThan(STEPS / 10);
});
