/**
 * A section as its publisher keeps it, in memory: rows, digest, chain and change log, and the messages that tell of them. Composes everything,
 * writes nothing: what stands in Redis is written from here by section-writes.ts.
 */
import { randomUUID } from 'node:crypto';
import type { Document } from '../../model/document.ts';
import { Digest, EMPTY_DIGEST } from '../../wire/digest.ts';
import { diff } from '../../wire/json-patch.ts';
import {
  type ChangesMessage,
  type HeartbeatMessage,
  MESSAGE_VERSION,
  type RemovedMessage,
  type ResetMessage,
  type SectionState,
  type WireChange,
} from '../../wire/messages.ts';

/** A document under its data key, null: the row goes. `identity`: where the collation calls keys equal that are spelled differently. */
export type Write = readonly [dataKey: string, document: Document | null, identity?: string];

export interface ScriptedRow {
  readonly dataKey: string;
  readonly version: string;
  /** JSON text. */
  readonly document: string;
}

export interface LogEntry {
  readonly seq: number;
  readonly text: string;
  readonly timeMs: number;
}

/** Everything that a Redis which goes back in time goes back to. */
export interface Snapshot {
  readonly facts: Facts;
  readonly rows: ReadonlyMap<string, ScriptedRow>;
  readonly quarantine: ReadonlyMap<string, string>;
  readonly log: readonly LogEntry[];
}

export interface Facts {
  readonly epoch: string;
  readonly seq: number;
  readonly last: string;
  readonly tip: string;
  readonly checkpoint: string;
  readonly upTo: string | null;
  readonly state: SectionState;
  readonly pending: boolean;
  readonly incomplete: 'initial' | 'skipped' | null;
  readonly heartbeatAtMs: number | null;
  readonly digest: string;
}

/** What every message names as its manager, and meta as its leader. */
export const SCRIPTED = 'scripted-publisher';

export class SectionScript {
  readonly #partition: string;
  readonly #section: string;
  #facts: Facts;
  #rows = new Map<string, ScriptedRow>();
  #quarantine = new Map<string, string>();
  #log: LogEntry[] = [];

  constructor(partition: string, section: string) {
    this.#partition = partition;
    this.#section = section;
    this.#facts = beginning();
  }

  get facts(): Facts {
    return this.#facts;
  }

  get rows(): ReadonlyMap<string, ScriptedRow> {
    return this.#rows;
  }

  get quarantine(): ReadonlyMap<string, string> {
    return this.#quarantine;
  }

  get log(): readonly LogEntry[] {
    return this.#log;
  }

