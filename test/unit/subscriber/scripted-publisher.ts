/**
 * A section as a publisher would keep it, in memory, and a rig that joins it to the state machine: a test says what is delivered, dropped,
 * read and when. Nothing here decides anything for the machine.
 */
import type { Document } from '../../../src/model/document.ts';
import type { MachineOptions } from '../../../src/subscriber/course.ts';
import type { SubscriberEvent } from '../../../src/subscriber/events.ts';
import type { Effect, Input, LinkedMessage, LoadedRow, SectionView, StoredReplica } from '../../../src/subscriber/section-view.ts';
import { REACTIONS } from '../../../src/subscriber/reactions.ts';
import { SubscriberMachine } from '../../../src/subscriber/state.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { Digest } from '../../../src/wire/digest.ts';
import { diff } from '../../../src/wire/json-patch.ts';
import type { ChangesMessage, HeartbeatMessage, Message, ResetMessage, SectionState, WireChange } from '../../../src/wire/messages.ts';

export interface Row {
  readonly dataKey: string;
  readonly version: string;
  readonly document: Document;
}

export type Write = readonly [dataKey: string, document: Document | null, identity?: string];

const TIME = '2026-11-22T10:00:00.000Z';

export class ScriptedPublisher {
  epoch = 'e1';
  seq = 0;
  last = 'start';
  tip = 'start';
  version = 100;
  checkpoint = '0';
  upTo: string | null = null;
  state: SectionState = 'live';
  pending = false;
  quarantined = 0;
  incomplete: 'initial' | 'skipped' | null = null;
  heartbeatAtMs: number | null = null;
  rows = new Map<string, Row>();
  /** Rows in quarantine. */
  aside = new Set<string>();
  log: LinkedMessage[] = [];
  /** epoch/last → the documents then, as JSON. */
  readonly history = new Map<string, string>();
  #ids = 0;
  #beats = 0;
  #digest = new Digest();

  constructor() {
    this.remember();
  }

  /** One batch. `identity` defaults to the data key; another spelling of a living identity is a remove and an add. */
  publish(writes: readonly Write[], options: { readonly version?: string; readonly confirm?: boolean } = {}): ChangesMessage {
    const version = options.version ?? String(++this.version);
    const changes: WireChange[] = [];
    for (const [dataKey, document, identity = dataKey] of writes) {
      const old = this.rows.get(identity);
      const base = { ...(identity === dataKey ? {} : { identity }), versionId: version, changeVersion: version };
      if (old !== undefined && (document === null || old.dataKey !== dataKey)) {
        changes.push({
          ...base,
          ...(identity === old.dataKey ? {} : { identity }),
          dataKey: old.dataKey,
          op: 'remove',
          prevVersionId: old.version,
          patch: [{ op: 'remove', path: '' }],
        });
        this.put(identity, null);
      }
      if (document !== null) {
        const prev = this.rows.get(identity);
        const patch = diff(prev?.document ?? null, document) as WireChange['patch'];
        changes.push({ ...base, dataKey, op: 'upsert', prevVersionId: prev?.version ?? null, patch });
        this.put(identity, { dataKey, version, document });
      }
    }
    this.checkpoint = version;
    if (options.confirm !== false) {
      this.upTo = version;
    }
    const message: ChangesMessage = {
      ...this.#link(),
      type: 'changes',
      checkpoint: this.checkpoint,
      upTo: this.upTo,
      changeTime: TIME,
      changes,
    };
    this.log.push(message);
    this.remember();
    return message;
  }

  /** A row that exists, whose document cannot be published. */
  setAside(identity: string): ChangesMessage {
    const old = this.rows.get(identity);
    const message = this.publish([]);
    if (!this.aside.has(identity)) {
      const dataKey = old?.dataKey ?? identity;
      const base = { dataKey, ...(identity === dataKey ? {} : { identity }), versionId: message.checkpoint };
      const told = {
        ...base,
        op: 'unavailable',
        prevVersionId: old?.version ?? null,
        changeVersion: message.checkpoint,
        patch: [],
      } as const;
      Object.assign(message, { changes: [told] });
    }
    this.put(identity, null);
    this.aside.add(identity);
    this.remember();
    return message;
  }

