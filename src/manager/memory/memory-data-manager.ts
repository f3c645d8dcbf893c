/**
 * The distributed data manager over plain maps, for simulations and tests: the same rules and refusals as over Redis, held to them by the
 * contract suite. A writing call takes effect when it is made and is answered later, as on a connection that keeps order.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import { sectionKeys } from '../../wire/keys.ts';
import { STORE_FORMAT } from '../../wire/messages.ts';
import { changesText, type Envelope, keysText, resetText } from '../changes-message.ts';
import type {
  AdoptResult,
  Base,
  Batch,
  DistributedDataManager,
  ExportedSection,
  IndexEntry,
  IndexPage,
  LeadResult,
  OperationProgress,
  OperatorRequest,
  QuarantinedRow,
  QuarantinePage,
  SectionMeta,
  Transition,
} from '../distributed-data-manager.ts';
import { LeadMemory } from '../lead-memory.ts';
import { checkSilence, resyncs } from '../silent-transition.ts';
import { adoptSection, digestOf } from './adopt.ts';
import { MemoryAudit } from './audit.ts';
import { MemoryDaemons } from './daemons.ts';
import type { CarriedCall, Line } from './line.ts';
import { type Lead, lost, moved } from './lead-chain.ts';
import { MemoryStore, type StoredSection, type WritingCall } from './memory-store.ts';
import { quarantinedRows, scanQuarantine } from './quarantine.ts';
import { missingDocuments, scanIndex, storedBases } from './reads.ts';
import { pendingRequests, putRequest, readOperation, writeProgress } from './requests.ts';
import { checkFormat, describe, described, type Writer, writeBatch, writeHeartbeat, writeTransition } from './section-writes.ts';
import { newId, takeLead } from './take-lead.ts';

export interface MemoryDataManagerOptions {
  /** What several managers share; default: one of its own. */
  readonly store?: MemoryStore;
  readonly partition: string;
  readonly managerId?: string;
  readonly leaseMs: number;
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
  /** As for the Redis adapter. */
  readonly invalidations?: boolean;
  readonly clock: Clock;
  /** How calls reach the store; default: at once. `intercept` of the store is not asked then. */
  readonly line?: Line;
}

export function memoryDataManager(options: MemoryDataManagerOptions): MemoryDataManager {
  return new MemoryDataManager(options);
}

export class MemoryDataManager implements DistributedDataManager {
  readonly managerId: string;
  readonly partition: string;
  readonly daemons: MemoryDaemons;
  readonly audit: MemoryAudit;
  /** What stands for Redis. */
  readonly memory: MemoryStore;
  readonly #options: MemoryDataManagerOptions;
  readonly #invalidations: boolean;
  readonly #leads = new Map<string, Lead>();
  readonly #memories = new Map<string, LeadMemory>();

