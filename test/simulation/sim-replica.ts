/**
 * A subscriber in virtual time: the real state machine and the real reading of meta, pages and stream, over a channel that takes time and a
 * connection that can be lost or go deaf. What Feed does with two connections of ioredis this does without.
 */
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { StoredSection } from '../../src/manager/memory/memory-store.ts';
import { asPatchwireError, PatchwireError } from '../../src/model/errors.ts';
import { readAside, readPages, readStream, readView, type SectionRedis } from '../../src/subscriber/section-reader.ts';
import { REACTIONS } from '../../src/subscriber/reactions.ts';
import { SubscriberMachine } from '../../src/subscriber/state.ts';
import type { Effect, Input } from '../../src/subscriber/section-view.ts';
import { parseMessage } from '../../src/wire/codec.ts';
import { encodeIndexEntry, type SectionKeys, sectionKeys } from '../../src/wire/keys.ts';
import type { SimSection } from './section.ts';
import { HEARTBEAT_MS, PARTITION } from './sim-daemon.ts';
import type { SimRedis } from './sim-redis.ts';
import type { ManagedReplica } from './world.ts';

export interface ReplicaOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly redis: SimRedis;
  readonly section: SimSection;
  /** Called when it has taken an input. */
  readonly onInput: (replica: SimReplica) => void;
}

