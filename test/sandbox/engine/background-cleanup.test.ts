/** 4.1-01: the cleanup that nobody asks for, by the clock alone. Only a sandbox has a clock that a test can move. */
import sql from 'mssql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sandbox, SandboxClock } from '../../../src/sandbox/server.ts';
import { startSandbox } from '../../../src/sandbox/server.ts';
import { systemClock } from '../../../src/sandbox/engine/clock.ts';

const MINUTE_MS = 60_000;
let now = Date.UTC(2026, 0, 1);
const timers = new Set<{ readonly at: number; readonly fire: () => void }>();

const clock: SandboxClock = {
  now: () => now,
  after: (ms, fire) => {
    const timer = { at: now + ms, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  },
};

function pass(minutes: number): void {
  const until = now + minutes * MINUTE_MS;
  for (;;) {
    const next = [...timers].reduce<{ at: number; fire: () => void } | null>(
      (least, each) => (each.at < (least?.at ?? Infinity) ? each : least),
      null,
    );
    if (next === null || next.at > until) {
      now = until;
      return;
    }
    timers.delete(next);
    now = next.at;
    next.fire();
  }
}

let sandbox: Sandbox;
let pool: sql.ConnectionPool;

beforeAll(async () => {
  sandbox = await startSandbox({ clock });
  pool = await new sql.ConnectionPool(sandbox.connectionString()).connect();
  await pool.request().batch('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 1 HOURS, AUTO_CLEANUP = ON)');
  await pool.request().batch('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
});

afterAll(async () => {
  await pool.close();
  await sandbox.close();
});

async function minimum(): Promise<string | undefined> {
  const { recordset } = await pool
    .request()
    .query<{ v: string }>("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t')) AS v FROM (VALUES (1)) AS one (x)");
  return recordset[0]?.v;
}

test('4.1-01: every thirty minutes what is older than the retention goes, and not before', async () => {
  await pool.request().query('INSERT INTO dbo.t VALUES (1)');
  pass(45);
  await pool.request().query('INSERT INTO dbo.t VALUES (2)');
  pass(30);
  expect(await minimum()).toBe('0');
  pass(15);
  expect(await minimum()).toBe('1');
  pass(60);
  expect(await minimum()).toBe('2');
  const history = await pool.request().query('SELECT cleanup_version FROM dbo.MSchange_tracking_history ORDER BY cleanup_version');
  expect(history.recordset).toEqual([{ cleanup_version: '1' }, { cleanup_version: '2' }]);
});

test('AUTO_CLEANUP = OFF stops it', async () => {
  await pool.request().batch('ALTER DATABASE CURRENT SET CHANGE_TRACKING (AUTO_CLEANUP = OFF)');
  await pool.request().query('INSERT INTO dbo.t VALUES (3)');
  pass(600);
  expect(await minimum()).toBe('2');
});

test('a background wait of the real clock keeps no process alive', () => {
  const waiting = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
  const before = waiting();
  const cancel = systemClock.after(MINUTE_MS, () => undefined, { background: true });
  expect(waiting()).toBe(before);
  cancel();
});
