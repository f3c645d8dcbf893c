/** A row whose value is above maxDocument, through the real driver and the whole pipeline: it goes into quarantine, and nothing is lost. */
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { memoryDataManager } from '../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../src/manager/memory/memory-store.ts';
import { silentObserver } from '../../src/observe/section-observer.ts';
import { runSection } from '../../src/pipeline/section.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import { Rigs, selection, type Rig } from './change-tracker-rig.ts';

const SETUP = [
  'CREATE TABLE dbo.Notes (Id int NOT NULL PRIMARY KEY, Body nvarchar(max) NULL)',
  'ALTER TABLE dbo.Notes ENABLE CHANGE_TRACKING',
  "INSERT dbo.Notes VALUES (1, N'one'), (2, N'two'), (3, N'three')",
];
const LONG = "REPLICATE(N'x', 200)";

describe('a value above limits.maxDocument', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox();
  });
  afterAll(() => sandbox.close());
  const rigs = new Rigs(() => parseConnectionString(sandbox.connectionString('master')));
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(ends.splice(0).map((end) => end()));
    await rigs[Symbol.asyncDispose]();
  });

  function follow(rig: Rig, maxRows = 10) {
    const store = new MemoryStore();
    const options = { store, partition: 'p', managerId: 'm', leaseMs: 10_000, replay: { maxBytes: 1 << 20, maxAgeMs: 3_600_000 } };
    const phases: string[] = [];
    const stop = new AbortController();
    const done = runSection({
      section: 'notes',
      selection: selection('Notes'),
      tracker: rig.tracker,
      manager: memoryDataManager({ ...options, clock: systemClock }),
      ladder: { steps: [{ delayMs: 10, count: Number.POSITIVE_INFINITY }] },
      confirmMs: 50,
      batch: { rows: 10, bytes: 1 << 20, inFlight: 2 },
      heartbeatMs: 1000,
      leaseMs: 10_000,
      faultedRetryMs: 100,
      maxDocumentBytes: 100,
      quarantine: { maxRows, retryAfterMs: 3_600_000, alertAbove: 0 },
      clock: systemClock,
      random: () => 0.5,
      logger: pino({ level: 'silent' }),
      observer: { ...silentObserver, phase: (phase, detail) => phases.push(detail === undefined ? phase : `${phase} ${detail.code}`) },
      stop: stop.signal,
      kill: new AbortController().signal,
    });
    ends.push(async () => {
      stop.abort(new Error('the test is over'));
      await done;
    });
    const bodies = (): unknown[] =>
      [...store.section('p', 'notes').documents]
        .toSorted(([a], [b]) => Number(a) - Number(b))
        .map(([, text]) => (JSON.parse(text) as { Body: unknown }).Body);
    const quarantine = (): Record<string, unknown> =>
      Object.fromEntries([...store.section('p', 'notes').quarantine].map(([identity, text]) => [identity, JSON.parse(text) as unknown]));
    return { phases, bodies, quarantine, meta: () => store.section('p', 'notes').meta };
  }
  const within = { timeout: 20_000 };

  it('sets the row aside at the window that meets it, lets all others pass, and publishes it again when it is shorter', async () => {
    const rig = await rigs.start(SETUP, { maxDocumentBytes: 100 });
    const { phases, bodies, meta, quarantine } = follow(rig);
    await expect.poll(() => phases.at(-1), within).toBe('live');
    await rig.database.run(`UPDATE dbo.Notes SET Body = ${LONG} WHERE Id = 2`);
    await rig.database.run("UPDATE dbo.Notes SET Body = N'last' WHERE Id = 3");
    await expect.poll(bodies, within).toEqual(['one', 'last']);
    expect(quarantine()).toMatchObject({ 2: { dataKey: '2', code: 'PW-S225', attempts: 1 } });
    expect(JSON.stringify(quarantine())).not.toContain('xxx');
    const [row] = (await rig.database.run('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).recordset;
    await expect.poll(() => meta()!.upTo, within).toBe(BigInt(String(row?.['v'])));
    await rig.database.run("UPDATE dbo.Notes SET Body = N'short' WHERE Id = 2");
    await expect.poll(bodies, within).toEqual(['one', 'short', 'last']);
    expect(quarantine()).toEqual({});
    expect(phases.filter((phase) => phase.startsWith('stopped'))).toEqual([]);
  });

  it('a first load goes live without the row, and a row that is deleted leaves no entry', async () => {
    const rig = await rigs.start([...SETUP, `UPDATE dbo.Notes SET Body = ${LONG} WHERE Id = 2`], { maxDocumentBytes: 100 });
    const { phases, bodies, quarantine } = follow(rig);
    await expect.poll(() => phases.at(-1), within).toBe('live');
    expect(bodies()).toEqual(['one', 'three']);
    expect(Object.keys(quarantine())).toEqual(['2']);
    await rig.database.run('DELETE dbo.Notes WHERE Id = 2');
    await expect.poll(quarantine, within).toEqual({});
    expect(bodies()).toEqual(['one', 'three']);
  });

  it('one row more than quarantine.maxRows stops the section in front of it, behind no checkpoint', async () => {
    const rig = await rigs.start(SETUP, { maxDocumentBytes: 100 });
    const { phases, meta, bodies } = follow(rig, 1);
    await expect.poll(() => phases.at(-1), within).toBe('live');
    await rig.database.run(`UPDATE dbo.Notes SET Body = ${LONG} WHERE Id < 3`);
    await expect.poll(() => phases, within).toContain('stopped PW-S242');
    const [row] = (await rig.database.run('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).recordset;
    expect(meta()!.checkpoint).toBeLessThan(BigInt(String(row?.['v'])));
    await rig.database.run("UPDATE dbo.Notes SET Body = N'short' WHERE Id = 1");
    await expect.poll(() => phases.at(-1), within).toBe('live');
    await expect.poll(bodies, within).toEqual(['short', 'three']);
  });
});
