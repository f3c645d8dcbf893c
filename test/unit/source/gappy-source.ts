/**
 * A source in memory for the window logic: commits get their version at once and may become visible later, pages are cut by rows, and the
 * letter of R1 to R3 is kept. Versions begin beyond 2^53, so that a version that passes through a number is found out.
 */
import type { PageCursor, RowState, TrackingPosition } from '../../../src/model/change.ts';
import type { TrackedTable } from '../../../src/model/table.ts';
import type { Probe, WindowPage } from '../../../src/source/change-tracker.ts';
import type { TrackerReads } from '../../../src/source/track-changes.ts';
import type { ManualClock } from '../../support/manual-clock.ts';

export const BASE = 2n ** 53n + 1n;

export const TABLE: TrackedTable = {
  source: 'gappy',
  selection: { schema: 'dbo', name: 'T', columns: 'all', json: [], filter: null },
  fullName: 'dbo.T',
  identity: {
    serviceBrokerGuid: 'g',
    database: 'd',
    objectId: 7,
    beginVersion: '0',
    fingerprint: 'f',
    recorded: { serverName: 's', databaseId: 5, createDate: '' },
  },
  columns: [],
  key: [],
  definition: 'd',
  version: BASE,
  isolation: 'snapshot',
  warnings: [],
};

interface Commit {
  readonly key: string;
  readonly version: bigint;
  /** In time that nobody sets. */
  readonly visibleAt: number;
}

export interface WindowCall {
  readonly from: bigint;
  readonly cursor: PageCursor | null;
  readonly position: TrackingPosition;
  readonly atMs: number;
}

export class GappySource implements TrackerReads {
  readonly windows: WindowCall[] = [];
  readonly probes: { readonly atMs: number; readonly catalog: boolean }[] = [];
  current = BASE;
  minValid = 0n;
  beginVersion = 0n;
  objectId: number | null = 7;
  definition = TABLE.definition;
  pageRows = 3;
  catalogAlways = false;
  /** Runs between the version of a window and its view (R1). */
  sliver: (() => void) | null = null;
  readonly #clock: ManualClock;
  readonly #commits: Commit[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** One transaction: all keys share a version. */
  commit(keys: readonly string[], { visibleAfterMs = 0 }: { readonly visibleAfterMs?: number } = {}): bigint {
    this.current += 1n;
    for (const key of keys) {
      this.#commits.push({ key, version: this.current, visibleAt: this.#clock.monotonic() + visibleAfterMs });
    }
    return this.current;
  }

  /** The last change of each key, whether visible or not. */
  get truth(): Map<string, bigint> {
    return new Map(this.#commits.map(({ key, version }) => [key, version]));
  }

  /** For each key its last change at or below `version`. */
  truthAt(version: bigint): Map<string, bigint> {
    return new Map(this.#commits.filter((commit) => commit.version <= version).map((commit) => [commit.key, commit.version]));
  }

  probe({ catalog }: { readonly catalog: boolean }): Promise<Probe> {
    this.probes.push({ atMs: this.#clock.now(), catalog });
    const { objectId, beginVersion, minValid: minValidVersion, definition } = this;
    return Promise.resolve({
      version: this.current,
      atMs: this.#clock.now(),
      tables:
        catalog || this.catalogAlways
          ? new Map([[TABLE.fullName, { objectId, beginVersion, minValidVersion, definition, rows: 0 }]])
          : null,
    });
  }

  readWindow(
    _: TrackedTable,
    { from, cursor, position }: { readonly from: bigint; readonly cursor: PageCursor | null; readonly position: TrackingPosition },
  ): Promise<WindowPage> {
    const now = this.#clock.now();
    this.windows.push({ from, cursor, position, atMs: now });
    const to = this.current;
    this.sliver?.();
    const latest = new Map<string, bigint>();
    for (const { key, version, visibleAt } of this.#commits) {
      if (visibleAt <= this.#clock.monotonic()) {
        latest.set(key, version);
      }
    }
    const beyond = [...latest]
      .filter(([, version]) => version > from)
      .toSorted(([a, v], [b, w]) => (v === w ? (a < b ? -1 : 1) : v < w ? -1 : 1))
      .filter(([key, version]) => cursor === null || version > cursor.version || (version === cursor.version && key > cursor.dataKey));
    const rows = beyond
      .slice(0, this.pageRows)
      .map(([key, version]): RowState => ({ identity: key, dataKey: key, changeVersion: version, document: { v: version.toString() } }));
    const last = rows.at(-1);
    return Promise.resolve({
      rows,
      to,
      full: rows.length === this.pageRows,
      last: last === undefined ? null : { version: last.changeVersion, dataKey: last.dataKey },
      readAtMs: now,
    });
  }
}
