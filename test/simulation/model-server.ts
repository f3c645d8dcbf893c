/**
 * Answers the statements of src/source/sqlserver/queries.ts from a model database, one after another as a server would: what each of them
 * sees, when the view of a SNAPSHOT transaction is fixed, under each profile of what nobody documents. It knows these statements and no
 * other; a text that it does not know is an error of the simulation. Between statements others may run: `between`.
 */
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Run } from '../../src/source/sqlserver/guest.ts';
import type { DriverRow } from '../../src/source/sqlserver/plan.ts';
import type { ModelDatabase, View } from './model-database.ts';
import { identityOf, type Key, keyOrder, type ModelTable, type Row, type TableView, type Value } from './model-table.ts';

export type Profile = 'implied' | 'live' | 'worst';
export type Isolation = 'snapshot' | 'readCommitted' | 'committedSnapshot';

export interface ServerOptions {
  readonly database: ModelDatabase;
  readonly clock: Clock;
  readonly random: Random;
  readonly profile: Profile;
  readonly isolation: Isolation;
  /** Called between two statements: something else may happen here. */
  readonly between: () => void;
}

const LOCK_TIMEOUT_MS = 200;

/** An error as the driver gives it. */
export function serverError(number: number, message: string): Error {
  return Object.assign(new Error(message), { number });
}

interface Session {
  /** Under SNAPSHOT; null: READ COMMITTED. */
  readonly snapshot: boolean;
  view: View | null;
}

type Parameters = Readonly<Record<string, unknown>>;
type Statement = (server: ModelServer, session: Session, parameters: Parameters) => readonly DriverRow[] | Promise<readonly DriverRow[]>;

/** Set from outside: how long requests take, and what breaks them. */
export class ModelServer {
  readonly options: ServerOptions;
  /** Milliseconds between two statements. */
  slowMs = 0;
  /** Requests to come whose connection is cut, each after so many statements. */
  readonly cuts: number[] = [];
  readonly #texts = new Map<string, readonly string[]>();

  constructor(options: ServerOptions) {
    this.options = options;
  }

  /** A connection of its own for one request after another. */
  connect(signal: AbortSignal): Run {
    return async ({ text, parameters = [], onRow }) => {
      const named = Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
      const statements = this.#statements(text);
      let cutAfter = this.cuts.shift() ?? Number.POSITIVE_INFINITY;
      this.#compile(text);
      let session: Session = { snapshot: false, view: null };
      let snapshot = false;
      let set = -1;
      for (const statement of statements) {
        this.options.between();
        if (this.slowMs > 0) {
          await this.options.clock.sleep(this.options.random() * this.slowMs, { signal });
        }
        signal.throwIfAborted();
        if (cutAfter-- <= 0) {
          throw Object.assign(new Error('the connection was cut'), { code: 'ESOCKET' });
        }
        if (/^(SET|IF|DECLARE)\b/.test(statement)) {
          snapshot = statement.includes('ISOLATION LEVEL') ? statement.includes('SNAPSHOT') : snapshot;
        } else if (statement.startsWith('BEGIN TRANSACTION')) {
          session = { snapshot, view: null };
        } else if (statement.startsWith('COMMIT')) {
          session = { snapshot: false, view: null };
        } else {
          set += 1;
          // What a definition has changed meanwhile is compiled anew.
          this.#compile(statement);
          for (const row of await this.#execute(statement, session, named)) {
            if (onRow(set, row) === 'cut') {
              return { cut: true };
            }
          }
        }
      }
      return { cut: false };
    };
  }

  /** A table as this statement sees it; under READ COMMITTED it waits for locks. */
  async see(session: Session, table: ModelTable): Promise<TableView> {
    const { database, clock, isolation } = this.options;
    if (session.snapshot) {
      session.view ??= database.view;
      const seen = session.view.tables.get(table.name);
      if (seen === undefined || seen.definition !== table.view.definition) {
        throw serverError(3961, 'Snapshot isolation transaction failed: the object was modified by another transaction.');
      }
      return seen;
    }
    for (let waited = 0; isolation === 'readCommitted' && table.locked; waited += 20) {
      if (waited >= LOCK_TIMEOUT_MS) {
        throw serverError(1222, 'Lock request time out period exceeded.');
      }
      await clock.sleep(20);
    }
    return table.view;
  }

