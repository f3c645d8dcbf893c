import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import type { SubscriberEvent } from '../../../src/subscriber/events.ts';
import type { HeldEntry } from '../../../src/subscriber/holding.ts';
import { KeyAsk, KeyAsks, type KeysHeld } from '../../../src/subscriber/key-asks.ts';
import { type LazyDocuments, LazyMode } from '../../../src/subscriber/lazy-documents.ts';
import type { Effect, Input, KeyName } from '../../../src/subscriber/section-view.ts';
import { step, type Step, World } from './model-world.ts';

/** Keys are asked for; Redis reads those of the oldest request; the oldest answer arrives, or one is lost; Redis goes back, its connections stay. */
type LazyStep =
  | Step
  | { readonly do: 'ask'; readonly keys: readonly number[] }
  | { readonly do: 'read' }
  | { readonly do: 'found' }
  | { readonly do: 'unread' }
  | { readonly do: 'rewindOpen' };

const lazyStep: fc.Arbitrary<LazyStep> = fc.oneof(
  { weight: 12, arbitrary: step.filter(({ do: name }) => name !== 'save' && name !== 'restart') },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), keys: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }) }) },
  { weight: 8, arbitrary: fc.constantFrom('read' as const, 'found' as const).map((name) => ({ do: name })) },
  { weight: 1, arbitrary: fc.constantFrom('unread' as const, 'rewindOpen' as const).map((name) => ({ do: name })) },
);

interface Moment {
  readonly epoch: string;
  readonly seq: number;
  /** identity → what its row was, as text; absent: not there. */
  readonly rows: ReadonlyMap<string, string | null>;
}

/** What a program has seen of a key: nothing that it sees later may be older. */
interface Seen {
  readonly epoch: string;
  readonly seq: number;
}

class LazyWorld extends World {
  readonly mode: LazyMode;
  readonly asks = new KeyAsks();
  readonly open = new Set<{ readonly ask: KeyAsk; readonly since: Seen | null; readonly resets: number }>();
  /** Answers on their way. */
  readonly #answers: Extract<Input, { type: 'found' }>[] = [];
  readonly moments: Moment[] = [];
  readonly seen = new Map<string, Seen>();
  answered = 0;
  /** What the last moment that is remembered was. */
  #place = '';
  #told = 0;
  #resets = 0;
  #filled = 0;
  #reading: number | null = null;

  constructor(seed: number, max: number) {
    const mode = new LazyMode({ max });
    super(seed, { mode });
    this.mode = mode;
    this.remember();
  }

