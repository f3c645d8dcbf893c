/**
 * What may be concluded from a stored position: where reading begins again after a restart (R5), whether the data is of this source (L5), and
 * how far back an operator may set a checkpoint. Reads nothing, writes nothing.
 */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { SourceIdentity, TrackedTable } from '../model/table.ts';
import { parseVersion, type Version } from '../model/version.ts';
import type { Probe } from '../source/change-tracker.ts';

/** R5: what was read beyond `confirmed` is read again; what was seen before diffs to nothing. */
export function readAgainFrom({ confirmed, high }: Pick<SectionMeta, 'confirmed' | 'high'>): TrackingPosition {
  return { checkpoint: confirmed, confirmed, high };
}

const PROVING = ['serviceBrokerGuid', 'database', 'objectId', 'beginVersion'] as const;

/**
 * Refuses a table that is not the one that the section's data came from, or that is projected otherwise (L5).
 * @throws PW-S213, PW-S220
 */
export function checkSource(stored: SourceIdentity, table: TrackedTable): void {
  const { identity, fullName } = table;
  const differing = PROVING.filter((field) => stored[field] !== identity[field]);
  if (differing.length > 0) {
    const details = Object.fromEntries(differing.map((field) => [field, { stored: stored[field], found: identity[field] }]));
    throw new PatchwireError('PW-S213', `${fullName} is not the table that the data came from: ${differing.join(', ')} differs.`, {
      details,
    });
  }
  if (stored.fingerprint !== identity.fingerprint) {
    throw new PatchwireError('PW-S220', `The projection of ${fullName} is not the one that its documents were made with.`, {
      details: { stored: stored.fingerprint, found: identity.fingerprint },
    });
  }
}

/**
 * The position that `reset` to a version means: read again from it. Only backwards, as forwards would skip changes; only as far as history reaches.
 * @throws PW-C109 for no version, or one beyond the checkpoint; PW-S211, PW-S221
 */
export function resetTarget(
  text: string,
  position: TrackingPosition,
  table: TrackedTable,
  probe: Probe,
): { readonly checkpoint: Version; readonly confirmed: Version } {
  let to: Version;
  try {
    to = parseVersion(text);
  } catch (cause) {
    throw new PatchwireError('PW-C109', `${JSON.stringify(text)} is not a version.`, { cause });
  }
  if (to > position.checkpoint) {
    throw new PatchwireError('PW-C109', `Version ${to} is beyond the checkpoint ${position.checkpoint}: that would skip changes.`);
  }
  const minValid = probe.tables?.get(table.fullName)?.minValidVersion ?? null;
  if (minValid === null) {
    throw new PatchwireError('PW-S221', `Change tracking does not say how far the history of ${table.fullName} reaches.`);
  }
  if (to < minValid) {
    throw new PatchwireError('PW-S211', `History of ${table.fullName} begins at version ${minValid}, after ${to}.`, {
      details: { minValid: minValid.toString(), to: text },
    });
  }
  return { checkpoint: to, confirmed: to < position.confirmed ? to : position.confirmed };
}
