/**
 * The checks of R3: whether a source still is what a position was read from, and whether its history reaches back to it. One place for the
 * reader, which checks before and after each page, and for the probe, which sees what moves no counter (TRUNCATE, DDL). Pure.
 */
import { PatchwireError } from '../model/errors.ts';
import type { TrackingPosition } from '../model/change.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Version } from '../model/version.ts';

/** What the source said of a table. NULL is never 0. */
export interface TableFacts {
  readonly objectId: number | null;
  readonly beginVersion: Version | null;
  readonly minValidVersion: Version | null;
  /** How the table is defined, as one value that is only compared; null where it cannot be seen. */
  readonly definition: string | null;
}

/**
 * Table and history: object id, begin version and definition are those of the description, and min valid is at most `reach`.
 * @param reach the lowest version that a read will begin from; null: only the identity is checked
 * @throws PatchwireError PW-S211 (history), PW-S213 (another table), PW-S221 (NULL), PW-S230 (columns or key)
 */
export function checkTable(table: TrackedTable, facts: TableFacts, reach: Version | null): void {
  const { objectId, beginVersion, minValidVersion } = facts;
  const details = {
    table: table.fullName,
    objectId,
    beginVersion: beginVersion?.toString() ?? null,
    minValidVersion: minValidVersion?.toString() ?? null,
    describedObjectId: table.identity.objectId,
    describedBeginVersion: table.identity.beginVersion,
    reach: reach?.toString() ?? null,
  };
  if (objectId === null || beginVersion === null || minValidVersion === null) {
    throw new PatchwireError(
      'PW-S221',
      `Change tracking answered NULL for ${table.fullName}: tracking off, table gone, or no permission.`,
      {
        details,
      },
    );
  }
  if (objectId !== table.identity.objectId) {
    throw new PatchwireError('PW-S213', `${table.fullName} is another table now: its object id changed.`, { details });
  }
  const described = BigInt(table.identity.beginVersion);
  if (beginVersion < described) {
    throw new PatchwireError('PW-S213', `${table.fullName} is tracked from an earlier version than before: the database was replaced.`, {
      details,
    });
  }
  if (beginVersion > described) {
    throw new PatchwireError(
      'PW-S211',
      `The history of ${table.fullName} was cut at version ${beginVersion}: TRUNCATE, or tracking was switched off and on.`,
      { details },
    );
  }
  if (facts.definition !== table.definition) {
    throw definitionChanged(table);
  }
  if (minValidVersion < 0n || (reach !== null && minValidVersion > reach)) {
    throw new PatchwireError(
      'PW-S211',
      `The history of ${table.fullName} begins at version ${minValidVersion}, after the checkpoint ${reach ?? ''}.`,
      { details },
    );
  }
}

/** What was read, or would be, is not what the plan of the description means: it has to be described anew. */
export function definitionChanged(table: TrackedTable, cause?: unknown): PatchwireError {
  return new PatchwireError('PW-S230', `The definition of ${table.fullName} changed: it is described anew.`, {
    details: { table: table.fullName },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The counter: nothing that was read or written may lie above the current version.
 * @throws PatchwireError PW-S212 (rewound), PW-S221 (NULL)
 */
export function checkVersion(
  current: Version | null,
  seen: TrackingPosition & { readonly last?: Version | undefined },
  about: { readonly table: string },
): Version {
  if (current === null) {
    throw new PatchwireError('PW-S221', `The current version is NULL: change tracking is off for the database of ${about.table}.`, {
      details: about,
    });
  }
  for (const [name, version] of Object.entries(seen)) {
    if (typeof version === 'bigint' && version > current) {
      throw new PatchwireError(
        'PW-S212',
        `The version counter stands at ${current}, below ${name} ${version} of ${about.table}: the database was restored or rewound.`,
        { details: { ...about, current: current.toString(), [name]: version.toString() } },
      );
    }
  }
  return current;
}

/**
 * The history of a table begins at or below the version that was current afterwards: some replicas answer otherwise, and nothing read from them
 * would ever be covered. @throws PatchwireError PW-S214
 */
export function checkCoherent(table: string, minValid: Version, version: Version): void {
  if (minValid > version) {
    throw new PatchwireError('PW-S214', `The history of ${table} begins at version ${minValid}, above the current version ${version}.`, {
      details: { table, minValidVersion: minValid.toString(), version: version.toString() },
    });
  }
}
