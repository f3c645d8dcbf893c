/**
 * Writes a scripted section into Redis, each step as one MULTI: the same keys and fields that the daemon's scripts write, told on the same
 * channel. Decides nothing. What it writes is held against the real manager by a test.
 */
import type { Redis } from 'ioredis';
import { encodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import { type ChangesMessage, STORE_FORMAT, WHOLE_FORMAT } from '../../wire/messages.ts';
import { type Facts, type LogEntry, type ScriptedRow, SCRIPTED, type SectionScript } from './section-script.ts';

type Multi = ReturnType<Redis['multi']>;

/** What stands in Redis of a section, so that a step writes only what is different. */
export class SectionWrites {
  readonly #redis: Redis;
  readonly #keys: SectionKeys;
  #rows: ReadonlyMap<string, ScriptedRow> = new Map();
  #quarantine: ReadonlyMap<string, string> = new Map();
  #log: readonly LogEntry[] = [];

  constructor(redis: Redis, keys: SectionKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** @throws Error when somebody else's section stands there: a scripted one may be overwritten, a daemon's may not */
  async claim(): Promise<void> {
    const { meta, index, lease } = this.#keys;
    const [leader, count, held] = await Promise.all([this.#redis.hget(meta, 'leader'), this.#redis.hlen(index), this.#redis.exists(lease)]);
    if (held > 0 || (leader === null ? count > 0 : leader !== SCRIPTED)) {
      throw new Error(`the section ${meta.slice(0, -'/meta'.length)} is not a scripted one: choose a partition of the test's own`);
    }
    await this.clear();
  }

  /** Writes the section as it is now, and tells subscribers by the given messages. */
  async write(script: SectionScript, messages: readonly (string | null)[]): Promise<void> {
    const multi = this.#redis.multi();
    this.#writeRows(multi, script.rows);
    this.#writeQuarantine(multi, script.quarantine);
    this.#writeLog(multi, script.log);
    multi.hset(this.#keys.meta, metaFields(script.facts, script.log));
    for (const text of messages) {
      if (text !== null) {
        this.#tell(multi, text);
      }
    }
    await exec(multi);
    [this.#rows, this.#quarantine, this.#log] = [new Map(script.rows), new Map(script.quarantine), [...script.log]];
  }

  async tell(texts: readonly string[]): Promise<void> {
    const multi = this.#redis.multi();
    texts.forEach((text) => this.#tell(multi, text));
    await exec(multi);
  }

  /** Every key goes, documents included; `told`: the message that says so. */
  async clear(told: string | null = null): Promise<void> {
    const { document, index, meta, changes, quarantine } = this.#keys;
    const multi = this.#redis.multi();
    const entries = await this.#redis.hgetall(index);
    const documents = Object.entries(entries).map(([identity, entry]) => document + (entry.split(' ')[1] ?? identity));
    multi.unlink(index, meta, changes, quarantine, ...documents);
    if (told !== null) {
      this.#tell(multi, told);
    }
    await exec(multi);
    [this.#rows, this.#quarantine, this.#log] = [new Map(), new Map(), []];
  }

  /** On both channels: on that of keys without bodies. */
  #tell(multi: Multi, text: string): void {
    multi.publish(this.#keys.channel, text);
    multi.publish(this.#keys.keysChannel, withoutBodies(text));
  }

  #writeRows(multi: Multi, rows: ReadonlyMap<string, ScriptedRow>): void {
    const { document, index } = this.#keys;
    for (const [identity, { dataKey }] of this.#rows) {
      if (rows.get(identity)?.dataKey !== dataKey) {
        multi.unlink(document + dataKey);
        multi.hdel(index, identity);
      }
    }
    for (const [identity, row] of rows) {
      if (this.#rows.get(identity) !== row) {
        multi.hset(index, identity, encodeIndexEntry({ identity, version: row.version, dataKey: row.dataKey }));
        multi.set(document + row.dataKey, row.document);
      }
    }
  }

  #writeQuarantine(multi: Multi, quarantine: ReadonlyMap<string, string>): void {
    for (const identity of this.#quarantine.keys()) {
      if (!quarantine.has(identity)) {
        multi.hdel(this.#keys.quarantine, identity);
      }
    }
    for (const [identity, reason] of quarantine) {
      multi.hset(this.#keys.quarantine, identity, reason);
    }
  }

  #writeLog(multi: Multi, log: readonly LogEntry[]): void {
    const goesOn = this.#log.length <= log.length && this.#log.every((entry, at) => entry === log[at]);
    if (!goesOn) {
      multi.del(this.#keys.changes);
    }
    for (const { seq, text, timeMs } of goesOn ? log.slice(this.#log.length) : log) {
      multi.xadd(this.#keys.changes, `0-${seq}`, 'message', text, 'time', String(timeMs));
    }
  }
}

/** A text as it goes on the channel of keys. What is no message goes as it is. */
function withoutBodies(text: string): string {
  let message: Partial<ChangesMessage>;
  try {
    message = JSON.parse(text) as Partial<ChangesMessage>;
  } catch {
    return text;
  }
  const { type, changes, state } = message;
  if (type !== 'changes' || !Array.isArray(changes) || state !== undefined) {
    return text;
  }
  const bare = changes.map(({ patch: _patch, changeVersion: _version, ...change }) => change);
  return JSON.stringify({ ...message, type: 'keys', changes: bare });
}

function metaFields(facts: Facts, log: readonly LogEntry[]): Record<string, string> {
  const { epoch, seq, last, tip, checkpoint, upTo, state, digest, pending, incomplete, heartbeatAtMs } = facts;
  return {
    format: String(incomplete === null ? WHOLE_FORMAT : STORE_FORMAT),
    leader: SCRIPTED,
    ...{ epoch, last, tip, checkpoint, state, digest },
    seq: String(seq),
    upTo: upTo ?? '',
    confirmed: checkpoint,
    high: checkpoint,
    cursor: '',
    source: '',
    pending: pending ? tip : '',
    heartbeatAt: heartbeatAtMs === null ? '' : String(heartbeatAtMs),
    sourceReadAt: heartbeatAtMs === null ? '' : new Date(heartbeatAtMs).toISOString(),
    bytes: String(log.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)),
    oldestAt: String(log[0]?.timeMs ?? 0),
    publish: 'PUBLISH',
    keys: '1',
    incomplete: incomplete ?? '',
    incompleteSince: incomplete === null ? '' : '0',
  };
}

/** @throws the first error among the replies */
async function exec(multi: Multi): Promise<void> {
  for (const [error] of (await multi.exec()) ?? []) {
    if (error !== null) {
      throw error;
    }
  }
}
