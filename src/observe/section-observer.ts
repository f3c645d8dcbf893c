/** What the pipeline tells of a section while it runs: the one seam through which metrics, status and the counter line see it. */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';

/** All methods return at once and never throw. Durations in ms, sizes in bytes. */
export interface SectionObserver {
  /** standby: another daemon leads; retrying: an error is waited out; paused: by an operator, as a whole; stopped: until someone acts. */
  phase(
    phase: 'starting' | 'standby' | 'loading' | 'resyncing' | 'live' | 'retrying' | 'paused' | 'stopped',
    detail?: {
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string;
      /** Failures in a row; ten make it faulted. */
      readonly failures?: number;
    },
  ): void;
  /** A poll round ended: the loop advanced. */
  polled(round: {
    readonly read: boolean;
    readonly rows: number;
    readonly full: boolean;
    readonly durationMs: number;
    readonly to: bigint;
    readonly readAtMs: number;
  }): void;
  /** A batch was acknowledged. */
  delivered(batch: {
    readonly rows: number;
    readonly patches: number;
    readonly bytes: number;
    readonly durationMs: number;
    readonly message: boolean;
  }): void;
  /** Rows of a page that diffed to nothing. */
  unchanged(rows: number): void;
  position(position: {
    readonly checkpoint: bigint;
    readonly confirmed: bigint;
    readonly upTo: bigint | null;
    readonly current: bigint;
  }): void;
  /** percent, rows per second and seconds left are null where they cannot be said. */
  loadProgress(progress: {
    readonly phase: 'load' | 'sweep';
    readonly rows: number;
    readonly estimate: number | null;
    readonly percent: number | null;
    readonly rowsPerSecond: number | null;
    readonly secondsLeft: number | null;
  }): void;
  heartbeat(): void;
  /** What is stored of the section that is led, told again when its state, pause or completeness changes; null: it is led no more. */
  leading(meta: SectionMeta | null): void;
  error(code: ErrorCode): void;
  /** Subscribers had to load anew: a new epoch or the end of a load. */
  reset(reason: string): void;
  /** The section is read anew: the code of what was lost, or `asked`. resync: by patches; replace: under a new epoch. */
  resync(begun: { readonly reason: ErrorCode | 'asked'; readonly how: 'resync' | 'replace' }): void;
  /** A sweep waits for a confirmation: it would remove `missing` of the documents; null: none waits any more. */
  sweepHeld(held: { readonly missing: number; readonly documents: number } | null): void;
  /** So many rows cannot be published; `alert`: more than the operator wants to bear without a word. */
  quarantine(state: { readonly rows: number; readonly alert: boolean }): void;
}

export const silentObserver: SectionObserver = {
  phase() {},
  polled() {},
  delivered() {},
  unchanged() {},
  position() {},
  loadProgress() {},
  heartbeat() {},
  leading() {},
  error() {},
  reset() {},
  resync() {},
  sweepHeld() {},
  quarantine() {},
};
