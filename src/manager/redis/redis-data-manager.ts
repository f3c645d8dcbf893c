/**
 * The distributed data manager over one Redis: every write is one script in one chain (C1), nothing is re-sent (C2), a lead ends with its
 * connection (C3). It knows what it sent last of each section that it leads, and nothing else: the state is in Redis.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { EMPTY_DIGEST } from '../../wire/digest.ts';
import { decodeIndexEntry, type SectionKeys, sectionKeys } from '../../wire/keys.ts';
import { MESSAGE_VERSION, STORE_FORMAT, type SectionState } from '../../wire/messages.ts';
import { changesText, type Envelope, removedText, resetText } from '../changes-message.ts';
import type {
  Advance,
  Base,
  Batch,
  DistributedDataManager,
  LeadResult,
  OperationProgress,
  OperatorRequest,
  SectionMeta,
  Transition,
} from '../distributed-data-manager.ts';
import { LeadMemory } from '../lead-memory.ts';
import { readBases } from './bases.ts';
import { batchArguments } from './batch-arguments.ts';
import { type Link, RedisConnection, type ScriptName } from './connection.ts';
import { decodeDescription, encodeAdvance } from './meta.ts';
import { purgeSection } from './purge.ts';
import { pendingRequests, putRequest, readOperation, writeProgress } from './requests.ts';
import { selfTest } from './self-test.ts';

export interface RedisDataManagerOptions {
  /** redis:// or rediss://; what `options` says comes on top. One of the two is needed. */
  readonly url?: string;
  readonly options?: RedisOptions;
  readonly partition: string;
  /** Default: random. */
  readonly managerId?: string;
  /** A leader that writes nothing for so long may be replaced. */
  readonly leaseMs: number;
  /** Bounds of the change log. */
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
  /** A command without an answer after so long ends the connection: PW-M311 for a write, PW-M301 for a read. */
  readonly commandTimeoutMs: number;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** What a leader sent last: the next script of the chain starts there. */
interface Held {
  readonly link: Link;
  readonly token: string;
  epoch: string;
  tip: string;
  seq: number;
  last: string;
  checkpoint: string;
  upTo: string;
  state: SectionState;
  /** The pending marker is set, and the next transition to a new epoch may clear it. */
  torn: boolean;
  failure: PatchwireError | null;
  /** Settles, never rejecting, with the call sent last. */
  settled: Promise<void>;
}

export function redisDataManager(options: RedisDataManagerOptions): RedisDataManager {
  return new RedisDataManager(options);
}

export class RedisDataManager implements DistributedDataManager {
  readonly managerId: string;
  readonly partition: string;
  readonly #options: RedisDataManagerOptions;
  readonly #connection: RedisConnection;
  readonly #keysBySection = new Map<string, SectionKeys>();
  readonly #held = new Map<string, Held>();
  readonly #memories = new Map<string, LeadMemory>();

