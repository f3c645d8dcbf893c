/**
 * The distributed data manager over one Redis: every write is one script in one chain (C1), nothing is re-sent (C2), a lead ends with its
 * connection (C3). Of each section that it leads it knows what it sent last, and nothing else: the state is in Redis.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { decodeIndexEntry, type SectionKeys, sectionKeys } from '../../wire/keys.ts';
import { STORE_FORMAT } from '../../wire/messages.ts';
import type {
  AdoptResult,
  Advance,
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
import type { AuditTrail } from '../audit-trail.ts';
import type { DaemonRegistry } from '../daemon-registry.ts';
import { LeadMemory } from '../lead-memory.ts';
import { adoptSection } from './adopt.ts';
import { RedisAudit } from './audit.ts';
import { missingDocuments, readBases } from './bases.ts';
import type { Link, RedisTargetOptions } from './connection.ts';
import { RedisDaemons } from './daemons.ts';
import { decodeDescription } from './meta.ts';
import { quarantinedRows, scanQuarantine } from './quarantine.ts';
import { pendingRequests, putRequest, readOperation } from './requests.ts';
import type { SectionLead } from './section-lead.ts';
import { redisRoutes, type Routes } from './routes.ts';
import { checkEviction, selfTest } from './self-test.ts';
import { roomOf } from './room.ts';
import { takeLead } from './take-lead.ts';

export interface RedisDataManagerOptions {
  /** redis:// or rediss://; what `options` says comes on top. One of the two is needed. */
  readonly url?: string;
  /** ioredis options; `sentinels` and `name`, or the nodes of a `cluster`, as host:port. */
  readonly options?: RedisTargetOptions;
  readonly partition: string;
  /** Default: random. */
  readonly managerId?: string;
  /** A leader that writes nothing for so long may be replaced. */
  readonly leaseMs: number;
  /** Bounds of the change log. */
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
  /** Keys and versions are told on a channel of their own, too, for subscribers that want no documents. Default: they are not. */
  readonly invalidations?: boolean;
  /** A command without an answer after so long ends the connection: PW-M311 for a write, PW-M301 for a read. */
  readonly commandTimeoutMs: number;
  /** The newest format of a section that it knows: below this build's it behaves as an earlier patchwire does, for the test of an upgrade. */
  readonly format?: number;
  readonly clock: Clock;
  readonly logger?: Logger;
}

export function redisDataManager(options: RedisDataManagerOptions): RedisDataManager {
  return new RedisDataManager(options);
}

export class RedisDataManager implements DistributedDataManager {
  readonly managerId: string;
  readonly partition: string;
  readonly daemons: DaemonRegistry;
  readonly audit: AuditTrail;
  readonly #options: RedisDataManagerOptions;
  readonly #format: number;
  readonly #invalidations: boolean;
  readonly #routes: Routes;
  /** Links that the self-test has passed on, where a failover or a moved slot may lead to another server. */
  readonly #trusted = new WeakMap<Link, Promise<readonly string[]>>();
  readonly #keysBySection = new Map<string, SectionKeys>();
  readonly #leads = new Map<string, SectionLead>();
  readonly #memories = new Map<string, LeadMemory>();

