/** Takes or keeps the lead of a section (C3, C4), and first finishes a purge that was begun. */
import { PatchwireError } from '../../model/errors.ts';
import { Digest, EMPTY_DIGEST } from '../../wire/digest.ts';
import { decodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import { MESSAGE_VERSION } from '../../wire/messages.ts';
import { removedText } from '../changes-message.ts';
import type { LeadResult } from '../distributed-data-manager.ts';
import type { LeadMemory } from '../lead-memory.ts';
import type { Link } from './connection.ts';
import { decodeDescription } from './meta.ts';
import { purgeSection } from './purge.ts';
import { channelsOf } from './scripts/prelude.ts';
import { type LeadContext, newId, SectionLead } from './section-lead.ts';

const SCAN_COUNT = 1000;

export interface TakeLead {
  readonly section: string;
  readonly keys: SectionKeys;
  readonly link: Link;
  readonly memory: LeadMemory;
  /** Lead although a script stopped half-way. */
  readonly repair: boolean;
}

/** @throws PW-M307 when a script stopped half-way and `repair` is not asked for, PW-M310, PW-M311, PW-M312, PW-M313 */
export async function takeLead(
  context: LeadContext,
  { section, keys, link, memory, repair }: TakeLead,
): Promise<{ readonly result: LeadResult; readonly lead: SectionLead | null }> {
  const channels = channelsOf(keys, context.invalidations);
  for (;;) {
    const token = newId();
    const args = [
      context.managerId,
      token,
      String(context.format),
      String(context.leaseMs),
      newId(),
      newId(),
      newId(),
      EMPTY_DIGEST,
      channels,
      context.partition,
      section,
      String(context.clock.now()),
      String(MESSAGE_VERSION),
      repair ? '1' : '',
      String(memory.tokens.length),
      ...memory.tokens,
      ...memory.tips,
    ];
    const scriptKeys = [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine];
    const reply = (await link.run('lead', scriptKeys, args, 'write', `leading section ${section}`)) as readonly unknown[];
    if (reply[0] === 'held') {
      return { result: { kind: 'held', by: String(reply[1]), expiresInMs: Number(reply[2]) }, lead: null };
    }
    if (reply[0] === 'purging') {
      // A purge that was not finished, or leftovers of a section that lost its meta: finished first, then the section is created anew.
      const envelope = { partition: context.partition, section, managerId: context.managerId };
      const removed = (epoch: string): string => removedText({ ...envelope, epoch }, 'an unfinished purge');
      await purgeSection(link, keys, { section, token, managerId: context.managerId, leaseMs: context.leaseMs, channels, removed });
      continue;
    }
    const meta = decodeDescription(reply[3], section, context.format);
    if (meta === null) {
      throw new PatchwireError('PW-M316', `leading section ${section}: no meta`);
    }
    memory.taken(token, meta.tip);
    const tornDigest = repair ? await recomputeDigest(link, keys, section) : null;
    return {
      result: { kind: 'leading', meta, created: reply[1] === 1, rewound: reply[2] === 1 },
      lead: new SectionLead(context, { section, keys, link, token, meta, memory, tornDigest }),
    };
  }
}

/** The digest of the index as it is: after a torn script nobody knows it. Nobody else writes meanwhile: we lead. */
async function recomputeDigest(link: Link, keys: SectionKeys, section: string): Promise<string> {
  // HSCAN may answer an entry twice, and the digest would lose it.
  const versions = new Map<string, string>();
  let cursor = '0';
  do {
    const args = [keys.index, cursor, 'COUNT', String(SCAN_COUNT)];
    const [next, flat] = (await link.call('HSCAN', args, 'read', `index of ${section}`)) as readonly [string, readonly string[]];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      versions.set(identity, decodeIndexEntry(identity, flat[i + 1] ?? '').version);
    }
    cursor = next;
  } while (cursor !== '0');
  const digest = new Digest();
  for (const [identity, version] of versions) {
    digest.toggle(identity, version);
  }
  return digest.toString();
}
