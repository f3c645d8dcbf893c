/**
 * A lead of one section on one connection: the chain as it was sent last (C1), and the end of the chain when one script fails (C2). It knows
 * no way back: after a failure the lead is taken again (take-lead.ts). Modes: whole, broken (for good), torn (a script stopped half-way: only
 * a transition to a new epoch, or a purge, is accepted).
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { SectionKeys } from '../../wire/keys.ts';
import { MESSAGE_VERSION, type SectionState } from '../../wire/messages.ts';
import { changesText, type Envelope, keysText, removedText, resetText } from '../changes-message.ts';
import type { Advance, Batch, OperationProgress, SectionMeta, Transition } from '../distributed-data-manager.ts';
import type { LeadMemory } from '../lead-memory.ts';
import { batchArguments } from './batch-arguments.ts';
import { checkSilence, resyncs } from '../silent-transition.ts';
import type { Link, ScriptName } from './connection.ts';
import { decodeDescription, encodeAdvance, encodeIncomplete, encodePaused } from './meta.ts';
import { purgeSection } from './purge.ts';
import { writeProgress } from './requests.ts';
import { channelsOf } from './scripts/prelude.ts';

/** What all sections of a manager share. */
export interface LeadContext {
  readonly partition: string;
  readonly managerId: string;
  readonly leaseMs: number;
  /** The newest format that it knows. */
  readonly format: number;
  readonly replay: { readonly maxBytes: number; readonly maxAgeMs: number };
  /** Keys are told without bodies, too, on a channel of their own. */
  readonly invalidations: boolean;
  readonly clock: Clock;
}

export interface LeadStart {
  readonly section: string;
  readonly keys: SectionKeys;
  readonly link: Link;
  readonly token: string;
  readonly meta: SectionMeta;
  readonly memory: LeadMemory;
  /** The digest of the index as it is, when the section is led to be repaired; else null. */
  readonly tornDigest: string | null;
}

interface Position {
  readonly checkpoint: string;
  /** '' for null. */
  readonly upTo: string;
}

export class SectionLead {
  readonly #context: LeadContext;
  readonly #start: LeadStart;
  #epoch: string;
  #state: SectionState;
  #fingerprint: string | undefined;
  #tip: string;
  #seq: number;
  #last: string;
  #position: Position;
  #tornDigest: string | null;
  #failure: PatchwireError | null = null;
  #settled: Promise<void> = Promise.resolve();

  constructor(context: LeadContext, start: LeadStart) {
    const { meta } = start;
    this.#context = context;
    this.#start = start;
    this.#epoch = meta.epoch;
    this.#state = meta.state;
    this.#fingerprint = meta.source?.fingerprint;
    this.#tip = meta.tip;
    this.#seq = meta.seq;
    this.#last = meta.last;
    this.#position = { checkpoint: meta.checkpoint.toString(), upTo: meta.upTo?.toString() ?? '' };
    this.#tornDigest = start.tornDigest;
  }

