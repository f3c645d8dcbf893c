/** What an advance makes of a stored position. Pure: it neither waits nor sends. */
import type { Advance } from '../manager/distributed-data-manager.ts';
import type { TrackingPosition } from '../model/change.ts';
import { maxVersion, type Version } from '../model/version.ts';

/** A position that only goes forward: what a restart from `confirmed` reads again never takes a claim back. */
export function forward(stored: Stored, advance: Advance): Advance {
  return {
    ...advance,
    ...(advance.checkpoint === undefined ? {} : { checkpoint: maxVersion(stored.checkpoint, advance.checkpoint) }),
    ...(advance.confirmed === undefined ? {} : { confirmed: maxVersion(stored.confirmed, advance.confirmed) }),
    ...(advance.high === undefined ? {} : { high: maxVersion(stored.high, advance.high) }),
    ...(advance.upTo === undefined ? {} : { upTo: stored.upTo === null ? advance.upTo : maxVersion(stored.upTo, advance.upTo) }),
  };
}

/** The position as it is stored, and the claim. */
export interface Stored extends TrackingPosition {
  readonly upTo: Version | null;
}

/** The position after an advance. */
export function moved(stored: Stored, advance: Advance): Stored {
  return {
    checkpoint: advance.checkpoint ?? stored.checkpoint,
    confirmed: advance.confirmed ?? stored.confirmed,
    high: advance.high ?? stored.high,
    upTo: advance.upTo ?? stored.upTo,
  };
}

/** Without upTo. */
export function withoutClaim(advance: Advance): Advance {
  const { upTo: _, ...rest } = advance;
  return rest;
}

/** Whether an advance claims anything that is not stored yet. */
export function moves(stored: Stored, advance: Advance): boolean {
  const after = moved(stored, forward(stored, advance));
  return after.checkpoint !== stored.checkpoint || after.confirmed !== stored.confirmed || after.upTo !== stored.upTo;
}