  /** One batch under the next source version. @returns the text of its message; null for a load page, of which nobody is told */
  write(writes: readonly Write[], told: boolean, nowMs: number): string | null {
    const version = (BigInt(this.#facts.checkpoint) + 1n).toString();
    const changes = writes.flatMap((write) => this.#apply(write, version));
    return this.#advance(version, changes, told, nowMs);
  }

  /** A row that exists, whose document cannot be published: told as `unavailable`, kept in the quarantine. */
  setAside(identity: string, reason: string, nowMs: number): string | null {
    const version = (BigInt(this.#facts.checkpoint) + 1n).toString();
    const old = this.#rows.get(identity);
    const dataKey = old?.dataKey ?? identity;
    this.#put(identity, null);
    this.#quarantine.set(identity, JSON.stringify({ reason }));
    const base = { dataKey, ...(dataKey === identity ? {} : { identity }), versionId: version, changeVersion: version };
    return this.#advance(version, [{ ...base, op: 'unavailable', prevVersionId: old?.version ?? null, patch: [] }], true, nowMs);
  }

  /**
   * A change of state or epoch: told by a reset; into a resync and out of it, whose documents stay good, by a change message without changes.
   * @returns its text
   */
  transition(state: SectionState, reason: string, newEpoch: boolean, nowMs: number): string {
    const { state: before, checkpoint, incomplete } = this.#facts;
    const resyncs = !newEpoch && state !== 'loading' && before !== 'loading';
    const upTo = state === 'live' && incomplete === null ? checkpoint : null;
    if (newEpoch) {
      this.#log = [];
    }
    this.#set({ state, upTo, ...(newEpoch ? { epoch: newId() } : {}) });
    if (resyncs) {
      const changeTime = new Date(nowMs).toISOString();
      return this.#append((link) => ({ ...link, type: 'changes', checkpoint, upTo, changeTime, changes: [], state }), nowMs);
    }
    return this.#append((link) => ({ ...link, type: 'reset', phase: state === 'loading' ? 'begin' : 'end', reason, state }), nowMs);
  }

  /** Facts that no message tells of: they move the tip. */
  set(facts: Partial<Pick<Facts, 'pending' | 'incomplete' | 'upTo'>>): void {
    this.#set({ ...facts, tip: newId() });
  }

  heartbeat(intervalMs: number, nowMs: number): string {
    this.#set({ heartbeatAtMs: nowMs });
    const { epoch, seq, last, tip, checkpoint, upTo, state, digest, incomplete } = this.#facts;
    const time = new Date(nowMs).toISOString();
    return JSON.stringify({
      ...this.#envelope('heartbeat', epoch),
      ...{ intervalMs, seq, last, tip, checkpoint, upTo, state, digest },
      ...{ count: this.#rows.size, quarantined: this.#quarantine.size, sourceReadAt: time, time, incomplete, paused: null },
    } satisfies HeartbeatMessage);
  }

  removed(reason: string): string {
    return JSON.stringify({ ...this.#envelope('removed', this.#facts.epoch), reason } satisfies RemovedMessage);
  }

  /** The oldest messages leave the log; the newest always stays. */
  trim(keep: number): void {
    this.#log = this.#log.slice(-Math.max(1, keep));
  }

  snapshot(): Snapshot {
    return { facts: this.#facts, rows: new Map(this.#rows), quarantine: new Map(this.#quarantine), log: [...this.#log] };
  }

  /** The section is gone; the next one of its name begins at nothing. Versions go on: they are the source's. */
  clear(): void {
    this.restore({ facts: { ...beginning(), checkpoint: this.#facts.checkpoint }, rows: new Map(), quarantine: new Map(), log: [] });
  }

  restore({ facts, rows, quarantine, log }: Snapshot): void {
    this.#facts = facts;
    this.#rows = new Map(rows);
    this.#quarantine = new Map(quarantine);
    this.#log = [...log];
  }

  #apply([dataKey, document, identity = dataKey]: Write, version: string): WireChange[] {
    const old = this.#rows.get(identity);
    const changes: WireChange[] = [];
    const change = (spelled: string): Pick<WireChange, 'dataKey' | 'identity' | 'versionId' | 'changeVersion'> => ({
      dataKey: spelled,
      ...(spelled === identity ? {} : { identity }),
      versionId: version,
      changeVersion: version,
    });
    const respelled = old !== undefined && old.dataKey !== dataKey;
    if (old !== undefined && (document === null || respelled)) {
      changes.push({ ...change(old.dataKey), op: 'remove', prevVersionId: old.version, patch: [{ op: 'remove', path: '' }] });
      this.#put(identity, null);
    }
    if (document !== null) {
      const prev = respelled || old === undefined ? null : (JSON.parse(old.document) as Document);
      const patch = diff(prev, document) as WireChange['patch'];
      if (patch.length > 0) {
        changes.push({ ...change(dataKey), op: 'upsert', prevVersionId: prev === null ? null : (old?.version ?? null), patch });
        this.#put(identity, { dataKey, version, document: JSON.stringify(document) });
      }
    }
    this.#quarantine.delete(identity);
    return changes;
  }

  #advance(version: string, changes: WireChange[], told: boolean, nowMs: number): string | null {
    const claims = told && this.#facts.incomplete === null;
    this.#set({ checkpoint: version, ...(claims ? { upTo: version } : {}) });
    if (!told) {
      this.#set({ tip: newId() });
      return null;
    }
    const { upTo } = this.#facts;
    const changeTime = new Date(nowMs).toISOString();
    return this.#append((link) => ({ ...link, type: 'changes', checkpoint: version, upTo, changeTime, changes }), nowMs);
  }

  #append(
    compose: (link: Omit<ResetMessage, 'type' | 'phase' | 'reason' | 'state'>) => ChangesMessage | ResetMessage,
    nowMs: number,
  ): string {
    const { seq, last: prevId, epoch } = this.#facts;
    const id = newId();
    this.#set({ seq: seq + 1, last: id, tip: newId() });
    const { type, ...message } = compose({ ...this.#envelope('', epoch), seq: seq + 1, id, prevId });
    const text = JSON.stringify({ ...message, type });
    this.#log.push({ seq: seq + 1, text, timeMs: nowMs });
    return text;
  }

  #envelope<T extends string>(
    type: T,
    epoch: string,
  ): { v: number; type: T; partitionKey: string; section: string; managerId: string; epoch: string } {
    return { v: MESSAGE_VERSION, type, partitionKey: this.#partition, section: this.#section, managerId: SCRIPTED, epoch };
  }

  #put(identity: string, row: ScriptedRow | null): void {
    const digest = new Digest(this.#facts.digest);
    const old = this.#rows.get(identity);
    if (old !== undefined) {
      digest.toggle(identity, old.version);
      this.#rows.delete(identity);
    }
    if (row !== null) {
      digest.toggle(identity, row.version);
      this.#rows.set(identity, row);
    }
    this.#set({ digest: digest.toString() });
  }

  #set(facts: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...facts };
  }
}

function beginning(): Facts {
  const tip = newId();
  return {
    ...{ epoch: newId(), seq: 0, last: tip, tip, checkpoint: '0', upTo: null, state: 'loading', pending: false },
    ...{ incomplete: null, heartbeatAtMs: null, digest: EMPTY_DIGEST },
  };
}

function newId(): string {
  return randomUUID();
}
