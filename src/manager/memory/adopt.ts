/** Giving documents that are there an exported position, over plain maps: what scripts/adopt.ts of the Redis adapter does. */
import { PatchwireError } from '../../model/errors.ts';
import { isSameSource } from '../../model/table.ts';
import { Digest } from '../../wire/digest.ts';
import { sectionKeys } from '../../wire/keys.ts';
import { STORE_FORMAT, WHOLE_FORMAT } from '../../wire/messages.ts';
import { resetText } from '../changes-message.ts';
import type { AdoptResult, ExportedSection } from '../distributed-data-manager.ts';
import type { MemoryStore, StoredSection } from './memory-store.ts';
import { checkFormat, described } from './section-writes.ts';
import { newId } from './take-lead.ts';

export interface Adopt {
  readonly store: MemoryStore;
  readonly partition: string;
  readonly section: string;
  readonly managerId: string;
  readonly nowMs: number;
  readonly exported: ExportedSection;
  readonly replace: boolean;
  readonly invalidations: boolean;
}

/** @throws PW-M307, PW-M313 */
export function adoptSection({ store, partition, section, managerId, nowMs, exported, replace, invalidations }: Adopt): AdoptResult {
  const stored = store.section(partition, section);
  const { meta, lease, index, documents } = stored;
  if (meta !== null && !replace) {
    checkFormat(meta, section);
    return { kind: 'living' };
  }
  if (lease !== null && lease.expiresAtMs > nowMs) {
    return { kind: 'held', by: lease.holder, expiresInMs: lease.expiresAtMs - nowMs };
  }
  if (meta !== null) {
    checkFormat(meta, section);
    if (meta.pending === 'purge') {
      throw new PatchwireError('PW-M307', `adopting section ${section}: a purge was not finished`);
    }
  }
  // Under another projection documents of the same versions are other documents.
  const foreign = meta !== null && meta.source !== null && !isSameSource(meta.source, exported.source);
  const missing = [...index.values()].filter(({ dataKey }) => !documents.has(dataKey)).length;
  if (foreign || missing > 0 || index.size !== exported.count || digestOf(stored) !== exported.digest) {
    return { kind: 'differs', documents: index.size, missing };
  }
  const { checkpoint, confirmed, high, upTo, source, incomplete } = exported;
  const seq = Math.max(exported.seq, meta?.seq ?? 0) + 1;
  const id = newId();
  const epoch = newId();
  const envelope = { partition, section, managerId, epoch };
  const text = resetText(envelope, { seq, id, prevId: exported.last }, { phase: 'end', reason: 'checkpoint imported', state: 'live' });
  stored.meta = {
    format: incomplete === null ? WHOLE_FORMAT : STORE_FORMAT,
    epoch,
    leader: '',
    seq,
    last: id,
    tip: newId(),
    checkpoint,
    upTo: incomplete === null ? upTo : null,
    confirmed,
    high,
    state: 'live',
    cursor: null,
    source,
    digest: exported.digest,
    pending: '',
    heartbeatAtMs: null,
    sourceReadAtMs: null,
    incomplete,
    paused: meta?.paused ?? null,
    keys: invalidations,
    mark: exported.mark,
  };
  stored.changes = [{ seq, text, timeMs: nowMs }];
  store.publish(sectionKeys(partition, section), text, invalidations ? text : null);
  return { kind: 'adopted', meta: described(stored) };
}

/** The digest of the index as it is. */
export function digestOf({ index }: StoredSection): string {
  const digest = new Digest();
  for (const [identity, { version }] of index) {
    digest.toggle(identity, version);
  }
  return digest.toString();
}
