/** kill -9 of the daemon at seeded moments, each shown to lie inside a read; whatever it tore, the next daemon makes whole. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { BATCH } from '../../src/manager/redis/scripts/batch.ts';
import { publishing } from '../../src/manager/redis/scripts/prelude.ts';
import { type DaemonProcess, type DaemonWorld, daemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import { storedSection, tableDocuments, type TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { PROFILES, startServer, type TestServer } from '../support/sandbox.ts';
import { openScriptGate, type ScriptGate } from '../support/script-gate.ts';

const SEED = 20_261_122;
const MOMENTS = 20;
const ROWS = 60;
const BATCH_ROWS = 10;

const ITEMS: TableShape = {
  table: 'dbo.Items',
  section: 'items',
  key: ['Id'],
  columns: { Id: 'plain', Name: 'plain', Price: 'decimal2', Round: 'plain' },
};

let redis: PrivateTestRedis;
let server: TestServer;
let gate: ScriptGate;
let world: DaemonWorld;
let followed: FollowedReplica;
let daemon: DaemonProcess;

beforeAll(async () => {
  redis = await privateTestRedis();
  server = await startServer();
  gate = await openScriptGate(redis.server.port, publishing(BATCH, 'PUBLISH'));
});

/** A database with 60 rows, and a replica; `world`, `followed` and, once started, `daemon` are its. */
async function begin(source: Readonly<Record<string, unknown>>): Promise<void> {
  const database = await server.freshDatabase();
  world = daemonWorld({
    database,
    redis,
    redisUrl: `redis://127.0.0.1:${gate.port}`,
    tables: [{ shape: ITEMS }],
    batch: { rows: BATCH_ROWS, inFlight: 2 },
    source,
  });
  await world.sql(
    'CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NOT NULL, Price decimal(10, 2) NOT NULL, Round int NOT NULL)',
    'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
    `INSERT INTO dbo.Items VALUES ${Array.from({ length: ROWS }, (_, i) => `(${i + 1}, N'item ${i + 1}', ${i}.50, 0)`).join(', ')}`,
  );
  followed = world.follow('items');
}

afterAll(async () => {
  await gate?.[Symbol.asyncDispose]();
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

/** How many documents in Redis are as the table has them, and how many of either there are. */
async function applied(): Promise<{ readonly same: number; readonly keys: number }> {
  const table = await tableDocuments(world.pool, ITEMS);
  const { documents } = await storedSection(world.raw, world.partition, 'items');
  const keys = new Set([...table.keys(), ...documents.keys()]);
  return { same: [...keys].filter((key) => table.get(key) === documents.get(key)).length, keys: keys.size };
}

interface Moment {
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

/** The new tip that a batch script stores: its fourth argument. */
function tipOf(words: readonly string[]): string | undefined {
  return words[3 + Number(words[2]) + 3];
}

/** Lets so many scripts through, waits until the last of them was executed (the tip is its), and kills the daemon before the next one. */
async function killAfter(scripts: number, change: () => Promise<void>): Promise<Moment> {
  const before = await world.meta('items');
  const shut = gate.admit(scripts);
  await change();
  await shut;
  const after = await until('the last script that passed has been executed', async () => {
    const meta = await world.meta('items');
    return meta['tip'] === tipOf(gate.last) && meta;
  });
  await daemon.kill();
  gate.reopen();
  expect(after['tip']).not.toBe(before['tip']);
  return { before, after };
}

/** One transaction over all rows: updates, a delete, inserts (also of keys that were deleted before), and a key that moves. */
async function transaction(round: number, random: () => number): Promise<string> {
  const held = new Set((await tableDocuments(world.pool, ITEMS)).keys());
  const missing = Array.from({ length: ROWS }, (_, i) => i + 1).filter((id) => !held.has(String(id)));
  const any = (): number => 1 + Math.floor(random() * ROWS);
  const statements = [
    `UPDATE dbo.Items SET Round = ${round}, Name = CONCAT(N'item ', Id, N' in ${round}')`,
    ...missing.map((id) => `INSERT INTO dbo.Items VALUES (${id}, N'again in ${round}', 0, ${round})`),
    `INSERT INTO dbo.Items VALUES (${1000 + round}, N'new in ${round}', ${round}.25, ${round})`,
    `UPDATE dbo.Items SET Id = Id + 10000 * ${round} WHERE Id = ${any()}`,
    `DELETE dbo.Items WHERE Id = ${any()}`,
  ];
  return `BEGIN TRANSACTION; ${statements.join('; ')}; COMMIT`;
}

const profileOf = (round: number): (typeof PROFILES)[number] => PROFILES[round % PROFILES.length] ?? null;

function setProfile(profile: (typeof PROFILES)[number]): void {
  if (profile !== null) {
    server.sandbox?.control.setProfile(profile);
  }
}

/** A transaction over all rows is torn after so many scripts, rows change while no daemon runs, and the next daemon makes all of it equal. */
async function tear(round: number, scripts: number, random: () => number): Promise<void> {
  setProfile(profileOf(round));
  const { before, after } = await killAfter(scripts, async () => world.sql(await transaction(round, random)));
  expect(after['checkpoint'], 'scripts of the read were executed, its checkpoint was not').toBe(before['checkpoint']);
  const { same, keys } = await applied();
  expect(same).toBeGreaterThan(0);
  expect(same, 'part of the transaction is in Redis, part is not').toBeLessThan(keys);
  // What the dead daemon delivered changes again, or goes, before the next one reads.
  await world.sql(
    `UPDATE dbo.Items SET Price = Price + 0.01 WHERE Id % 7 = ${round % 7}`,
    `DELETE dbo.Items WHERE Id % 50 = ${round % 50} AND Id > 1`,
  );
  daemon = world.daemon();
  expect(await world.differences()).toEqual([]);
}

describe('kill -9', () => {
  beforeAll(() => begin({}));
  afterAll(() => world?.close());

  it('in the first load: the next daemon goes on from the cursor', async () => {
    daemon = world.daemon();
    const { after } = await killAfter(3, () => Promise.resolve());
    expect(after['state']).toBe('loading');
    expect(await applied()).toEqual({ same: 3 * BATCH_ROWS, keys: ROWS });
    await world.sql(`UPDATE dbo.Items SET Round = 1 WHERE Id <= 30`, 'DELETE dbo.Items WHERE Id IN (5, 55)');
    daemon = world.daemon();
    expect(await world.differences()).toEqual([]);
  });

  for (let round = 1; round <= MOMENTS; round += 1) {
    const random = seededRandom(SEED + round);
    const scripts = 1 + Math.floor(random() * 5);
    const profile = profileOf(round) ?? 'of the server';
    it(`moment ${round} of seed ${SEED}: between script ${scripts} of a read and its checkpoint, nothing is lost (profile ${profile})`, async () => {
      await tear(round, scripts, random);
    });
  }

  it('never made a replica load anew', () => {
    expect(followed.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, invalid: 0 });
  });
});

describe('kill -9 where a page ends inside a version', () => {
  beforeAll(async () => {
    await begin({ limits: { pageRows: 25 } });
    daemon = world.daemon();
    await world.equal();
  });
  afterAll(() => world?.close());

  // Pages of 25 rows in batches of 10, 10 and 5: after two scripts inside the first, after three between it and the second, and so on.
  for (const [round, scripts] of [2, 3, 4, 6].entries()) {
    it(`R4: after ${scripts} scripts of several pages the checkpoint still stands before the version`, async () => {
      await tear(round + 1, scripts, seededRandom(SEED - round));
    });
  }

  it('never made a replica load anew', () => {
    expect(followed.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, invalid: 0 });
  });
});
