/**
 * What happens to a described table whose definition changes under it: no read returns a row of another definition, the error says to describe
 * anew, and the new description reads what is there. On any SQL Server, under both isolation levels.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { TableSelection, TrackedTable } from '../../src/model/table.ts';
import { probedTable } from '../../src/source/change-tracker.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { never, Rigs, selection, type Rig } from './change-tracker-rig.ts';

const TABLE = `CREATE TABLE dbo.Items (
  Id int NOT NULL, Code int NOT NULL, Name nvarchar(40) COLLATE Latin1_General_100_CI_AS NOT NULL, Secret nvarchar(40) COLLATE Latin1_General_100_CI_AS NULL,
  N int NULL, Spare int NULL, Twice AS (N * 2), CONSTRAINT PK_Items PRIMARY KEY (Id))`;

/** No change is tracked before the table is described: a key that is made anew leaves all versions as they are. */
export const DRIFTING: readonly string[] = [
  TABLE,
  "INSERT dbo.Items (Id, Code, Name, Secret, N, Spare) VALUES (1, 7, N'open', N'hidden', 5, 6)",
  'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
];

/** A column of it is published as a hash: names that are swapped must never show what it hides. */
export const SHAPED: Partial<TableSelection> = { shape: { Secret: { hash: true } } };
export const HASH_KEY = 'a secret of at least thirty-two characters';

export interface Drift {
  readonly kind: string;
  readonly sql: readonly string[];
  /** The properties of the row's document under the new description, but for Secret. */
  readonly document: Readonly<Record<string, unknown>>;
}

const DOCUMENT = { Id: 1, Code: 7, Name: 'open', N: 5, Spare: 6, Twice: 10 };
const { Spare: _spare, ...WITHOUT_SPARE } = DOCUMENT;
const { Name: _name, ...WITHOUT_NAME } = DOCUMENT;
const rename = (from: string, to: string): string => `EXEC sp_rename N'dbo.Items.${from}', N'${to}', N'COLUMN'`;

export const DRIFTS: readonly Drift[] = [
  { kind: 'a column is added', sql: ['ALTER TABLE dbo.Items ADD Extra int NULL'], document: { ...DOCUMENT, Extra: null } },
  { kind: 'a column is dropped', sql: ['ALTER TABLE dbo.Items DROP COLUMN Spare'], document: WITHOUT_SPARE },
  { kind: 'a column is renamed', sql: [rename('Name', 'Title')], document: { ...WITHOUT_NAME, Title: 'open' } },
  {
    kind: 'two columns swap their names',
    sql: [rename('Name', 'Other'), rename('Secret', 'Name'), rename('Other', 'Secret')],
    document: { ...DOCUMENT, Name: 'hidden' },
  },
  { kind: 'a type changes', sql: ['ALTER TABLE dbo.Items ALTER COLUMN Spare bigint NULL'], document: { ...DOCUMENT, Spare: '6' } },
  {
    kind: 'a length changes',
    sql: ['ALTER TABLE dbo.Items ALTER COLUMN Name nvarchar(80) COLLATE Latin1_General_100_CI_AS NOT NULL'],
    document: DOCUMENT,
  },
  {
    kind: 'a collation changes',
    sql: ['ALTER TABLE dbo.Items ALTER COLUMN Name nvarchar(40) COLLATE Latin1_General_100_CS_AS NOT NULL'],
    document: DOCUMENT,
  },
  {
    kind: 'a column may be NULL now',
    sql: ['ALTER TABLE dbo.Items ALTER COLUMN Name nvarchar(40) COLLATE Latin1_General_100_CI_AS NULL'],
    document: DOCUMENT,
  },
  {
    kind: 'a computed column has another expression',
    sql: ['ALTER TABLE dbo.Items DROP COLUMN Twice', 'ALTER TABLE dbo.Items ADD Twice AS (N * 3)'],
    document: { ...DOCUMENT, Twice: 15 },
  },
  {
    kind: 'the primary key is another',
    sql: [
      'ALTER TABLE dbo.Items DISABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.Items DROP CONSTRAINT PK_Items',
      'ALTER TABLE dbo.Items ADD CONSTRAINT PK_Items PRIMARY KEY (Code, Id)',
      'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
    ],
    document: DOCUMENT,
  },
];

