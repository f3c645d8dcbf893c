/** What an operator's `checkpoint reset --to` and `checkpoint set` do in the lane: reading goes on from another version. Loads nothing. */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import { maxVersion } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import { readAgainFrom, resetTarget } from './position.ts';

export interface ResetOptions {
  readonly table: TrackedTable;
  readonly tracker: ChangeTracker;
  readonly delivery: Delivery;
  readonly logger: Logger;
  readonly meta: () => SectionMeta;
  readonly changed: (meta: SectionMeta) => void;
  readonly stopReading: () => Promise<void>;
  readonly follow: (from: TrackingPosition) => void;
  readonly signal: AbortSignal;
}

/**
 * Reads again from a version, or with `skipChanges` from a later one. Reading goes on where it was when it is refused.
 * @returns the request's result. @throws PW-C109, PW-S211, PW-S221; what tracker and manager throw
 */
export async function resetTo(options: ResetOptions, text: string, skipChanges: boolean): Promise<string> {
  const { table, tracker, delivery, logger, meta, changed, stopReading, follow, signal } = options;
  const before = delivery.position.checkpoint;
  const probe = await tracker.probe({ catalog: true, signal });
  await stopReading();
  let target: ReturnType<typeof resetTarget>;
  try {
    target = resetTarget(text, delivery.position, table, probe, skipChanges);
    if (target.skips && meta().state !== 'live') {
      throw new PatchwireError('PW-C109', 'The section is loading, and the load needs the changes since it began.');
    }
  } finally {
    // Where reading is by now, not where it was when the lead was taken.
    follow(readAgainFrom(delivery.position));
  }
  const { checkpoint, confirmed, skips } = target;
  const { incomplete, state } = meta();
  const after = await delivery.transition({
    state,
    newEpoch: false,
    reset: null,
    advance: { checkpoint, confirmed, high: maxVersion(delivery.position.high, checkpoint) },
    ...(skips ? { incomplete: { reason: incomplete?.reason ?? 'skipped', since: checkpoint } } : {}),
  });
  changed(after);
  // A load goes on from its own cursor: only the windows begin again.
  follow(readAgainFrom(after));
  if (!skips) {
    return `Reading again from version ${checkpoint}.`;
  }
  logger.warn({ checkpoint: checkpoint.toString(), before: before.toString() }, 'changes were skipped: upTo is not claimed any more');
  await delivery.heartbeat();
  return `Reading from version ${checkpoint}; the changes since ${before} were skipped. upTo is not claimed until the table is loaded anew.`;
}
