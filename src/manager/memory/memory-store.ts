/**
 * What Redis is for the memory manager: the keys of every section as plain maps, shared by any number of managers, with what tests need:
 * listening, going back in time, and failing a call before or after it took effect. No persistence, no expiry but the lease's.
 */
import type { SourceIdentity } from '../../model/table.ts';
import type { Version } from '../../model/version.ts';
import { type SectionKeys, sectionKeys } from '../../wire/keys.ts';
import type { SectionState } from '../../wire/messages.ts';
import type { AuditRecord } from '../audit-trail.ts';
import { type Envelope, removedText } from '../changes-message.ts';
import type { Incomplete, LoadCursor, OperationProgress, OperatorRequest, Paused } from '../distributed-data-manager.ts';

export interface StoredMeta {
  format: number;
  epoch: string;
  leader: string;
  seq: number;
  last: string;
  tip: string;
  checkpoint: Version;
  upTo: Version | null;
  confirmed: Version;
  high: Version;
  state: SectionState;
  cursor: LoadCursor | null;
  source: SourceIdentity | null;
  digest: string;
  /** '' when no script stopped half-way. */
  pending: string;
  heartbeatAtMs: number | null;
  sourceReadAtMs: number | null;
  incomplete: Incomplete | null;
  paused: Paused | null;
  /** Whether keys are told on a channel of their own. */
  keys: boolean;
  mark: bigint | null;
}

export interface LoggedMessage {
  readonly seq: number;
  readonly text: string;
  readonly timeMs: number;
}

export interface StoredSection {
  meta: StoredMeta | null;
  lease: { holder: string; expiresAtMs: number } | null;
  readonly index: Map<string, { version: string; dataKey: string }>;
  /** By data key. */
  readonly documents: Map<string, string>;
  changes: LoggedMessage[];
  readonly quarantine: Map<string, string>;
  requests: OperatorRequest[];
  readonly operations: Map<string, OperationProgress & { readonly leader: string }>;
}

/** Who said that it is alive; `text` is what it said. */
export interface StoredDaemons {
  revision: number;
  readonly entries: Map<
    string,
    { readonly id: string; readonly format: number; readonly text: string; readonly seenAtMs: number; readonly aliveUntilMs: number }
  >;
}

/** A call that writes a section, about to be made; `number` counts all of them in this store, from 1. */
export interface WritingCall {
  readonly number: number;
  readonly method: 'lead' | 'resign' | 'publish' | 'store' | 'transition' | 'heartbeat' | 'purge';
  readonly section: string;
  readonly managerId: string;
}

export class MemoryStore {
  /** Sections by `partition:section`. Tests may look and tamper. */
  sections = new Map<string, StoredSection>();
  /** Decides over each writing call: fail it before it takes effect, or after, as a lost connection does (PW-M311); null: neither. */
  intercept: (call: WritingCall) => 'before' | 'after' | null = () => null;
  /** What `room` of the managers answers. */
  room: number | null = null;
  /** By partition. */
  readonly #daemons = new Map<string, StoredDaemons>();
  readonly #audits = new Map<string, AuditRecord[]>();
  readonly #listeners = new Set<(channel: string, text: string) => void>();
  #calls = 0;

  /** Listens to every message; returns what ends it. */
  listen(listener: (channel: string, text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Tells a message, and where `keys` is no null, on the channel of keys that one: what TELL of the Redis adapter's scripts does. */
  publish({ channel, keysChannel }: SectionKeys, text: string, keys: string | null): void {
    for (const listener of this.#listeners) {
      listener(channel, text);
      if (keys !== null) {
        listener(keysChannel, keys);
      }
    }
  }

  section(partition: string, section: string): StoredSection {
    const name = `${partition}:${section}`;
    let stored = this.sections.get(name);
    if (stored === undefined) {
      stored = {
        meta: null,
        lease: null,
        index: new Map(),
        documents: new Map(),
        changes: [],
        quarantine: new Map(),
        requests: [],
        operations: new Map(),
      };
      this.sections.set(name, stored);
    }
    return stored;
  }

  daemonsOf(partition: string): StoredDaemons {
    let stored = this.#daemons.get(partition);
    if (stored === undefined) {
      stored = { revision: 0, entries: new Map() };
      this.#daemons.set(partition, stored);
    }
    return stored;
  }

  auditOf(partition: string): AuditRecord[] {
    let stored = this.#audits.get(partition);
    if (stored === undefined) {
      stored = [];
      this.#audits.set(partition, stored);
    }
    return stored;
  }

  /** The section is gone, and subscribers are told. */
  remove(envelope: Envelope, reason: string, invalidations: boolean): void {
    const text = removedText(envelope, reason);
    this.sections.delete(`${envelope.partition}:${envelope.section}`);
    this.publish(sectionKeys(envelope.partition, envelope.section), text, invalidations ? text : null);
  }

  /** A copy of everything, for `restore`. */
  snapshot(): ReadonlyMap<string, StoredSection> {
    return structuredClone(this.sections);
  }

  /** Goes back (or forth) to a snapshot; connections live on, nobody is told. */
  restore(snapshot: ReadonlyMap<string, StoredSection>): void {
    this.sections = structuredClone(snapshot) as Map<string, StoredSection>;
  }

  /** What `intercept` says of the next writing call. */
  nextCall(call: Omit<WritingCall, 'number'>): 'before' | 'after' | null {
    this.#calls += 1;
    return this.intercept({ ...call, number: this.#calls });
  }
}