  constructor(options: MemoryDataManagerOptions) {
    this.#options = options;
    this.#invalidations = options.invalidations ?? false;
    this.managerId = options.managerId ?? randomUUID();
    this.partition = options.partition;
    this.memory = options.store ?? new MemoryStore();
    this.daemons = new MemoryDaemons({ ...options, store: this.memory, managerId: this.managerId, format: STORE_FORMAT });
    this.audit = new MemoryAudit({ ...options, store: this.memory });
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<{ readonly warnings: readonly string[] }> {
    signal.throwIfAborted();
    return { warnings: [] };
  }

  async readMeta(section: string): Promise<SectionMeta | null> {
    return await this.#carry('readMeta', section, () => {
      const stored = this.#stored(section);
      if (stored.meta !== null) {
        checkFormat(stored.meta, section);
      }
      return describe(stored);
    });
  }

  async lead(section: string, options: { readonly repair?: boolean } = {}): Promise<LeadResult> {
    this.#leads.delete(section);
    let memory = this.#memories.get(section);
    if (memory === undefined) {
      memory = new LeadMemory();
      this.#memories.set(section, memory);
    }
    const token = newId();
    const tip = newId();
    const fate = this.#fate('lead', section);
    if (fate === 'before') {
      throw lost(section);
    }
    const take = (): LeadResult =>
      takeLead({
        ...{ store: this.memory, partition: this.partition, section, managerId: this.managerId, memory, token, tip },
        ...{ leaseMs: this.#options.leaseMs, replay: this.#options.replay, nowMs: this.#options.clock.now() },
        ...{ repair: options.repair === true, invalidations: this.#invalidations },
      });
    const { result, torn } = await this.#carry('lead', section, () => {
      const led = take();
      return { result: led, torn: led.kind === 'leading' && options.repair === true ? digestOf(this.#stored(section)) : null };
    });
    if (fate === 'after') {
      throw lost(section);
    }
    if (result.kind === 'held') {
      return result;
    }
    const { meta } = result;
    memory.taken(token, meta.tip);
    const { epoch, state, seq, last, checkpoint, upTo } = meta;
    const fingerprint = meta.source?.fingerprint;
    this.#leads.set(section, {
      ...{ token, tip: meta.tip, epoch, state, fingerprint, seq, last, checkpoint, upTo },
      ...{ tornDigest: torn, failure: null },
    });
    return result;
  }

  async resign(section: string): Promise<void> {
    const lead = this.#leads.get(section);
    this.#leads.delete(section);
    if (lead === undefined || this.#fate('resign', section) !== null) {
      return;
    }
    try {
      await this.#carry('resign', section, () => {
        const stored = this.#stored(section);
        if (stored.meta?.leader === lead.token) {
          stored.meta.leader = '';
          stored.lease = stored.lease?.holder === this.managerId ? null : stored.lease;
        }
      });
    } catch {
      // Whoever resigns has nothing more to say: the lease runs out.
    }
  }

  async bases(
    section: string,
    identities: readonly string[],
    { documents }: { readonly documents: boolean },
  ): Promise<ReadonlyMap<string, Base>> {
    return await this.#carry('bases', section, () => storedBases(this.#stored(section), identities, documents));
  }

  async scan(section: string, cursor: string, count: number): Promise<IndexPage> {
    return await this.#carry('scan', section, () => scanIndex(this.#stored(section), cursor, count));
  }

  async scanQuarantine(section: string, cursor: string, count: number): Promise<QuarantinePage> {
    return await this.#carry('scanQuarantine', section, () => scanQuarantine(this.#stored(section), cursor, count));
  }

  async quarantined(section: string, identities: readonly string[]): Promise<readonly QuarantinedRow[]> {
    return await this.#carry('quarantined', section, () => quarantinedRows(this.#stored(section), identities));
  }

  async missing(section: string, entries: readonly IndexEntry[]): Promise<readonly string[]> {
    return await this.#carry('missing', section, () => missingDocuments(this.#stored(section), entries));
  }

  async publish(batch: Batch): Promise<void> {
    await this.#deliver('publish', batch);
  }

  async store(batch: Batch): Promise<void> {
    await this.#deliver('store', batch);
  }

  async #deliver(method: 'publish' | 'store', batch: Batch): Promise<void> {
    const { section, advance } = batch;
    const lead = this.#leading(section);
    const writer = this.#writer(section, lead.token, lead.tip);
    const step = { tip: newId(), id: newId(), seq: lead.seq + 1 };
    const before = { checkpoint: lead.checkpoint, upTo: lead.upTo };
    const after = moved(before, advance);
    const body = {
      checkpoint: after.checkpoint.toString(),
      upTo: after.upTo?.toString() ?? null,
      changeTimeMs: batch.changeTimeMs,
      changes: batch.rows.flatMap((row) => row.changes),
    };
    const told = [this.#envelope(section, lead.epoch), { seq: step.seq, id: step.id, prevId: lead.last }, body] as const;
    const message = method === 'store' ? null : changesText(...told);
    Object.assign(lead, after, { tip: step.tip }, message === null ? {} : { seq: step.seq, last: step.id });
    await this.#send(method, section, lead, step.tip, (stored) => {
      writeBatch(stored, writer, batch, before, { ...step, message });
      if (message !== null) {
        this.#publish(section, message, this.#invalidations ? keysText(...told) : null);
      }
    });
  }

  async transition(section: string, transition: Transition): Promise<SectionMeta> {
    const lead = this.#leading(section);
    const writer = this.#writer(section, lead.token, lead.tip);
    const { newEpoch, state, reset, advance } = transition;
    checkSilence(transition, lead.state);
    // Without a message no seq is used up.
    const silent = reset === null && !resyncs(state, lead.state);
    const step = silent ? { tip: newId(), id: lead.last, seq: lead.seq } : { tip: newId(), id: newId(), seq: lead.seq + 1 };
    const epoch = newEpoch ? newId() : lead.epoch;
    const fingerprint = transition.source?.fingerprint ?? lead.fingerprint;
    const repair = newEpoch ? lead.tornDigest : null;
    const forgets = newEpoch || state !== 'live' || (transition.incomplete ?? null) !== null;
    const after = moved({ checkpoint: lead.checkpoint, upTo: forgets ? null : lead.upTo }, advance);
    const link = { seq: step.seq, id: step.id, prevId: lead.last };
    const envelope = this.#envelope(section, epoch);
    const message = silent
      ? null
      : reset === null
        ? changesText(envelope, link, {
            checkpoint: after.checkpoint.toString(),
            upTo: after.upTo?.toString() ?? null,
            changeTimeMs: advance.sourceReadAtMs ?? this.#options.clock.now(),
            changes: [],
            state,
          })
        : resetText(envelope, link, { ...reset, state, fingerprint });
    const moving = { tip: step.tip, seq: step.seq, last: step.id, epoch, state, fingerprint };
    Object.assign(lead, after, moving, newEpoch ? { tornDigest: null } : {});
    return await this.#send('transition', section, lead, step.tip, (stored) => {
      writeTransition(stored, writer, transition, { ...step, message, epoch, repair });
      if (message !== null) {
        this.#publish(section, message);
      }
      return described(stored);
    });
  }

  async heartbeat(section: string, options: Parameters<DistributedDataManager['heartbeat']>[1]): Promise<void> {
    const lead = this.#leading(section);
    const writer = this.#writer(section, lead.token, lead.tip);
    const believed = { ...options.believed, upTo: lead.upTo };
    Object.assign(lead, moved(lead, options.advance));
    await this.#send('heartbeat', section, lead, null, (stored) => {
      this.#publish(section, writeHeartbeat(stored, writer, believed, options));
    });
  }

  async adopt(section: string, exported: ExportedSection, { replace }: { readonly replace: boolean }): Promise<AdoptResult> {
    const { memory: store, partition, managerId } = this;
    return adoptSection({
      store,
      partition,
      managerId,
      section,
      nowMs: this.#options.clock.now(),
      exported,
      replace,
      invalidations: this.#invalidations,
    });
  }

  async room(): Promise<number | null> {
    return this.memory.room;
  }

  async inspect(): Promise<void> {}

  async purge(section: string, reason: string): Promise<{ readonly documents: number }> {
    const lead = this.#leading(section);
    this.#leads.delete(section);
    return await this.#send('purge', section, lead, null, (stored) => {
      if (stored.meta === null || stored.meta.leader !== lead.token) {
        throw new PatchwireError('PW-M305', `purge of section ${section}: another leader holds the section`);
      }
      const documents = stored.index.size;
      this.memory.remove(this.#envelope(section, stored.meta.epoch), reason, this.#invalidations);
      return { documents };
    });
  }

  async request(section: string, request: OperatorRequest): Promise<void> {
    await this.#carry('request', section, () => putRequest(this.#stored(section), request));
  }

  async pendingRequests(section: string): Promise<readonly OperatorRequest[]> {
    return await this.#carry('pendingRequests', section, () => pendingRequests(this.#stored(section)));
  }

  async progress(section: string, progress: OperationProgress): Promise<void> {
    const { token } = this.#leading(section);
    await this.#carry('progress', section, () => writeProgress(this.#stored(section), section, token, progress));
  }

  async operation(section: string, id: string): Promise<OperationProgress | null> {
    return readOperation(this.#stored(section), id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leads.clear();
  }

  /** Makes a writing call now; its answer, and the end of the chain if it is refused, come a moment later. */
  async #send<T>(
    method: WritingCall['method'],
    section: string,
    lead: Lead,
    tip: string | null,
    effect: (stored: StoredSection) => T,
  ): Promise<T> {
    const memory = this.#memories.get(section);
    if (tip !== null) {
      memory?.sent(tip);
    }
    const fate = this.#fate(method, section);
    let result: T;
    try {
      if (this.#options.line !== undefined) {
        result = await this.#carry(method, section, () => effect(this.#stored(section)));
        if (tip !== null) {
          memory?.acknowledged(tip);
        }
        return result;
      }
      if (fate === 'before') {
        throw lost(section);
      }
      result = effect(this.#stored(section));
      if (fate === 'after') {
        throw lost(section);
      }
    } catch (error) {
      if (fate === null) {
        // What was sent meanwhile is judged by the store, as over a connection.
        await Promise.resolve();
      }
      lead.failure ??= error as PatchwireError;
      throw error;
    }
    await Promise.resolve();
    if (tip !== null) {
      memory?.acknowledged(tip);
    }
    return result;
  }

  /** Over the line where there is one. */
  #carry<T>(method: CarriedCall['method'], section: string, execute: () => T): Promise<T> | T {
    const { line } = this.#options;
    return line === undefined ? execute() : line.carry({ method, section, managerId: this.managerId }, execute);
  }

  #fate(method: WritingCall['method'], section: string): 'before' | 'after' | null {
    if (this.#options.line !== undefined) {
      return null;
    }
    return this.memory.nextCall({ method, section, managerId: this.managerId });
  }

  #stored(section: string): StoredSection {
    return this.memory.section(this.partition, section);
  }

  #publish(section: string, text: string, keys: string | null = this.#invalidations ? text : null): void {
    this.memory.publish(sectionKeys(this.partition, section), text, keys);
  }

  #envelope(section: string, epoch: string): Envelope {
    return { partition: this.partition, section, managerId: this.managerId, epoch };
  }

  #writer(section: string, token: string, expectedTip: string): Writer {
    const { leaseMs, replay, clock } = this.#options;
    return { section, partition: this.partition, managerId: this.managerId, token, expectedTip, leaseMs, nowMs: clock.now(), replay };
  }

  /** @throws PW-M305 without a lead, PW-M311 after a failure (C2) */
  #leading(section: string): Lead {
    const lead = this.#leads.get(section);
    if (lead === undefined) {
      throw new PatchwireError('PW-M305', `this manager does not lead section ${section}`);
    }
    if (lead.failure !== null) {
      throw new PatchwireError('PW-M311', `section ${section}: the chain broke; the lead must be taken again`, {
        cause: lead.failure,
        details: { after: lead.failure.code },
      });
    }
    return lead;
  }
}
