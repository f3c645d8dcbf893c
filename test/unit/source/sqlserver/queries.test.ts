import { describe, expect, it } from 'vitest';
import { existingSizes } from '../../../../src/source/sqlserver/queries.ts';
import { allStatements, samplePlan } from './statements.ts';

const statements = allStatements();

describe('every statement', () => {
  it.each(Object.entries(statements))('%s has the text that is listed', (_, text) => {
    expect(text).toMatchSnapshot();
  });

  it.each(Object.entries(statements))('%s holds no value but the lock timeout', (_, text) => {
    const literals = text.match(/'(?:[^']|'')*'/g) ?? [];
    expect(
      literals.every((literal) =>
        /^'(Updateability|ServerName|OBJECT|VIEW CHANGE TRACKING|SELECT|COLUMN|SHA2_256|x|\[dbo\]\.\[Order \]\]Lines\])'$/.test(literal),
      ),
    ).toBe(true);
  });
});

describe('a page', () => {
  const window = statements['windowNext'] ?? '';
  const at = (part: string, from = 0): number => window.indexOf(part, from);

  it('R1: reads the version as its own statement, first in its transaction, before any table or view', () => {
    const version = at('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version;');
    expect(at('BEGIN TRANSACTION;')).toBeLessThan(version);
    for (const part of ['sys.', 'CHANGETABLE', 'OBJECT_ID(', '[dbo].[Order ]]Lines]']) {
      expect(at(part)).toBeGreaterThan(version);
    }
  });

  it('R2: picks its rows by a narrow query in the order of version and key, then joins the table to them', () => {
    expect(window).toMatch(
      /FROM \(SELECT TOP \(@rows\) ct\.SYS_CHANGE_VERSION, ct\.SYS_CHANGE_CONTEXT, ct\.\[Region\], ct\.\[At\], ct\.\[Line \]\]No\]\s+FROM CHANGETABLE/,
    );
    expect(window).toMatch(/ORDER BY ct\.SYS_CHANGE_VERSION, ct\.\[Region\], ct\.\[At\], ct\.\[Line \]\]No\]\) AS w\s+LEFT OUTER JOIN/);
    expect(window).not.toMatch(/SYS_CHANGE_VERSION <=/);
  });

  it('R2: runs in one SNAPSHOT transaction of its own, or under READ COMMITTED where the plan says so', () => {
    expect(window).toMatch(/SET TRANSACTION ISOLATION LEVEL SNAPSHOT;\s+BEGIN TRANSACTION;/);
    const other = allStatements(samplePlan('readCommitted'))['windowNext'];
    expect(other).toMatch(/SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\s+BEGIN TRANSACTION;/);
    expect(other).not.toContain('SNAPSHOT');
  });

  it('R2: never selects a value above the limit', () => {
    expect(window).toContain('CASE WHEN DATALENGTH(t.[Doc]) <= @maxValue * 2 THEN t.[Doc] END AS c4, DATALENGTH(t.[Doc]) AS b4');
  });

  it('R3: checks stand before the rows and again after the transaction, with the version', () => {
    const commit = at('COMMIT TRANSACTION;');
    for (const part of [
      'CHANGE_TRACKING_CURRENT_VERSION()',
      'CHANGE_TRACKING_MIN_VALID_VERSION(',
      'sys.change_tracking_tables',
      'OBJECT_ID(',
    ]) {
      expect(at(part)).toBeLessThan(at('CHANGETABLE(CHANGES'));
      expect(at(part, commit)).toBeGreaterThan(commit);
    }
    expect(at('sys.databases', commit)).toBeGreaterThan(commit);
  });

  it('R9: sets its lock timeout and yields in a deadlock', () => {
    expect(window).toMatch(/SET LOCK_TIMEOUT 5000; SET DEADLOCK_PRIORITY LOW;/);
    expect(window).toContain('SET XACT_ABORT ON;');
  });

  it('tells rows that left the filter from rows that are gone', () => {
    expect(window).toContain("CASE WHEN t.[Region] IS NULL THEN 0 WHEN t.[Sku] <> N'x' THEN 1 ELSE 2 END AS p");
    expect(allStatements(samplePlan('snapshot', null))['windowFirst']).toContain('CASE WHEN t.[Region] IS NULL THEN 0 ELSE 1 END AS p');
  });

  it('goes on beyond a composite key, its values typed like the columns', () => {
    expect(window).toContain('DECLARE @k1 datetime2(7) = CONVERT(datetime2(7), @k1t, 126);');
    const region = 'CONVERT(varchar(20), @k0 COLLATE SQL_Latin1_General_CP1_CI_AS)';
    expect(window).toContain(
      `WHERE ct.SYS_CHANGE_VERSION > @cursor OR (ct.SYS_CHANGE_VERSION = @cursor AND (ct.[Region] > ${region} OR (ct.[Region] = ${region} AND (ct.[At] > @k1 OR (ct.[At] = @k1 AND ct.[Line ]]No] > @k2)))))`,
    );
  });
});

describe('the sweep', () => {
  it('L4: never asks with more than 2,000 parameters, in few sizes', () => {
    for (const columns of [1, 2, 3, 16]) {
      const sizes = existingSizes(columns);
      expect(sizes.length).toBeLessThanOrEqual(5);
      expect(Math.max(...sizes) * columns).toBeLessThanOrEqual(2000);
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    }
  });
});
