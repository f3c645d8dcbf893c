/**
 * Follows one table on the primitives of any change tracker: when to read, from where, and what a page proves (R3 to R7). Keeps three
 * numbers: where reading resumes, up to where everything is confirmed, and the greatest version seen. Owns no connection, no timer but the
 * caller's pacing, and delivers nothing.
 */
import type { Clock } from '../lib/clock.ts';
import type { ChangePage, PageCursor, TrackingPosition } from '../model/change.ts';
import type { TrackedTable } from '../model/table.ts';
import { maxVersion, type Version } from '../model/version.ts';
import {
  type ChangeTracker,
  type Probe,
  type TableProbe,
  type TrackChangesOptions,
  type WindowPage,
  probedTable,
} from './change-tracker.ts';
import { checkTable, checkVersion } from './checks.ts';

export interface TrackOptions extends TrackChangesOptions {
  readonly claims: 'implied' | 'confirmed';
  /** The longest time between a commit's version and its rows becoming visible, ms (R5). */
  readonly confirmMs: number;
  readonly clock: Clock;
}

/** The part of a tracker that following a table needs. */
export type TrackerReads = Pick<ChangeTracker, 'probe' | 'readWindow'>;

/** A run of pages from one starting point to the first page that is not full. */
interface Sequence {
  /** Where its next page begins, together with the cursor. */
  from: Version;
  cursor: PageCursor | null;
  /** It began at `confirmed`, so that its end confirms. */
  readonly confirming: boolean;
  /** The version that was current `confirm` before its first page: what its end confirms; null: not known. */
  readonly candidate: Version | null;
  /** The version that was current at its first page: once that is confirmable, beginning again is cheaper than a second run. */
  target: Version | null;
  /** It has begun again once; it will not do so a second time. */
  readonly restarted: boolean;
  /** The greatest version seen when it began: rows above it are news. */
  readonly known: Version;
}

/**
 * One page a round, endlessly; see ChangeTracker.trackChanges. Nothing is read before the page is asked for.
 * @throws the signal's reason; PW-S211 to PW-S213 and PW-S221 when the source is not what the position came from; what the tracker throws
 */
export async function* trackChanges(tracker: TrackerReads, options: TrackOptions): AsyncGenerator<ChangePage, void, undefined> {
  const { table, signal, backoff, clock, confirmMs } = options;
  const history = new VersionHistory();
  let position: TrackingPosition = options.from;
  let sequence: Sequence | null = null;
  /** The version that was current when the last window was read; null: none was. */
  let readTo: Version | null = null;
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let claimed: Version | null = null;

  for (;;) {
    signal.throwIfAborted();
    let tableRows: number | null = null;
    let probe: Probe | null = null;
    if (sequence === null) {
      // The first window is checked by itself: hundreds of tables that begin need not each ask for the catalog of all.
      probe = await tracker.probe({ catalog: false, signal });
      tableRows = checkProbe(table, probe, position);
      // Measured by the clock that nobody sets, and when the answer has come: later is the safe side.
      history.add(probe.version, clock.monotonic());
    }

    const startedAt = clock.monotonic();
    const candidate = history.currentAt(startedAt - confirmMs);
    sequence = nextSequence(sequence, { probe, readTo, position, candidate, due: startedAt - confirmedAt >= confirmMs });
    if (sequence === null) {
      // Nothing moved and nothing is left to confirm.
      if (probe !== null) {
        yield idlePage(position, probe, tableRows);
      }
      await backoff.wait('empty', signal);
      continue;
    }
    if (sequence.confirming && sequence.cursor === null) {
      confirmedAt = startedAt;
    }

    const page: WindowPage = await tracker.readWindow(table, { from: sequence.from, cursor: sequence.cursor, position, signal });
    history.add(page.to, clock.monotonic());
    readTo = page.to;
    sequence.target ??= page.to;
    position = positionAfter(position, page, sequence);
    const upTo: Version | null = upToAfter(position, page, options);
    const isNew: boolean = upTo !== null && (claimed === null || upTo > claimed);
    claimed = isNew ? upTo : claimed;
    yield {
      rows: page.rows,
      to: page.to,
      full: page.full,
      position,
      upTo: isNew ? upTo : null,
      read: true,
      confirming: sequence.confirming,
      readAtMs: page.readAtMs,
      tableRows,
    };

    const { known } = sequence;
    const news = page.rows.some(({ changeVersion }) => changeVersion > known);
    if (page.full && page.last !== null) {
      sequence.cursor = page.last;
      sequence.from = maxVersion(sequence.from, page.last.version - 1n);
    } else {
      sequence = null;
    }
    await backoff.wait(page.full ? 'full' : news ? 'changes' : 'empty', signal);
  }
}

