/** What only a server under control can do at will: commits between two statements, late visibility, cut connections, cleanup, huge versions. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChangePage } from '../../src/model/change.ts';
import type { TrackedTable } from '../../src/model/table.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/server.ts';
import { parseConnectionString } from '../../src/source/sqlserver/connection-string.ts';
import { never, Rigs, type Rig } from './change-tracker-rig.ts';
import { pacing } from './change-tracker-suite.ts';

const ITEMS = [
  'CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL)',
  'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
];
const READER = 'patchwire';

describe.each(['implied', 'live', 'worst'] as const)('the change tracker on a sandbox under control, profile %s', (profile) => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ profile });
  });
  afterAll(() => sandbox.close());
  const rigs = new Rigs(() => parseConnectionString(sandbox.connectionString('master')));
  afterEach(async () => {
    sandbox.control.setVisibilityGap(0);
    sandbox.control.closeGaps();
    sandbox.control.slowAnswers(0, { appName: READER });
    await rigs[Symbol.asyncDispose]();
  });

  /** The driver's connections of tests carry the reader's name too: statements are told apart by their text. */
  const beforeRows = () => sandbox.control.pauseBefore({ sqlContains: 'FROM CHANGETABLE' });

  it('R1: a commit between the version and the view of a page is not lost, whatever the view is', async () => {
    const rig = await rigs.start(ITEMS);
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    const pause = beforeRows();
    const reading = rig.window(table, table.version);
    await pause.reached;
    await rig.database.run("UPDATE dbo.Items SET Name = N'b' WHERE Id = 1");
    await rig.database.run("INSERT dbo.Items VALUES (2, N'c')");
    pause.resume();
    const page = await reading;
    // The view may or may not hold what was committed after the version; `to` never claims it.
    expect(page.to).toBe(table.version + 1n);
    const seen = new Map(page.rows.map(({ dataKey, document }) => [dataKey, document?.['Name']]));
    for (const { dataKey, document } of await rig.changes(table, page.to)) {
      seen.set(dataKey, document?.['Name']);
    }
    expect(seen).toEqual(
      new Map([
        ['1', 'b'],
        ['2', 'c'],
      ]),
    );
  });

  it('R3: history that is cut between the checks and the rows is noticed after the transaction', async () => {
    const rig = await rigs.start(ITEMS);
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (2, N'b')");
    const pause = beforeRows();
    const reading = rig.window(table, table.version);
    await pause.reached;
    sandbox.control.cleanUp(rig.database.name, { table: 'dbo.Items' });
    pause.resume();
    await expect(reading).rejects.toMatchObject({ code: 'PW-S211' });
  });

  it('R3: retention that passed the checkpoint is lost history', async () => {
    const rig = await rigs.start(ITEMS);
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    sandbox.control.cleanUp(rig.database.name);
    await expect(rig.window(table, table.version)).rejects.toMatchObject({ code: 'PW-S211', retry: 'resync' });
    expect((await rig.window(table, table.version + 1n)).rows).toEqual([]);
  });

  it('R9: a database that becomes one of a secondary replica is named as such, in the middle of reading and at the start', async () => {
    const rig = await rigs.start(ITEMS);
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    const pause = beforeRows();
    const reading = rig.window(table, table.version);
    const failed = reading.catch((error: unknown) => error);
    await pause.reached;
    sandbox.control.setReplicaRole(rig.database.name, 'secondary');
    pause.resume();
    expect(await failed).toMatchObject({ code: 'PW-S214' });
    await expect(rig.another({}).open({ signal: never })).rejects.toMatchObject({ code: 'PW-S214' });
    sandbox.control.setReplicaRole(rig.database.name, 'primary');
    expect((await rig.window(table, table.version)).rows).toHaveLength(1);
  });

  it('R4: versions beyond 2^53 keep every digit', async () => {
    const rig = await rigs.start(ITEMS, { limits: { pageRows: 1 } });
    sandbox.control.advanceVersion(rig.database.name, 2n ** 62n);
    const table = await rig.describe('Items');
    expect(table.version).toBe(2n ** 62n);
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a'), (2, N'b')");
    await rig.database.run("INSERT dbo.Items VALUES (3, N'c')");
    const rows = await rig.changes(table, table.version);
    expect(rows.map(({ dataKey, changeVersion }) => [dataKey, changeVersion])).toEqual([
      ['1', 2n ** 62n + 1n],
      ['2', 2n ** 62n + 1n],
      ['3', 2n ** 62n + 2n],
    ]);
  });

  /** Follows until the condition holds; gives up when the test's own time is over. */
  async function follow(
    rig: Rig,
    table: TrackedTable,
    until: (page: ChangePage, seen: ReadonlyMap<string, unknown>) => boolean,
  ): Promise<ChangePage[]> {
    const from = { checkpoint: table.version, confirmed: table.version, high: table.version };
    const seen = new Map<string, unknown>();
    const pages: ChangePage[] = [];
    for await (const page of rig.tracker.trackChanges({ table, from, backoff: pacing(10), signal: never })) {
      pages.push(page);
      for (const { dataKey, document } of page.rows) {
        seen.set(dataKey, document);
      }
      if (until(page, seen)) {
        break;
      }
    }
    return pages;
  }

  it('R5: a commit whose rows become visible late is read by a confirming read', async () => {
    const rig = await rigs.start(ITEMS, { confirmMs: 600, claims: 'confirmed' });
    const table = await rig.describe('Items');
    sandbox.control.setVisibilityGap(300);
    const late = rig.database.run("INSERT dbo.Items VALUES (1, N'late')");
    const probe = async (): Promise<bigint> => (await rig.tracker.probe({ catalog: false, signal: never })).version;
    while ((await probe()) === table.version) {
      // The commit has its version, its rows are not there yet.
    }
    sandbox.control.setVisibilityGap(0);
    const pages = await follow(rig, table, (page) => page.position.confirmed > table.version);
    await late;
    const first = pages.findIndex(({ rows }) => rows.some(({ dataKey }) => dataKey === '1'));
    expect(first).toBeGreaterThanOrEqual(0);
    const claimed = pages.findIndex(({ upTo }) => upTo !== null && upTo > table.version);
    expect(claimed).toBeGreaterThanOrEqual(first);
    expect(pages.at(-1)?.confirming).toBe(true);
  });

  it('R9: a connection that is cut in the middle of a page is an error to reconnect after, and the next read works', async () => {
    const rig = await rigs.start(ITEMS);
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    const pause = beforeRows();
    const reading = rig.window(table, table.version);
    const failed = reading.catch((error: unknown) => error);
    await pause.reached;
    sandbox.control.cutConnections();
    expect(await failed).toMatchObject({ code: 'PW-S201', retry: 'reconnect' });
    pause.resume();
    expect((await rig.window(table, table.version)).rows).toHaveLength(1);
  });

  it('R9: a cancelled page leaves no transaction open: what it held is free when the call settles', async () => {
    const rig = await rigs.start(ITEMS, { isolation: 'readCommitted' });
    const table = await rig.describe('Items');
    await rig.database.run("INSERT dbo.Items VALUES (1, N'a')");
    const abort = new AbortController();
    const pause = beforeRows();
    const position = { checkpoint: table.version, confirmed: table.version, high: table.version };
    const reading = rig.tracker.readWindow(table, { from: table.version, cursor: null, position, signal: abort.signal });
    const failed = reading.catch((error: unknown) => error);
    await pause.reached;
    abort.abort(new Error('enough'));
    pause.resume();
    expect(await failed).toBe(abort.signal.reason);
    expect(await rig.openTransactions()).toBe(0);
  });

  it('R9: a server that does not answer is left by the watchdog', async () => {
    const rig = await rigs.start(ITEMS, { limits: { requestTimeoutMs: 500 } });
    const table = await rig.describe('Items');
    const pause = beforeRows();
    await expect(rig.window(table, table.version)).rejects.toMatchObject({ code: 'PW-S216', retry: 'reconnect' });
    pause.resume();
    expect((await rig.window(table, table.version)).rows).toEqual([]);
  });
});
