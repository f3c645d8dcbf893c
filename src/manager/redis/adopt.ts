/**
 * Gives documents that came from elsewhere (a replica, a dump, MIGRATE) the position that was exported with them. They must be exactly those of
 * the export: the digest over identities and versions says so, and every document must be there. Where they are not, nothing is written.
 */
import { PatchwireError } from '../../model/errors.ts';
import { isSameSource } from '../../model/table.ts';
import { formatVersion } from '../../model/version.ts';
import { Digest } from '../../wire/digest.ts';
import { decodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import { STORE_FORMAT } from '../../wire/messages.ts';
import { resetText } from '../changes-message.ts';
import type { AdoptResult, ExportedSection, SectionMeta } from '../distributed-data-manager.ts';
import type { Link } from './connection.ts';
import { decodeDescription, encodeAdvance, encodeIncomplete } from './meta.ts';
import { channelsOf } from './scripts/prelude.ts';
import { type LeadContext, newId } from './section-lead.ts';

const SCAN_COUNT = 1000;

export interface Adopt {
  readonly section: string;
  readonly keys: SectionKeys;
  readonly link: Link;
  /** What is there now; null: no section. */
  readonly found: SectionMeta | null;
  readonly exported: ExportedSection;
  readonly replace: boolean;
}

/** @throws PW-M307 over a purge that was not finished, PW-M310 to PW-M313 */
export async function adoptSection(
  context: Pick<LeadContext, 'partition' | 'managerId' | 'clock' | 'invalidations'>,
  { section, keys, link, found, exported, replace }: Adopt,
): Promise<AdoptResult> {
  if (found !== null && !replace) {
    return { kind: 'living' };
  }
  const { versions, missing } = await lookAt(link, keys, section);
  const digest = new Digest();
  for (const [identity, version] of versions) {
    digest.toggle(identity, version);
  }
  // Under another projection documents of the same versions are other documents.
  const foreign = found !== null && found.source !== null && !isSameSource(found.source, exported.source);
  if (foreign || missing > 0 || versions.size !== exported.count || digest.toString() !== exported.digest) {
    return { kind: 'differs', documents: versions.size, missing };
  }
  const epoch = newId();
  const id = newId();
  // While meta lives seq never restarts (C4), and behind another server's it goes on too: nobody takes a new message for an old one.
  const seq = Math.max(exported.seq, found?.seq ?? 0) + 1;
  const envelope = { partition: context.partition, section, managerId: context.managerId, epoch };
  const message = resetText(envelope, { seq, id, prevId: exported.last }, { phase: 'end', reason: 'checkpoint imported', state: 'live' });
  const { checkpoint, confirmed, high, upTo, source, incomplete } = exported;
  const now = String(context.clock.now());
  const reply = (await link.run(
    'adopt',
    [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine],
    [
      replace ? '1' : '',
      found?.tip ?? '',
      String(STORE_FORMAT),
      String(exported.count),
      channelsOf(keys, context.invalidations),
      now,
      `0-${seq}`,
      message,
      ...['epoch', epoch, 'seq', String(seq), 'last', id, 'tip', newId(), 'state', 'live', 'digest', exported.digest],
      ...['source', JSON.stringify(source), 'upTo', upTo === null || incomplete !== null ? '' : formatVersion(upTo)],
      ...encodeAdvance({ checkpoint, confirmed, high }),
      ...['mark', exported.mark?.toString() ?? ''],
      ...encodeIncomplete(incomplete),
    ],
    'write',
    `adopting section ${section}`,
  )) as readonly unknown[];
  return answered(reply, section);
}

function answered(reply: readonly unknown[], section: string): AdoptResult {
  switch (reply[0]) {
    case 'held':
      return { kind: 'held', by: String(reply[1]), expiresInMs: Number(reply[2]) };
    case 'living':
      return { kind: 'living' };
    case 'differs':
      return { kind: 'differs', documents: Number(reply[1]), missing: 0 };
    default: {
      const meta = decodeDescription(reply[1], section);
      if (meta === null) {
        throw new PatchwireError('PW-M316', `adopting section ${section}: no meta`);
      }
      return { kind: 'adopted', meta };
    }
  }
}

/** Identity → version, and how many entries have no document. */
async function lookAt(
  link: Link,
  keys: SectionKeys,
  section: string,
): Promise<{ readonly versions: ReadonlyMap<string, string>; readonly missing: number }> {
  const what = `index of ${section}`;
  const versions = new Map<string, string>();
  let missing = 0;
  let cursor = '0';
  do {
    const args = [keys.index, cursor, 'COUNT', String(SCAN_COUNT)];
    const [next, flat] = (await link.call('HSCAN', args, 'read', what)) as readonly [string, readonly string[]];
    const documents: string[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      const { version, dataKey } = decodeIndexEntry(identity, flat[i + 1] ?? '');
      // HSCAN may answer an entry twice.
      if (!versions.has(identity)) {
        versions.set(identity, version);
        documents.push(keys.document + dataKey);
      }
    }
    if (documents.length > 0) {
      missing += documents.length - Number(await link.call('EXISTS', documents, 'read', what));
    }
    cursor = next;
  } while (cursor !== '0');
  return { versions, missing };
}