  step(next: LazyStep): void {
    if (next.do === 'ask') {
      this.ask(next.keys.map((key) => `k${key}`));
    } else if (next.do === 'read') {
      this.#read(this.rig.fetches.shift());
    } else if (next.do === 'found' || next.do === 'unread') {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        const error = new PatchwireError('PW-M310', 'LOADING');
        this.rig.input(next.do === 'found' ? answer : { type: 'failed', request: answer.request, error });
      }
    } else if (next.do === 'rewindOpen') {
      this.rewind?.();
    } else {
      this.run(next);
    }
    this.remember();
    this.#look();
  }

  ask(keys: readonly string[]): void {
    const ask = new KeyAsk(keys);
    const at = this.rig.machine.position(this.rig.nowMs);
    this.open.add({ ask, since: this.rig.status === 'live' && at !== null ? at : null, resets: this.#resets });
    this.asks.add(ask, this.rig.machine.reading === null ? null : this.#held);
    this.#want();
  }

  override heal(): void {
    this.step({ do: 'connect' });
    this.step({ do: 'release' });
    for (let i = 0; i < 400; i += 1) {
      while (this.channel.length > 0) {
        this.step({ do: 'deliver', n: 0 });
      }
      if (this.rig.fetches.length > 0 || this.#answers.length > 0) {
        this.step({ do: this.rig.fetches.length > 0 ? 'read' : 'found' });
      } else if (this.rig.open !== null) {
        this.step({ do: 'answer' });
      } else if (this.rig.status === 'waiting') {
        this.step({ do: 'tick' });
      } else if (i > 15 && this.rig.state.reasons.join() === 'not compared' && this.open.size === 0) {
        return;
      } else {
        this.step({ do: 'heartbeat' });
      }
    }
  }

  /** What is held of every key, as text. */
  held(): Map<string, string | null> {
    const documents = this.rig.machine.documents as LazyDocuments;
    return new Map(
      Array.from({ length: 6 }, (_, i) => `k${i}`).flatMap((identity) => {
        const entry = documents.known(identity);
        return entry === undefined ? [] : [[identity, textOf(entry)] as const];
      }),
    );
  }

  /** Redis reads keys: this is what they are now, whenever the answer arrives. */
  #read(fetch: Extract<Effect, { type: 'fetch' }> | undefined): void {
    if (fetch !== undefined) {
      const { request, seq, names } = fetch;
      const rows = this.rig.publisher.read(names.map(({ identity }) => identity));
      this.#answers.push({ type: 'found', request, seq, view: this.rig.publisher.view(), rows });
    }
  }

  get #held(): KeysHeld {
    const documents = this.rig.machine.documents as LazyDocuments;
    return { identityOf: (key) => key, use: (identity) => documents.use(identity) };
  }

  #want(): void {
    const names: readonly KeyName[] = this.rig.machine.reading === null ? [] : this.asks.take();
    if (names.length > 0) {
      this.rig.input({ type: 'want', names });
    }
  }

  /** Everything that was published is remembered. */
  remember(): void {
    const { epoch, seq, tip, rows } = this.rig.publisher;
    const place = `${epoch} ${seq} ${tip}`;
    if (place === this.#place) {
      return;
    }
    this.#place = place;
    const now = new Map([...rows].map(([identity, row]) => [identity, textOf(row)]));
    this.moments.push({ epoch, seq, rows: now });
  }

  /** What the machine has told and filled since the last look, as the cache takes it; then who has all that was asked for. */
  #look(): void {
    const events = this.rig.events.slice(this.#told);
    // A respelled key is a remove and an upsert of one message: what it is between the two was never published.
    const keyOf = (event: SubscriberEvent): string | null => (event.type === 'change' ? `${event.seq} ${event.identity}` : null);
    events
      .filter((event, i) => keyOf(event) === null || i + 1 === events.length || keyOf(event) !== keyOf(events[i + 1]!))
      .forEach((event) => this.#hear(event));
    this.#told = this.rig.events.length;
    for (const effect of this.rig.effects.slice(this.#filled)) {
      if (effect.type === 'filled') {
        effect.rows.forEach((row) => this.asks.tell(row));
      }
    }
    this.#filled = this.rig.effects.length;
    const { reading } = this.rig.machine;
    if (reading !== null && reading !== this.#reading) {
      this.#reading = reading;
      this.asks.restart(this.#held);
      this.#want();
    }
    for (const item of this.open) {
      const { ask, since, resets } = item;
      if (ask.open === 0) {
        ask.slots.forEach(({ row }) => this.#see(row!.identity, textOf(row!.entry), resets === this.#resets ? since : null));
        this.answered += 1;
        this.open.delete(item);
        this.asks.drop(ask);
      }
    }
  }

  #hear(event: SubscriberEvent): void {
    if (event.type === 'reset') {
      this.seen.clear();
      this.#resets += 1;
    } else if (event.type === 'change') {
      const { identity, dataKey, versionId: version, after: document } = event;
      const entry = document === null ? null : { identity, dataKey, version, document };
      this.asks.tell({ identity, entry });
      this.#see(identity, textOf(entry), null);
    }
  }

  /** A program sees what a key is: it was so at a moment that is not before any that it has seen, nor before it asked. */
  #see(identity: string, text: string | null, since: Seen | null): void {
    const bounds = [this.seen.get(identity), since].filter((bound) => bound !== undefined && bound !== null);
    const mine = this.rig.machine.position(this.rig.nowMs)?.epoch;
    const possible = this.moments
      .filter(({ epoch, seq, rows }) => {
        const after = epoch === mine && bounds.every((bound) => bound.epoch === epoch && bound.seq <= seq);
        return after && (rows.get(identity) ?? null) === text;
      })
      .toSorted((a, b) => a.seq - b.seq);
    const [first] = possible;
    if (first === undefined) {
      throw new Error(`${identity} was not ${text} at or after ${JSON.stringify(bounds)}`);
    }
    this.seen.set(identity, first);
  }
}

function textOf(entry: Pick<HeldEntry, 'version' | 'document'> | null | false): string | null {
  return !entry ? null : `${entry.version} ${JSON.stringify(entry.document, Object.keys(entry.document as object).toSorted())}`;
}

const RUNS = {
  numRuns: Number(process.env['FC_RUNS'] ?? 1500),
  ...(process.env['FC_SEED'] ? { seed: Number(process.env['FC_SEED']) } : {}),
};

describe('S1 to S3 for keys on demand, under any schedule', () => {
  it('S1, S2, S3: an answer is never older than what was seen before it, nor than where the cache stood when it was asked; in the end all is answered, and what is held is what is published', () => {
    let answered = 0;
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 6 }), fc.array(lazyStep, { maxLength: 100 }), (seed, max, steps) => {
        const world = new LazyWorld(seed, max);
        world.step({ do: 'publish', keys: [1, 2, 3], value: 1, sideways: false });
        world.step({ do: 'connect' });
        steps.forEach((next) => world.step(next));
        world.heal();
        expect(world.open.size).toBe(0);
        expect(world.rig.state).toMatchObject({ status: 'live', equal: false, reasons: ['not compared'] });
        const published = world.moments.at(-1)!.rows;
        for (const [identity, text] of world.held()) {
          expect([identity, text]).toEqual([identity, published.get(identity) ?? null]);
        }
        expect(world.rig.machine.documents.size).toBeLessThanOrEqual(max);
        world.step({ do: 'ask', keys: [0, 1, 2, 3, 4, 5] });
        world.heal();
        expect(world.open.size).toBe(0);
        answered += world.answered;
      }),
      RUNS,
    );
    expect(answered).toBeGreaterThan(RUNS.numRuns);
  });
});
