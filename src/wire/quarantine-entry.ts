/**
 * What stands in `{p:s}/quarantine` for a row that exists and cannot be published: by identity, as JSON. Row contents never stand in it, but
 * the key. Subscribers need its length only; whoever looks for the reason reads it here.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';

/** tooLarge: above limits.maxDocument; unrepresentable: a value has no JSON of its own; refused: Redis did not take the document. */
export type QuarantineReason = 'tooLarge' | 'unrepresentable' | 'refused';

export interface QuarantineEntry {
  /** As the row spells its key. */
  readonly dataKey: string;
  readonly reason: QuarantineReason;
  readonly code: ErrorCode;
  /** For people; no row contents. */
  readonly message: string;
  /** The source version as of which the row is known to be unpublishable, and SYS_CHANGE_VERSION of the row, in decimal. */
  readonly versionId: string;
  readonly changeVersion: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** When it was tried first and last, ISO 8601. */
  readonly firstAt: string;
  readonly lastAt: string;
}

/** The code of each reason. */
export const QUARANTINE_CODES = {
  tooLarge: 'PW-S225',
  unrepresentable: 'PW-S241',
  refused: 'PW-M325',
} as const satisfies Record<QuarantineReason, ErrorCode>;

/** An entry as it is stored. What somebody else wrote there counts as an entry all the same: the row is tried again from scratch. */
export function decodeQuarantineEntry(identity: string, text: string): QuarantineEntry {
  try {
    const value = JSON.parse(text) as QuarantineEntry;
    if (Object.hasOwn(QUARANTINE_CODES, value.reason) && typeof value.dataKey === 'string' && isDated(value)) {
      return value;
    }
  } catch {
    // Not ours.
  }
  const never = new Date(0).toISOString();
  const about = { reason: 'unrepresentable', code: QUARANTINE_CODES.unrepresentable, message: 'The entry cannot be read.' } as const;
  return { dataKey: identity, ...about, versionId: '0', changeVersion: '0', attempts: 0, firstAt: never, lastAt: never };
}

/** What decides whether the row is tried again: how often and when it was, and which change was met. */
function isDated({ versionId, changeVersion, attempts, firstAt, lastAt }: QuarantineEntry): boolean {
  const times = [firstAt, lastAt].every((at) => typeof at === 'string' && !Number.isNaN(Date.parse(at)));
  return times && [versionId, changeVersion].every((version) => typeof version === 'string' && /^\d{1,19}$/.test(version)) && attempts >= 0;
}
