/** Taking the lead over plain maps (C3, C4): what scripts/lead.ts of the Redis adapter does. */
import { randomBytes } from 'node:crypto';
import { PatchwireError } from '../../model/errors.ts';
import { EMPTY_DIGEST } from '../../wire/digest.ts';
import { sectionKeys } from '../../wire/keys.ts';
import { WHOLE_FORMAT } from '../../wire/messages.ts';
import { resetText } from '../changes-message.ts';
import type { LeadResult } from '../distributed-data-manager.ts';
import type { LeadMemory } from '../lead-memory.ts';
import type { MemoryStore } from './memory-store.ts';
import { appendMessage, checkFormat, described, renew } from './section-writes.ts';

export interface TakeLead {
  readonly store: MemoryStore;
  readonly partition: string;
  readonly section: string;
  readonly managerId: string;
  readonly leaseMs: number;
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
  readonly nowMs: number;
  readonly memory: LeadMemory;
  readonly token: string;
  readonly tip: string;
  readonly repair: boolean;
  readonly invalidations: boolean;
}

/** @throws PW-M307, PW-M313 */
export function takeLead(take: TakeLead): LeadResult {
  const { store, partition, section, managerId, nowMs, memory, token, tip } = take;
  const { lease, meta: found } = store.section(partition, section);
  if (lease !== null && lease.expiresAtMs > nowMs && lease.holder !== managerId) {
    return { kind: 'held', by: lease.holder, expiresInMs: lease.expiresAtMs - nowMs };
  }
  if (found !== null) {
    checkFormat(found, section);
  }
  if (found?.pending === 'purge') {
    store.remove({ partition, section, managerId, epoch: found.epoch }, 'an unfinished purge', take.invalidations);
  }
  const stored = store.section(partition, section);
  const { meta } = stored;
  if (meta === null) {
    stored.index.clear();
    stored.documents.clear();
    stored.changes = [];
    stored.meta = {
      format: WHOLE_FORMAT,
      epoch: newId(),
      leader: token,
      seq: 0,
      last: tip,
      tip,
      checkpoint: 0n,
      upTo: null,
      confirmed: 0n,
      high: 0n,
      state: 'loading',
      cursor: null,
      source: null,
      digest: EMPTY_DIGEST,
      pending: '',
      heartbeatAtMs: null,
      sourceReadAtMs: null,
      incomplete: null,
      paused: null,
      keys: take.invalidations,
      mark: null,
    };
    renew(stored, take);
    return { kind: 'leading', meta: described(stored), created: true, rewound: false };
  }
  if (meta.pending !== '' && !take.repair) {
    throw new PatchwireError('PW-M307', `leading section ${section}: a script stopped half-way`);
  }
  const rewound = meta.pending === '' && memory.tokens.includes(meta.leader) && !memory.tips.includes(meta.tip);
  meta.leader = token;
  meta.keys = take.invalidations;
  renew(stored, take);
  if (rewound) {
    const id = newId();
    const seq = meta.seq + 1;
    const epoch = newId();
    const body = { phase: meta.state === 'loading' ? 'begin' : 'end', reason: 'rewound', state: meta.state } as const;
    const text = resetText({ partition, section, managerId, epoch }, { seq, id, prevId: meta.last }, body);
    stored.changes = [];
    Object.assign(meta, { epoch, seq, last: id, tip });
    appendMessage(stored, take, seq, text);
    store.publish(sectionKeys(partition, section), text, take.invalidations ? text : null);
  }
  return { kind: 'leading', meta: described(stored), created: false, rewound };
}

/** Unique over all processes: 96 random bits. */
export function newId(): string {
  return randomBytes(12).toString('base64url');
}
