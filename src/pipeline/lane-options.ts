/** What a lane is made of and how it may end: lane.ts runs it. */
import type { OperatorRequest } from '../manager/distributed-data-manager.ts';
import type { LoadOptions } from './load.ts';
import type { LostHistory } from './lost-history.ts';
import type { Marks } from './marks.ts';
import type { Ladder } from './polling.ts';
import type { RequestDesk } from './requests.ts';
import type { RowCountWatch } from './row-counts.ts';

export interface LaneOptions extends LoadOptions {
  readonly ladder: Ladder;
  readonly desk: RequestDesk;
  /** Of the section, not of this lane: a verdict outlives it. */
  readonly rowCounts: RowCountWatch;
  /** Of the section too: what is lost, and what is done about it. */
  readonly lost: LostHistory;
  readonly marks?: Marks | undefined;
  /** End when the section is live and a round found nothing more. */
  readonly once: boolean;
  /** Pause between the pages of the patrol (C8). */
  readonly heartbeatMs: number;
  /** A round was read and needed no delivery: back-off may begin anew (with delivery, its acknowledgement says so). */
  readonly onHealthy: () => void;
}

/** Why a lane ended without an error: caught up (`once`), or an operator wants the section purged, or paused as a whole. */
export type LaneEnd =
  | { readonly kind: 'caughtUp' }
  | { readonly kind: 'purge'; readonly request: OperatorRequest }
  | { readonly kind: 'paused' };
