/** Every statement that a source is ever sent, run once on a server. */
import mssql from 'mssql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { driverConfig } from '../../src/source/sqlserver/connection.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { cursorParameter } from '../../src/source/sqlserver/key-parameters.ts';
import { allStatements, samplePlan } from '../unit/source/sqlserver/statements.ts';
import { createDatabase, type SqlDatabase } from './change-tracker-database.ts';

const KEY = ['north', '2026-01-31T23:59:59.1234567', '1'];

export function statementsSuite(server: () => SqlServerConnection): void {
  describe.each(['snapshot', 'readCommitted'] as const)('every statement runs (%s)', (isolation) => {
    const plan = samplePlan(isolation);
    let database: SqlDatabase;
    let pool: mssql.ConnectionPool;

    beforeEach(async () => {
      database = await createDatabase(server());
      await database.run(`CREATE TABLE dbo.[Order ]]Lines] (
  Region varchar(20) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL, At datetime2(7) NOT NULL, [Line ]]No] smallint NOT NULL,
  Sku nvarchar(40) COLLATE SQL_Latin1_General_CP1_CI_AS NULL, Price decimal(18,4) NULL, Doc nvarchar(max) COLLATE SQL_Latin1_General_CP1_CI_AS NULL,
  PRIMARY KEY (Region, At, [Line ]]No]))`);
      await database.run('ALTER TABLE dbo.[Order ]]Lines] ENABLE CHANGE_TRACKING');
      await database.run(
        `INSERT dbo.[Order ]]Lines] VALUES ('north', '2026-01-31T23:59:59.1234567', 1, N'a', 1.5, NULL), ('north', '2026-01-31T23:59:59.1234567', 2, N'b', 2.5, N'{}')`,
      );
      pool = new mssql.ConnectionPool(driverConfig(database.connection));
      await pool.connect();
    });
    afterEach(async () => {
      await pool.close();
      await database[Symbol.asyncDispose]();
    });

    it.each(Object.entries(allStatements(plan)))('%s', async (name, text) => {
      const request = pool
        .request()
        .input('rows', mssql.Int, 10)
        .input('maxValue', mssql.BigInt, '1000')
        .input('from', mssql.BigInt, '0')
        .input('cursor', mssql.BigInt, '1');
      plan.key.forEach((part, i) => {
        const { type, value } = part.parameter(KEY[i] ?? '');
        for (const parameter of [cursorParameter(part, i), `p0_${i}`, `a${i}`, `b${i}`]) {
          request.input(parameter, type, value);
        }
      });
      const { recordsets } = (await request.query(text)) as { readonly recordsets: readonly (readonly Record<string, unknown>[])[] };
      const rows = recordsets.map((set) => set.length);
      const expected: Readonly<Record<string, readonly number[]>> = {
        rollback: [],
        open: [1, 1],
        probe: [1],
        probeCatalog: [1, 1, 2],
        describe: [1, 1, 1, 1, 6, 1, 1],
        windowFirst: [1, 1, 2, 1, 1, 1],
        windowNext: [1, 1, 1, 1, 1, 1],
        loadFirst: [1, 1, 2, 1, 1, 1],
        loadNext: [1, 1, 1, 1, 1, 1],
        check: [1, 1, 1],
        row: [1, 1, 1, 1, 1, 1],
        count: [1, 1, 1],
        existing: [1, 1, 1],
        sameKey: [1],
      };
      expect(rows).toEqual(expected[name]);
    });
  });
}
