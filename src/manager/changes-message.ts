/** Composes the messages that a manager knows in full before its script runs, as JSON text. Heartbeats are not among them (C7). */
import {
  type ChangesMessage,
  type KeysMessage,
  MESSAGE_VERSION,
  type RemovedMessage,
  type ResetMessage,
  type SectionState,
  type WireChange,
} from '../wire/messages.ts';

export interface Envelope {
  readonly partition: string;
  readonly section: string;
  readonly managerId: string;
  readonly epoch: string;
}

export interface ChainLink {
  readonly seq: number;
  readonly id: string;
  readonly prevId: string;
}

export interface ChangesBody {
  readonly checkpoint: string;
  readonly upTo: string | null;
  readonly changeTimeMs: number;
  readonly changes: readonly WireChange[];
  /** Only where the state changes with it. */
  readonly state?: SectionState;
}

const sender = ({ partition, section, managerId, epoch }: Envelope) => ({ partitionKey: partition, section, managerId, epoch });

const place = ({ seq, id, prevId }: ChainLink) => ({ seq, id, prevId });

const moment = ({ checkpoint, upTo, changeTimeMs }: ChangesBody) => ({
  checkpoint,
  upTo,
  changeTime: new Date(changeTimeMs).toISOString(),
});

export function changesText(envelope: Envelope, link: ChainLink, body: ChangesBody): string {
  return JSON.stringify({
    v: MESSAGE_VERSION,
    type: 'changes',
    ...sender(envelope),
    ...place(link),
    ...moment(body),
    changes: body.changes as WireChange[],
    ...(body.state === undefined ? {} : { state: body.state }),
  } satisfies ChangesMessage);
}

/** The same without bodies, for the channel of keys. */
export function keysText(envelope: Envelope, link: ChainLink, body: ChangesBody): string {
  return JSON.stringify({
    v: MESSAGE_VERSION,
    type: 'keys',
    ...sender(envelope),
    ...place(link),
    ...moment(body),
    changes: body.changes.map(({ dataKey, identity, op, versionId, prevVersionId }) => ({
      dataKey,
      ...(identity === undefined ? {} : { identity }),
      op,
      versionId,
      prevVersionId,
    })),
  } satisfies KeysMessage);
}

export function resetText(
  envelope: Envelope,
  link: ChainLink,
  body: {
    readonly phase: 'begin' | 'end';
    readonly reason: string;
    readonly state: SectionState;
    readonly fingerprint?: string | undefined;
  },
): string {
  return JSON.stringify({
    v: MESSAGE_VERSION,
    type: 'reset',
    ...sender(envelope),
    ...place(link),
    phase: body.phase,
    reason: body.reason,
    state: body.state,
    ...(body.fingerprint === undefined ? {} : { fingerprint: body.fingerprint }),
  } satisfies ResetMessage);
}

export function removedText(envelope: Envelope, reason: string): string {
  return JSON.stringify({
    v: MESSAGE_VERSION,
    type: 'removed',
    ...sender(envelope),
    reason,
  } satisfies RemovedMessage);
}
