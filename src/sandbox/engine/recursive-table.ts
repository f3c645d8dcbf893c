/**
 * What SQL Server asks of a common table expression that names itself: anchors first, then members of which each names it once, in FROM.
 * Source: learn.microsoft.com "WITH common_table_expression (Transact-SQL)", "Guidelines for defining and using recursive CTEs".
 */
import type { CommonTable, QueryBody, QuerySpecification, TableSource } from '../sql/ast.ts';
import type { SqlType } from '../sql-types.ts';
import { SqlError } from '../session.ts';
import { isAggregateCall } from './aggregates.ts';
import { eachCall } from './expression-key.ts';
import type { PlanColumn } from './plan.ts';

export interface Members {
  readonly anchor: QueryBody;
  /** None where the expression does not name itself. */
  readonly recursive: readonly QueryBody[];
}

/** @throws SqlError 246, 247, 252, 253, 460, 461, 462, 465, 467 */
export function membersOf({ name, query }: CommonTable): Members {
  const { body } = query;
  if (references(query, name) === 0) {
    return { anchor: body, recursive: [] };
  }
  if (body.kind !== 'setOperation' || body.operator !== 'unionAll') {
    throw refused(252, `Recursive common table expression '${name}' does not contain a top-level UNION ALL operator.`, query.line);
  }
  const members = unionOf(body);
  const first = members.findIndex((member) => references(member, name) > 0);
  if (first === 0) {
    throw refused(246, `No anchor member was specified for recursive query "${name}".`, query.line);
  }
  const recursive = members.slice(first);
  for (const member of recursive) {
    checkMember(member, name);
  }
  let anchor: QueryBody = body;
  for (let count = recursive.length; count > 0 && anchor.kind === 'setOperation'; count -= 1) {
    anchor = anchor.left;
  }
  return { anchor, recursive };
}

function refused(number: number, message: string, line: number): SqlError {
  return new SqlError(number, message, { line });
}

function unionOf(body: QueryBody): QueryBody[] {
  return body.kind === 'setOperation' && body.operator === 'unionAll' ? [...unionOf(body.left), body.right] : [body];
}

function checkMember(member: QueryBody, name: string): void {
  const { line } = member;
  if (references(member, name) === 0) {
    throw refused(247, `An anchor member was found in the recursive part of recursive query "${name}".`, line);
  }
  if (member.kind === 'setOperation') {
    throw refused(252, `Recursive common table expression '${name}' does not contain a top-level UNION ALL operator.`, line);
  }
  const part = `is not allowed in the recursive part of a recursive common table expression '${name}'.`;
  if (member.distinct) {
    throw refused(460, `DISTINCT operator ${part}`, line);
  }
  if (member.top !== null) {
    throw refused(461, `The TOP or OFFSET operator ${part}`, line);
  }
  if (member.groupBy.length > 0 || member.having !== null || aggregates(member)) {
    throw refused(
      467,
      `GROUP BY, HAVING, or aggregate functions are not allowed in the recursive part of a recursive common table expression '${name}'.`,
      line,
    );
  }
  const inFrom = sourcesOf(member.from).filter((source) => source.kind === 'table' && isReference(source, name)).length;
  if (inFrom > 1) {
    throw refused(253, `Recursive member of a common table expression '${name}' has multiple recursive references.`, line);
  }
  if (references(member, name) > inFrom) {
    throw refused(465, 'Recursive references are not allowed in subqueries.', line);
  }
  if (outerJoined(member.from, name)) {
    throw refused(462, `Outer join ${part}`, line);
  }
}

function aggregates(member: QuerySpecification): boolean {
  let found = false;
  eachCall(member.items, (call) => {
    found ||= call.over === null && isAggregateCall(call);
    return true;
  });
  return found;
}

function sourcesOf(source: TableSource | null): TableSource[] {
  return source === null
    ? []
    : source.kind === 'join' || source.kind === 'apply'
      ? [...sourcesOf(source.left), ...sourcesOf(source.right)]
      : [source];
}

/** Whether it stands on the side of an outer join that may be missing, or beside one that may be. */
function outerJoined(source: TableSource | null, name: string): boolean {
  if (source === null || (source.kind !== 'join' && source.kind !== 'apply')) {
    return false;
  }
  const outer = source.kind === 'join' ? ['left', 'right', 'full'].includes(source.type) : source.outer;
  return (outer && references(source, name) > 0) || outerJoined(source.left, name) || outerJoined(source.right, name);
}

/** How many times a part of a query names the table expression. */
function references(node: unknown, name: string): number {
  if (typeof node !== 'object' || node === null) {
    return 0;
  }
  const inside = Object.values(node).reduce((sum: number, each) => sum + references(each, name), 0);
  return inside + (isReference(node, name) ? 1 : 0);
}

function isReference(node: object, name: string): boolean {
  if (!('kind' in node) || node.kind !== 'table') {
    return false;
  }
  const table = (node as Extract<TableSource, { kind: 'table' }>).name;
  return table.schema === null && table.database === null && table.server === null && table.name.toLowerCase() === name.toLowerCase();
}

/** @throws SqlError 205, 240: the types of a recursive member are the anchor's, to the length */
export function requireSameTypes(columns: readonly PlanColumn[], found: readonly PlanColumn[], member: QueryBody, name: string): void {
  const { line } = member;
  if (columns.length !== found.length) {
    throw refused(
      205,
      'All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.',
      line,
    );
  }
  columns.forEach((column, index) => {
    const item = member.kind === 'specification' ? member.items[index] : undefined;
    const isNull = item?.kind === 'expression' && item.expression.kind === 'literal' && item.expression.literal === 'null';
    if (!isNull && shape(column.type) !== shape(found[index]?.type ?? column.type)) {
      throw refused(
        240,
        `Types don't match between the anchor and the recursive part in column "${column.name}" of recursive query "${name}".`,
        line,
      );
    }
  });
}

/** A type without its collation; char and varchar with their lengths, numbers with their digits. */
function shape(type: SqlType): string {
  return JSON.stringify({ ...type, collation: undefined });
}
