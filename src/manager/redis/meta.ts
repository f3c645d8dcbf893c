/** The fields of `{p:s}/meta` as text, and back. What cannot be null in Redis is an empty field. */
import { PatchwireError } from '../../model/errors.ts';
import type { SourceIdentity } from '../../model/table.ts';
import { formatVersion, parseVersion } from '../../model/version.ts';
import { EMPTY_DIGEST } from '../../wire/digest.ts';
import { type SectionState, sectionState, STORE_FORMAT, WHOLE_FORMAT } from '../../wire/messages.ts';
import type { Advance, Incomplete, LoadCursor, Paused, SectionMeta } from '../distributed-data-manager.ts';

/** The fields that an advance sets, as field, value, field, value … */
export function encodeAdvance(advance: Advance): string[] {
  const fields: string[] = [];
  if (advance.checkpoint !== undefined) {
    fields.push('checkpoint', formatVersion(advance.checkpoint));
  }
  if (advance.upTo !== undefined) {
    fields.push('upTo', formatVersion(advance.upTo));
  }
  if (advance.confirmed !== undefined) {
    fields.push('confirmed', formatVersion(advance.confirmed));
  }
  if (advance.high !== undefined) {
    fields.push('high', formatVersion(advance.high));
  }
  if (advance.cursor !== undefined) {
    fields.push('cursor', advance.cursor === null ? '' : JSON.stringify(advance.cursor));
  }
  if (advance.sourceReadAtMs !== undefined) {
    fields.push('sourceReadAt', new Date(advance.sourceReadAtMs).toISOString());
  }
  if (advance.mark !== undefined) {
    fields.push('mark', advance.mark.toString());
  }
  return fields;
}

/** The fields that say whether every row is there. Only a section that lacks some needs readers that know of it. */
export function encodeIncomplete(incomplete: Incomplete | null): string[] {
  return incomplete === null
    ? ['format', String(WHOLE_FORMAT), 'incomplete', '', 'incompleteSince', '']
    : ['format', String(STORE_FORMAT), 'incomplete', incomplete.reason, 'incompleteSince', formatVersion(incomplete.since)];
}

export function encodePaused(paused: Paused | null): string[] {
  return paused === null
    ? ['paused', '', 'pausedBy', '', 'pausedAt', '']
    : ['paused', paused.what, 'pausedBy', paused.who, 'pausedAt', String(paused.atMs)];
}

/**
 * Reads what the scripts' `describe` answers; null: there is no such section.
 * @param known the newest format that the reader knows
 * @throws PatchwireError PW-M313 when a newer patchwire wrote it, PW-M316 when it is no meta of ours
 */
export function decodeDescription(reply: unknown, section: string, known: number = STORE_FORMAT): SectionMeta | null {
  const [flat, count, quarantined] = reply as readonly [readonly string[], number, number];
  if (flat.length === 0) {
    return null;
  }
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    fields.set(flat[i] ?? '', flat[i + 1] ?? '');
  }
  const text = (name: string): string => fields.get(name) ?? '';
  const format = Number(text('format'));
  if (format > known) {
    throw newerFormat(section, format, known);
  }
  try {
    return {
      format,
      epoch: text('epoch'),
      seq: Number(text('seq')),
      last: text('last'),
      tip: text('tip'),
      checkpoint: parseVersion(text('checkpoint')),
      upTo: text('upTo') === '' ? null : parseVersion(text('upTo')),
      confirmed: parseVersion(text('confirmed')),
      high: parseVersion(text('high')),
      state: sectionState.parse(text('state')) satisfies SectionState,
      cursor: text('cursor') === '' ? null : (JSON.parse(text('cursor')) as LoadCursor),
      source: text('source') === '' ? null : (JSON.parse(text('source')) as SourceIdentity),
      digest: text('digest') || EMPTY_DIGEST,
      count,
      pending: text('pending') !== '',
      leader: text('leader'),
      heartbeatAtMs: text('heartbeatAt') === '' ? null : Number(text('heartbeatAt')),
      sourceReadAtMs: text('sourceReadAt') === '' ? null : Date.parse(text('sourceReadAt')),
      quarantined,
      incomplete: decodeIncomplete(text('incomplete'), text('incompleteSince')),
      paused: decodePaused(text('paused'), text('pausedBy'), text('pausedAt')),
      keys: text('keys') !== '',
      mark: text('mark') === '' ? null : parseVersion(text('mark')),
    };
  } catch (error) {
    throw new PatchwireError('PW-M316', `the meta of section ${section} cannot be read`, { cause: error });
  }
}

function decodeIncomplete(reason: string, since: string): Incomplete | null {
  return reason === '' ? null : { reason: reason === 'initial' ? reason : 'skipped', since: parseVersion(since) };
}

function decodePaused(what: string, who: string, at: string): Paused | null {
  return what === '' ? null : { what: what === 'load' ? what : 'all', who, atMs: Number(at) };
}

function newerFormat(section: string, format: number, known: number): PatchwireError {
  return new PatchwireError('PW-M313', `section ${section} has format ${format}, this patchwire knows ${known}`, {
    details: { format },
  });
}
