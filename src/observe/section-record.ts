/**
 * What is known of a section while it runs, kept from what the pipeline tells: the read model of status, health rules, and the counter
 * line. Remembers the present and running totals, never a history.
 */
import { CaughtUp } from './caught-up.ts';
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import type { Clock } from '../lib/clock.ts';
import type { SectionObserver } from './section-observer.ts';

export type SectionPhase = Parameters<SectionObserver['phase']>[0];

export interface SectionTrouble {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  /** Failures in a row without progress; from ten on the table is faulted. 0: it waits for a server. */
  readonly failures?: number;
}

export interface SectionTotals {
  readonly windows: number;
  readonly rowsRead: number;
  readonly rowsDelivered: number;
  readonly unchanged: number;
  readonly patches: number;
  readonly batches: number;
  readonly bytes: number;
  readonly heartbeats: number;
  readonly resets: number;
  readonly resyncs: number;
  readonly errors: number;
}

/** Versions are decimal texts, instants ms since 1970. */
export interface SectionStatus {
  readonly section: string;
  readonly table: string;
  readonly source: string;
  readonly phase: SectionPhase;
  /** Why it retries or stopped. */
  readonly trouble: SectionTrouble | null;
  readonly leading: boolean;
  readonly epoch: string | null;
  readonly checkpoint: string | null;
  readonly confirmed: string | null;
  readonly upTo: string | null;
  readonly current: string | null;
  readonly lagVersions: number | null;
  /** When it was last known to contain everything; null: not yet. */
  readonly caughtUpAtMs: number | null;
  /** When the loop last advanced: a round, a batch, a load page, a change of phase. Heartbeats do not count. */
  readonly progressAtMs: number;
  readonly load: Parameters<SectionObserver['loadProgress']>[0] | null;
  /** What an operator has paused; null: nothing, or this process does not lead. */
  readonly paused: 'load' | 'all' | null;
  /** Why it lacks rows; null: it lacks none, or this process does not lead. */
  readonly incomplete: 'initial' | 'skipped' | null;
  /** A sweep waits for a confirmation: it would remove so many of the documents; null: none waits. */
  readonly sweepHeld: { readonly missing: number; readonly documents: number } | null;
  /** Rows that cannot be published, and whether they are more than the operator wants to bear without a word; 0 where this process does not lead. */
  readonly quarantine: { readonly rows: number; readonly alert: boolean };
  readonly totals: SectionTotals;
}

export interface SectionRecordOptions {
  readonly section: string;
  readonly table: string;
  readonly source: string;
  readonly clock: Clock;
}

const NONE = { rows: 0, alert: false };

