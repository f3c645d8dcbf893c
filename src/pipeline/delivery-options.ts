/** What a delivery is made of, and what it is asked: deliver.ts does it. */
import type { Clock } from '../lib/clock.ts';
import type { Advance, DistributedDataManager, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import type { Version } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { BatchHooks } from './hooks.ts';
import type { Marks } from './marks.ts';
import type { QuarantineWatch } from './quarantine-watch.ts';

export interface BatchLimits {
  readonly rows: number;
  readonly bytes: number;
  /** Most scripts sent and not answered. */
  readonly inFlight: number;
}

export interface DeliveryOptions {
  readonly section: string;
  readonly manager: DistributedDataManager;
  readonly clock: Clock;
  readonly limits: BatchLimits;
  readonly heartbeatMs: number;
  readonly observer: SectionObserver;
  readonly logger: Logger;
  readonly hooks?: BatchHooks | undefined;
  /** The checkpoint row in the source's database; absent: there is none. */
  readonly marks?: Marks | undefined;
  /** Of the section, not of this lead. Default: one of its own. */
  readonly watch?: QuarantineWatch;
  /** What `lead` returned. */
  readonly meta: SectionMeta;
  /** Called once, with the first refusal. */
  readonly onRefusal: (error: unknown) => void;
  /** Called with every batch that was acknowledged. */
  readonly onAcknowledged: () => void;
  /** Called when an idle advance should not wait for the next heartbeat. */
  readonly onUrgent: () => void;
}

/** What one read found, to be delivered as a whole. */
export interface Read {
  readonly rows: readonly RowState[];
  readonly to: Version;
  readonly readAtMs: number;
  readonly mode: 'publish' | 'store';
  /** Rows in quarantine are tried again although they have not changed. */
  readonly retry?: boolean;
  /** They are what change tracking says has changed: who is told of keys hears of each once, also where its document is as it was delivered. */
  readonly changed?: boolean;
  /** The table has a filter: of a row that is in no document nobody is told, for the filter may be what keeps its key out of Redis. */
  readonly filtered?: boolean;
  /** Rides on the read's last batch; where nothing is written, on the next heartbeat (or, without a heartbeat's patience, on a script). */
  readonly advance: Advance;
  /** Whether SQL Server calls two keys equal; asked only when two spellings of one identity meet. */
  readonly sameKey: (a: string, b: string) => Promise<boolean>;
  /** Looked at between batches: once it has fired no further batch is composed, and the position stays where it was. */
  readonly signal: AbortSignal;
}

export interface Delivered {
  /** Rows written. */
  readonly written: number;
  /** Rows that the section held already. */
  readonly unchanged: number;
  /** Rows whose document was not there although the index names it: written whole (C8). */
  readonly mended: number;
  /** Of those written, rows that are in quarantine now; and rows that stay there, tried once more. */
  readonly setAside: number;
  readonly renewed: number;
}
