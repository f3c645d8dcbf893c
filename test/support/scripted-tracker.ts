/**
 * A change tracker over a table in memory, with SQL Server's versions: one per transaction, one change record per key, the letter forgotten.
 * Reads are atomic at the moment they are made; a test may run something at that moment, hold the answer back, or make it fail.
 */
import type { Clock } from '../../src/lib/clock.ts';
import type { ChangePage, LoadPage, RowState } from '../../src/model/change.ts';
import type { Document } from '../../src/model/document.ts';
import { PatchwireError } from '../../src/model/errors.ts';
import type { TableSelection, TrackedTable } from '../../src/model/table.ts';
import type { ChangeTracker, LoadPageOptions, Probe, RowCount, TrackChangesOptions, WindowPage } from '../../src/source/change-tracker.ts';
import { trackChanges } from '../../src/source/track-changes.ts';

export type TrackerCall = 'describe' | 'probe' | 'readWindow' | 'readLoadPage' | 'readRow' | 'existing' | 'sameKey' | 'countRows';

export interface ScriptedTrackerOptions {
  readonly clock: Clock;
  readonly pageRows?: number;
  readonly loadRows?: number;
  readonly confirmMs?: number;
  readonly claims?: 'implied' | 'confirmed';
  /** Data keys that differ only in case are one key. */
  readonly caseInsensitive?: boolean;
  /** What expressions of a load page mean, by their text. */
  readonly expressions?: Readonly<Record<string, (document: Document) => boolean>>;
  /** Rows that the selection's filter lets pass. */
  readonly filter?: (document: Document) => boolean;
}

interface Row {
  readonly dataKey: string;
  readonly document: Document;
}

interface Change {
  /** As change tracking spells it: the first spelling stays. */
  readonly dataKey: string;
  readonly version: bigint;
}

export interface ScriptedState {
  readonly rows: ReadonlyMap<string, Row>;
  readonly changes: ReadonlyMap<string, Change>;
  readonly version: bigint;
}

export const SELECTION: TableSelection = { schema: 'dbo', name: 'Items', columns: 'all', json: [], filter: null };

export class ScriptedTracker implements ChangeTracker {
  readonly source = 'scripted';
  /** Every call made, oldest first. */
  readonly calls: TrackerCall[] = [];
  /** Reads under way now, and the most there were at once. */
  reading = 0;
  mostReading = 0;
  /** Runs when a read has fixed what it will answer, before it answers. */
  after: ((call: TrackerCall) => void | Promise<void>) | null = null;
  /** Runs when a call begins, before it looks. */
  before: ((call: TrackerCall) => void | Promise<void>) | null = null;
  /** Described and not forgotten. */
  readonly described = new Set<TrackedTable>();
  objectId = 1;
  beginVersion = 0n;
  minValid = 0n;
  fingerprint = 'f1';
  keyHash: string | undefined = undefined;
  definition = 'd1';
  /** Added to what sys.partitions says. */
  uncommittedRows = 0;
  readonly #options: Required<Omit<ScriptedTrackerOptions, 'filter' | 'expressions'>> &
    Pick<ScriptedTrackerOptions, 'filter' | 'expressions'>;
  readonly #rows = new Map<string, Row>();
  readonly #changes = new Map<string, Change>();
  readonly #failures: { readonly call: TrackerCall; readonly error: unknown }[] = [];
  #version = 0n;

  constructor(options: ScriptedTrackerOptions) {
    this.#options = { pageRows: 100, loadRows: 100, confirmMs: 1000, claims: 'implied', caseInsensitive: false, ...options };
  }

  get version(): bigint {
    return this.#version;
  }