export class SectionRecord implements SectionObserver {
  readonly #options: SectionRecordOptions;
  readonly #totals = {
    windows: 0,
    rowsRead: 0,
    rowsDelivered: 0,
    unchanged: 0,
    patches: 0,
    batches: 0,
    bytes: 0,
    heartbeats: 0,
    resets: 0,
    resyncs: 0,
    errors: 0,
  };
  #phase: SectionPhase = 'starting';
  #trouble: SectionTrouble | null = null;
  #leading: SectionMeta | null = null;
  #position: Parameters<SectionObserver['position']>[0] | null = null;
  #load: SectionStatus['load'] = null;
  #sweepHeld: SectionStatus['sweepHeld'] = null;
  #quarantine: SectionStatus['quarantine'] = NONE;
  readonly #caughtUp = new CaughtUp();
  #progressAtMs: number;

  constructor(options: SectionRecordOptions) {
    this.#options = options;
    this.#progressAtMs = options.clock.now();
  }

  status(): SectionStatus {
    const { section, table, source } = this.#options;
    const position = this.#position;
    return {
      section,
      table,
      source,
      phase: this.#phase,
      trouble: this.#trouble,
      leading: this.#leading !== null,
      epoch: this.#leading?.epoch ?? null,
      checkpoint: position?.checkpoint.toString() ?? null,
      confirmed: position?.confirmed.toString() ?? null,
      upTo: position?.upTo?.toString() ?? null,
      current: position?.current.toString() ?? null,
      lagVersions: position === null ? null : Math.max(0, Number(position.current - position.checkpoint)),
      caughtUpAtMs: this.#caughtUp.atMs,
      progressAtMs: this.#progressAtMs,
      load: this.#phase === 'loading' || this.#phase === 'resyncing' ? this.#load : null,
      paused: this.#leading?.paused?.what ?? null,
      incomplete: this.#leading?.incomplete?.reason ?? null,
      sweepHeld: this.#leading === null ? null : this.#sweepHeld,
      quarantine: this.#leading === null ? NONE : this.#quarantine,
      totals: { ...this.#totals },
    };
  }

  phase(phase: SectionPhase, detail?: SectionTrouble): void {
    this.#phase = phase;
    this.#trouble = detail ?? null;
    this.#caughtUp.phase(phase);
    if (phase === 'standby' || phase === 'starting') {
      this.#position = null;
    }
    this.#advanced();
  }

  polled(round: Parameters<SectionObserver['polled']>[0]): void {
    this.#caughtUp.polled(round);
    this.#totals.windows += round.read ? 1 : 0;
    this.#totals.rowsRead += round.rows;
    this.#advanced();
  }

  delivered(batch: Parameters<SectionObserver['delivered']>[0]): void {
    this.#totals.batches += 1;
    this.#totals.rowsDelivered += batch.rows;
    this.#totals.patches += batch.patches;
    this.#totals.bytes += batch.bytes;
    this.#advanced();
  }

  unchanged(rows: number): void {
    this.#totals.unchanged += rows;
    this.#advanced();
  }

  position(position: Parameters<SectionObserver['position']>[0]): void {
    this.#position = position;
    this.#caughtUp.position(position);
  }

  loadProgress(progress: Parameters<SectionObserver['loadProgress']>[0]): void {
    this.#load = progress;
    this.#advanced();
  }

  heartbeat(): void {
    this.#totals.heartbeats += 1;
  }

  leading(meta: SectionMeta | null): void {
    this.#leading = meta;
  }

  error(_code: ErrorCode): void {
    this.#totals.errors += 1;
  }

  reset(_reason: string): void {
    this.#totals.resets += 1;
  }

  resync(_begun: Parameters<SectionObserver['resync']>[0]): void {
    this.#totals.resyncs += 1;
  }

  sweepHeld(held: SectionStatus['sweepHeld']): void {
    this.#sweepHeld = held;
  }

  quarantine(state: SectionStatus['quarantine']): void {
    this.#quarantine = state;
  }

  #advanced(): void {
    this.#progressAtMs = this.#options.clock.now();
  }
}

/** Tells several observers, in their order. */
export function combineObservers(...observers: readonly SectionObserver[]): SectionObserver {
  const tell = (told: (observer: SectionObserver) => void): void => observers.forEach(told);
  return {
    phase: (phase, detail) => tell((observer) => observer.phase(phase, detail)),
    polled: (round) => tell((observer) => observer.polled(round)),
    delivered: (batch) => tell((observer) => observer.delivered(batch)),
    unchanged: (rows) => tell((observer) => observer.unchanged(rows)),
    position: (position) => tell((observer) => observer.position(position)),
    loadProgress: (progress) => tell((observer) => observer.loadProgress(progress)),
    heartbeat: () => tell((observer) => observer.heartbeat()),
    leading: (meta) => tell((observer) => observer.leading(meta)),
    error: (code) => tell((observer) => observer.error(code)),
    reset: (reason) => tell((observer) => observer.reset(reason)),
    resync: (begun) => tell((observer) => observer.resync(begun)),
    sweepHeld: (held) => tell((observer) => observer.sweepHeld(held)),
    quarantine: (state) => tell((observer) => observer.quarantine(state)),
  };
}
