/**
 * What may be concluded from a stored position: where reading begins again after a restart (R5), whether the data is of this source (L5), and
 * how far back an operator may set a checkpoint. Reads nothing, writes nothing.
 */
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import { PROVING, type SourceIdentity, type TrackedTable } from '../model/table.ts';
import { parseVersion, type Version } from '../model/version.ts';
import { type Probe, probedTable } from '../source/change-tracker.ts';

/** R5: what was read beyond `confirmed` is read again; what was seen before diffs to nothing. */
export function readAgainFrom({ confirmed, high }: Pick<SectionMeta, 'confirmed' | 'high'>): TrackingPosition {
  return { checkpoint: confirmed, confirmed, high };
}

/** Begins no later than the checkpoint row in the source's database says: the lower of both counts. */
export function notBeyond(row: Version | null, from: TrackingPosition): TrackingPosition {
  return row === null || row >= from.confirmed ? from : { ...from, checkpoint: row, confirmed: row };
}

/**
 * Refuses a table that is not the one that the section's data came from, whose history began anew, or that is projected otherwise (L5).
 * @throws PW-S213, PW-S211, PW-S220
 */
export function checkSource(stored: SourceIdentity, table: TrackedTable): void {
  const { identity, fullName } = table;
  const differing = PROVING.filter((field) => stored[field] !== identity[field]);
  if (differing.join() === 'beginVersion' && BigInt(identity.beginVersion) > BigInt(stored.beginVersion)) {
    throw new PatchwireError(
      'PW-S211',
      `The history of ${fullName} was cut at version ${identity.beginVersion}: TRUNCATE, or tracking was switched off and on.`,
      { details: { table: fullName, beginVersion: { stored: stored.beginVersion, found: identity.beginVersion } } },
    );
  }
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
 * Whether versions of the table as it is now do not compare with those of the section's data (L5): another table or database, one that was
 * rewound, or another key. Then patches would not do: what is corrected needs a new epoch.
 * @param high the greatest version that was written
 */
export function isReplaced(stored: SourceIdentity, high: Version, { identity, version }: TrackedTable): boolean {
  const other = PROVING.some((field) => field !== 'beginVersion' && stored[field] !== identity[field]);
  const rewound = BigInt(identity.beginVersion) < BigInt(stored.beginVersion) || version < high;
  // What was stored before keys were kept tells only that nothing of the projection changed.
  const rekeyed = stored.keyHash === undefined ? stored.fingerprint !== identity.fingerprint : stored.keyHash !== identity.keyHash;
  return other || rewound || rekeyed;
}

/**
 * The position that a version given by an operator means: read again from it, only as far as history reaches. Forwards skips changes, which must
 * be said, and is of no use while a load still needs them.
 * @throws PW-C109 for no version, one beyond the checkpoint, one that is not current yet; PW-S211, PW-S221
 */
export function resetTarget(
  text: string,
  position: TrackingPosition,
  table: TrackedTable,
  probe: Probe,
  skipChanges = false,
): { readonly checkpoint: Version; readonly confirmed: Version; readonly skips: boolean } {
  let to: Version;
  try {
    to = parseVersion(text);
  } catch (cause) {
    throw new PatchwireError('PW-C109', `${JSON.stringify(text)} is not a version.`, { cause });
  }
  if (to > position.checkpoint) {
    if (!skipChanges) {
      throw new PatchwireError('PW-C109', `Version ${to} is beyond the checkpoint ${position.checkpoint}: that would skip changes.`, {
        hint: 'Say --skip-changes if they are meant to be lost: upTo is not claimed any more until the table is loaded anew.',
      });
    }
    if (to > probe.version) {
      throw new PatchwireError('PW-C109', `Version ${to} is beyond the current version ${probe.version} of the source.`);
    }
  }
  const minValid = probedTable(probe, table.fullName)?.minValidVersion ?? null;
  if (minValid === null) {
    throw new PatchwireError('PW-S221', `Change tracking does not say how far the history of ${table.fullName} reaches.`);
  }
  if (to < minValid) {
    throw new PatchwireError('PW-S211', `History of ${table.fullName} begins at version ${minValid}, after ${to}.`, {
      details: { minValid: minValid.toString(), to: text },
    });
  }
  const skips = to > position.checkpoint;
  return { checkpoint: to, confirmed: skips || to < position.confirmed ? to : position.confirmed, skips };
}
