/**
 * Trying rows of the quarantine again, because an operator asks (L6) or because it was long ago; and letting go of entries. Works in the lane,
 * between other reads; a row is read by its key and goes the way of every other row.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, OperatorRequest, QuarantinedRow, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import type { Delivered } from './delivery-options.ts';
import type { VerbHandler } from './requests.ts';

/** Rows read by key at a time. */
const ROWS_AT_A_TIME = 50;

export interface QuarantineRetryOptions {
  readonly table: () => TrackedTable;
  readonly tracker: ChangeTracker;
  readonly manager: Pick<DistributedDataManager, 'quarantined'>;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly mode: () => 'publish' | 'store';
  readonly signal: AbortSignal;
}

export interface QuarantineVerbOptions extends QuarantineRetryOptions {
  readonly meta: () => SectionMeta;
  readonly changed: (meta: SectionMeta) => void;
  /** Decides what the section needs, if nothing is read yet. */
  readonly begin: () => Promise<void>;
}

/** The verbs `retry` and `drop`; keys: data keys, separated by commas; without them every row in quarantine. */
export function quarantineVerbs(options: QuarantineVerbOptions): readonly (readonly [string, VerbHandler])[] {
  return [
    ['retry', (request) => retry(options, request)],
    ['drop', (request) => drop(options, request)],
  ];
}

async function retry(options: QuarantineVerbOptions, { args }: OperatorRequest): Promise<string> {
  await options.begin();
  const held = await asked(options, args['keys']);
  let [back, stay] = [0, 0];
  for (let at = 0; at < held.length; at += ROWS_AT_A_TIME) {
    const { renewed, setAside } = await tryAgain(options, held.slice(at, at + ROWS_AT_A_TIME));
    stay += renewed + setAside;
  }
  await options.delivery.settle();
  back = held.length - stay;
  await options.delivery.heartbeat();
  return `${held.length} rows were read again: ${back} left the quarantine, ${stay} still cannot be published.`;
}

async function drop(options: QuarantineVerbOptions, { args }: OperatorRequest): Promise<string> {
  const { begin, table, tracker, delivery, clock, meta, changed, mode, signal } = options;
  await begin();
  const held = await asked(options, args['keys']);
  const { version: to } = await tracker.probe({ catalog: false, signal });
  const exists = await tracker.existing(
    table(),
    held.map(({ entry }) => entry.dataKey),
    { signal },
  );
  const missing = exists.filter(Boolean).length;
  // Before the entries go: what is not published must not pass for all there is.
  if (missing > 0 && meta().incomplete === null) {
    const { state } = meta();
    changed(
      await delivery.transition({
        state,
        newEpoch: false,
        reset: null,
        advance: {},
        incomplete: { reason: 'skipped', since: delivery.position.high },
      }),
    );
  }
  const writes = held.map(({ identity }) => ({ identity, expected: null, next: null, changes: [], quarantine: null }));
  await delivery.settle();
  await delivery.remove(writes, { to, readAtMs: clock.now(), mode: mode(), advance: {} });
  await delivery.settle();
  await delivery.heartbeat();
  return missing === 0
    ? `${held.length} entries were dropped; their rows are gone.`
    : `${held.length} entries were dropped. ${missing} of their rows stay unpublished until they change: the section is incomplete until it is resynced.`;
}

/** @throws PW-W405 for a key that is not in quarantine */
async function asked({ delivery }: QuarantineVerbOptions, keys: string | undefined): Promise<readonly QuarantinedRow[]> {
  await delivery.settle();
  await delivery.quarantine.read();
  const held = delivery.quarantine.oldest();
  if (keys === undefined) {
    return held;
  }
  return keys.split(',').map((key) => {
    const found = held.find(({ identity, entry }) => entry.dataKey === key || identity === key);
    if (found === undefined) {
      throw new PatchwireError('PW-W405', `The row ${key} is not in quarantine.`, { hint: 'See `patchwire quarantine list`.' });
    }
    return found;
  });
}

/** Reads rows by their keys and delivers what they are now. */
async function tryAgain(options: QuarantineRetryOptions, held: readonly QuarantinedRow[]): Promise<Delivered> {
  const { table, tracker, delivery, clock, mode, signal } = options;
  // The version before the look, as for every read (R1): what is gone was gone as of it.
  const { version: to } = await tracker.probe({ catalog: false, signal });
  const rows: RowState[] = [];
  for (const { identity, entry } of held) {
    const row = await tracker.readRow(table(), { dataKey: entry.dataKey, signal }).catch((error: unknown) => {
      // The key has other columns since then.
      if (error instanceof PatchwireError && error.code === 'PW-C109') {
        return null;
      }
      throw error;
    });
    if (row === null) {
      rows.push({ identity, dataKey: entry.dataKey, changeVersion: to, document: null });
    } else {
      rows.push(row.identity === identity ? row : { ...row, formerIdentity: identity });
    }
  }
  const sameKey = (a: string, b: string): Promise<boolean> => tracker.sameKey(table(), a, b, { signal });
  return await delivery.deliver({ rows, to, readAtMs: clock.now(), mode: mode(), retry: true, advance: {}, sameKey, signal });
}

/** Tries rows again that were tried long ago, one every heartbeat at most: what keeps them out may have been mended elsewhere. */
export class QuarantineRetry {
  readonly #options: QuarantineRetryOptions;
  #dueAt: number;

  constructor(options: QuarantineRetryOptions) {
    this.#options = options;
    this.#dueAt = options.clock.monotonic() + options.heartbeatMs;
  }

  /** One row, if one is due. */
  async step(): Promise<void> {
    const { delivery, clock, heartbeatMs } = this.#options;
    if (delivery.quarantine.count === 0 || clock.monotonic() < this.#dueAt) {
      return;
    }
    this.#dueAt = clock.monotonic() + heartbeatMs;
    await delivery.settle();
    await delivery.quarantine.read();
    const [oldest] = delivery.quarantine.oldest();
    if (oldest !== undefined && clock.now() - Date.parse(oldest.entry.lastAt) >= delivery.quarantine.retryAfterMs) {
      await tryAgain(this.#options, [oldest]);
    }
  }
}