  #statements(text: string): readonly string[] {
    const known = this.#texts.get(text);
    if (known !== undefined) {
      return known;
    }
    const statements = text
      .split(/;(?=\s|$)/)
      .map((statement) => statement.trim())
      .filter((statement) => statement !== '');
    this.#texts.set(text, statements);
    return statements;
  }

  /** CHANGETABLE of an untracked table, and columns that are gone, end the batch before its first statement. */
  #compile(text: string): void {
    const { database } = this.options;
    for (const [, name = ''] of text.matchAll(/CHANGETABLE\(CHANGES \[dbo\]\.\[(\w+)\]/g)) {
      const table = database.table(name);
      if (table.tracking === null) {
        throw serverError(22105, 'Change tracking is not enabled on table.');
      }
      if (!table.allowed) {
        throw serverError(229, 'The VIEW CHANGE TRACKING permission was denied.');
      }
    }
    const columns = new Set([...text.matchAll(/\b[wt]\.\[(\w+)\]/g)].map(([, name = '']) => name));
    const [table] = columns.size === 0 ? [] : tablesOf(this, text);
    for (const name of columns) {
      if (table?.columns.some((column) => column.name === name) !== true) {
        throw serverError(207, `Invalid column name '${name}'.`);
      }
    }
  }

  async #execute(statement: string, session: Session, parameters: Parameters): Promise<readonly DriverRow[]> {
    for (const [pattern, answer] of STATEMENTS) {
      if (pattern.test(statement)) {
        return await answer(this, session, { ...parameters, statement });
      }
    }
    throw new Error(`the simulation does not know the statement ${statement}`);
  }
}

