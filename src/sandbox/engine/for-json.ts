/**
 * FOR JSON: the rows of a query as one JSON text. PATH nests by the dots in column names, AUTO by the tables that columns come from, in the
 * order in which the select list first names them. Source: learn.microsoft.com "Format query results as JSON with FOR JSON" and the pages
 * under it.
 */
import type { ForJson } from '../sql/ast.ts';
import { jsonString } from '../sql/json.ts';
import { jsonWriter } from '../sql/json-text.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { PlanColumn, QueryPlan } from './plan.ts';
import type { StatementContext } from './statement-context.ts';

/** What clients know a JSON result by. */
const COLUMN_NAME = 'JSON_F52E2B61-18A1-11d1-B105-00805F49916B';

/** A property of an object: a value, an object of its own, or (AUTO) the rows of the next table. */
type Member =
  | { readonly kind: 'value'; readonly name: string; readonly index: number; readonly text: (value: SqlValue) => string }
  | { readonly kind: 'object'; readonly name: string; readonly members: Member[] };

/** The columns of one table of AUTO; PATH has one level. */
interface Level {
  readonly name: string;
  readonly members: Member[];
  readonly indexes: number[];
}

/**
 * One row with one text, or no row when the query gives none.
 * @throws SqlError 13600, 13601, 13605, 13620
 */
export function forJsonPlan(plan: QueryPlan, forJson: ForJson, context: StatementContext): QueryPlan {
  if (forJson.root !== null && forJson.withoutArrayWrapper) {
    throw new SqlError(
      13_620,
      'ROOT option and WITHOUT_ARRAY_WRAPPER option cannot be used together in FOR JSON. Remove one of these options.',
      { class: 16 },
    );
  }
  const type: SqlType = { name: 'nvarchar', length: 'max', collation: context.database.collation };
  const levels = forJson.mode === 'auto' ? autoLevels(plan.columns) : [levelOf('', plan.columns, () => true)];
  return {
    columns: [{ name: COLUMN_NAME, type, nullable: true, json: !forJson.withoutArrayWrapper }],
    *run() {
      const rows = [...plan.run()];
      if (rows.length === 0) {
        return;
      }
      const objects = objectsOf(rows, levels, forJson.includeNulls).join(',');
      const whole = forJson.withoutArrayWrapper ? objects : `[${objects}]`;
      yield [forJson.root === null ? whole : `{${jsonString(forJson.root)}:${whole}}`];
    },
  };
}

function autoLevels(columns: readonly PlanColumn[]): Level[] {
  const names: string[] = [];
  let deepest: string | null = null;
  // A column that is no table's stands where the last table before it does.
  const owners = columns.map((column) => {
    const owner: string | null = column.table ?? deepest;
    if (owner !== null && !names.includes(owner)) {
      names.push(owner);
    }
    deepest = owner;
    return owner;
  });
  const [top] = names;
  if (top === undefined) {
    throw new SqlError(
      13_600,
      'FOR JSON AUTO requires at least one table for generating JSON objects. Use FOR JSON PATH or add a FROM clause with a table name.',
    );
  }
  return names.map((name) => levelOf(name, columns, (index) => (owners[index] ?? top) === name));
}

function levelOf(name: string, columns: readonly PlanColumn[], has: (index: number) => boolean): Level {
  const level: Level = { name, members: [], indexes: [] };
  columns.forEach((column, index) => {
    if (!has(index)) {
      return;
    }
    if (column.name === '') {
      throw new SqlError(
        13_605,
        'Column expressions and data sources without names or aliases cannot be formatted as JSON text using FOR JSON clause. Add alias to the unnamed column or table.',
      );
    }
    level.indexes.push(index);
    place(level.members, column.name.split('.'), column, index);
  });
  return level;
}

/** Objects with the same name are one when nothing stands between them. @throws SqlError 13601 */
function place(members: Member[], path: readonly string[], column: PlanColumn, index: number): void {
  const [name = '', ...rest] = path;
  const last = members.at(-1);
  if (rest.length > 0 && last?.kind === 'object' && last.name === name) {
    place(last.members, rest, column, index);
    return;
  }
  if (members.some((member) => member.name === name)) {
    throw new SqlError(
      13_601,
      `Property '${column.name}' cannot be generated in JSON output due to a conflict with another column name or alias. Use different names and aliases for each column in SELECT list.`,
    );
  }
  if (rest.length === 0) {
    members.push({ kind: 'value', name, index, text: writer(column) });
    return;
  }
  const inner: Member[] = [];
  members.push({ kind: 'object', name, members: inner });
  place(inner, rest, column, index);
}

type Row = readonly SqlValue[];

function objectsOf(rows: readonly Row[], levels: readonly Level[], nulls: boolean): string[] {
  const [level, ...below] = levels;
  if (level === undefined) {
    return [];
  }
  const [next] = below;
  if (next === undefined) {
    return rows.map((row) => objectOf(level.members, row, nulls));
  }
  const groups: { readonly key: string; readonly row: Row; readonly rows: Row[] }[] = [];
  for (const row of rows) {
    const key = objectOf(level.members, row, true);
    const last = groups.at(-1);
    if (last?.key === key) {
      last.rows.push(row);
    } else {
      groups.push({ key, row, rows: [row] });
    }
  }
  return groups.map((group) => {
    const own = objectOf(level.members, group.row, nulls).slice(1, -1);
    const nested = `${jsonString(next.name)}:[${objectsOf(group.rows, below, nulls).join(',')}]`;
    return `{${own === '' ? nested : `${own},${nested}`}}`;
  });
}

function objectOf(members: readonly Member[], row: Row, nulls: boolean): string {
  const parts = members.flatMap((member) => {
    if (member.kind === 'object') {
      const inner = objectOf(member.members, row, nulls);
      return inner === '{}' ? [] : `${jsonString(member.name)}:${inner}`;
    }
    const value = row[member.index] ?? null;
    if (value === null) {
      return nulls ? `${jsonString(member.name)}:null` : [];
    }
    return `${jsonString(member.name)}:${member.text(value)}`;
  });
  return `{${parts.join(',')}}`;
}

function writer(column: PlanColumn): (value: SqlValue) => string {
  return column.json === true ? (value) => (typeof value === 'string' ? value : 'null') : jsonWriter(column.type);
}