  /** A move of the position that nobody is told of: it moves the tip only. */
  silent(): void {
    this.tip = `t${++this.#ids}`;
  }

  /** A change of state or epoch, told by a reset. */
  transition(state: SectionState, phase: 'begin' | 'end', newEpoch: boolean = false): ResetMessage {
    this.state = state;
    if (newEpoch) {
      this.epoch = `e${++this.#ids}x`;
      this.log = [];
    }
    const link = this.#link();
    this.remember();
    const message: ResetMessage = { ...link, type: 'reset', phase, reason: 'test', state };
    this.log.push(message);
    return message;
  }

  /** A load page: documents without a message. */
  store(dataKey: string, document: Document | null): void {
    this.put(dataKey, document === null ? null : { dataKey, version: String(++this.version), document });
    this.tip = `t${++this.#ids}`;
  }

  heartbeat(over: Partial<HeartbeatMessage> = {}): HeartbeatMessage {
    const { v, partitionKey, section, managerId } = envelope;
    const { epoch, seq, last, tip, checkpoint, upTo, state, incomplete } = this;
    const quarantined = this.quarantined + this.aside.size;
    const count = this.rows.size;
    this.heartbeatAtMs = Date.parse(TIME) + ++this.#beats;
    const time = new Date(this.heartbeatAtMs).toISOString();
    return {
      ...{ v, partitionKey, section, managerId, epoch, type: 'heartbeat', intervalMs: 5000, seq, last, tip, checkpoint, upTo, state },
      ...{ digest: this.#digest.toString(), count, quarantined, sourceReadAt: TIME, time, incomplete },
      ...over,
    };
  }

  view(): SectionView {
    const { epoch, seq, last, tip, checkpoint, upTo, state, pending, heartbeatAtMs } = this;
    const quarantined = this.quarantined + this.aside.size;
    const digest = this.#digest.toString();
    return {
      epoch,
      seq,
      last,
      tip,
      checkpoint,
      upTo,
      state,
      digest,
      pending,
      quarantined,
      incomplete: this.incomplete !== null,
      heartbeatAtMs,
      sourceReadAtMs: null,
      key: null,
    };
  }

  read(identities: Iterable<string>): LoadedRow[] {
    return [...identities].map((identity) => {
      const row = this.rows.get(identity);
      return { identity, dataKey: row?.dataKey ?? identity, entry: row === undefined ? null : { identity, ...row } };
    });
  }

  /** What a Redis that restarts from an older dump has. */
  snapshot(): () => void {
    const { epoch, seq, last, tip, checkpoint, upTo, state } = this;
    const rows = new Map(this.rows);
    const aside = new Set(this.aside);
    const log = [...this.log];
    const digest = this.#digest.toString();
    return () => {
      Object.assign(this, { epoch, seq, last, tip, checkpoint, upTo, state, rows: new Map(rows), aside: new Set(aside), log: [...log] });
      this.#digest = new Digest(digest);
    };
  }

  put(identity: string, row: Row | null): void {
    const old = this.rows.get(identity);
    if (old !== undefined) {
      this.#digest.toggle(identity, old.version);
      this.rows.delete(identity);
    }
    this.aside.delete(identity);
    if (row !== null) {
      this.#digest.toggle(identity, row.version);
      this.rows.set(identity, row);
    }
  }

  remember(): void {
    this.history.set(`${this.epoch}/${this.last}`, this.documents());
  }

  documents(): string {
    return canonical([...this.rows].map(([identity, row]) => ({ identity, ...row })));
  }

  #link(): typeof envelope & { epoch: string; seq: number; id: string; prevId: string } {
    const prevId = this.last;
    this.seq += 1;
    this.last = `m${++this.#ids}`;
    this.tip = `t${this.#ids}`;
    return { ...envelope, epoch: this.epoch, seq: this.seq, id: this.last, prevId };
  }
}

const envelope = { v: 1, partitionKey: 'p', section: 's', managerId: 'test' };

