import { describe, expect, it } from 'vitest';
import { describeTable, type Description } from '../../../../src/source/sqlserver/catalog.ts';
import type { DriverRow } from '../../../../src/source/sqlserver/plan.ts';
import { DESCRIBE_SETS } from '../../../../src/source/sqlserver/queries.ts';
import type { SourceRequest } from '../../../../src/source/sqlserver/request.ts';

const DATABASE = { name: 'd', updateability: 'READ_WRITE', service_broker_guid: 'g', snapshot_isolation_state: 1 };
const FACTS = { n: 0, object_id: 7, min_valid: '3', begin_version: '3', definition: 'def', modified: '2026-01-31T00:00:00' };

const column = (column_id: number, name: string, type: string): DriverRow => ({
  ...{ n: 0, name, column_id, type_name: type, base_name: type, max_length: 8, precision: 0, scale: 0, collation_name: null },
  ...{ is_nullable: false, is_computed: false, key_ordinal: column_id === 1 ? 1 : null, may_select: 1 },
});

/** What a catalog makes of a selection that names its table and columns like this. */
async function described(
  schema: string,
  table: string,
  columns: readonly DriverRow[],
  { json = [], version = '5' }: { readonly json?: readonly string[]; readonly version?: string } = {},
): Promise<Description> {
  const answers: Readonly<Record<(typeof DESCRIBE_SETS)[number], readonly DriverRow[]>> = {
    database: [DATABASE],
    table: [FACTS],
    version: [{ version }],
    name: [{ n: 0, schema_name: schema, table_name: table, may_track: 1 }],
    columns,
    databaseAgain: [DATABASE],
    tableAgain: [FACTS],
  };
  const run = ({ onRow }: SourceRequest): Promise<{ readonly cut: boolean }> => {
    DESCRIBE_SETS.forEach((name, set) => answers[name].forEach((row) => onRow(set, row)));
    return Promise.resolve({ cut: false });
  };
  const selection = { schema, name: table, columns: 'all', json, filter: null } as const;
  return await describeTable(run, selection, {
    source: 's',
    isolation: 'auto',
    request: { lockTimeoutMs: 5000 },
    hashKey: null,
  });
}

describe('a description', () => {
  it('names no two tables alike', async () => {
    const columns = [column(1, 'Id', 'int')];
    const names = [
      ['dbo', 'Orders'],
      ['dbo', 'Order Details'],
      ['a.b', 'c'],
      ['a', 'b.c'],
      ['a', '[b].c'],
    ] as const;
    const all = await Promise.all(names.map(([schema, table]) => described(schema, table, columns)));
    expect(all.map(({ table }) => table.fullName)).toEqual(['dbo.Orders', 'dbo.Order Details', '[a.b].c', 'a.[b.c]', 'a.[[b]].c]']);
  });

  it('takes just the column for json that is meant, where another differs in case only', async () => {
    const columns = [column(1, 'Id', 'int'), column(2, 'Doc', 'nvarchar'), column(3, 'DOC', 'nvarchar')];
    expect((await described('dbo', 'T', columns, { json: ['DOC'] })).json).toEqual(['DOC']);
    expect((await described('dbo', 'T', columns.slice(0, 2), { json: ['doc'] })).json).toEqual(['Doc']);
  });

  it('is refused where history begins above the current version, as some replicas answer: nothing read there would ever be covered', async () => {
    const columns = [column(1, 'Id', 'int')];
    await expect(described('dbo', 'T', columns, { version: '2' })).rejects.toMatchObject({ code: 'PW-S214' });
    expect((await described('dbo', 'T', columns, { version: '3' })).table.version).toBe(3n);
  });
});