const NOTHING: TableProbe = { objectId: null, beginVersion: null, minValidVersion: null, definition: null, rows: null };

/** What a probe round shows of the table: checked before anything is claimed or read (R3, R6). @returns the table's rows, if asked */
function checkProbe(table: TrackedTable, probe: Probe, position: TrackingPosition): number | null {
  checkVersion(probe.version, position, { table: table.fullName });
  if (probe.tables === null) {
    return null;
  }
  const facts = probedTable(probe, table.fullName) ?? NOTHING;
  checkTable(table, facts, position.confirmed);
  return facts.rows;
}

/**
 * Goes on with the run of pages that is under way, begins one, or returns null.
 *
 * A long run that cannot confirm what it reads (the versions were too young at its first page) would have to be read a second time as a
 * whole. So as soon as they are old enough it begins again from `confirmed`, once: only what was read within `confirm` is read twice.
 */
function nextSequence(
  current: Sequence | null,
  state: {
    readonly probe: Probe | null;
    readonly readTo: Version | null;
    readonly position: TrackingPosition;
    readonly candidate: Version | null;
    readonly due: boolean;
  },
): Sequence | null {
  const { probe, readTo, position, candidate, due } = state;
  const begin = (from: Version, confirming: boolean, restarted: boolean): Sequence => ({
    from,
    cursor: null,
    confirming,
    candidate,
    target: null,
    restarted,
    known: current?.known ?? position.high,
  });
  if (current !== null) {
    const { target, restarted } = current;
    const confirms = current.confirming && current.candidate !== null && target !== null && current.candidate >= target;
    const better = candidate !== null && target !== null && candidate >= target;
    return !restarted && !confirms && better ? begin(position.confirmed, true, true) : current;
  }
  if (due && candidate !== null && candidate > position.confirmed) {
    return begin(position.confirmed, true, false);
  }
  // The first round reads in any case: what became visible late, or changed while nobody looked, is not in the counter.
  if (readTo === null || (probe !== null && (probe.version !== readTo || probe.version > position.checkpoint))) {
    return begin(position.checkpoint, position.checkpoint === position.confirmed, false);
  }
  return null;
}

/** R4 and R5: what the page proves. */
function positionAfter(position: TrackingPosition, page: WindowPage, sequence: Sequence): TrackingPosition {
  const last = page.rows.reduce((highest, { changeVersion }) => maxVersion(highest, changeVersion), page.to);
  const high = maxVersion(position.high, last);
  if (page.full) {
    // The last row's version may go on behind the page's end, and the rows above `to` prove nothing about what lies between.
    const complete = page.last === null ? position.checkpoint : page.last.version - 1n;
    return { ...position, checkpoint: maxVersion(position.checkpoint, complete < page.to ? complete : page.to), high };
  }
  const confirmed =
    sequence.confirming && sequence.candidate !== null ? maxVersion(position.confirmed, sequence.candidate) : position.confirmed;
  return { checkpoint: maxVersion(position.checkpoint, page.to), confirmed, high };
}

/** Only a page that is not full moves it: `to` where Microsoft's text promises that much, else what is confirmed. */
function upToAfter(position: TrackingPosition, page: WindowPage, { claims, table }: TrackOptions): Version | null {
  if (page.full) {
    return null;
  }
  return claims === 'implied' && table.isolation === 'snapshot' ? page.to : position.confirmed;
}

function idlePage(position: TrackingPosition, probe: Probe, tableRows: number | null): ChangePage {
  return {
    rows: [],
    to: probe.version,
    full: false,
    position,
    upTo: null,
    read: false,
    confirming: false,
    readAtMs: probe.atMs,
    tableRows,
  };
}

/** Which version was current when, in monotonic time. Bounded: one entry for each version seen within `confirm`, and one before. */
class VersionHistory {
  readonly #seen: { readonly version: Version; readonly at: number }[] = [];

  /** `version` was current at the latest at `at`, which is now. */
  add(version: Version, at: number): void {
    const newest = this.#seen.at(-1);
    if (newest === undefined || version > newest.version) {
      this.#seen.push({ version, at });
    }
  }

  /** The greatest version known to have been current at `at`; what is older than it is forgotten: later calls ask for later times. */
  currentAt(at: number): Version | null {
    let found: Version | null = null;
    let older = -1;
    for (const { version, at: seenAt } of this.#seen) {
      if (seenAt > at) {
        break;
      }
      found = version;
      older += 1;
    }
    this.#seen.splice(0, Math.max(0, older));
    return found;
  }
}
