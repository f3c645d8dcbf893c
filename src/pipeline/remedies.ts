/**
 * What mends what: one table from the error that ended a lane to what the section does about it by itself. Waits for nothing and writes
 * nothing: how long is waited says section.ts, how a remedy begins load.ts. A code that is not here has no remedy but time, or an operator.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';
import type { PatchwireError } from '../model/errors.ts';

/**
 * resync: the documents are corrected by ordinary patches (state resyncing). replace: a new epoch, and every row written anew (state loading),
 * because versions compare only within an epoch (L5).
 */
export type Remedy = 'resync' | 'replace';

/** A remedy that is due, until the lane has begun it. */
export interface Mend {
  readonly remedy: Remedy;
  /** What it mends: logged once, counted once, told to subscribers as the reason. */
  readonly error: PatchwireError;
}

/** By the operator's policy `onLostHistory: stop` none of these begins by itself. */
const LOST_HISTORY: Partial<Record<ErrorCode, Remedy>> = {
  'PW-S211': 'resync',
  'PW-S220': 'resync',
  'PW-S212': 'replace',
  'PW-S213': 'replace',
  'PW-S234': 'replace',
};

/** In Redis, not in the source: mended whatever the policy. What a new epoch mends without reading rows stands in damage.ts. */
const DAMAGE: Partial<Record<ErrorCode, Remedy>> = {
  // So many documents are missing that reading all rows is cheaper than looking them up.
  'PW-M309': 'resync',
};

/** What the section does about an error by itself; null: nothing. */
export function remedyOf(error: PatchwireError, { onLostHistory }: { readonly onLostHistory: 'resync' | 'stop' }): Remedy | null {
  const damage = DAMAGE[error.code];
  if (damage !== undefined) {
    return damage;
  }
  return onLostHistory === 'stop' ? null : (LOST_HISTORY[error.code] ?? null);
}

/** Of two remedies that are due the one that mends more. */
export function stronger(a: Remedy, b: Remedy): Remedy {
  return a === 'replace' ? a : b;
}
