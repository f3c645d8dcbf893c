/**
 * Why and how a section is read anew: what is lost of it, whether patches can mend that or only a replacement (L3, L5), and what is stored and said
 * when it has ended. Decides; the lane and load.ts do it.
 */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Version } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { Delivery } from './deliver.ts';
import type { Beginning, Load } from './load.ts';
import type { LostHistory } from './lost-history.ts';
import type { Marks } from './marks.ts';
import { checkSource, isReplaced } from './position.ts';
import type { RowCountWatch } from './row-counts.ts';

/** What is lost of the section, or what of its source differs; null: nothing. */
export function lossOf(
  { lost, rowCounts, marks }: { readonly lost: LostHistory; readonly rowCounts: RowCountWatch; readonly marks?: Marks | undefined },
  meta: SectionMeta,
  table: TrackedTable,
): PatchwireError | null {
  if (lost.error !== null || meta.source === null) {
    return lost.error;
  }
  if ((marks?.loss ?? null) !== null) {
    return marks?.loss ?? null;
  }
  try {
    checkSource(meta.source, table);
    rowCounts.check(meta.epoch);
    return null;
  } catch (error) {
    return asPatchwireError(error);
  }
}

/** By patches under the epoch that there is where the documents are of this source, else as a replacement: told by the identity that the table has then. */
export function beginningOf(
  { state, source, incomplete }: SectionMeta,
  {
    lost,
    marks,
    high,
    reason,
    guarded,
  }: Pick<Beginning, 'reason' | 'guarded'> & {
    readonly lost: LostHistory;
    readonly marks?: Marks | undefined;
    readonly high: () => Version;
  },
): (table: TrackedTable) => Beginning {
  const known = (lost.error !== null && lost.remedy(lost.error) === 'replace') || (marks?.loss ?? null) !== null;
  return (table) => {
    const replaces =
      known || incomplete?.reason === 'initial' || state === 'loading' || source === null || isReplaced(source, high(), table);
    return { kind: replaces ? 'load' : 'resync', newEpoch: replaces, reason, guarded };
  };
}

/** Stores that a load or a resync has ended, and says so. @returns the meta after it, and what whoever asked for it is told */
export async function endLoad(
  { delivery, logger, now }: { readonly delivery: Delivery; readonly logger: Logger; readonly now: () => number },
  meta: SectionMeta,
  { load, upTo, sourceReadAtMs }: { readonly load: Load; readonly upTo: Version; readonly sourceReadAtMs: number },
): Promise<{ readonly meta: SectionMeta; readonly message: string }> {
  const { rows, startedAtMs, changed = 0, removed } = load.progress;
  const resynced = meta.state === 'resyncing';
  const whole = meta.incomplete === null;
  const live = await delivery.transition({
    state: 'live',
    newEpoch: false,
    reset: resynced ? null : { phase: 'end', reason: whole ? 'load ended' : 'followed from now on' },
    advance: { ...delivery.position, ...(whole ? { upTo } : {}), cursor: null, sourceReadAtMs },
  });
  if (whole) {
    const facts = { rows, ...(resynced ? { changed, removed } : {}), documents: live.count, upTo: upTo.toString() };
    logger.info({ ...facts, durationMs: now() - startedAtMs }, resynced ? 'resync ended: live' : 'load ended: live');
  } else {
    logger.info({ fromVersion: meta.incomplete?.since.toString() }, 'live: rows are published as they change, upTo is not claimed');
  }
  const how = resynced ? `${changed} documents corrected, ${removed} removed` : 'written anew under a new epoch';
  return { meta: live, message: `Resynced: ${rows} rows read, ${how}; live up to version ${upTo}.` };
}