  /** Settles, never rejecting, when the call sent last has its answer: then all have, since answers come in order. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  /** One batch, with its message (publish) or without (store). Sent before this returns. */
  deliver(batch: Batch, withMessage: boolean): Promise<unknown> {
    this.#assertWhole();
    const { keys, token } = this.#start;
    const { clock, replay, managerId, leaseMs } = this.#context;
    const tip = newId();
    const id = newId();
    const before = this.#position;
    const after = moved(before, batch.advance);
    const body = {
      checkpoint: after.checkpoint,
      upTo: after.upTo === '' ? null : after.upTo,
      changeTimeMs: batch.changeTimeMs,
      changes: batch.rows.flatMap((row) => row.changes),
    };
    const told = [this.#envelope(this.#epoch), { seq: this.#seq + 1, id, prevId: this.#last }, body] as const;
    const message = withMessage ? changesText(...told) : '';
    const keysMessage = withMessage && this.#context.invalidations ? keysText(...told) : '';
    const script = batchArguments(batch, keys, {
      token,
      expectedTip: this.#tip,
      format: this.#context.format,
      tip,
      managerId,
      leaseMs,
      ...before,
      seq: this.#seq + 1,
      id,
      nowMs: clock.now(),
      ...replay,
      channels: channelsOf(keys, this.#context.invalidations),
      message,
      keysMessage,
    });
    this.#tip = tip;
    this.#position = after;
    if (withMessage) {
      this.#seq += 1;
      this.#last = id;
    }
    return this.#send('batch', script.keys, script.args, tip);
  }

  /** @returns the meta after it */
  async transition(transition: Transition): Promise<SectionMeta> {
    const { newEpoch, state, reset, advance, source, incomplete, paused } = transition;
    this.#assertWhole();
    checkSilence(transition, this.#state);
    const { keys, token, section } = this.#start;
    const { clock, replay, managerId, leaseMs } = this.#context;
    const tip = newId();
    // Without a message no seq is used up: whoever sees seq 7 can ask for message 7.
    const silent = reset === null && !resyncs(state, this.#state);
    const [seq, id] = silent ? [this.#seq, this.#last] : [this.#seq + 1, newId()];
    const epoch = newEpoch ? newId() : this.#epoch;
    const fingerprint = source?.fingerprint ?? this.#fingerprint;
    const fields = ['state', state];
    // What a new epoch, a load or a resync contains is not known before its end (L3); what is incomplete claims nothing.
    const forgets = newEpoch || state !== 'live' || (incomplete ?? null) !== null;
    const after = moved(forgets ? { ...this.#position, upTo: '' } : this.#position, advance);
    const link = { seq, id, prevId: this.#last };
    const message = silent
      ? ''
      : reset === null
        ? changesText(this.#envelope(epoch), link, {
            checkpoint: after.checkpoint,
            upTo: after.upTo === '' ? null : after.upTo,
            changeTimeMs: advance.sourceReadAtMs ?? clock.now(),
            changes: [],
            state,
          })
        : resetText(this.#envelope(epoch), link, { ...reset, state, fingerprint });
    if (forgets && advance.upTo === undefined) {
      fields.push('upTo', '');
    }
    fields.push(...encodeAdvance(advance));
    if (source !== undefined) {
      fields.push('source', JSON.stringify(source));
    }
    fields.push(...(incomplete === undefined ? [] : encodeIncomplete(incomplete)), ...(paused === undefined ? [] : encodePaused(paused)));
    const repairs = newEpoch && this.#tornDigest !== null;
    if (repairs && this.#tornDigest !== null) {
      fields.push('digest', this.#tornDigest);
    }
    const now = clock.now();
    const args = [
      token,
      this.#tip,
      String(this.#context.format),
      tip,
      managerId,
      String(leaseMs),
      String(seq),
      id,
      channelsOf(keys, this.#context.invalidations),
      String(now),
      String(replay.maxBytes),
      String(now - replay.maxAgeMs),
      message,
      newEpoch ? epoch : '',
      repairs ? '*' : '',
      ...fields,
    ];
    this.#position = after;
    this.#epoch = epoch;
    this.#state = state;
    this.#fingerprint = fingerprint;
    this.#tip = tip;
    this.#seq = seq;
    this.#last = id;
    if (repairs) {
      this.#tornDigest = null;
    }
    const reply = await this.#send('transition', [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine], args, tip);
    const meta = decodeDescription(reply, section);
    if (meta === null) {
      throw new PatchwireError('PW-M316', `transition of ${section}: no meta`);
    }
    return meta;
  }

  heartbeat(options: {
    readonly believed: { readonly checkpoint: bigint; readonly confirmed: bigint };
    readonly advance: Advance;
    readonly intervalMs: number;
  }): Promise<unknown> {
    this.#assertWhole();
    const { keys, token, section } = this.#start;
    const now = this.#context.clock.now();
    const args = [
      token,
      this.#tip,
      String(this.#context.format),
      this.#context.managerId,
      String(this.#context.leaseMs),
      options.believed.checkpoint.toString(),
      options.believed.confirmed.toString(),
      channelsOf(keys, this.#context.invalidations),
      this.#context.partition,
      section,
      String(options.intervalMs),
      String(now),
      new Date(now).toISOString(),
      String(MESSAGE_VERSION),
      this.#position.upTo,
      ...encodeAdvance(options.advance),
    ];
    this.#position = moved(this.#position, options.advance);
    return this.#send('heartbeat', [keys.meta, keys.index, keys.quarantine, keys.lease], args, null);
  }

  async progress(progress: OperationProgress): Promise<void> {
    this.#assertWhole();
    const { link, keys, section, token } = this.#start;
    await writeProgress(link, keys, section, token, progress);
  }

  /** Purges when all that was sent is answered. The lead is broken with it. */
  async purge(reason: string): Promise<{ readonly documents: number }> {
    this.#assertWhole();
    await this.#settled;
    const { link, keys, section, token } = this.#start;
    this.#failure = new PatchwireError('PW-M305', `section ${section} is being purged`);
    return await purgeSection(link, keys, {
      section,
      token,
      managerId: this.#context.managerId,
      leaseMs: this.#context.leaseMs,
      channels: channelsOf(keys, this.#context.invalidations),
      removed: (epoch) => removedText(this.#envelope(epoch), reason),
    });
  }

  /** Gives token and lease back where they are still ours. @throws what the connection throws */
  async resign(): Promise<void> {
    const { link, keys, section, token } = this.#start;
    this.#failure ??= new PatchwireError('PW-M305', `the lead of section ${section} was given up`);
    if (link.alive) {
      await link.run('resign', [keys.meta, keys.lease], [token], 'write', `resigning from ${section}`);
    }
  }

  #envelope(epoch: string): Envelope {
    return { partition: this.#context.partition, section: this.#start.section, managerId: this.#context.managerId, epoch };
  }

  /** @throws PW-M311 when a script before has failed, or the connection of this lead is gone (C2, C3) */
  #assertWhole(): void {
    const { section, link } = this.#start;
    if (this.#failure !== null) {
      throw new PatchwireError('PW-M311', `section ${section}: the chain broke; the lead must be taken again`, {
        cause: this.#failure,
        details: { after: this.#failure.code },
      });
    }
    if (!link.alive) {
      throw new PatchwireError('PW-M311', `section ${section}: the connection of this lead was lost; the lead must be taken again`);
    }
  }

  /** Sends a script of the chain at once. Its failure is the failure of all that come after it. */
  #send(name: ScriptName, keys: readonly string[], args: readonly string[], tip: string | null): Promise<unknown> {
    const { link, memory, section } = this.#start;
    if (tip !== null) {
      memory.sent(tip);
    }
    const answer = link.run(name, keys, args, 'write', `${name} of section ${section}`).then(
      (reply) => {
        if (tip !== null) {
          memory.acknowledged(tip);
        }
        return reply;
      },
      (error: unknown) => {
        this.#failure ??= error as PatchwireError;
        throw error;
      },
    );
    this.#settled = answer.then(
      () => undefined,
      () => undefined,
    );
    return answer;
  }
}

/** Where the position stands after an advance. */
function moved(position: Position, advance: Advance): Position {
  return {
    checkpoint: advance.checkpoint?.toString() ?? position.checkpoint,
    upTo: advance.upTo?.toString() ?? position.upTo,
  };
}

/** Unique over all processes: 96 random bits. */
export function newId(): string {
  return randomBytes(12).toString('base64url');
}
