/**
 * System procedures that tell about the catalog in the form in which people and tools ask: sp_help, sp_helptext, sp_helpindex, sp_spaceused,
 * sp_who, and those of extended properties. Source of the result sets: learn.microsoft.com, page of each.
 */
import type { BatchRunner } from './batch-runner.ts';
import type { CatalogObject, IndexDefinition, Table } from './catalog.ts';
import { changeProperty } from './extended-properties.ts';
import { catalogTypeName, describeType } from './metadata-functions.ts';
import { findObject, objectNameOf } from './object-names.ts';
import { seesDefinition } from './permissions.ts';
import type { PlanColumn } from './plan.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import { dateTimeOf } from './system-functions.ts';
import { sendResult } from './send-result.ts';

const INT: SqlType = { name: 'int' };
const DATETIME: SqlType = { name: 'datetime' };

function text(name: string, length: number | 'max' = 128): PlanColumn {
  return { name, type: { name: 'nvarchar', length, collation: DEFAULT_COLLATION }, nullable: true };
}

function column(name: string, type: SqlType): PlanColumn {
  return { name, type, nullable: true };
}

async function show(runner: BatchRunner, columns: readonly PlanColumn[], rows: readonly (readonly SqlValue[])[]): Promise<void> {
  await sendResult(runner, { columns, rows, count: rows.length, select: true });
}

/** The object that a procedure's first argument names. @throws SqlError 15009 */
async function objectOf(call: ProcedureCall): Promise<CatalogObject> {
  const value = call.get('@objname', 0)?.value ?? null;
  const shown = typeof value === 'string' ? value : '';
  return await call.runner.atomic((context) => {
    const name = objectNameOf(shown);
    const object = name === null ? undefined : findObject(context.session, name);
    if (object === undefined || (object.kind === 'table' && !seesDefinition(context.session, object))) {
      throw new SqlError(
        15_009,
        `The object '${shown}' does not exist in database '${context.database.name}' or is invalid for this operation.`,
      );
    }
    if (object.kind === 'table' && !object.temporary) {
      context.readDefinition(object);
    }
    return object;
  });
}

function isTable(object: CatalogObject): object is Table {
  return object.kind === 'table';
}

function keysOf(table: Table, index: IndexDefinition): string {
  return index.columns
    .map(({ columnId, descending }) => `${table.columns.find((each) => each.id === columnId)?.name ?? ''}${descending ? '(-)' : ''}`)
    .join(', ');
}

function describeIndex(index: IndexDefinition): string {
  const parts = [index.clustered ? 'clustered' : 'nonclustered'];
  if (index.unique) {
    parts.push('unique');
  }
  if (index.kind !== 'index') {
    parts.push(index.kind === 'primary key' ? 'primary key' : 'unique key');
  }
  return `${parts.join(', ')} located on PRIMARY`;
}

const INDEX_COLUMNS = [
  text('index_name'),
  column('index_description', { name: 'varchar', length: 210, collation: DEFAULT_COLLATION }),
  text('index_keys', 2078),
];

function indexRows(table: Table): SqlValue[][] {
  return table.indexes
    .toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))
    .map((index) => [index.name, describeIndex(index), keysOf(table, index)]);
}

async function helpIndex(call: ProcedureCall): Promise<void> {
  const object = await objectOf(call);
  const rows = isTable(object) ? indexRows(object) : [];
  if (rows.length === 0) {
    const message = `The object '${object.name}' does not have any indexes, or you do not have permissions.`;
    call.runner.sink.message({ number: 15_472, state: 1, class: 0, message, procedure: 'sp_helpindex', line: 1 });
    call.runner.done();
    return;
  }
  await show(call.runner, INDEX_COLUMNS, rows);
}

async function helpText(call: ProcedureCall): Promise<void> {
  const object = await objectOf(call);
  if (object.kind !== 'view') {
    throw new SqlError(15_197, `There is no text for object '${object.name}'.`);
  }
  const lines = object.text.split(/(?<=\n)/).flatMap((line) => line.match(/[\s\S]{1,255}/g) ?? []);
  await show(
    call.runner,
    [text('Text', 255)],
    lines.map((line) => [line]),
  );
}