  constructor(options: RedisDataManagerOptions) {
    this.#options = options;
    this.managerId = options.managerId ?? randomUUID();
    this.partition = options.partition;
    this.#routes = redisRoutes({
      ...(options.url === undefined ? {} : { url: options.url }),
      ...(options.options === undefined ? {} : { options: options.options }),
      commandTimeoutMs: options.commandTimeoutMs,
      connectionName: `patchwire:${options.partition}`,
      channel: sectionKeys(options.partition, 'self-test').channel,
    });
    const connect = async (key: string): Promise<Link> => (await this.#routes.to(key)).link;
    this.#format = options.format ?? STORE_FORMAT;
    this.#invalidations = options.invalidations ?? false;
    this.daemons = new RedisDaemons({ partition: this.partition, managerId: this.managerId, format: this.#format, connect });
    this.audit = new RedisAudit({ partition: this.partition, connect });
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<{ readonly warnings: readonly string[] }> {
    signal.throwIfAborted();
    const primaries = await this.#routes.primaries();
    const warnings = new Set<string>();
    let passed = 0;
    let failure: unknown = null;
    for (const open of primaries) {
      signal.throwIfAborted();
      try {
        const { link, serves } = await open();
        const tested = selfTest(link, this.partition, { serves, invalidations: this.#invalidations });
        this.#trusted.set(link, tested);
        (await tested).forEach((warning) => warnings.add(warning));
        passed += 1;
      } catch (error) {
        // Of a cluster: the sections of the other nodes need not wait for this one.
        if (!isOfOneNode(error)) {
          throw error;
        }
        failure = error;
        warnings.add(`A node of the cluster cannot be used: ${(error as Error).message}`);
      }
    }
    signal.throwIfAborted();
    if (passed === 0) {
      throw failure;
    }
    return { warnings: [...warnings] };
  }

  async readMeta(section: string): Promise<SectionMeta | null> {
    const keys = this.#keys(section);
    const link = await this.#link(section);
    const reply = await link.run('readMeta', [keys.meta, keys.index, keys.quarantine], [], 'read', `meta of section ${section}`);
    return decodeDescription(reply, section, this.#format);
  }

  /** As the port says; waits for outstanding writing calls first. */
  async lead(section: string, options: { readonly repair?: boolean } = {}): Promise<LeadResult> {
    await this.#leads.get(section)?.settled;
    this.#leads.delete(section);
    const keys = this.#keys(section);
    const link = await this.#tested(section);
    let memory = this.#memories.get(section);
    if (memory === undefined) {
      memory = new LeadMemory();
      this.#memories.set(section, memory);
    }
    const { leaseMs, replay, clock, logger } = this.#options;
    const context = {
      partition: this.partition,
      managerId: this.managerId,
      leaseMs,
      format: this.#format,
      replay,
      invalidations: this.#invalidations,
      clock,
    };
    const { result, lead } = await takeLead(context, { section, keys, link, memory, repair: options.repair === true });
    if (lead !== null) {
      this.#leads.set(section, lead);
    }
    logger?.debug({ section, result: result.kind }, 'asked for the lead');
    return result;
  }

  async resign(section: string): Promise<void> {
    const lead = this.#leads.get(section);
    this.#leads.delete(section);
    try {
      await lead?.resign();
    } catch (error) {
      // The lease runs out by itself; whoever resigns has nothing left to do about it.
      this.#options.logger?.debug({ section, err: error }, 'resigning failed');
    }
  }

  async bases(
    section: string,
    identities: readonly string[],
    { documents }: { readonly documents: boolean },
  ): Promise<ReadonlyMap<string, Base>> {
    return await readBases(await this.#link(section), this.#keys(section), section, identities, documents);
  }

  async scan(section: string, cursor: string, count: number): Promise<IndexPage> {
    const link = await this.#link(section);
    const args = [this.#keys(section).index, cursor, 'COUNT', String(count)];
    const [next, flat] = (await link.call('HSCAN', args, 'read', `index of section ${section}`)) as readonly [string, readonly string[]];
    const entries: { identity: string; dataKey: string; version: string }[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      entries.push({ identity, ...decodeIndexEntry(identity, flat[i + 1] ?? '') });
    }
    return { cursor: next, entries };
  }

  async scanQuarantine(section: string, cursor: string, count: number): Promise<QuarantinePage> {
    return await scanQuarantine(await this.#link(section), this.#keys(section), section, cursor, count);
  }

  async quarantined(section: string, identities: readonly string[]): Promise<readonly QuarantinedRow[]> {
    return await quarantinedRows(await this.#link(section), this.#keys(section), section, identities);
  }

  async missing(section: string, entries: readonly IndexEntry[]): Promise<readonly string[]> {
    return await missingDocuments(await this.#link(section), this.#keys(section), section, entries);
  }

  async publish(batch: Batch): Promise<void> {
    await this.#leading(batch.section).deliver(batch, true);
  }

  async store(batch: Batch): Promise<void> {
    await this.#leading(batch.section).deliver(batch, false);
  }

  async transition(section: string, transition: Transition): Promise<SectionMeta> {
    return await this.#leading(section).transition(transition);
  }

  /** `believed` counts every writing call made before this one, answered or not. */
  async heartbeat(
    section: string,
    options: {
      readonly believed: { readonly checkpoint: bigint; readonly confirmed: bigint };
      readonly advance: Advance;
      readonly intervalMs: number;
    },
  ): Promise<void> {
    await this.#leading(section).heartbeat(options);
  }

  async adopt(section: string, exported: ExportedSection, { replace }: { readonly replace: boolean }): Promise<AdoptResult> {
    const found = await this.readMeta(section);
    const link = await this.#link(section);
    const { clock } = this.#options;
    const context = { partition: this.partition, managerId: this.managerId, clock, invalidations: this.#invalidations };
    return await adoptSection(context, { section, keys: this.#keys(section), link, found, exported, replace });
  }

  async room(section: string): Promise<number | null> {
    return await roomOf(await this.#link(section));
  }

  async inspect(): Promise<void> {
    for (const open of await this.#routes.primaries()) {
      await checkEviction((await open()).link, []);
    }
  }

  async purge(section: string, reason: string): Promise<{ readonly documents: number }> {
    const lead = this.#leading(section);
    try {
      return await lead.purge(reason);
    } finally {
      this.#leads.delete(section);
    }
  }

  async request(section: string, request: OperatorRequest): Promise<void> {
    await putRequest(await this.#link(section), this.#keys(section), section, request);
  }

  async pendingRequests(section: string): Promise<readonly OperatorRequest[]> {
    return await pendingRequests(await this.#link(section), this.#keys(section), section);
  }

  async progress(section: string, progress: OperationProgress): Promise<void> {
    await this.#leading(section).progress(progress);
  }

  async operation(section: string, id: string): Promise<OperationProgress | null> {
    return await readOperation(await this.#link(section), this.#keys(section), section, id);
  }

  /** Closes the connection: what is outstanding rejects. Leases that were not resigned run out by themselves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#leads.clear();
    await this.#routes[Symbol.asyncDispose]();
  }

  /** To the node where the section lies. */
  async #link(section: string): Promise<Link> {
    return (await this.#routes.to(this.#keys(section).meta)).link;
  }

  /** The same, tried (C5) where it may be a server that `open` has not seen: rights are not replicated. */
  async #tested(section: string): Promise<Link> {
    const { link, serves } = await this.#routes.to(this.#keys(section).meta);
    if (this.#routes.shifting) {
      let tested = this.#trusted.get(link);
      if (tested === undefined) {
        tested = selfTest(link, this.partition, { serves, invalidations: this.#invalidations });
        this.#trusted.set(link, tested);
        tested.catch(() => this.#trusted.delete(link));
      }
      await tested;
    }
    return link;
  }

  #keys(section: string): SectionKeys {
    let keys = this.#keysBySection.get(section);
    if (keys === undefined) {
      keys = sectionKeys(this.partition, section);
      this.#keysBySection.set(section, keys);
    }
    return keys;
  }

  /** @throws PW-M305 without a lead */
  #leading(section: string): SectionLead {
    const lead = this.#leads.get(section);
    if (lead === undefined) {
      throw new PatchwireError('PW-M305', `this manager does not lead section ${section}`);
    }
    return lead;
  }
}

/** Unreachable, or not to be written to: in a cluster the others may be. */
function isOfOneNode(error: unknown): boolean {
  return error instanceof PatchwireError && (error.code === 'PW-M301' || error.code === 'PW-M310') && error.details['node'] !== undefined;
}
