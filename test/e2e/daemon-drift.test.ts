/** Tables whose definition changes while the daemon follows them and writers go on: every document is that of the table as it is now. */
import { afterEach, expect, it } from 'vitest';
import { type DaemonProcess, type DaemonWorld, daemonWorld, until } from '../support/daemon-process.ts';
import { testPlaces } from '../support/places.ts';
import { startServer, type TestDatabase } from '../support/sandbox.ts';

let database: TestDatabase;
let world: DaemonWorld;
let daemon: DaemonProcess;

const at = testPlaces(startServer);

afterEach(async () => {
  await world?.close();
});

const shape = (name: string) =>
  ({ table: `dbo.${name}`, section: name.toLowerCase(), key: ['Id'], columns: { Id: 'plain', A: 'plain' } }) as const;
const rename = (table: string, from: string, to: string): string => `EXEC sp_rename N'dbo.${table}.${from}', N'${to}', N'COLUMN'`;

/** The documents that the table gives now, and those of its section: by key, as text with sorted names. */
async function compared(table: string, of: (row: Record<string, unknown>) => Record<string, unknown>, key: readonly string[]) {
  const section = table.toLowerCase();
  const text = (value: Record<string, unknown>): string => JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const rows = await database.rows<Record<string, unknown>>(`SELECT * FROM dbo.${table}`);
  const expected = Object.fromEntries(rows.map((row) => [key.map((name) => String(row[name])).join('|'), text(of(row))]));
  const prefix = `{${world.partition}:${section}}:`;
  const stored: Record<string, string> = {};
  for (const name of await at.redis.raw.keys(`${prefix}*`)) {
    const document = await at.redis.raw.get(name);
    stored[name.slice(prefix.length)] = text(JSON.parse(document ?? '{}') as Record<string, unknown>);
  }
  return { expected, stored };
}

async function equal(
  table: string,
  of: (row: Record<string, unknown>) => Record<string, unknown> = (row) => row,
  key: readonly string[] = ['Id'],
): Promise<void> {
  let last: Awaited<ReturnType<typeof compared>> | null = null;
  await until(`the documents of ${table}`, async () => {
    last = await compared(table, of, key);
    const { state } = (await world.meta(table.toLowerCase())) as { state?: string };
    return state === 'live' && JSON.stringify(sorted(last.expected)) === JSON.stringify(sorted(last.stored));
  }).catch((error: unknown) => {
    const said = [...daemon.cli.stdout, ...daemon.cli.stderr].slice(-10).join('\n');
    throw new Error(`${String(error)}; ${JSON.stringify(last)}; the daemon said:\n${said}`);
  });
}

function sorted(entries: Record<string, string>): [string, string][] {
  return Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

const masked = (row: Record<string, unknown>): Record<string, unknown> => ({ ...row, Secret: '*'.repeat(String(row['Secret']).length) });

it(
  'R3, L5: columns that are added, dropped, renamed, swapped, retyped, and another key, while writers go on',
  { timeout: 240_000 },
  async () => {
    database = await at.server.freshDatabase();
    world = daemonWorld({
      database,
      redis: at.redis,
      tables: [
        { shape: shape('Wide') },
        { shape: shape('Named'), entry: { columns: ['Id', 'A', 'B'] } },
        { shape: shape('Shaped'), entry: { shape: { Secret: { mask: true } } } },
      ],
    });
    await world.sql(
      'CREATE TABLE dbo.Wide (Id int NOT NULL CONSTRAINT PK_Wide PRIMARY KEY, A int NOT NULL, B nvarchar(20) NULL, C int NULL)',
      'CREATE TABLE dbo.Named (Id int NOT NULL PRIMARY KEY, A int NOT NULL, B nvarchar(20) NULL, C int NULL)',
      'CREATE TABLE dbo.Shaped (Id int NOT NULL PRIMARY KEY, A int NOT NULL, Name nvarchar(20) NOT NULL, Secret nvarchar(20) NOT NULL)',
      ...['Wide', 'Named', 'Shaped'].map((name) => `ALTER TABLE dbo.${name} ENABLE CHANGE_TRACKING`),
      "INSERT INTO dbo.Wide VALUES (1, 1, N'one', 1), (2, 2, N'two', 2), (3, 3, NULL, NULL)",
      "INSERT INTO dbo.Named VALUES (1, 1, N'one', 1), (2, 2, N'two', 2), (3, 3, NULL, NULL)",
      "INSERT INTO dbo.Shaped VALUES (1, 1, N'open', N'hidden'), (2, 2, N'plain', N'covered')",
    );
    daemon = world.daemon();
    await equal('Wide');
    await equal('Shaped', masked);

    const writing = { on: true, failed: null as unknown };
    const writer = (async () => {
      for (let n = 0; writing.on; n += 1) {
        for (const table of ['Wide', 'Named', 'Shaped']) {
          await database.rows(`UPDATE dbo.${table} SET A = A + 1 WHERE Id = ${1 + (n % 3)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })().catch((error: unknown) => {
      writing.failed = error;
    });
    const named = ({ Id, A, B }: Record<string, unknown>): Record<string, unknown> => ({ Id, A, B });

    // What is not published changes: nothing is loaded anew.
    const before = await world.meta('named');
    await world.sql('ALTER TABLE dbo.Named ADD Extra int NULL', 'CREATE INDEX IX_Named ON dbo.Named (C)', rename('Named', 'C', 'D'));
    for (const change of [
      ["ALTER TABLE dbo.Wide ADD Extra nvarchar(10) NOT NULL DEFAULT N'new'"],
      [rename('Wide', 'B', 'Title')],
      ['ALTER TABLE dbo.Wide DROP COLUMN C'],
      ['ALTER TABLE dbo.Wide ALTER COLUMN Title nvarchar(200) NULL'],
      [rename('Shaped', 'Name', 'Other'), rename('Shaped', 'Secret', 'Name'), rename('Shaped', 'Other', 'Secret')],
      [
        'ALTER TABLE dbo.Wide DISABLE CHANGE_TRACKING',
        'ALTER TABLE dbo.Wide DROP CONSTRAINT PK_Wide',
        'ALTER TABLE dbo.Wide ADD CONSTRAINT PK_Wide PRIMARY KEY (Id, Extra)',
        'ALTER TABLE dbo.Wide ENABLE CHANGE_TRACKING',
      ],
    ]) {
      await world.sql(...change);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect((await world.meta('named'))['epoch']).toBe(before['epoch']);

    // A named column goes: that table stops, by name, and the others live.
    await world.sql(rename('Named', 'B', 'Gone'));
    let body = '';
    await until('/ready names the table that stopped', async () => {
      ({ body } = await daemon.get('/ready'));
      return body.includes('PW-S208');
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it says ${body}`);
    });
    expect(daemon.cli.stdout.concat(daemon.cli.stderr).some((line) => line.includes('dbo.Named has no column B'))).toBe(true);
    writing.on = false;
    await writer;
    expect(writing.failed).toBeNull();
    // Under another key every document of the old one would go: that waits for an operator.
    await until('/ready names the sweep that waits', async () => (await daemon.get('/ready')).body.includes('PW-S231'));
    expect(await world.command('resync', 'wide', '--confirm')).toMatchObject({ code: 0 });
    await equal('Wide', (row) => row, ['Id', 'Extra']);
    await equal('Shaped', masked);

    // It is there again: the table goes on with its next try, which comes by itself within a minute, or now when it is asked for.
    await world.sql(rename('Named', 'Gone', 'B'), "UPDATE dbo.Named SET B = N'back' WHERE Id = 2");
    await world.command('poll', 'named');
    await equal('Named', named);
  },
);
