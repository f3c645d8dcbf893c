/**
 * What the scripts of the Redis adapter do, over plain maps: each function checks everything, then writes everything, and returns the
 * message to publish. Refusals are thrown before the first write.
 */
import { PatchwireError } from '../../model/errors.ts';
import { Digest } from '../../wire/digest.ts';
import { type HeartbeatMessage, MESSAGE_VERSION, STORE_FORMAT, WHOLE_FORMAT } from '../../wire/messages.ts';
import type { Advance, Batch, SectionMeta, Transition } from '../distributed-data-manager.ts';
import type { StoredMeta, StoredSection } from './memory-store.ts';

/** What a script is told: who writes, where the chain is supposed to be, and where it goes. */
export interface Writer {
  readonly section: string;
  readonly partition: string;
  readonly managerId: string;
  readonly token: string;
  readonly expectedTip: string;
  readonly leaseMs: number;
  readonly nowMs: number;
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
}

export interface Step {
  readonly tip: string;
  readonly seq: number;
  readonly id: string;
  /** null: none is written or published. */
  readonly message: string | null;
}

/** @throws PW-M305, PW-M306, PW-M307, PW-M313 */
export function guard(stored: StoredSection, writer: Writer, allowTorn = false): StoredMeta {
  const { meta } = stored;
  if (meta === null || meta.leader !== writer.token) {
    throw new PatchwireError('PW-M305', `section ${writer.section}: another leader holds the section`);
  }
  checkFormat(meta, writer.section);
  if (meta.pending !== '' && (!allowTorn || meta.pending === 'purge')) {
    throw new PatchwireError('PW-M307', `section ${writer.section}: a script stopped half-way`);
  }
  if (meta.tip !== writer.expectedTip) {
    throw new PatchwireError('PW-M306', `section ${writer.section}: the tip is ${meta.tip}`);
  }
  return meta;
}

/** @throws PW-M313 */
export function checkFormat(meta: StoredMeta, section: string): void {
  if (meta.format > STORE_FORMAT) {
    throw new PatchwireError('PW-M313', `section ${section} has format ${meta.format}, this patchwire knows ${STORE_FORMAT}`, {
      details: { format: meta.format },
    });
  }
}

/** @throws also PW-M306 when the position is another, PW-M308 when a base is */
export function writeBatch(
  stored: StoredSection,
  writer: Writer,
  batch: Batch,
  position: { readonly checkpoint: bigint; readonly upTo: bigint | null },
  step: Step,
): void {
  const meta = guard(stored, writer);
  if (meta.checkpoint !== position.checkpoint || meta.upTo !== position.upTo) {
    throw new PatchwireError('PW-M306', `section ${writer.section}: the stored checkpoint is ${meta.checkpoint}`);
  }
  let different = 0;
  for (const { identity, expected } of batch.rows) {
    const entry = stored.index.get(identity);
    if (entry?.version !== expected?.version || entry?.dataKey !== expected?.dataKey) {
      different += 1;
    }
  }
  if (different > 0) {
    throw new PatchwireError('PW-M308', `section ${writer.section}: ${different} index entries are not the ones that were delivered last`, {
      details: { identities: different },
    });
  }
  checkLog(stored, writer.section, step);
  const digest = new Digest(meta.digest);
  for (const { identity, expected, next, quarantine } of batch.rows) {
    if (expected !== null) {
      digest.toggle(identity, expected.version);
      stored.documents.delete(expected.dataKey);
      stored.index.delete(identity);
    }
    if (next !== null) {
      digest.toggle(identity, next.version);
      stored.index.set(identity, { version: next.version, dataKey: next.dataKey });
      stored.documents.set(next.dataKey, next.document);
    }
    if (quarantine === null) {
      stored.quarantine.delete(identity);
    } else if (quarantine !== undefined) {
      stored.quarantine.set(identity, JSON.stringify(quarantine));
    }
  }
  meta.digest = digest.toString();
  meta.tip = step.tip;
  applyAdvance(meta, batch.advance);
  renew(stored, writer);
  if (step.message !== null) {
    meta.seq = step.seq;
    meta.last = step.id;
    appendMessage(stored, writer, step.seq, step.message);
  }
}

/** `repair`: the digest of the index as it is, after a script that stopped half-way. */
export function writeTransition(
  stored: StoredSection,
  writer: Writer,
  transition: Transition,
  step: Step & { readonly epoch: string; readonly repair: string | null },
): void {
  const meta = guard(stored, writer, step.repair !== null);
  if (!transition.newEpoch) {
    checkLog(stored, writer.section, step);
  } else {
    stored.changes = [];
  }
  meta.tip = step.tip;
  meta.seq = step.seq;
  meta.last = step.id;
  meta.epoch = step.epoch;
  meta.state = transition.state;
  meta.pending = '';
  if (transition.newEpoch || transition.state !== 'live' || (transition.incomplete ?? null) !== null) {
    meta.upTo = null;
  }
  if (transition.incomplete !== undefined) {
    meta.incomplete = transition.incomplete;
    meta.format = transition.incomplete === null ? WHOLE_FORMAT : STORE_FORMAT;
  }
  if (transition.paused !== undefined) {
    meta.paused = transition.paused;
  }
  applyAdvance(meta, transition.advance);
  meta.source = transition.source ?? meta.source;
  meta.digest = step.repair ?? meta.digest;
  renew(stored, writer);
  if (step.message !== null) {
    appendMessage(stored, writer, step.seq, step.message);
  }
}