  constructor(options: RedisDataManagerOptions) {
    this.#options = options;
    this.managerId = options.managerId ?? randomUUID();
    this.partition = options.partition;
    this.#connection = new RedisConnection({
      ...(options.url === undefined ? {} : { url: options.url }),
      ...(options.options === undefined ? {} : { options: options.options }),
      commandTimeoutMs: options.commandTimeoutMs,
      connectionName: `patchwire:${options.partition}`,
    });
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<{ readonly warnings: readonly string[] }> {
    signal.throwIfAborted();
    const link = await this.#connection.connect();
    signal.throwIfAborted();
    const warnings = await selfTest(link, this.partition);
    signal.throwIfAborted();
    return { warnings };
  }

  async readMeta(section: string): Promise<SectionMeta | null> {
    const keys = this.#keys(section);
    const link = await this.#connection.connect();
    return decodeDescription(
      await link.run('readMeta', [keys.meta, keys.index, keys.quarantine], [], 'read', `meta of ${section}`),
      section,
    );
  }

  /** `repair`: lead although the pending marker is set; then only a transition to a new epoch, or a purge, is accepted. */
  async lead(section: string, options: { readonly repair?: boolean } = {}): Promise<LeadResult> {
    await this.#held.get(section)?.settled;
    this.#held.delete(section);
    const keys = this.#keys(section);
    const link = await this.#connection.connect();
    const memory = this.#memory(section);
    for (;;) {
      const token = newId();
      const tip = newId();
      const args = [
        this.managerId,
        token,
        String(STORE_FORMAT),
        String(this.#options.leaseMs),
        newId(),
        tip,
        newId(),
        EMPTY_DIGEST,
        keys.channel,
        this.partition,
        section,
        String(this.#options.clock.now()),
        String(MESSAGE_VERSION),
        options.repair === true ? '1' : '',
        String(memory.tokens.length),
        ...memory.tokens,
        ...memory.tips,
      ];
      memory.trying(token, tip);
      let reply: readonly unknown[];
      try {
        reply = (await link.run(
          'lead',
          [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine],
          args,
          'write',
          `leading ${section}`,
        )) as readonly unknown[];
      } catch (error) {
        if (error instanceof PatchwireError && error.code !== 'PW-M311') {
          memory.refused(token, tip);
        }
        throw error;
      }
      if (reply[0] === 'held') {
        memory.refused(token, tip);
        return { kind: 'held', by: String(reply[1]), expiresInMs: Number(reply[2]) };
      }
      if (reply[0] === 'purging') {
        // A purge that was not finished, or leftovers of a section that lost its meta: finished first, then the section is created anew.
        await purgeSection(link, keys, this.#purge(section, token, 'an unfinished purge'));
        continue;
      }
      const meta = decodeDescription(reply[3], section);
      if (meta === null) {
        throw new PatchwireError('PW-M316', `leading ${section}: no meta`);
      }
      memory.taken(token, meta.tip);
      this.#held.set(section, {
        link,
        token,
        epoch: meta.epoch,
        tip: meta.tip,
        seq: meta.seq,
        last: meta.last,
        checkpoint: meta.checkpoint.toString(),
        upTo: meta.upTo?.toString() ?? '',
        state: meta.state,
        torn: meta.pending,
        failure: null,
        settled: Promise.resolve(),
      });
      this.#options.logger?.debug(
        { section, epoch: meta.epoch, seq: meta.seq, created: reply[1] === 1, rewound: reply[2] === 1 },
        'lead taken',
      );
      return { kind: 'leading', meta, created: reply[1] === 1, rewound: reply[2] === 1 };
    }
  }

  async resign(section: string): Promise<void> {
    const held = this.#held.get(section);
    this.#held.delete(section);
    if (held === undefined || !held.link.alive) {
      return;
    }
    const keys = this.#keys(section);
    try {
      await held.link.run('resign', [keys.meta, keys.lease], [held.token, this.managerId], 'write', `resigning from ${section}`);
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
    return await readBases(await this.#connection.connect(), this.#keys(section), section, identities, documents);
  }

  async scan(
    section: string,
    cursor: string,
    count: number,
  ): Promise<{
    readonly cursor: string;
    readonly entries: readonly { readonly identity: string; readonly dataKey: string; readonly version: string }[];
  }> {
    const link = await this.#connection.connect();
    const reply = await link.call('HSCAN', [this.#keys(section).index, cursor, 'COUNT', String(count)], 'read', `index of ${section}`);
    const [next, flat] = reply as readonly [string, readonly string[]];
    const entries: { identity: string; dataKey: string; version: string }[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      entries.push({ identity, ...decodeIndexEntry(identity, flat[i + 1] ?? '') });
    }
    return { cursor: next, entries };
  }

  async publish(batch: Batch): Promise<void> {
    await this.#deliver(batch, true);
  }

  async store(batch: Batch): Promise<void> {
    await this.#deliver(batch, false);
  }

  async #deliver(batch: Batch, withMessage: boolean): Promise<void> {
    const { section } = batch;
    const held = this.#leading(section);
    const keys = this.#keys(section);
    const tip = newId();
    const id = newId();
    const before = { checkpoint: held.checkpoint, upTo: held.upTo };
    const position = moved(before, batch.advance);
    const message = withMessage
      ? changesText(
          this.#envelope(section, held.epoch),
          { seq: held.seq + 1, id, prevId: held.last },
          {
            checkpoint: position.checkpoint,
            upTo: position.upTo === '' ? null : position.upTo,
            changeTimeMs: batch.changeTimeMs,
            changes: batch.rows.flatMap((row) => row.changes),
          },
        )
      : '';
    const script = batchArguments(batch, keys, {
      token: held.token,
      expectedTip: held.tip,
      format: STORE_FORMAT,
      tip,
      managerId: this.managerId,
      leaseMs: this.#options.leaseMs,
      ...before,
      seq: held.seq + 1,
      id,
      nowMs: this.#options.clock.now(),
      ...this.#options.replay,
      message,
    });
    held.tip = tip;
    Object.assign(held, position);
    if (withMessage) {
      held.seq += 1;
      held.last = id;
    }
    await this.#send(section, held, 'batch', script.keys, script.args, tip);
  }

  async transition(section: string, transition: Transition): Promise<SectionMeta> {
    const held = this.#leading(section);
    const keys = this.#keys(section);
    const { newEpoch, state, reset, advance, source } = transition;
    const tip = newId();
    const id = newId();
    const seq = held.seq + 1;
    const epoch = newEpoch ? newId() : held.epoch;
    const message = reset === null ? '' : resetText(this.#envelope(section, epoch), { seq, id, prevId: held.last }, { ...reset, state });
    const fields = ['state', state];
    // What a new epoch or a load contains is not known before its end (L3).
    const forgets = newEpoch || state === 'loading';
    if (forgets && advance.upTo === undefined) {
      fields.push('upTo', '');
    }
    fields.push(...encodeAdvance(advance));
    if (source !== undefined) {
      fields.push('source', JSON.stringify(source));
    }
    const now = this.#options.clock.now();
    const args = [
      held.token,
      held.tip,
      String(STORE_FORMAT),
      tip,
      this.managerId,
      String(this.#options.leaseMs),
      String(seq),
      id,
      keys.channel,
      String(now),
      String(this.#options.replay.maxBytes),
      String(now - this.#options.replay.maxAgeMs),
      message,
      newEpoch ? epoch : '',
      newEpoch && held.torn ? '*' : '',
      ...fields,
    ];
    const position = moved({ checkpoint: held.checkpoint, upTo: forgets ? '' : held.upTo }, advance);
    Object.assign(held, position, { tip, seq, last: id, epoch, state });
    const reply = await this.#send(
      section,
      held,
      'transition',
      [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine],
      args,
      tip,
    );
    const meta = decodeDescription(reply, section);
    if (meta === null) {
      throw new PatchwireError('PW-M316', `transition of ${section}: no meta`);
    }
    held.torn = false;
    return meta;
  }

  async heartbeat(
    section: string,
    options: {
      readonly believed: { readonly checkpoint: bigint; readonly confirmed: bigint };
      readonly advance: Advance;
      readonly intervalMs: number;
    },
  ): Promise<void> {
    const held = this.#leading(section);
    const keys = this.#keys(section);
    const now = this.#options.clock.now();
    const args = [
      held.token,
      held.tip,
      String(STORE_FORMAT),
      this.managerId,
      String(this.#options.leaseMs),
      options.believed.checkpoint.toString(),
      options.believed.confirmed.toString(),
      keys.channel,
      this.partition,
      section,
      String(options.intervalMs),
      String(now),
      new Date(now).toISOString(),
      String(MESSAGE_VERSION),
      held.upTo,
      ...encodeAdvance(options.advance),
    ];
    Object.assign(held, moved(held, options.advance));
    await this.#send(section, held, 'heartbeat', [keys.meta, keys.index, keys.quarantine, keys.lease], args, null);
  }

  async purge(section: string, reason: string): Promise<{ readonly documents: number }> {
    const held = this.#leading(section);
    const keys = this.#keys(section);
    await held.settled;
    try {
      return await purgeSection(held.link, keys, this.#purge(section, held.token, reason));
    } finally {
      this.#held.delete(section);
    }
  }

  async request(section: string, request: OperatorRequest): Promise<void> {
    await putRequest(await this.#connection.connect(), this.#keys(section), section, request);
  }

  async pendingRequests(section: string): Promise<readonly OperatorRequest[]> {
    return await pendingRequests(await this.#connection.connect(), this.#keys(section), section);
  }

  async progress(section: string, progress: OperationProgress): Promise<void> {
    const held = this.#leading(section);
    await writeProgress(held.link, this.#keys(section), section, held.token, progress);
  }

  async operation(section: string, id: string): Promise<OperationProgress | null> {
    return await readOperation(await this.#connection.connect(), this.#keys(section), section, id);
  }

  /** Closes the connection: what is outstanding rejects. Leases that were not resigned run out by themselves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.clear();
    await this.#connection[Symbol.asyncDispose]();
  }

  #keys(section: string): SectionKeys {
    let keys = this.#keysBySection.get(section);
    if (keys === undefined) {
      keys = sectionKeys(this.partition, section);
      this.#keysBySection.set(section, keys);
    }
    return keys;
  }

  #memory(section: string): LeadMemory {
    let memory = this.#memories.get(section);
    if (memory === undefined) {
      memory = new LeadMemory();
      this.#memories.set(section, memory);
    }
    return memory;
  }

  #envelope(section: string, epoch: string): Envelope {
    return { partition: this.partition, section, managerId: this.managerId, epoch };
  }

  #purge(section: string, token: string, reason: string): Parameters<typeof purgeSection>[2] {
    return {
      section,
      token,
      managerId: this.managerId,
      leaseMs: this.#options.leaseMs,
      removed: (epoch) => removedText(this.#envelope(section, epoch), reason),
    };
  }

  /** The lead as long as its chain is whole. @throws PW-M305 without one, PW-M311 after a failure or a lost connection (C2) */
  #leading(section: string): Held {
    const held = this.#held.get(section);
    if (held === undefined) {
      throw new PatchwireError('PW-M305', `this manager does not lead section ${section}`);
    }
    if (held.failure !== null) {
      throw new PatchwireError('PW-M311', `section ${section}: the chain broke; the lead must be taken again`, {
        cause: held.failure,
        details: { after: held.failure.code },
      });
    }
    if (!held.link.alive) {
      throw new PatchwireError('PW-M311', `section ${section}: the connection of this lead was lost; the lead must be taken again`);
    }
    return held;
  }

  /** Sends a script of the chain at once. Its failure is the failure of all that come after it. */
  #send(
    section: string,
    held: Held,
    name: ScriptName,
    keys: readonly string[],
    args: readonly string[],
    tip: string | null,
  ): Promise<unknown> {
    const memory = this.#memory(section);
    if (tip !== null) {
      memory.sent(tip);
    }
    const answer = held.link.run(name, keys, args, 'write', `${name} of ${section}`).then(
      (reply) => {
        if (tip !== null) {
          memory.acknowledged(tip);
        }
        return reply;
      },
      (error: unknown) => {
        held.failure ??= error as PatchwireError;
        throw error;
      },
    );
    held.settled = answer.then(
      () => undefined,
      () => undefined,
    );
    return answer;
  }
}

/** Where the position stands after an advance. */
function moved(position: { readonly checkpoint: string; readonly upTo: string }, advance: Advance): { checkpoint: string; upTo: string } {
  return {
    checkpoint: advance.checkpoint?.toString() ?? position.checkpoint,
    upTo: advance.upTo?.toString() ?? position.upTo,
  };
}

/** Unique over all processes: 96 random bits. */
function newId(): string {
  return randomBytes(12).toString('base64url');
}
