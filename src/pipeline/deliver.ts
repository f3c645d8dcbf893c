/**
 * The one way into the manager while a section is led: every script, heartbeats included, goes through here in the order in which it was asked
 * for (L1), at most `inFlight` outstanding. Keeps what the diff needs (L2): what is queued or in flight over what Redis holds. Decides
 * nothing about reading; after the first refusal it sends nothing more (C2) and its owner makes a new one.
 */
import type { Advance, Base, Batch, LoadCursor, RowWrite, SectionMeta, Transition } from '../manager/distributed-data-manager.ts';
import type { RowState, TrackingPosition } from '../model/change.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { maxVersion, type Version } from '../model/version.ts';
import type { ItemBatch } from './batches.ts';
import { BaseOverlay } from './base-overlay.ts';
import { Covering } from './covering.ts';
import { forward, moved, moves, type Stored, withoutClaim } from './advances.ts';
import { aroundBatch } from './hooks.ts';
import { Quarantine } from './quarantine.ts';
import type { Flight } from './quarantine-suspects.ts';
import { QuarantineWatch } from './quarantine-watch.ts';
import type { Delivered, DeliveryOptions, Read } from './delivery-options.ts';
import { Sending } from './sending.ts';
import { batcherOf, compose, spelledAnew, type Composed, type ComposeOptions } from './patches.ts';