/** Every read that returns rows, or what is true of some. */
export function reads(rig: Rig, table: TrackedTable, from: bigint = table.version): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    'a window': () => rig.changes(table, from),
    'a load page': () => rig.load(table),
    'a row': () => rig.tracker.readRow(table, { dataKey: null, signal: never }),
    'a look for keys': () => rig.tracker.existing(table, ['1'], { signal: never }),
  };
}

export function driftSuite(server: () => SqlServerConnection): void {
  describe.each(['snapshot', 'readCommitted'] as const)('R3: a definition that changes (%s)', (isolation) => {
    const rigs = new Rigs(server);
    afterEach(() => rigs[Symbol.asyncDispose]());
    const start = (): Promise<Rig> => rigs.start(DRIFTING, { isolation, hashKey: HASH_KEY });

    it.each(DRIFTS)('$kind: no read returns anything, the probe tells, and a new description reads what is there', async (drift) => {
      const rig = await start();
      const table = await rig.describe('Items', SHAPED);
      for (const batch of drift.sql) {
        await rig.database.run(batch);
      }
      for (const read of Object.values(reads(rig, table))) {
        await expect(read()).rejects.toMatchObject({ code: 'PW-S230', retry: 'now' });
      }
      const probed = probedTable(await rig.tracker.probe({ catalog: true, signal: never }), 'dbo.Items');
      expect(probed?.definition).not.toBe(table.definition);
      const anew = await rig.describe('Items', SHAPED);
      expect(probed?.definition).toBe(anew.definition);
      const [row] = await rig.load(anew);
      const { Secret, ...rest } = row?.document ?? {};
      expect(rest).toEqual(drift.document);
      expect(Secret).toMatch(/^[\w-]{43}$/);
    });

    it('an index, statistics and a default are no other definition', async () => {
      const rig = await start();
      const table = await rig.describe('Items', SHAPED);
      await rig.database.run('CREATE INDEX IX_Items ON dbo.Items (N)');
      await rig.database.run('ALTER TABLE dbo.Items ADD CONSTRAINT DF_N DEFAULT 1 FOR N');
      for (const read of Object.values(reads(rig, table))) {
        await read();
      }
      expect((await rig.describe('Items', SHAPED)).definition).toBe(table.definition);
    });

    it('another definition of what is not published leaves the fingerprint, of what is published not', async () => {
      const rig = await start();
      const named = { columns: ['Id', 'Name'] };
      const table = await rig.describe('Items', named);
      await rig.database.run('ALTER TABLE dbo.Items ADD Extra int NULL');
      const wider = await rig.describe('Items', named);
      expect(wider.definition).not.toBe(table.definition);
      expect(wider.identity).toEqual(table.identity);
      await rig.database.run('ALTER TABLE dbo.Items ALTER COLUMN Name nvarchar(80) COLLATE Latin1_General_100_CI_AS NOT NULL');
      expect((await rig.describe('Items', named)).identity.fingerprint).not.toBe(table.identity.fingerprint);
    });

    it.each([
      ['columns', { columns: ['Id', 'Name'] }],
      ['columns.exclude', { columns: { exclude: ['Name'] } }],
      ['json', { json: ['Name'] }],
      ['shape', { shape: { Name: { truncate: 3 } } }],
      ['filter', { filter: "Name <> N'x'" }],
    ] as const)('a column that %s names and that is gone: the error names table, column and key', async (key, rest) => {
      const rig = await start();
      const table = await rig.describe('Items', rest);
      await rig.database.run(rename('Name', 'Title'));
      await expect(rig.load(table)).rejects.toMatchObject({ code: 'PW-S230' });
      const error = (await rig.tracker.describe(selection('Items', rest), { signal: never }).catch((thrown: unknown) => thrown)) as Error;
      expect(error).toMatchObject({ code: key === 'filter' ? 'PW-S210' : 'PW-S208', retry: 'never' });
      for (const part of ['dbo.Items', 'Name', key]) {
        expect(error.message).toContain(part);
      }
      await rig.database.run(rename('Title', 'Name'));
      expect((await rig.describe('Items', rest)).identity).toEqual(table.identity);
    });
  });
}