/** @returns the message. @throws also PW-M306 when the stored position is not the believed one */
export function writeHeartbeat(
  stored: StoredSection,
  writer: Writer,
  believed: { readonly checkpoint: bigint; readonly confirmed: bigint; readonly upTo: bigint | null },
  { advance, intervalMs }: { readonly advance: Advance; readonly intervalMs: number },
): string {
  const meta = guard(stored, writer);
  if (meta.checkpoint !== believed.checkpoint || meta.confirmed !== believed.confirmed || meta.upTo !== believed.upTo) {
    throw new PatchwireError(
      'PW-M306',
      `section ${writer.section}: the stored checkpoint is ${meta.checkpoint}, confirmed ${meta.confirmed}`,
    );
  }
  meta.heartbeatAtMs = writer.nowMs;
  applyAdvance(meta, advance);
  renew(stored, writer);
  return JSON.stringify({
    v: MESSAGE_VERSION,
    type: 'heartbeat',
    partitionKey: writer.partition,
    section: writer.section,
    managerId: writer.managerId,
    epoch: meta.epoch,
    intervalMs,
    seq: meta.seq,
    last: meta.last,
    tip: meta.tip,
    checkpoint: meta.checkpoint.toString(),
    upTo: meta.upTo?.toString() ?? null,
    state: meta.state,
    digest: meta.digest,
    count: stored.index.size,
    quarantined: stored.quarantine.size,
    sourceReadAt: meta.sourceReadAtMs === null ? null : new Date(meta.sourceReadAtMs).toISOString(),
    time: new Date(writer.nowMs).toISOString(),
    incomplete: meta.incomplete?.reason ?? null,
    paused: meta.paused?.what ?? null,
    fingerprint: meta.source?.fingerprint ?? null,
    sweepHeld: meta.cursor?.held?.missing ?? null,
  } satisfies HeartbeatMessage);
}

export function describe(stored: StoredSection): SectionMeta | null {
  const { meta } = stored;
  return meta === null ? null : { ...meta, pending: meta.pending !== '', count: stored.index.size, quarantined: stored.quarantine.size };
}

/** The description of a section that is there. */
export function described(stored: StoredSection): SectionMeta {
  const meta = describe(stored);
  if (meta === null) {
    throw new PatchwireError('PW-I901', 'a section without meta');
  }
  return meta;
}

/** The oldest go when bytes or age pass the limit; the newest always stays. */
export function appendMessage(stored: StoredSection, writer: Pick<Writer, 'nowMs' | 'replay'>, seq: number, text: string): void {
  stored.changes.push({ seq, text, timeMs: writer.nowMs });
  let bytes = stored.changes.reduce((sum, entry) => sum + Buffer.byteLength(entry.text), 0);
  for (;;) {
    const [first, second] = stored.changes;
    const old = first !== undefined && first.timeMs < writer.nowMs - writer.replay.maxAgeMs;
    if (first === undefined || second === undefined || (bytes <= writer.replay.maxBytes && !old)) {
      return;
    }
    stored.changes.shift();
    bytes -= Buffer.byteLength(first.text);
  }
}

export function renew(
  stored: StoredSection,
  writer: { readonly managerId: string; readonly nowMs: number; readonly leaseMs: number },
): void {
  stored.lease = { holder: writer.managerId, expiresAtMs: writer.nowMs + writer.leaseMs };
}

function checkLog(stored: StoredSection, section: string, step: Step): void {
  const top = stored.changes.at(-1)?.seq ?? 0;
  if (step.message !== null && top >= step.seq) {
    throw new PatchwireError('PW-M306', `section ${section}: the change log already has 0-${top}`, { retry: 'resync' });
  }
}

function applyAdvance(meta: StoredMeta, advance: Advance): void {
  meta.checkpoint = advance.checkpoint ?? meta.checkpoint;
  meta.upTo = advance.upTo ?? meta.upTo;
  meta.confirmed = advance.confirmed ?? meta.confirmed;
  meta.high = advance.high ?? meta.high;
  meta.sourceReadAtMs = advance.sourceReadAtMs ?? meta.sourceReadAtMs;
  meta.mark = advance.mark ?? meta.mark;
  if (advance.cursor !== undefined) {
    meta.cursor = advance.cursor;
  }
}