export class SimReplica implements ManagedReplica {
  readonly section: SimSection;
  readonly #machine: SubscriberMachine;
  readonly #keys: SectionKeys;
  readonly #options: ReplicaOptions;
  #connected = false;
  #deaf = false;
  #request = 0;
  #generation = 0;
  #timer: { readonly atMs: number; readonly cancel: AbortController } | null = null;
  #channel: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #unlisten: () => void;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { random, redis, section } = options;
    this.section = section;
    this.#keys = sectionKeys(PARTITION, section.name);
    this.#machine = new SubscriberMachine({
      random,
      heartbeatMs: HEARTBEAT_MS,
      backoff: { minMs: 50, maxMs: 2000 },
      buffer: { messages: 6, bytes: 100_000 },
    }).learn(REACTIONS);
    this.#unlisten = redis.listen((channel, text) => {
      if (channel === this.#keys.channel) {
        this.#hear(text);
      }
    });
    this.#reconnect();
  }

  position(nowMs: number): ReturnType<SubscriberMachine['position']> {
    return this.#machine.position(nowMs);
  }

  state(): ReturnType<SubscriberMachine['state']> {
    return this.#machine.state();
  }

  documents(): Iterable<{ readonly identity: string; readonly dataKey: string; readonly document: unknown }> {
    return this.#machine.documents.entries();
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    this.#timer?.cancel.abort();
  }

  cut(): void {
    if (this.#connected) {
      this.#connected = false;
      this.#generation += 1;
      this.#take({ type: 'disconnected', error: null });
      this.#reconnect();
    }
  }

  /** Messages do not come any more, and nothing says so. */
  deafen(): void {
    this.#deaf = true;
  }

  /** Anybody may publish anything. */
  garble(text: string): void {
    this.#hear(text);
  }

  #reconnect(): void {
    const { clock, random } = this.#options;
    void clock.sleep(20 + random() * 300).then(() => {
      if (!this.#connected && !this.#closed) {
        this.#connected = true;
        this.#deaf = false;
        this.#take({ type: 'connected' });
      }
    });
  }

  #hear(text: string): void {
    const { clock, random } = this.#options;
    if (!this.#connected || this.#deaf) {
      return;
    }
    const generation = this.#generation;
    const before = this.#channel;
    const due = random() < 0.7 ? null : clock.sleep(random() * 30);
    this.#channel = (async () => {
      await before;
      await due;
      if (generation === this.#generation) {
        this.#take(inputOf(text));
      }
    })();
  }

  #take(input: Input): void {
    if (this.#closed) {
      return;
    }
    for (const effect of this.#machine.handle(input, this.#options.clock.now())) {
      this.#perform(effect);
    }
    this.#arm();
    this.#options.onInput(this);
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'load':
        this.#run(effect.request, async (redis) => {
          this.#answer(effect.request, { type: 'meta', request: effect.request, view: await readView(redis, this.#keys) });
        });
        return;
      case 'scan':
        this.#run(effect.request, async (redis) => {
          for await (const page of readPages(redis, this.#keys, { rows: 4, bytes: 400 })) {
            if (!this.#answer(effect.request, { type: 'page', request: effect.request, ...page })) {
              return;
            }
          }
          this.#answer(effect.request, { type: 'scanned', request: effect.request });
        });
        return;
      case 'replay':
        this.#run(effect.request, async (redis) => {
          const read = await readStream(redis, this.#keys, effect.seq);
          this.#answer(effect.request, { type: 'replayed', request: effect.request, ...read });
        });
        return;
      case 'survey':
        this.#run(effect.request, async (redis) => {
          const read = await readAside(redis, this.#keys);
          this.#answer(effect.request, { type: 'found', request: effect.request, seq: effect.seq, ...read });
        });
        return;
      case 'resubscribe':
        // Taken after this input, as an event of the connection would be.
        queueMicrotask(() => this.cut());
        return;
      // There is one server.
      case 'look':
      case 'stop':
      case 'emit':
      // Of modes that hold a part, which this one is not.
      case 'fetch':
      case 'filled':
    }
  }

  #run(request: number, work: (redis: SectionRedis) => Promise<void>): void {
    this.#request = request;
    const generation = this.#generation;
    work(this.#reader(generation)).catch((error: unknown) => {
      this.#answer(request, { type: 'failed', request, error: asPatchwireError(error) });
    });
  }

  #answer(request: number, input: Input): boolean {
    if (request !== this.#request || this.#closed) {
      return false;
    }
    this.#take(input);
    return request === this.#request;
  }

  /** What the section's reader asks of ioredis, answered from the store; each answer is one moment. */
  #reader(generation: number): SectionRedis {
    const { clock, random } = this.#options;
    const keys = this.#keys;
    const section = (): StoredSection => this.section.stored;
    const look = async <T>(answer: () => T): Promise<T> => {
      await clock.sleep(random() < 0.5 ? 0 : random() * 20);
      if (generation !== this.#generation) {
        throw new PatchwireError('PW-W403', 'the connection was lost');
      }
      return answer();
    };
    const commands = (): unknown => {
      const asked: (() => unknown)[] = [];
      const chain = {
        hmget: (key: string, ...fields: string[]) =>
          add(() => (key === keys.meta ? metaFields(section(), fields) : indexFields(section(), fields))),
        hlen: () => add(() => section().quarantine.size),
        strlen: (key: string) => add(() => Buffer.byteLength(section().documents.get(key.slice(keys.document.length)) ?? '')),
        mget: (...names: string[]) => add(() => names.map((key) => section().documents.get(key.slice(keys.document.length)) ?? null)),
        xrange: (_: string, from: string) => {
          const seq = Number(from.slice(2));
          return add(() => section().changes.flatMap((entry) => (entry.seq >= seq ? [[`0-${entry.seq}`, ['message', entry.text]]] : [])));
        },
        exec: () => look(() => asked.map((ask) => [null, ask()])),
      };
      const add = (ask: () => unknown): typeof chain => {
        asked.push(ask);
        return chain;
      };
      return chain;
    };
    return {
      multi: commands,
      pipeline: commands,
      hscan: (_: string, cursor: string, __: string, count: number) =>
        look(() => {
          const names = [...section().index]
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .filter(([identity]) => cursor === '0' || identity > cursor.slice(1));
          const page = names.slice(0, count);
          const next = page.length < names.length ? `>${page.at(-1)?.[0] ?? ''}` : '0';
          return [next, page.flatMap(([identity, entry]) => [identity, encodeIndexEntry({ ...entry, identity })])];
        }),
    } as unknown as SectionRedis;
  }

  #arm(): void {
    const { clock } = this.#options;
    const atMs = this.#machine.wakeAtMs;
    if (atMs === (this.#timer?.atMs ?? null)) {
      return;
    }
    this.#timer?.cancel.abort();
    this.#timer = null;
    if (atMs === null) {
      return;
    }
    const timer = { atMs, cancel: new AbortController() };
    this.#timer = timer;
    clock.sleep(atMs - clock.now(), { signal: timer.cancel.signal }).then(
      () => {
        if (this.#timer === timer) {
          this.#timer = null;
        }
        this.#take({ type: 'tick' });
      },
      () => {},
    );
  }
}

function inputOf(text: string): Input {
  try {
    return { type: 'message', message: parseMessage(text), bytes: text.length };
  } catch (error) {
    return { type: 'invalid', error: asPatchwireError(error) };
  }
}

function metaFields({ meta }: StoredSection, fields: readonly string[]): (string | null)[] {
  if (meta === null) {
    return fields.map(() => null);
  }
  const texts: Readonly<Record<string, string>> = {
    format: String(meta.format),
    epoch: meta.epoch,
    seq: String(meta.seq),
    last: meta.last,
    tip: meta.tip,
    checkpoint: meta.checkpoint.toString(),
    upTo: meta.upTo?.toString() ?? '',
    state: meta.state,
    digest: meta.digest,
    pending: meta.pending,
    heartbeatAt: meta.heartbeatAtMs === null ? '' : String(meta.heartbeatAtMs),
    incomplete: meta.incomplete === null ? '' : JSON.stringify({ ...meta.incomplete, since: meta.incomplete.since.toString() }),
  };
  return fields.map((field) => texts[field] ?? null);
}

function indexFields({ index }: StoredSection, identities: readonly string[]): (string | null)[] {
  return identities.map((identity) => {
    const entry = index.get(identity);
    return entry === undefined ? null : encodeIndexEntry({ ...entry, identity });
  });
}
