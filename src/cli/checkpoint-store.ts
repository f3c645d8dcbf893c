/** What `checkpoint show` says of a section's row in SQL Server, and whether it and Redis belong together. Reads only. */
import type { Config, TableConfig } from '../config/schema.ts';
import { createCheckpoints } from '../daemon/parts.ts';
import { systemClock } from '../lib/clock.ts';
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import { asPatchwireError } from '../model/errors.ts';
import { provenLoss } from '../pipeline/marks.ts';
import { silentLog } from './opening.ts';

/** The fields are a contract: added to, never changed. `store`: redis, or sqlserver with what is in the row; its error where it cannot be read. */
export async function storeJson(config: Config, { section, source }: TableConfig, meta: SectionMeta, signal: AbortSignal) {
  const mark = meta.mark?.toString() ?? null;
  await using checkpoints = createCheckpoints(config, source, { clock: systemClock, log: silentLog() });
  if (checkpoints === null) {
    return { store: config.checkpoint.store, mark, row: null };
  }
  const { store } = config.checkpoint;
  try {
    const row = await checkpoints.read(section, { signal });
    const loss = meta.source === null ? null : provenLoss(section, meta, row);
    const shown =
      row === null
        ? null
        : {
            epoch: row.epoch,
            checkpoint: row.checkpoint.toString(),
            confirmed: row.confirmed.toString(),
            mark: row.mark.toString(),
            originMark: row.originMark.toString(),
            leader: row.leader,
            updatedAt: new Date(row.updatedAtMs).toISOString(),
          };
    return { store, mark, row: shown, ...(loss === null ? {} : { proves: { code: loss.code, message: loss.message } }) };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asPatchwireError(error);
    return { store, mark, row: { code, message } };
  }
}