const STATEMENTS: readonly (readonly [RegExp, Statement])[] = [
  [/^SELECT CHANGE_TRACKING_CURRENT_VERSION/, currentVersion],
  [/^SELECT o\.n, o\.id AS object_id/, checks],
  [/^SELECT DB_NAME/, databaseRow],
  [/^SELECT v\.n, s\.name AS schema_name/, named],
  [/^SELECT v\.n, c\.name, c\.column_id/, columnRows],
  [
    /^SELECT COUNT_BIG/,
    async (server, session, { statement }) => [{ row_count: String((await server.see(session, tableOf(server, statement))).rows.size) }],
  ],
  [/^SELECT v\.n, /, existing],
  [/^SELECT CASE WHEN .* THEN 1 ELSE 0 END AS same/, sameKey],
  [/CHANGETABLE\(CHANGES/, windowRows],
  [/^SELECT TOP \(@rows\)/, loadRows],
];

/** The tables that a text names, in their order. */
function tablesOf({ options: { database } }: ModelServer, text: unknown): readonly ModelTable[] {
  return [...new Set([...String(text).matchAll(/\[dbo\]\.\[(\w+)\]/g)].map(([, name = '']) => name))].map((name) => database.table(name));
}

function tableOf(server: ModelServer, text: unknown): ModelTable {
  const [table] = tablesOf(server, text);
  if (table === undefined) {
    throw new Error(`the simulation finds no table in ${String(text)}`);
  }
  return table;
}

function currentVersion({ options: { database, profile } }: ModelServer, session: Session): readonly DriverRow[] {
  if (!database.databaseTracking) {
    return [{ version: null }];
  }
  if (session.snapshot && profile === 'implied') {
    session.view ??= database.view;
    return [{ version: session.view.version.toString() }];
  }
  return [{ version: database.version.toString() }];
}

/** One row for each table: of its catalog as the session sees it, under the profile. */
function checks(server: ModelServer, session: Session, { statement }: Parameters): readonly DriverRow[] {
  const { database, profile } = server.options;
  const bound = session.snapshot && profile !== 'live';
  if (bound) {
    session.view ??= database.view;
  }
  return tablesOf(server, statement).map((table, n) => {
    const seen = bound ? session.view?.tables.get(table.name) : table.view;
    const tracking = bound ? (seen?.tracking ?? null) : table.tracking;
    const shown = table.allowed && database.databaseTracking ? tracking : null;
    return {
      n,
      object_id: table.objectId,
      min_valid: shown?.minValid.toString() ?? null,
      begin_version: shown?.begin.toString() ?? null,
      modified: String(seen?.definition),
      definition: JSON.stringify(table.columns),
      row_count: String(table.partitionRows),
    };
  });
}

function databaseRow({ options: { isolation } }: ModelServer): readonly DriverRow[] {
  return [
    {
      name: 'shop',
      database_id: 5,
      create_date: '2026-01-01T00:00:00.000',
      service_broker_guid: '6f9619ff-8b86-d011-b42d-00c04fc964ff',
      snapshot_isolation_state: isolation === 'snapshot' ? 1 : 0,
      is_read_committed_snapshot_on: isolation === 'committedSnapshot',
      collation_name: 'Latin1_General_100_CI_AS',
      updateability: 'READ_WRITE',
      server_name: 'MODEL',
    },
  ];
}

function named(server: ModelServer, _: Session, { statement }: Parameters): readonly DriverRow[] {
  return tablesOf(server, statement).map(({ name, allowed }, n) => ({
    n,
    schema_name: 'dbo',
    table_name: name,
    may_track: allowed ? 1 : 0,
  }));
}

function columnRows(server: ModelServer, _: Session, { statement }: Parameters): readonly DriverRow[] {
  return tablesOf(server, statement).flatMap(({ columns, keyColumns }, n) =>
    columns.map(({ name, id, type }) => {
      const ordinal = keyColumns.indexOf(name) + 1;
      return {
        n,
        name,
        column_id: id,
        type_name: type,
        base_name: type,
        max_length: type === 'int' ? 4 : 80,
        precision: 0,
        scale: 0,
        collation_name: type === 'int' ? null : 'Latin1_General_100_CI_AS',
        is_nullable: ordinal === 0,
        is_computed: false,
        key_ordinal: ordinal === 0 ? null : ordinal,
        may_select: 1,
      };
    }),
  );
}

async function existing(server: ModelServer, session: Session, parameters: Parameters): Promise<readonly DriverRow[]> {
  const table = tableOf(server, parameters['statement']);
  const { rows } = await server.see(session, table);
  const filtered = String(parameters['statement']).includes("N'gone'");
  const found: DriverRow[] = [];
  for (let n = 0; parameters[`p${n}_0`] !== undefined; n += 1) {
    const row = rows.get(identityOf(keyFrom(parameters, table, `p${n}_`)));
    if (row !== undefined && (!filtered || passes(row))) {
      found.push({ n, ...Object.fromEntries(table.keyColumns.map((name, i) => [`k${i}`, row[name] ?? null])) });
    }
  }
  return found;
}

/** A key among the parameters: the prefix, then the number of the column. */
function keyFrom(parameters: Parameters, { keyColumns }: ModelTable, prefix: string): Key {
  return keyColumns.map((_, i) => parameters[`${prefix}${i}`] as Value);
}

function sameKey(_: ModelServer, __: Session, parameters: Parameters): readonly DriverRow[] {
  const side = (name: string): string => identityOf([0, 1].flatMap((i) => (parameters[`${name}${i}`] ?? []) as Value));
  return [{ same: side('a') === side('b') ? 1 : 0 }];
}

async function windowRows(server: ModelServer, session: Session, parameters: Parameters): Promise<readonly DriverRow[]> {
  const { random, between } = server.options;
  const table = tableOf(server, parameters['statement']);
  let changed = await server.see(session, table);
  let joined = changed;
  if (!session.snapshot) {
    // A plan may read the table before CHANGETABLE or after it, and not at the same moment.
    const tableFirst = random() < 0.5;
    between();
    const other = await server.see(session, table);
    [changed, joined] = tableFirst ? [other, joined] : [changed, other];
  }
  const statement = String(parameters['statement']);
  const from = BigInt(parameters['from'] as string);
  const cursor = parameters['cursor'] === undefined ? null : BigInt(parameters['cursor'] as string);
  const after = cursor === null ? [] : keyFrom(parameters, table, 'k');
  const page = [...changed.changes.values()]
    .filter(({ version }) => version > from)
    .filter(({ key, version }) => cursor === null || version > cursor || (version === cursor && keyOrder(key, after) > 0))
    .toSorted((a, b) => (a.version === b.version ? keyOrder(a.key, b.key) : a.version < b.version ? -1 : 1))
    .slice(0, Number(parameters['rows']));
  const aliases = aliasesOf(statement);
  const filtered = statement.includes("N'gone'");
  return page.map(({ key, version }) => {
    const row = joined.rows.get(identityOf(key)) ?? null;
    const p = row === null ? 0 : filtered && !passes(row) ? 2 : 1;
    return {
      v: version.toString(),
      x: null,
      p,
      ...Object.fromEntries(
        aliases.map(({ side, name, alias }) => [
          alias,
          side === 'w' ? (key[table.keyColumns.indexOf(name)] ?? null) : (row?.[name] ?? null),
        ]),
      ),
    };
  });
}

async function loadRows(server: ModelServer, session: Session, parameters: Parameters): Promise<readonly DriverRow[]> {
  const statement = String(parameters['statement']);
  const table = tableOf(server, statement);
  const { rows } = await server.see(session, table);
  const key = parameters['k0'] === undefined ? null : keyFrom(parameters, table, 'k');
  // `=`: the row of one key; else those beyond it.
  const one = /\] = /.test(statement) && !statement.includes('] > ');
  const filtered = statement.includes("N'gone'");
  const aliases = aliasesOf(statement);
  return [...rows.values()]
    .filter((row) => !filtered || passes(row))
    .filter((row) => key === null || (one ? keyOrder(table.keyOf(row), key) === 0 : keyOrder(table.keyOf(row), key) > 0))
    .toSorted((a, b) => keyOrder(table.keyOf(a), table.keyOf(b)))
    .slice(0, Number(parameters['rows']))
    .map((row) => Object.fromEntries(aliases.map(({ name, alias }) => [alias, row[name] ?? null])));
}

const aliasCache = new Map<string, readonly { readonly side: string; readonly name: string; readonly alias: string }[]>();

function aliasesOf(statement: string): readonly { readonly side: string; readonly name: string; readonly alias: string }[] {
  let aliases = aliasCache.get(statement);
  if (aliases === undefined) {
    aliases = [...statement.matchAll(/\b([wt])\.\[(\w+)\] AS ([krc]\d+)/g)].map(([, side = '', name = '', alias = '']) => ({
      side,
      name,
      alias,
    }));
    aliasCache.set(statement, aliases);
  }
  return aliases;
}

/** State <> N'gone': NULL does not pass. */
export function passes(row: Row): boolean {
  const state = row['State'] ?? null;
  return state !== null && state !== 'gone';
}