/** Modes: sending, from construction; refused, after the first rejection, for ever: every call then throws that rejection. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #overlay = new BaseOverlay();
  readonly #sending: Sending;
  readonly #covering: Covering | null;
  readonly #watch: QuarantineWatch;
  /** What is set aside, by what has been composed. */
  readonly quarantine: Quarantine;
  readonly #flying = new Set<Flight>();
  #refused: Flight | null = null;
  /** As it will be when everything sent has been executed. */
  #stored: Stored;
  #idle: Advance | null = null;
  /** Subscribers were told of rows without an upTo that contains them (full pages): it should not wait for the next heartbeat. */
  #owesUpTo = false;
  #count: number;
  #sentRows = 0;
  #current: Version;
  /** The section lacks rows: whatever a page proves of itself, upTo is not claimed. */
  #incomplete: boolean;
  /** A script stopped half-way (C5): every script but the transition to a new epoch would be refused. */
  #torn: boolean;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#watch = options.watch ?? new QuarantineWatch(options);
    const { suspects, limits } = this.#watch;
    this.quarantine = new Quarantine(options.manager, { section: options.section, count: options.meta.quarantined, limits });
    this.#watch.counted(options.meta.quarantined);
    this.#sending = new Sending({
      inFlight: () => (suspects.searching || [...this.#flying].some(({ alone }) => alone) ? 1 : options.limits.inFlight),
      onRefusal: (error) => {
        suspects.broke(asPatchwireError(error), this.#refused, [...this.#flying]);
        options.onRefusal(error);
      },
    });
    this.#covering = options.marks === undefined ? null : new Covering(options.marks, options.clock);
    this.#stored = options.meta;
    this.#count = options.meta.count;
    this.#current = options.meta.checkpoint;
    this.#torn = options.meta.pending;
    this.#incomplete = options.meta.incomplete !== null;
  }

  /** The stored position once everything sent has been executed, and what waits for a heartbeat rides on it. */
  get position(): TrackingPosition {
    const { checkpoint, confirmed, high } = this.#after({});
    return { checkpoint, confirmed, high };
  }

  /** Whether nothing that was sent is unanswered. */
  get quiet(): boolean {
    return this.#sending.quiet;
  }

  /** Living documents, by what has been written. */
  get count(): number {
    return this.#count;
  }

  /** Rows sent so far: whether anything was written between two moments. */
  get sentRows(): number {
    return this.#sentRows;
  }

  /** Takes the count from the index itself. */
  set count(count: number) {
    this.#count = count;
  }

  /**
   * Diffs and sends everything that a read found, waiting only for room. No batch holds rows of two reads; the position rides on the last.
   * @throws the first refusal; PW-S218 when two keys that SQL Server calls different share an identity; PW-S242; the signal's reason
   */
  async deliver(found: Read): Promise<Delivered> {
    const read = this.#incomplete ? { ...found, advance: withoutClaim(found.advance) } : found;
    const { limits, observer, logger, clock } = this.#options;
    const batcher = batcherOf(limits);
    const { quarantine } = this;
    const { suspects, maxDocumentBytes } = this.#watch;
    const { to, mode, retry = false, changed = false, filtered = false } = read;
    await quarantine.read();
    const tellBeyond = changed && mode === 'publish' && this.#options.meta.keys ? this.#after({}).checkpoint : null;
    const composing: ComposeOptions = {
      ...{ to, mode, retry, tellBeyond, filtered, quarantine, suspects, maxDocumentBytes, nowMs: clock.now() },
      base: (identity) => this.#overlay.base(identity),
    };
    let last: ItemBatch<Composed> | null = null;
    let written = 0;
    let unchanged = 0;
    let mended = 0;
    let setAside = 0;
    let renewed = 0;
    for await (const rows of this.#withBases(read)) {
      read.signal.throwIfAborted();
      for (const row of rows) {
        const base = this.#overlay.base(row.identity);
        if (base !== null && spelledAnew(row, base)) {
          // Just before the row is composed: the other spelling may have come with this very read.
          await this.#demandSameKey(row, base, read);
        }
        const composed = compose(row, composing);
        if (composed === null) {
          unchanged += 1;
          suspects.cleared(row.identity);
          continue;
        }
        written += composed.renewed ? 0 : 1;
        renewed += composed.renewed ? 1 : 0;
        setAside += !composed.renewed && composed.writes.at(-1)?.quarantine ? 1 : 0;
        mended += composed.mended ? 1 : 0;
        for (const write of composed.writes) {
          this.#overlay.queue(write);
          quarantine.queue(write);
        }
        const full = batcher.add(composed);
        if (full !== null) {
          if (last !== null) {
            await this.#batch(last, read, {});
          }
          last = full;
        }
      }
    }
    const rest = batcher.flush();
    if (rest !== null && last !== null) {
      await this.#batch(last, read, {});
    }
    last = rest ?? last;
    this.#current = maxVersion(this.#current, read.to);
    if (unchanged > 0) {
      observer.unchanged(unchanged);
    }
    if (last !== null) {
      await this.#batch(last, read, read.advance);
    } else if (read.advance.cursor !== undefined) {
      await this.#batch({ items: [], rows: 0, bytes: 0 }, read, read.advance);
    } else {
      this.#advanceIdly(read.advance, unchanged > 0 || (this.#owesUpTo && read.advance.upTo !== undefined));
    }
    if (read.advance.upTo !== undefined) {
      this.#owesUpTo = false;
    } else if (written > 0 && read.mode === 'publish') {
      this.#owesUpTo = true;
    }
    if (mended > 0) {
      observer.error('PW-M309');
      logger.warn({ code: 'PW-M309', documents: mended }, 'documents that the index names were not there: written anew');
    }
    return { written, unchanged, mended, setAside, renewed };
  }

  /** Stores how far a load or a sweep is by itself, with no rows. */
  async storeCursor(cursor: LoadCursor | null): Promise<void> {
    const read = { to: this.position.high, readAtMs: this.#options.clock.now(), mode: 'store' } as const;
    await this.#batch({ items: [], rows: 0, bytes: 0 }, read, { cursor });
  }

  /** Publishes or stores removals that were decided elsewhere (a sweep); their bases must be what is stored now: `settle` first. */
  async remove(writes: readonly RowWrite[], read: Pick<Read, 'readAtMs' | 'mode' | 'advance' | 'to'>): Promise<void> {
    const { limits } = this.#options;
    for (let i = 0; i < writes.length; i += limits.rows) {
      const part = writes.slice(i, i + limits.rows);
      part.forEach((write) => {
        this.#overlay.queue(write);
        this.quarantine.queue(write);
      });
      const lastOne = i + limits.rows >= writes.length;
      await this.#batch(
        { items: [{ writes: part, bytes: 0, mended: false, group: null, renewed: false }], rows: part.length, bytes: 0 },
        read,
        lastOne ? read.advance : {},
      );
    }
  }

  /**
   * Changes state, epoch or source, after everything sent before it. Its position is taken as it is: it may go back. Where it says nothing of the
   * position, what waits for a heartbeat rides on it.
   */
  async transition(asked: Transition): Promise<SectionMeta> {
    const { manager, section, observer } = this.#options;
    const claims = this.#covering === null || (await this.#covering.transition(asked, { ...this.#after({}), ...asked.advance }));
    const { answer } = await this.#sending.send(() => {
      const stays = asked.reset === null && Object.keys(asked.advance).length === 0 && claims;
      this.#incomplete = asked.incomplete === undefined ? this.#incomplete : asked.incomplete !== null;
      const transition: Transition = { ...asked, advance: stays ? this.#take({}) : { ...asked.advance, ...this.#covering?.mark } };
      this.#idle = claims ? null : this.#idle;
      this.#covering?.overtaken(claims);
      const cleared = transition.newEpoch || transition.state !== 'live' || this.#incomplete;
      this.#stored = moved(cleared ? { ...this.#stored, upTo: null } : this.#stored, transition.advance);
      this.#torn &&= !transition.newEpoch;
      return manager.transition(section, transition);
    });
    const meta = await answer;
    this.#covering?.stored(meta, asked);
    const { reset, newEpoch } = asked;
    if (reset !== null && (newEpoch || reset.phase === 'end')) {
      observer.reset(reset.reason);
    }
    return meta;
  }

  /** Sends a heartbeat, with whatever idle advance waits (C7); none while the section is torn. Resolves when answered. @throws the first refusal */
  async heartbeat(): Promise<void> {
    if (this.#torn) {
      return;
    }
    const { manager, section, heartbeatMs, observer } = this.#options;
    const waiting = this.#idle;
    // Without a store nothing is waited for: what is asked for first is sent first.
    const moving = waiting !== null && moves(this.#stored, waiting);
    const claimable = this.#covering === null ? null : await this.#covering.claimable(waiting, this.#after({}), moving);
    const { answer } = await this.#sending.send(() => {
      const believed = { checkpoint: this.#stored.checkpoint, confirmed: this.#stored.confirmed };
      const advance = claimable === null ? this.#take({}) : this.#take({}, this.#covering?.still(claimable));
      const after = this.#stored;
      return manager.heartbeat(section, { believed, advance, intervalMs: heartbeatMs }).then(() => after);
    });
    const stored = await answer;
    observer.heartbeat();
    this.#tellPosition(stored);
  }

  /** Waits until everything sent has been answered. @throws the first refusal */
  async settle(): Promise<void> {
    await this.drain();
    this.#sending.throwRefusal();
  }

  /** The same, but never throws: what must come before the lead is taken again (C2). */
  drain(): Promise<void> {
    return this.#sending.drain();
  }

  /** Forgets what was composed and never sent, after a read failed half-way through its delivery. Call it only when settled. */
  dropUnsent(): void {
    this.#overlay.clear();
    this.quarantine.forget();
    this.#covering?.forget();
    this.#idle = null;
  }

  /** The read's rows in chunks whose bases are known, those of the next chunk being asked for meanwhile. */
  async *#withBases(read: Read): AsyncGenerator<readonly RowState[], void, undefined> {
    const size = this.#options.limits.rows;
    const ask = (from: number): Promise<ReadonlyMap<string, Base>> | null => {
      if (from >= read.rows.length) {
        return null;
      }
      this.#sending.throwRefusal();
      const identities = new Set<string>();
      for (const row of read.rows.slice(from, from + size)) {
        identities.add(row.identity);
        if (row.formerIdentity !== undefined) {
          identities.add(row.formerIdentity);
        }
      }
      const answer = this.#options.manager.bases(this.#options.section, [...identities], { documents: read.mode === 'publish' });
      answer.catch(() => {});
      return answer;
    };
    this.#overlay.readingBegins();
    try {
      let next = ask(0);
      for (let from = 0; next !== null; from += size) {
        const bases = await next;
        next = ask(from + size);
        this.#overlay.stored(bases);
        yield read.rows.slice(from, from + size);
      }
    } finally {
      this.#overlay.readingEnds();
    }
  }

  async #demandSameKey(row: RowState, base: Base, read: Read): Promise<void> {
    if (!(await read.sameKey(base.dataKey, row.dataKey))) {
      throw new PatchwireError(
        'PW-S218',
        `SQL Server calls ${base.dataKey} and ${row.dataKey} different; both have the identity ${row.identity}.`,
        {
          details: { stored: base.dataKey, found: row.dataKey, identity: row.identity },
        },
      );
    }
  }

  async #batch(
    batch: ItemBatch<Composed>,
    read: Pick<Read, 'readAtMs' | 'mode' | 'to'> & Partial<Pick<Read, 'advance'>>,
    advance: Advance,
  ): Promise<void> {
    const { manager, section, clock, observer, logger } = this.#options;
    const rows = batch.items.flatMap(({ writes }) => writes);
    if (this.#covering !== null) {
      await this.#covering.read(read, this.#after(read.advance ?? advance));
    }
    const flight: Flight = { rows, alone: (batch.items[0]?.group ?? null) !== null };
    if (flight.alone) {
      await this.#prove(read.mode);
    }
    const sentAt = clock.now();
    const { before, after: afterwards } = aroundBatch(this.#options, { section, mode: read.mode, rows, readAtMs: read.readAtMs });
    await this.#sending.send(() => {
      const script: Batch = { section, rows, advance: this.#take(advance), changeTimeMs: read.readAtMs };
      const after = this.#stored;
      this.#sentRows += rows.length;
      for (const { next, expected } of rows) {
        this.#count += (next === null ? 0 : 1) - (expected === null ? 0 : 1);
      }
      // What only subscribers of heartbeats see needs no message.
      const speaks = read.mode === 'publish' && rows.some(({ changes }) => changes.length > 0);
      const answered = speaks ? manager.publish(script) : manager.store(script);
      this.#flying.add(flight);
      answered.catch(() => (this.#refused ??= flight));
      return answered.then(() => {
        this.#flying.delete(flight);
        this.#overlay.acknowledged(rows);
        this.#options.onAcknowledged();
        const patches = rows.reduce((sum, { changes }) => sum + changes.length, 0);
        const durationMs = clock.now() - sentAt;
        observer.delivered({ rows: rows.length, patches, bytes: batch.bytes, durationMs, message: read.mode === 'publish' });
        logger.debug({ rows: rows.length, patches, bytes: batch.bytes, durationMs }, 'batch delivered');
        this.#tellPosition(after);
        this.#watch.delivered(rows, this.quarantine.count);
        if (rows.some(({ quarantine }) => quarantine !== undefined)) {
          this.#options.onUrgent();
        }
        return afterwards(durationMs);
      });
    }, before);
  }

  /** Nothing is on its way, and Redis takes a script without rows: what happens to the next one is its own doing. */
  async #prove(mode: Read['mode']): Promise<void> {
    await this.drain();
    const { manager, section, clock } = this.#options;
    const { answer } = await this.#sending.send(() => {
      const empty: Batch = { section, rows: [], advance: this.#take({}), changeTimeMs: clock.now() };
      return mode === 'publish' ? manager.publish(empty) : manager.store(empty);
    });
    await answer;
  }

  /** What rides on the script that is being sent: what waited idly, and `advance` over it. */
  #take(advance: Advance, idle: Advance | null = this.#idle): Advance {
    const claim = { ...idle, ...advance };
    const whole = { ...forward(this.#stored, this.#incomplete ? withoutClaim(claim) : claim), ...this.#covering?.mark };
    // What came to wait meanwhile goes on waiting.
    this.#idle = this.#idle === idle ? null : this.#idle;
    this.#stored = moved(this.#stored, whole);
    return whole;
  }

  /** The position after what waits idly, and `advance` over it. */
  #after(advance: Advance): Stored {
    return moved(this.#stored, forward(this.#stored, { ...this.#idle, ...advance }));
  }

  #advanceIdly(advance: Advance, urgent: boolean): void {
    const before = { ...this.#idle, ...advance };
    const changes = moves(this.#stored, before);
    this.#idle = before;
    if (urgent && changes) {
      this.#options.onUrgent();
    }
  }

  #tellPosition({ checkpoint, confirmed, upTo }: Stored): void {
    this.#options.observer.position({ checkpoint, confirmed, upTo, current: this.#current });
  }
}
