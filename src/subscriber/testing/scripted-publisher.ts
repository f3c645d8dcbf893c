/**
 * A publisher that does what a test says, also what no publisher should: into a real Redis, without a daemon or a SQL Server. Every step is
 * done when its promise resolves; nothing happens between two steps but heartbeats, once `beat` has been called.
 */
import type { Redis } from 'ioredis';
import type { Document } from '../../model/document.ts';
import type { SectionState } from '../../wire/messages.ts';
import { SectionScript, type Snapshot, type Write } from './section-script.ts';
import type { SectionWrites } from './section-writes.ts';

/** What `rewind` goes back to. */
export interface Mark {
  readonly snapshot: Snapshot;
}

export interface BeginOptions {
  /** Default: loading. A subscriber waits while a section is loading, and follows one that is resyncing. */
  readonly state?: 'loading' | 'resyncing';
  /** A new epoch: versions of before do not compare with those that follow. Default: true for loading. */
  readonly newEpoch?: boolean;
  readonly reason?: string;
}

export class ScriptedPublisher implements AsyncDisposable {
  readonly partition: string;
  readonly section: string;
  readonly #redis: Redis;
  readonly #writes: SectionWrites;
  readonly #script: SectionScript;
  readonly #intervalMs: number;
  /** Set while messages are kept from subscribers. */
  #withheld: string[] | null = null;
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly partition: string;
    readonly section: string;
    readonly redis: Redis;
    readonly writes: SectionWrites;
    readonly intervalMs: number;
  }) {
    this.partition = parts.partition;
    this.section = parts.section;
    this.#redis = parts.redis;
    this.#writes = parts.writes;
    this.#intervalMs = parts.intervalMs;
    this.#script = new SectionScript(parts.partition, parts.section);
  }

  /** What a subscriber that is equal holds, by data key. */
  get documents(): Readonly<Record<string, Document>> {
    return Object.fromEntries([...this.#script.rows.values()].map(({ dataKey, document }) => [dataKey, JSON.parse(document) as Document]));
  }

  /** The source version of the last batch, for `waitForVersion`. */
  get version(): string {
    return this.#script.facts.checkpoint;
  }

  get epoch(): string {
    return this.#script.facts.epoch;
  }

  /** The last message's place and id. */
  get position(): { readonly seq: number; readonly last: string } {
    const { seq, last } = this.#script.facts;
    return { seq, last };
  }

  get state(): SectionState {
    return this.#script.facts.state;
  }

  // What every publisher does.

  /** A first load, or a replacement under a new epoch: what was there is gone. The section is live afterwards. */
  async load(documents: Readonly<Record<string, Document>>): Promise<string> {
    const gone = [...this.#script.rows].map(([identity, { dataKey }]): Write => [dataKey, null, identity]);
    await this.begin();
    const writes = Object.entries(documents).map(([dataKey, document]): Write => [dataKey, document]);
    await this.#step(this.#script.write([...gone, ...writes], false, Date.now()));
    await this.end();
    return this.version;
  }

  /** One batch, one message. @returns its version */
  async publish(...writes: readonly Write[]): Promise<string> {
    await this.#step(this.#script.write(writes, true, Date.now()));
    return this.version;
  }

  upsert(dataKey: string, document: Document): Promise<string> {
    return this.publish([dataKey, document]);
  }

  remove(dataKey: string): Promise<string> {
    return this.publish([dataKey, null]);
  }

  /** One sign of life: subscribers compare their digest by it. While a script is pending nobody beats. */
  async heartbeat(): Promise<void> {
    if (this.#script.facts.pending) {
      return;
    }
    await this.#step(this.#script.heartbeat(this.#intervalMs, Date.now()));
  }

  /** Heartbeats from now on, one an interval, until `fallSilent` or the end. */
  beat(): void {
    this.#timer ??= setInterval(() => {
      // A Redis that is gone for a while is part of many tests; the next beat tries again.
      this.#beating = this.heartbeat().catch(() => {});
    }, this.#intervalMs).unref();
  }

  /** No heartbeats any more: subscribers look for what they may have missed after three intervals. */
  async fallSilent(): Promise<void> {
    if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    await this.#beating;
  }

  // What goes wrong on the way.

  /** What `work` publishes stands in Redis, but no subscriber hears of it. @returns the texts of its messages, for `send` */
  async drop(work: () => Promise<unknown>): Promise<readonly string[]> {
    const before = this.#withheld;
    const withheld: string[] = [];
    this.#withheld = withheld;
    try {
      await work();
    } finally {
      this.#withheld = before;
    }
    return withheld;
  }

  /** What `work` publishes is heard in reverse order, once it is done. */
  async reorder(work: () => Promise<unknown>): Promise<void> {
    await this.send(...(await this.drop(work)).toReversed());
  }

  /** The last message of the replay stream is sent once more. */
  async duplicate(): Promise<void> {
    await this.send(...this.#script.log.slice(-1).map(({ text }) => text));
  }

  /** Puts texts on the channel as they are: messages that `drop` gave, or what nobody should send. */
  async send(...texts: readonly string[]): Promise<void> {
    await this.#writes.tell(texts);
  }

  /** The replay stream forgets all but its newest `keep` messages (at least one). */
  async trim(keep: number = 1): Promise<void> {
    this.#script.trim(keep);
    await this.#writes.write(this.#script, []);
  }

  /** Cuts the subscribed connections of every client of this Redis; they may come back. */
  async cutSubscribers(): Promise<void> {
    await this.#redis.client('KILL', 'TYPE', 'PUBSUB');
  }

  // What happens to a section.

  /** The section begins to load or to resync; a resync goes on with `publish`, a load with `store`. */
  async begin({ state = 'loading', newEpoch = state === 'loading', reason = 'scripted load' }: BeginOptions = {}): Promise<void> {
    await this.#step(this.#script.transition(state, reason, newEpoch, Date.now()));
  }

  /** Documents without a message: a page of a load. */
  async store(...writes: readonly Write[]): Promise<void> {
    await this.#step(this.#script.write(writes, false, Date.now()));
  }

  /** The section is live: subscribers load it, unless it was resyncing and they have followed. */
  async end(reason: string = 'scripted load ended'): Promise<void> {
    await this.#step(this.#script.transition('live', reason, false, Date.now()));
  }

  /** What a repair does: another epoch, the same documents, loaded anew by subscribers. */
  async newEpoch(reason: string = 'scripted repair'): Promise<void> {
    await this.#step(this.#script.transition(this.state, reason, true, Date.now()));
  }

  /** A point to which `rewind` can go back. */
  mark(): Mark {
    return { snapshot: this.#script.snapshot() };
  }

  /** Redis goes back in time, as after a restart from an older dump: nobody is told. */
  async rewind(to: Mark): Promise<void> {
    this.#script.restore(to.snapshot);
    await this.#writes.write(this.#script, []);
  }

  /** A document is lost (null) or overwritten behind the publisher's back; `mend` puts it right. */
  async damage(dataKey: string, text: string | null = null): Promise<void> {
    await (text === null ? this.#redis.unlink(this.#documentKey(dataKey)) : this.#redis.set(this.#documentKey(dataKey), text));
  }

  async mend(dataKey: string): Promise<void> {
    const row = [...this.#script.rows.values()].find((each) => each.dataKey === dataKey);
    await (row === undefined ? this.#redis.unlink(this.#documentKey(dataKey)) : this.#redis.set(this.#documentKey(dataKey), row.document));
  }

  /** The row is there, its document cannot be published: no replica is equal until a `publish` brings the row back. */
  async quarantine(identity: string, reason: string = 'scripted'): Promise<void> {
    await this.#step(this.#script.setAside(identity, reason, Date.now()));
  }

  /** A script that stopped half-way has left its mark; false takes it away. Told to nobody. */
  async pending(pending: boolean): Promise<void> {
    this.#script.set({ pending });
    await this.#writes.write(this.#script, []);
  }

  /** The section does not hold every row; null: it does. Heartbeats tell of it. */
  async incomplete(why: 'initial' | 'skipped' | null): Promise<void> {
    this.#script.set({ incomplete: why, upTo: why === null ? this.version : null });
    await this.#writes.write(this.#script, []);
  }

  /** The section is removed and every key of it; subscribers are told. */
  async purge(reason: string = 'scripted'): Promise<void> {
    const told = this.#script.removed(reason);
    this.#withheld?.push(told);
    await this.#writes.clear(this.#withheld === null ? told : null);
    this.#script.clear();
  }

  /** Silent from now on; what the section holds goes out of Redis without a word. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.fallSilent();
    // A Redis that is gone keeps nothing that would have to go.
    await this.#writes.clear().catch(() => {});
    this.#redis.disconnect();
  }

  async #step(text: string | null): Promise<void> {
    if (text !== null) {
      this.#withheld?.push(text);
    }
    await this.#writes.write(this.#script, this.#withheld === null ? [text] : []);
  }

  #documentKey(dataKey: string): string {
    return `{${this.partition}:${this.section}}:${dataKey}`;
  }
}
