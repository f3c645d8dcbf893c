/** A table with everything that shapes a statement, and every statement that is made for it. */
import { parseCollation } from '../../../../src/model/row-key.ts';
import type { KeyColumn, TableColumn } from '../../../../src/model/table.ts';
import { parseFilter } from '../../../../src/source/sqlserver/filter.ts';
import { tablePlan, type TablePlan } from '../../../../src/source/sqlserver/plan.ts';
import {
  checkQuery,
  countQuery,
  describeQuery,
  existingQuery,
  existingSizes,
  loadQuery,
  openQuery,
  probeQuery,
  rowQuery,
  ROLLBACK,
  sameKeyQuery,
  windowQuery,
  type Isolation,
} from '../../../../src/source/sqlserver/queries.ts';

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';

export const column = (columnId: number, name: string, type: string, rest: Partial<TableColumn> = {}): TableColumn => ({
  name,
  columnId,
  type,
  maxLength: 8,
  precision: 0,
  scale: 0,
  nullable: true,
  collation: null,
  ...rest,
});

export const key = (each: TableColumn): KeyColumn => ({
  ...each,
  keyCollation: each.collation === null ? null : parseCollation(each.collation),
});

const REGION = column(1, 'Region', 'varchar', { maxLength: 20, collation: COLLATION });
const AT = column(2, 'At', 'datetime2', { scale: 7 });
const LINE = column(3, 'Line ]No', 'smallint');
const COLUMNS = [
  REGION,
  LINE,
  column(4, 'Sku', 'nvarchar', { maxLength: 80, collation: COLLATION }),
  column(5, 'Price', 'decimal', { precision: 18, scale: 4 }),
  column(6, 'Doc', 'nvarchar', { maxLength: -1, collation: COLLATION }),
];

export function samplePlan(isolation: Isolation = 'snapshot', filter: string | null = "Sku <> 'x'"): TablePlan {
  return tablePlan({
    name: '[dbo].[Order ]]Lines]',
    isolation,
    shaped: COLUMNS.map((each) => ({ column: { ...each, property: each.name, shaped: null }, transform: null, mark: null })),
    key: [REGION, AT, LINE].map(key),
    json: ['Doc'],
    filter:
      filter === null
        ? null
        : parseFilter(
            filter,
            COLUMNS.map((each) => ({ ...each, computed: false })),
          ),
    onJsonKept: () => {},
  });
}

const REQUEST = { lockTimeoutMs: 5000 };

/** Every statement by name. */
export function allStatements(plan: TablePlan = samplePlan()): Readonly<Record<string, string>> {
  return {
    rollback: ROLLBACK,
    open: openQuery(),
    probe: probeQuery(null, REQUEST),
    probeCatalog: probeQuery([plan.name, plan.name], REQUEST),
    describe: describeQuery([plan.name], REQUEST),
    windowFirst: windowQuery(plan, REQUEST, false),
    windowNext: windowQuery(plan, REQUEST, true),
    loadFirst: loadQuery(plan, REQUEST, false),
    loadNext: loadQuery(plan, REQUEST, true),
    row: rowQuery(plan, REQUEST),
    check: checkQuery(plan, REQUEST),
    count: countQuery(plan, REQUEST),
    existing: existingQuery(plan, REQUEST, existingSizes(plan.key.length)[0] ?? 1),
    sameKey: sameKeyQuery(plan, REQUEST),
  };
}
