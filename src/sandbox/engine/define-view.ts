/** CREATE and ALTER VIEW: the query is bound when the view is made, so that its columns have names and its tables exist. */
import type { CreateViewStatement } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { View } from './catalog.ts';
import { objectKey, sameName } from './catalog.ts';
import { requireTwoParts } from './column-dependents.ts';
import { nameTaken, placeFor } from './define-table.ts';
import { logUndo } from './definition-log.ts';
import { planView } from './environment.ts';
import { requireOwner } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

/** @throws SqlError 208, 207, … of the query; 1033, 2714, 4506, 4511, 8158, 8159 */
export function createView(context: StatementContext, statement: CreateViewStatement): void {
  const { name, line } = statement;
  const { database, schema } = placeFor(context, name);
  requireOwner(context.session, database, 'CREATE VIEW');
  const key = objectKey(schema.name, name.name);
  const existing = database.objects.get(key);
  if (existing === undefined ? statement.mode === 'alter' : existing.kind === 'view' ? statement.mode === 'create' : true) {
    throw existing === undefined
      ? new SqlError(208, `Invalid object name '${name.name}'.`, { line, state: 6 })
      : nameTaken(name.name, line);
  }
  const view: View = {
    kind: 'view',
    objectId: existing?.objectId ?? database.nextObjectId(),
    schema,
    name: name.name,
    columns: statement.columns,
    ctes: statement.ctes,
    query: statement.query,
    text: statement.text,
    schemaBound: statement.schemaBound,
    createdAt: existing?.createdAt ?? context.now,
    modifiedAt: context.now,
  };
  requireTwoParts(view, line);
  checkColumns(context, view, line);
  database.objects.set(key, view);
  logUndo(context.transaction, () => (existing === undefined ? database.objects.delete(key) : database.objects.set(key, existing)));
}

function checkColumns(context: StatementContext, view: View, line: number): void {
  const { query } = view;
  const top = query.body.kind === 'specification' && query.body.top !== null;
  if (query.orderBy.length > 0 && !top && query.offset === null && query.forJson === null) {
    throw new SqlError(
      1033,
      'The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.',
      { line, class: 15 },
    );
  }
  const { columns } = planView(context, view, view.name);
  const nameless = columns.findIndex((column) => column.name === '');
  if (nameless >= 0) {
    throw new SqlError(4511, `Create View or Function failed because no column name was specified for column ${nameless + 1}.`, { line });
  }
  const twice = columns.find((column, index) => columns.findIndex((other) => sameName(other.name, column.name)) !== index);
  if (twice !== undefined) {
    throw new SqlError(
      4506,
      `Column names in each view or function must be unique. Column name '${twice.name}' in view or function '${view.name}' is specified more than once.`,
      { line },
    );
  }
}
