/**
 * The change tracker of SQL Server over a model server: descriptions, plans, readers, probes, checks and the following of a table are the real
 * ones; only connections are not. What SqlServerChangeTracker puts together with a driver, this puts together without.
 */
import type { Clock } from '../../src/lib/clock.ts';
import type { ChangePage, LoadPage, RowState } from '../../src/model/change.ts';
import { PatchwireError } from '../../src/model/errors.ts';
import type { TableSelection, TrackedTable } from '../../src/model/table.ts';
import type { ChangeTracker, LoadPageOptions, Probe, RowCount, TrackChangesOptions, WindowPage } from '../../src/source/change-tracker.ts';
import { describeTable } from '../../src/source/sqlserver/catalog.ts';
import { sourceError } from '../../src/source/sqlserver/errors.ts';
import { checkDatabase } from '../../src/source/sqlserver/facts.ts';
import type { Run } from '../../src/source/sqlserver/guest.ts';
import { tablePlan } from '../../src/source/sqlserver/plan.ts';
import { Prober } from '../../src/source/sqlserver/probe.ts';
import { tableReader, type TableReader } from '../../src/source/sqlserver/reader.ts';
import { trackChanges } from '../../src/source/track-changes.ts';
import type { ModelServer } from './model-server.ts';

export interface ModelTrackerOptions {
  readonly server: ModelServer;
  readonly clock: Clock;
  readonly claims: 'implied' | 'confirmed';
  readonly confirmMs: number;
  readonly pageRows: number;
  readonly pageBytes: number;
}

interface Described {
  readonly name: string;
  readonly reader: TableReader;
}

export class ModelTracker implements ChangeTracker {
  readonly source = 'model';
  readonly #options: ModelTrackerOptions;
  readonly #described = new WeakMap<TrackedTable, Described>();
  readonly #registered = new Map<string, Set<TrackedTable>>();
  readonly #prober: Prober;
  #identity: { readonly serviceBrokerGuid: string; readonly database: string } | null = null;

  constructor(options: ModelTrackerOptions) {
    this.#options = options;
    this.#prober = new Prober({
      guest: { read: (work, { signal }) => work(options.server.connect(signal)) },
      request: { lockTimeoutMs: 200 },
      clock: options.clock,
      tables: () =>
        [...this.#registered].map(([fullName, [first]]) => ({
          fullName,
          name: (first === undefined ? undefined : this.#described.get(first)?.name) ?? '',
        })),
      onDatabase: (facts) => checkDatabase(facts, this.#identity),
      locked: (error, table) => sourceError(error, { source: this.source, doing: 'probing', table }),
    });
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async describe(selection: TableSelection, { signal }: { readonly signal: AbortSignal }): Promise<TrackedTable> {
    const request = { lockTimeoutMs: 200 };
    const { table, filter, name, shaped } = await this.#read(signal, (run) =>
      describeTable(run, selection, { source: this.source, isolation: 'auto', request, hashKey: null }),
    );
    this.#identity = { serviceBrokerGuid: table.identity.serviceBrokerGuid, database: table.identity.database };
    const plan = tablePlan({ name, isolation: table.isolation, shaped, key: table.key, json: [], filter, onJsonKept: () => {} });
    const { pageRows, pageBytes } = this.#options;
    this.#described.set(table, { name, reader: tableReader(table, plan, { ...request, pageRows, pageBytes, maxDocumentBytes: 1 << 20 }) });
    this.#registered.set(table.fullName, (this.#registered.get(table.fullName) ?? new Set()).add(table));
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
      throw classified(error, options.signal);
    }
  }

  async readWindow(table: TrackedTable, { signal, ...options }: Parameters<ChangeTracker['readWindow']>[1]): Promise<WindowPage> {
    const page = await this.#read(signal, (run) => this.#readerOf(table).window(run, options));
    return { ...page, readAtMs: this.#options.clock.now() };
  }

  readLoadPage(table: TrackedTable, { signal, ...options }: LoadPageOptions): Promise<LoadPage> {
    return this.#read(signal, (run) => this.#readerOf(table).load(run, options));
  }

  readRow(table: TrackedTable, { signal, dataKey }: Parameters<ChangeTracker['readRow']>[1]): Promise<RowState | null> {
    return this.#read(signal, (run) => this.#readerOf(table).row(run, dataKey));
  }

  existing(table: TrackedTable, dataKeys: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<readonly boolean[]> {
    return this.#read(signal, (run) => this.#readerOf(table).existing(run, dataKeys));
  }

  sameKey(table: TrackedTable, a: string, b: string, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    return this.#read(signal, (run) => this.#readerOf(table).sameKey(run, a, b));
  }

  countRows(table: TrackedTable, { signal }: { readonly signal: AbortSignal }): Promise<RowCount | null> {
    return this.#read(signal, (run) => this.#readerOf(table).count(run));
  }

  trackChanges(options: TrackChangesOptions): AsyncIterable<ChangePage> {
    const { clock, claims, confirmMs } = this.#options;
    return trackChanges(this, { ...options, claims, confirmMs, clock });
  }

  async #read<T>(signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
    try {
      return await work(this.#options.server.connect(signal));
    } catch (error) {
      throw classified(error, signal);
    }
  }

  #readerOf(table: TrackedTable): TableReader {
    const described = this.#described.get(table);
    if (described === undefined) {
      throw new PatchwireError('PW-I901', `${table.fullName} was not described by this source.`);
    }
    return described.reader;
  }
}

/** An abort stays what it is. */
function classified(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error === signal.reason ? error : sourceError(error, { source: 'model', doing: 'reading' });
}