/** The result sets of sp_help for a table or view: the object, its columns, identity, row GUID, file group, indexes. */
async function help(call: ProcedureCall): Promise<void> {
  if (call.args.length === 0) {
    throw new UnsupportedError('sp_help without an object');
  }
  const object = await objectOf(call);
  const { runner } = call;
  const type = { table: 'user table', view: 'view', synonym: 'synonym' }[object.kind];
  const created = dateTimeOf(object.createdAt);
  await show(
    runner,
    [text('Name'), text('Owner'), text('Type', 31), column('Created_datetime', DATETIME)],
    [[object.name, 'dbo', type, created]],
  );
  if (!isTable(object)) {
    return;
  }
  const described = object.columns.map((each): SqlValue[] => {
    const { length, precision, scale, collation } = describeType(each.type);
    const numeric = 'precision' in each.type || ['tinyint', 'smallint', 'int', 'bigint', 'money', 'smallmoney'].includes(each.type.name);
    const computed = each.computed === null ? 'no' : 'yes';
    const places = [numeric ? String(precision).padEnd(5) : '     ', numeric ? String(scale).padEnd(5) : '     '];
    const trimmed = collation === null ? '(n/a)' : 'no';
    return [
      each.name,
      catalogTypeName(each.type.name),
      computed,
      length,
      ...places,
      each.nullable ? 'yes' : 'no',
      trimmed,
      trimmed,
      collation,
    ];
  });
  await show(
    runner,
    [
      text('Column_name'),
      text('Type'),
      text('Computed', 35),
      column('Length', INT),
      text('Prec', 5),
      text('Scale', 5),
      text('Nullable', 35),
      text('TrimTrailingBlanks', 35),
      text('FixedLenNullInSource', 35),
      text('Collation'),
    ],
    described,
  );
  const identity = object.columns.find((each) => each.identity !== null);
  const seed = identity?.identity ?? null;
  await show(
    runner,
    [
      text('Identity'),
      column('Seed', { name: 'numeric', precision: 38, scale: 0 }),
      column('Increment', { name: 'numeric', precision: 38, scale: 0 }),
      column('Not For Replication', INT),
    ],
    [[identity?.name ?? 'No identity column defined.', seed?.seed ?? null, seed?.increment ?? null, seed === null ? null : 0]],
  );
  const rowGuid = object.columns.find((each) => each.rowGuid)?.name ?? 'No rowguidcol column defined.';
  await show(runner, [text('RowGuidCol')], [[rowGuid]]);
  await show(runner, [text('Data_located_on_filegroup')], [['PRIMARY']]);
  await show(runner, INDEX_COLUMNS, indexRows(object));
}

async function spaceUsed(call: ProcedureCall): Promise<void> {
  if (call.args.length === 0) {
    throw new UnsupportedError('sp_spaceused without a table');
  }
  const object = await objectOf(call);
  if (!isTable(object)) {
    throw new SqlError(15_234, `Objects of this type have no space allocated.`);
  }
  const size = Math.ceil((object.store.count * object.columns.length * 12) / 8192) * 8;
  const kilobytes = (value: number): string => `${value} KB`;
  const columns = [
    text('name'),
    { ...text('rows', 20) },
    text('reserved', 18),
    text('data', 18),
    text('index_size', 18),
    text('unused', 18),
  ];
  const rows = String(object.store.count).padEnd(20);
  await show(call.runner, columns, [[object.name, rows, kilobytes(size), kilobytes(size), kilobytes(0), kilobytes(0)]]);
}

async function who(call: ProcedureCall): Promise<void> {
  const login = call.get('@loginame', 0)?.value ?? null;
  if (login !== null) {
    throw new UnsupportedError('sp_who with an argument');
  }
  const { session } = call.runner;
  const shown = [...session.instance.sessions.values()].filter((each) => session.administrator || each.id === session.id);
  const columns = [
    column('spid', { name: 'smallint' }),
    column('ecid', { name: 'smallint' }),
    text('status', 30),
    text('loginame'),
    text('hostname'),
    text('blk', 5),
    text('dbname'),
    text('cmd', 26),
    column('request_id', INT),
  ];
  const rows = shown.map((each): SqlValue[] => [
    each.id,
    0,
    (each.running ? 'runnable' : 'sleeping').padEnd(30),
    each.loginName,
    each.hostName,
    '0    ',
    each.database,
    each.running ? 'SELECT' : 'AWAITING COMMAND',
    0,
  ]);
  await show(call.runner, columns, rows);
}

export const helpProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_help', help],
  ['sp_helptext', helpText],
  ['sp_helpindex', helpIndex],
  ['sp_spaceused', spaceUsed],
  ['sp_who', who],
  ['sp_addextendedproperty', (call) => changeProperty(call, 'add')],
  ['sp_updateextendedproperty', (call) => changeProperty(call, 'update')],
  ['sp_dropextendedproperty', (call) => changeProperty(call, 'drop')],
]);