  /** What the section must hold: data key → JSON text. */
  get expected(): Map<string, string> {
    const visible = [...this.#rows.values()].filter(({ document }) => this.#passes(document));
    return new Map(visible.map(({ dataKey, document }) => [dataKey, JSON.stringify(document)]));
  }

  /** One transaction: values by data key, null deletes. A key given again in another spelling is respelled. @returns its version */
  commit(values: Readonly<Record<string, Document | null>>): bigint {
    this.#version += 1n;
    for (const [dataKey, document] of Object.entries(values)) {
      const identity = this.identity(dataKey);
      this.#changes.set(identity, { dataKey: this.#changes.get(identity)?.dataKey ?? dataKey, version: this.#version });
      if (document === null) {
        this.#rows.delete(identity);
      } else {
        this.#rows.set(identity, { dataKey, document });
      }
    }
    return this.#version;
  }

  /** Other tables were written: the version moves. */
  elsewhere(): void {
    this.#version += 1n;
  }

  /** Rows written while tracking was off: no change records, no new version. */
  untracked(values: Readonly<Record<string, Document>>): void {
    for (const [dataKey, document] of Object.entries(values)) {
      this.#rows.set(this.identity(dataKey), { dataKey, document });
    }
  }

  /** TRUNCATE TABLE: no change records, no new version. */
  truncate(): void {
    this.#rows.clear();
    this.#changes.clear();
  }

  /** RESTORE: the rows of an earlier moment, under an earlier version. */
  rewind(version: bigint, values: Readonly<Record<string, Document>>): void {
    this.#rows.clear();
    this.#changes.clear();
    this.untracked(values);
    this.#version = version;
  }

  /** What RESTORE brings back: rows, change records and version of this moment. */
  state(): ScriptedState {
    return { rows: new Map(this.#rows), changes: new Map(this.#changes), version: this.#version };
  }

  restore({ rows, changes, version }: ScriptedState): void {
    this.#rows.clear();
    this.#changes.clear();
    rows.forEach((row, identity) => this.#rows.set(identity, row));
    changes.forEach((change, identity) => this.#changes.set(identity, change));
    this.#version = version;
  }

  /** The next such call fails. */
  fail(call: TrackerCall, error: unknown): void {
    this.#failures.push({ call, error });
  }

  identity(dataKey: string): string {
    return this.#options.caseInsensitive ? dataKey.toLowerCase() : dataKey;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  forget(table: TrackedTable): void {
    this.described.delete(table);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async describe(selection: TableSelection, { signal }: { readonly signal: AbortSignal }): Promise<TrackedTable> {
    const table = await this.#call('describe', signal, () => ({
      source: this.source,
      selection,
      fullName: 'dbo.Items',
      identity: {
        serviceBrokerGuid: 'g',
        database: 'd',
        objectId: this.objectId,
        beginVersion: this.beginVersion.toString(),
        fingerprint: this.fingerprint,
        keyHash: this.keyHash,
        recorded: { serverName: 's', databaseId: 5, createDate: '2026-01-01' },
      },
      columns: [],
      key: [],
      definition: this.definition,
      version: this.#version,
      isolation: 'snapshot' as const,
      warnings: [],
    }));
    this.described.add(table);
    return table;
  }

  /** Every probe asks for the catalog. */
  probe({ signal }: { readonly catalog: boolean; readonly signal: AbortSignal }): Promise<Probe> {
    return this.#call('probe', signal, () => ({
      version: this.#version,
      atMs: this.#options.clock.now(),
      tables: new Map([
        [
          'dbo.Items',
          {
            objectId: this.objectId,
            beginVersion: this.beginVersion,
            minValidVersion: this.minValid,
            definition: this.definition,
            rows: this.#rows.size + this.uncommittedRows,
          },
        ],
      ]),
    }));
  }

