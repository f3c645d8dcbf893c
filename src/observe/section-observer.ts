/** What the pipeline tells of a section while it runs: the one seam through which metrics, status and the counter line see it. */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';

/** All methods return at once and never throw. Durations in ms, sizes in bytes. */
export interface SectionObserver {
  /** standby: another daemon leads; retrying: an error is waited out; stopped: until someone acts. */
  phase(
    phase: 'starting' | 'standby' | 'loading' | 'live' | 'retrying' | 'stopped',
    detail?: { readonly code: ErrorCode; readonly message: string; readonly hint: string },
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
  loadProgress(progress: { readonly phase: 'load' | 'sweep'; readonly rows: number; readonly estimate: number | null }): void;
  heartbeat(): void;
  leading(meta: SectionMeta | null): void;
  error(code: ErrorCode): void;
  /** Subscribers had to load anew: a new epoch or the end of a load. */
  reset(reason: string): void;
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
};
