/**
 * The change tracker of SQL Server: puts connections, readers, probe and statements together behind the port. Keeps what is described until
 * it is forgotten; knows nothing of where changes go.
 */
import type { Clock } from '../../lib/clock.ts';
import { systemClock } from '../../lib/clock.ts';
import type { ChangePage, LoadPage, RowState } from '../../model/change.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { TableSelection, TrackedTable } from '../../model/table.ts';
import type { Logger } from '../../observe/logger.ts';
import type { ChangeTracker, LoadPageOptions, Probe, RowCount, TrackChangesOptions, WindowPage } from '../change-tracker.ts';
import { trackChanges } from '../track-changes.ts';
import { driverConfig } from './connection.ts';
import type { SqlServerConnection } from './connection-options.ts';
import { Describer } from './describer.ts';
import { sourceError } from './errors.ts';
import { checkDatabase, collector, databaseFacts, versionOf } from './facts.ts';
import { Guest, type Run } from './guest.ts';
import { tablePlan } from './plan.ts';
import { Prober } from './probe.ts';
import { openQuery, tableName } from './queries.ts';
import { tableReader, type TableReader } from './reader.ts';

export interface SqlServerChangeTrackerOptions {
  /** The source's name in the configuration. */
  readonly source: string;
  readonly connection: string | SqlServerConnection;
  /** auto: SNAPSHOT where the database allows it. Default auto. */
  readonly isolation?: 'auto' | 'snapshot' | 'readCommitted';
  /** What upTo rests on (R5). Default implied. */
  readonly claims?: 'implied' | 'confirmed';
  /** How long a commit may take to become visible after it got its version, ms. Default 1,000. */
  readonly confirmMs?: number;
  readonly limits?: Partial<SqlServerLimits>;
  /** A value above it is not read at all. Default 1 MiB. */
  readonly maxDocumentBytes?: number;
  /** The secret of hashed columns, at least 32 characters; needed where a table hashes one. */
  readonly hashKey?: string;
  readonly clock?: Clock;
  readonly logger: Logger;
  /** Called when a value of a json column stays text because nesting it would change a number or lose a member. */
  readonly onJsonKept?: () => void;
}

export interface SqlServerLimits {
  readonly pageRows: number;
  readonly pageBytes: number;
  readonly readers: number;
  /** 0 < share <= 1 */
  readonly timeShare: number;
  readonly lockTimeoutMs: number;
  /** The watchdog over a whole request. */
  readonly requestTimeoutMs: number;
}

const DEFAULT_LIMITS: SqlServerLimits = {
  pageRows: 20_000,
  pageBytes: 32 * 1024 * 1024,
  readers: 1,
  timeShare: 0.5,
  lockTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
};

/** A tracker for one database. Nothing is connected before `open`. @throws PatchwireError PW-C103 for a connection that cannot be honoured */
export function sqlServerChangeTracker(options: SqlServerChangeTrackerOptions): ChangeTracker {
  return new SqlServerChangeTracker(options);
}

interface Described {
  readonly name: string;
  readonly reader: TableReader;
}

class SqlServerChangeTracker implements ChangeTracker {
  readonly source: string;
  readonly #options: SqlServerChangeTrackerOptions;
  readonly #limits: SqlServerLimits;
  readonly #clock: Clock;
  readonly #readers: Guest;
  readonly #probing: Guest;
  readonly #describer: Describer;
  readonly #prober: Prober;
  readonly #described = new WeakMap<TrackedTable, Described>();
  /** Descriptions that are asked for in every probe, by full name: a table may be described more than once. */
  readonly #registered = new Map<string, Set<TrackedTable>>();
  #identity: { readonly serviceBrokerGuid: string; readonly database: string } | null = null;

