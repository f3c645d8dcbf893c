/**
 * The messages on a section's channel and in its replay stream, as zod schemas: what publisher and subscriber agree on. Versioned by `v`;
 * changes are additive only: a reader ignores fields that it does not know. Versions are decimal strings.
 */
import { z } from 'zod';
import { SECTION_STATES } from './format.ts';

export { MESSAGE_VERSION, STORE_FORMAT, WHOLE_FORMAT } from './format.ts';

const version = z.string().regex(/^(0|[1-9][0-9]{0,18})$/);

const patchOperation = z.union([
  z.object({ op: z.enum(['add', 'replace']), path: z.string(), value: z.json() }),
  z.object({ op: z.literal('remove'), path: z.string() }),
]);

export const wireChange = z.object({
  dataKey: z.string(),
  /** Only where it differs from dataKey. */
  identity: z.string().optional(),
  op: z.enum(['upsert', 'remove', 'unavailable']),
  /** The source version as of which the document is known to be current. */
  versionId: version,
  /** The version of the document that the patch applies to; null: there is none. */
  prevVersionId: version.nullable(),
  /** SYS_CHANGE_VERSION. */
  changeVersion: version,
  patch: z.array(patchOperation),
});

/** What `keys` says of a change: all but its body. */
export const keyChange = wireChange.omit({ changeVersion: true, patch: true });

export const sectionState = z.enum(SECTION_STATES);

const envelope = {
  v: z.number().int(),
  partitionKey: z.string(),
  section: z.string(),
  managerId: z.string(),
  epoch: z.string(),
};

/** What every message that moves the chain carries: its place, its id and the id of the message before it. */
const link = { seq: z.number().int(), id: z.string(), prevId: z.string() };

export const changesMessage = z.object({
  ...envelope,
  ...link,
  type: z.literal('changes'),
  checkpoint: version,
  upTo: version.nullable(),
  /** When the source was read, ISO 8601 in UTC. */
  changeTime: z.string(),
  changes: z.array(wireChange),
  /** The section's state from here on, where this message changes it (to resyncing, and from it to live); it then has no changes. */
  state: sectionState.optional(),
});

/** A `changes` message as it is told on the channel of keys. */
export const keysMessage = z.object({
  ...changesMessage.omit({ state: true }).shape,
  type: z.literal('keys'),
  changes: z.array(keyChange),
});

/** `begin`: documents are being replaced, nothing that a replica holds counts; `end`: load the section now. */
export const resetMessage = z.object({
  ...envelope,
  ...link,
  type: z.literal('reset'),
  phase: z.enum(['begin', 'end']),
  reason: z.string(),
  state: sectionState,
  /** Of the projection that the documents have from now on: columns, types, filter, shaping, key. Another one: another shape. */
  fingerprint: z.string().optional(),
});

/** Composed inside Redis from `meta` (C7). Moves nothing: `last` is the id of the last message, `tip` of the last script. */
export const heartbeatMessage = z.object({
  ...envelope,
  type: z.literal('heartbeat'),
  intervalMs: z.number(),
  seq: z.number().int(),
  last: z.string(),
  tip: z.string(),
  checkpoint: version,
  upTo: version.nullable(),
  state: sectionState,
  digest: z.string(),
  count: z.number().int(),
  quarantined: z.number().int(),
  /** When the source last answered, ISO 8601; null: not yet. */
  sourceReadAt: z.string().nullable(),
  time: z.string(),
  /** Why the section does not hold every row (`initial`: followed, never loaded; `skipped`: changes were skipped); null or absent: it does. */
  incomplete: z.string().nullable().optional(),
  /** What an operator has paused (`load`, `all`); null or absent: nothing. */
  paused: z.string().nullable().optional(),
  /** Of the projection that the documents have, or get while they are resynced: another one is another shape; null or absent: not known. */
  fingerprint: z.string().nullable().optional(),
  /** How many documents a sweep would remove that waits for an operator's confirmation; null or absent: none waits. */
  sweepHeld: z.number().int().nullable().optional(),
});

/** The section is gone: its keys were purged. */
export const removedMessage = z.object({ ...envelope, type: z.literal('removed'), reason: z.string() });

export const message = z.discriminatedUnion('type', [changesMessage, keysMessage, resetMessage, heartbeatMessage, removedMessage]);

export type WireChange = z.infer<typeof wireChange>;
export type KeyChange = z.infer<typeof keyChange>;
export type SectionState = z.infer<typeof sectionState>;
export type ChangesMessage = z.infer<typeof changesMessage>;
export type KeysMessage = z.infer<typeof keysMessage>;
export type ResetMessage = z.infer<typeof resetMessage>;
export type HeartbeatMessage = z.infer<typeof heartbeatMessage>;
export type RemovedMessage = z.infer<typeof removedMessage>;
export type Message = z.infer<typeof message>;