function canonical(entries: Iterable<{ readonly identity: string }>): string {
  return JSON.stringify(
    [...entries].toSorted((a, b) => (a.identity < b.identity ? -1 : 1)),
    (_key, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
}

type Request = Exclude<Extract<Effect, { request: number }>, { type: 'fetch' }>;

export class Rig {
  readonly publisher = new ScriptedPublisher();
  machine: SubscriberMachine;
  readonly #options: MachineOptions;
  readonly events: SubscriberEvent[] = [];
  readonly effects: Effect[] = [];
  /** Keys that are to be read. */
  readonly fetches: Extract<Effect, { type: 'fetch' }>[] = [];
  nowMs = 1_000_000;
  /** The request that is not answered yet. */
  open: Request | null = null;

  constructor(
    seed: number = 1,
    buffer: { readonly messages: number; readonly bytes: number } = { messages: 100, bytes: 1_000_000 },
    over: Pick<MachineOptions, 'recovery' | 'maxAgeMs' | 'mode'> = {},
  ) {
    this.#options = {
      ...over,
      random: seededRandom(seed),
      heartbeatMs: 5000,
      backoff: { minMs: 50, maxMs: 5000 },
      buffer,
    };
    this.machine = new SubscriberMachine(this.#options).learn(REACTIONS);
  }

  input(input: Input): void {
    for (const effect of this.machine.handle(input, this.nowMs)) {
      this.effects.push(effect);
      if (effect.type === 'emit') {
        this.events.push(effect.event);
      } else if (effect.type === 'fetch') {
        this.fetches.push(effect);
      } else if ('request' in effect) {
        this.open = effect;
      }
    }
  }

  message(...messages: readonly (Message | null)[]): void {
    for (const message of messages) {
      if (message !== null) {
        this.input({ type: 'message', message, bytes: 100 });
      }
    }
  }

  /** The process ends, and another begins with what was stored. */
  restart(stored: StoredReplica | null): void {
    this.open = null;
    this.machine = new SubscriberMachine(this.#options).learn(REACTIONS);
    if (stored !== null) {
      this.input({ type: 'restore', stored });
    }
  }

  disconnect(): void {
    this.open = null;
    this.input({ type: 'disconnected', error: null });
  }

  /** Answers what is open as Redis would now; a scan in one page. */
  answer(): void {
    const request = this.open;
    this.open = null;
    if (request === null) {
      return;
    }
    switch (request.type) {
      case 'load':
        this.input({ type: 'meta', request: request.request, view: this.publisher.view() });
        return;
      case 'scan':
        this.page(request.request, [...this.publisher.rows.keys()]);
        this.page(request.request, []);
        this.input({ type: 'scanned', request: request.request });
        return;
      case 'replay':
        this.input({
          type: 'replayed',
          request: request.request,
          view: this.publisher.view(),
          messages: this.publisher.log.filter(({ seq }) => seq >= request.seq),
        });
        return;
      case 'survey':
        this.input({ ...request, type: 'found', view: this.publisher.view(), rows: [], aside: new Set(this.publisher.aside) });
    }
  }

  page(request: number, identities: readonly string[]): void {
    // The last one, without keys, says who is in quarantine.
    const aside = identities.length === 0 ? { aside: new Set(this.publisher.aside) } : {};
    this.input({ type: 'page', request, view: this.publisher.view(), rows: this.publisher.read(identities), ...aside });
  }

  /** Answers and waits, without messages, until nothing is open and nothing is waited for. */
  settle(rounds: number = 50): void {
    for (let i = 0; i < rounds; i += 1) {
      if (this.open !== null) {
        this.answer();
      } else if (this.state.status === 'waiting') {
        this.wake();
      } else {
        return;
      }
    }
  }

  /** Moves time to the next tick. */
  wake(): void {
    this.nowMs = Math.max(this.nowMs, this.machine.wakeAtMs ?? this.nowMs);
    this.input({ type: 'tick' });
  }

  /** Connects and loads. */
  live(): this {
    this.input({ type: 'connected' });
    this.settle();
    return this;
  }

  get state(): ReturnType<SubscriberMachine['state']> {
    return this.machine.state();
  }

  get status(): string {
    return this.machine.state().status;
  }

  get documents(): string {
    return canonical(this.machine.documents.entries());
  }

  /** The types of the events so far, with their reason, without `lag`. */
  get told(): string[] {
    return this.events
      .filter(({ type }) => type !== 'lag')
      .map((event) => ('reason' in event ? `${event.type}: ${event.reason}` : event.type));
  }
}