  constructor(options: SqlServerChangeTrackerOptions) {
    this.source = options.source;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    const config = driverConfig(options.connection);
    const { readers, timeShare, requestTimeoutMs } = this.#limits;
    const common = { config, requestTimeoutMs, clock: this.#clock, logger: options.logger };
    this.#readers = new Guest({ ...common, readers, timeShare });
    this.#probing = new Guest({ ...common, readers: 1, timeShare: 1 });
    this.#describer = new Describer({
      guest: this.#readers,
      describe: {
        source: this.source,
        isolation: options.isolation ?? 'auto',
        request: this.#limits,
        hashKey: options.hashKey ?? null,
      },
    });
    this.#prober = new Prober({
      guest: this.#probing,
      request: this.#limits,
      clock: this.#clock,
      tables: () =>
        [...this.#registered].map(([fullName, [first]]) => ({
          fullName,
          name: (first === undefined ? undefined : this.#described.get(first)?.name) ?? '',
        })),
      onDatabase: (facts) => checkDatabase(facts, this.#identity),
      locked: (error, table) => sourceError(error, { source: this.source, doing: 'probing', table }),
    });
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#read('opening the source', null, signal, async (run) => {
      const { sets, onRow } = collector(['version', 'database']);
      await run({ text: openQuery(), onRow });
      const database = databaseFacts(sets.get('database'));
      checkDatabase(database, null);
      if (versionOf(sets.get('version')) === null) {
        throw new PatchwireError('PW-S204', `Change tracking is off for the database ${database.name}.`, {
          hint: `ALTER DATABASE [${database.name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON);`,
          details: { source: this.source, database: database.name },
        });
      }
      this.#identity = { serviceBrokerGuid: database.serviceBrokerGuid, database: database.name };
    });
  }

  async describe(selection: TableSelection, { signal }: { readonly signal: AbortSignal }): Promise<TrackedTable> {
    const asked = tableName(selection.schema, selection.name);
    const { table, filter, expression, name, shaped, json } = await this.#describer.describe(selection, signal).catch((error: unknown) => {
      throw this.#classified(error, 'describing a table', asked, signal);
    });
    // From here on this database is the one that is meant; a table of another one has its own identity and is found out by it.
    this.#identity = { serviceBrokerGuid: table.identity.serviceBrokerGuid, database: table.identity.database };
    const plan = tablePlan({
      name,
      isolation: table.isolation,
      shaped,
      key: table.key,
      json,
      filter,
      expression,
      onJsonKept: this.#options.onJsonKept ?? (() => {}),
    });
    const limits = { ...this.#limits, maxDocumentBytes: this.#options.maxDocumentBytes ?? 1024 * 1024 };
    this.#described.set(table, { name, reader: tableReader(table, plan, limits) });
    const registered = this.#registered.get(table.fullName) ?? new Set();
    this.#registered.set(table.fullName, registered.add(table));
    return table;
  }

  forget(table: TrackedTable): void {
    const registered = this.#registered.get(table.fullName);
    registered?.delete(table);
    if (registered?.size === 0) {
      this.#registered.delete(table.fullName);
    }
  }

  async probe(options: { readonly catalog: boolean; readonly signal: AbortSignal }): Promise<Probe> {
    try {
      return await this.#prober.probe(options);
    } catch (error) {
      throw this.#classified(error, 'probing', null, options.signal);
    }
  }

  async readWindow(table: TrackedTable, { signal, ...options }: Parameters<ChangeTracker['readWindow']>[1]): Promise<WindowPage> {
    const reader = this.#readerOf(table);
    const page = await this.#read('reading changes', table.fullName, signal, (run) => reader.window(run, options));
    return { ...page, readAtMs: this.#clock.now() };
  }

  readLoadPage(table: TrackedTable, { signal, ...options }: LoadPageOptions): Promise<LoadPage> {
    const reader = this.#readerOf(table);
    return this.#read('loading', table.fullName, signal, (run) => reader.load(run, options));
  }

  readRow(table: TrackedTable, { signal, dataKey }: Parameters<ChangeTracker['readRow']>[1]): Promise<RowState | null> {
    const reader = this.#readerOf(table);
    return this.#read('reading a row', table.fullName, signal, (run) => reader.row(run, dataKey));
  }

  existing(table: TrackedTable, dataKeys: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<readonly boolean[]> {
    const reader = this.#readerOf(table);
    return this.#read('looking keys up', table.fullName, signal, (run) => reader.existing(run, dataKeys));
  }

  sameKey(table: TrackedTable, a: string, b: string, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    const reader = this.#readerOf(table);
    return this.#read('comparing keys', table.fullName, signal, (run) => reader.sameKey(run, a, b));
  }

  countRows(table: TrackedTable, { signal }: { readonly signal: AbortSignal }): Promise<RowCount | null> {
    const reader = this.#readerOf(table);
    return this.#read('counting rows', table.fullName, signal, (run) => reader.count(run));
  }

  trackChanges(options: TrackChangesOptions): AsyncIterable<ChangePage> {
    return trackChanges(this, {
      ...options,
      claims: this.#options.claims ?? 'implied',
      confirmMs: this.#options.confirmMs ?? 1000,
      clock: this.#clock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#readers[Symbol.asyncDispose](), this.#probing[Symbol.asyncDispose]()]);
  }

  async #read<T>(doing: string, table: string | null, signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
    try {
      return await this.#readers.read(work, { signal });
    } catch (error) {
      throw this.#classified(error, doing, table, signal);
    }
  }

  /** An abort stays what it is. */
  #classified(error: unknown, doing: string, table: string | null, signal: AbortSignal): unknown {
    if (signal.aborted && error === signal.reason) {
      return error;
    }
    return sourceError(error, { source: this.source, doing, ...(table === null ? {} : { table }) });
  }

  #readerOf(table: TrackedTable): TableReader {
    const described = this.#described.get(table);
    if (described === undefined) {
      throw new PatchwireError('PW-I901', `${table.fullName} was not described by this source.`);
    }
    return described.reader;
  }
}