  readWindow(_table: TrackedTable, { from, cursor, signal }: Parameters<ChangeTracker['readWindow']>[1]): Promise<WindowPage> {
    return this.#call('readWindow', signal, () => {
      if (from < this.minValid) {
        throw new PatchwireError('PW-S211', `min valid is ${this.minValid}, the checkpoint ${from}`);
      }
      const beyond = [...this.#changes.values()]
        .filter(
          ({ version, dataKey }) =>
            version > from && (cursor === null || version > cursor.version || (version === cursor.version && dataKey > cursor.dataKey)),
        )
        .toSorted((a, b) => Number(a.version - b.version) || (a.dataKey < b.dataKey ? -1 : 1));
      const page = beyond.slice(0, this.#options.pageRows);
      const last = page.at(-1);
      return {
        rows: page.map(({ dataKey, version }): RowState => {
          const row = this.#rows.get(this.identity(dataKey));
          const visible = row !== undefined && this.#passes(row.document);
          return {
            identity: this.identity(dataKey),
            dataKey: row?.dataKey ?? dataKey,
            changeVersion: version,
            document: visible ? row.document : null,
          };
        }),
        to: this.#version,
        full: beyond.length > page.length,
        last: last === undefined ? null : { version: last.version, dataKey: last.dataKey },
        readAtMs: this.#options.clock.now(),
      };
    });
  }

  readLoadPage(_table: TrackedTable, { after, rows: most = Number.POSITIVE_INFINITY, where, signal }: LoadPageOptions): Promise<LoadPage> {
    return this.#call('readLoadPage', signal, () => {
      const asked = where === undefined ? (): boolean => true : this.#options.expressions?.[where];
      if (asked === undefined) {
        throw new PatchwireError('PW-S210', `no expression: ${where}`);
      }
      const rows = [...this.#rows]
        .filter(
          ([identity, { document }]) => this.#passes(document) && asked(document) && (after === null || identity > this.identity(after)),
        )
        .toSorted(([a], [b]) => (a < b ? -1 : 1));
      const page = rows.slice(0, Math.min(this.#options.loadRows, most));
      return {
        rows: page.map(([identity, { dataKey, document }]) => ({ identity, dataKey, changeVersion: this.#version, document })),
        to: this.#version,
        last: page.at(-1)?.[1].dataKey ?? null,
        end: rows.length === page.length,
      };
    });
  }

  readRow(
    _table: TrackedTable,
    { dataKey, signal }: { readonly dataKey: string | null; readonly signal: AbortSignal },
  ): Promise<RowState | null> {
    return this.#call('readRow', signal, () => {
      const [identity, row] = [...this.#rows].find(([key]) => dataKey === null || key === this.identity(dataKey)) ?? [];
      return identity === undefined || row === undefined ? null : { identity, ...row, changeVersion: this.#version };
    });
  }

  existing(_table: TrackedTable, dataKeys: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<readonly boolean[]> {
    return this.#call('existing', signal, () =>
      dataKeys.map((dataKey) => {
        const row = this.#rows.get(this.identity(dataKey));
        return row !== undefined && this.#passes(row.document);
      }),
    );
  }

  sameKey(_table: TrackedTable, a: string, b: string, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    return this.#call('sameKey', signal, () => this.identity(a) === this.identity(b));
  }

  countRows(_table: TrackedTable, { signal }: { readonly signal: AbortSignal }): Promise<RowCount | null> {
    return this.#call('countRows', signal, () => ({ rows: this.#rows.size, version: this.#version }));
  }

  trackChanges(options: TrackChangesOptions): AsyncIterable<ChangePage> {
    const { clock, confirmMs, claims } = this.#options;
    return trackChanges(this, { ...options, claims, confirmMs, clock });
  }

  #passes(document: Document): boolean {
    return this.#options.filter?.(document) ?? true;
  }

  async #call<T>(call: TrackerCall, signal: AbortSignal, look: () => T): Promise<T> {
    signal.throwIfAborted();
    this.calls.push(call);
    this.reading += 1;
    this.mostReading = Math.max(this.mostReading, this.reading);
    try {
      await this.before?.(call);
      const failure = this.#failures.findIndex((scripted) => scripted.call === call);
      if (failure >= 0) {
        throw this.#failures.splice(failure, 1)[0]?.error;
      }
      const answer = look();
      await Promise.resolve();
      await this.after?.(call);
      signal.throwIfAborted();
      return answer;
    } finally {
      this.reading -= 1;
    }
  }
}
