/**
 * What operators ask of the reading itself (L6): poll now, load anew, go on from another version, purge. Loads nothing and polls nothing: the lane
 * does.
 */
import type { OperatorRequest, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import { maxVersion } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import type { Ladder } from './polling.ts';
import { readAgainFrom, resetTarget } from './position.ts';
import type { RequestDesk, VerbHandler } from './requests.ts';

export interface ReadingOptions {
  readonly table: () => TrackedTable;
  readonly ladder: Ladder;
  readonly desk: RequestDesk;
  readonly tracker: ChangeTracker;
  readonly delivery: Delivery;
  readonly logger: Logger;
  readonly meta: () => SectionMeta;
  readonly changed: (meta: SectionMeta) => void;
  /** Decides what the section needs, if nothing is read yet. */
  readonly begin: () => Promise<void>;
  readonly stopReading: () => Promise<void>;
  readonly follow: (from: TrackingPosition) => void;
  /** Loads everything anew under a new epoch. */
  readonly loadAnew: (reason: string) => Promise<unknown>;
  /** The lane ends, to be purged. */
  readonly ends: (request: OperatorRequest) => void;
  readonly signal: AbortSignal;
}

/** The verbs `poll`, `reset`, `set` and `purge`. */
export function readingVerbs(options: ReadingOptions): readonly (readonly [string, VerbHandler])[] {
  const { ladder, desk, meta, loadAnew, ends } = options;
  return [
    [
      'poll',
      (request): Promise<null> => {
        ladder.wake();
        desk.keep(request);
        return Promise.resolve(null);
      },
    ],
    [
      'reset',
      async ({ args, who }): Promise<string> => {
        const text = args['to'];
        if (text !== undefined) {
          return await resetTo(options, text, false);
        }
        await loadAnew(`checkpoint reset by ${who}`);
        const { incomplete, checkpoint, epoch } = meta();
        const what = incomplete === null ? 'Loading anew' : 'Nothing is loaded (initial: none); following';
        return `${what} from version ${checkpoint}, under the new epoch ${epoch}.`;
      },
    ],
    ['set', ({ args }) => resetTo(options, args['to'] ?? '', args['skipChanges'] === 'true')],
    [
      'purge',
      (request): Promise<null> => {
        ends(request);
        return Promise.resolve(null);
      },
    ],
  ];
}

/**
 * Reads again from a version, or with `skipChanges` from a later one. Reading goes on where it was when it is refused.
 * @returns the request's result. @throws PW-C109, PW-S211, PW-S221; what tracker and manager throw
 */
async function resetTo(options: ReadingOptions, text: string, skipChanges: boolean): Promise<string> {
  const { table, tracker, delivery, logger, meta, changed, begin, stopReading, follow, signal } = options;
  await begin();
  const before = delivery.position.checkpoint;
  const probe = await tracker.probe({ catalog: true, signal });
  await stopReading();
  let target: ReturnType<typeof resetTarget>;
  try {
    target = resetTarget(text, delivery.position, table(), probe, skipChanges);
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
