/**
 * Everything between a publisher and a subscriber that a model-based test moves: messages lie in a channel until they are delivered, scans are read a
 * key at a time, and a step is anything that may happen. Decides nothing for the machine.
 */
import fc from 'fast-check';
import { PatchwireError } from '../../../src/model/errors.ts';
import type { MachineOptions } from '../../../src/subscriber/course.ts';
import type { LinkedMessage, StoredReplica } from '../../../src/subscriber/section-view.ts';
import type { Message } from '../../../src/wire/messages.ts';
import { Rig, type Write } from './scripted-publisher.ts';

/** What may happen between a publisher and a subscriber. Numbers choose; they are taken modulo what there is. */
export type Step =
  | { readonly do: 'publish'; readonly keys: readonly number[]; readonly value: number; readonly sideways: boolean }
  | { readonly do: 'deliver' | 'drop' | 'duplicate' | 'swap' | 'late'; readonly n: number }
  | { readonly do: Simple }
  | { readonly do: 'reset'; readonly newEpoch: boolean }
  | { readonly do: 'aside'; readonly key: number; readonly leaves: boolean };

type Simple =
  | ('heartbeat' | 'disconnect' | 'connect' | 'answer' | 'tick' | 'fail' | 'silent' | 'remember' | 'rewind' | 'trim' | 'lost')
  | ('hold' | 'release' | 'save' | 'restart' | 'reload' | 'garbage');

const simple = (...names: readonly Simple[]): fc.Arbitrary<Step> => fc.constantFrom(...names).map((name) => ({ do: name }));

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      keys: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }),
      value: fc.nat(3),
      sideways: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), n: fc.constant(0) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('drop' as const, 'duplicate' as const, 'swap' as const, 'late' as const), n: fc.nat(20) }),
  },
  { weight: 8, arbitrary: simple('answer') },
  { weight: 4, arbitrary: simple('heartbeat', 'tick', 'connect') },
  { weight: 1, arbitrary: simple('disconnect', 'fail', 'silent', 'lost') },
  { weight: 1, arbitrary: simple('remember', 'rewind', 'trim') },
  { weight: 2, arbitrary: simple('hold', 'release', 'release', 'save', 'restart', 'reload', 'garbage') },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), newEpoch: fc.boolean() }) },
);

/** The same, and rows go into quarantine, or leave it without a message. */
export const stepOrAside: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('aside' as const), key: fc.nat(5), leaves: fc.boolean() }) },
);

/** A rig whose messages lie in a channel until they are delivered, and whose scans are read a key at a time. */
export class World {
  readonly rig: Rig;
  readonly channel: Message[] = [];
  readonly delivered: LinkedMessage[] = [];
  connected = false;
  /** Redis goes back to a moment that was remembered. */
  protected rewind: (() => void) | null = null;
  #scan: { readonly request: number; readonly names: string[] } | null = null;

  #stored: StoredReplica | null = null;

  constructor(seed: number, over: Pick<MachineOptions, 'recovery' | 'mode'> = {}) {
    this.rig = new Rig(seed, { messages: 4, bytes: 1_000_000 }, over);
  }

  run(next: Step): void {
    const { rig, channel } = this;
    const { publisher } = rig;
    switch (next.do) {
      case 'publish':
        this.#publish(next.keys, next.value, next.sideways);
        return;
      case 'deliver':
        this.#deliver(channel.shift());
        return;
      case 'drop':
        channel.splice(next.n % Math.max(1, channel.length), 1);
        return;
      case 'duplicate':
        if (channel.length > 0) {
          channel.push(channel[next.n % channel.length]!);
        }
        return;
      case 'swap':
        if (channel.length > 1) {
          const at = next.n % (channel.length - 1);
          [channel[at], channel[at + 1]] = [channel[at + 1]!, channel[at]!];
        }
        return;
      case 'late':
        this.#deliver(this.delivered[next.n % Math.max(1, this.delivered.length)]);
        return;
      case 'heartbeat':
        channel.push(publisher.heartbeat());
        return;
      case 'disconnect':
        this.connected = false;
        this.#scan = null;
        channel.length = 0;
        rig.disconnect();
        return;
      case 'connect':
        if (!this.connected) {
          this.connected = true;
          rig.input({ type: 'connected' });
        }
        return;
      case 'answer':
        this.#answer();
        return;
      case 'tick':
        rig.wake();
        return;
      case 'fail':
        if (rig.open !== null) {
          const { request } = rig.open;
          rig.open = null;
          rig.input({ type: 'failed', request, error: new PatchwireError('PW-M310', 'LOADING') });
        }
        return;
      case 'silent':
        publisher.silent();
        return;
      case 'lost':
        publisher.publish([['1', { v: 99 }]]);
        return;
      case 'remember':
        this.rewind = publisher.snapshot();
        return;
      case 'rewind':
        // A Redis that goes back breaks every connection to it.
        if (this.rewind !== null) {
          this.run({ do: 'disconnect' });
          this.rewind();
        }
        return;
      case 'trim':
        publisher.log.splice(0, Math.ceil(publisher.log.length / 2));
        return;
      case 'hold':
      case 'release':
      case 'reload':
        rig.input({ type: next.do });
        return;
      case 'garbage':
        if (this.connected) {
          rig.input({ type: 'invalid', error: new PatchwireError('PW-W401', 'garbage') });
        }
        return;
      case 'save':
        this.#stored = rig.machine.store() ?? this.#stored;
        return;
      case 'restart':
        this.connected = false;
        this.#scan = null;
        channel.length = 0;
        rig.restart(this.#stored);
        return;
      case 'reset':
        this.#reset(next.newEpoch);
        return;
      case 'aside':
        if (next.leaves) {
          publisher.aside.delete(`k${next.key}`);
        } else {
          channel.push(publisher.setAside(`k${next.key}`));
        }
    }
  }

  /** Everything works from now on: what is under way ends, and heartbeats come. */
  heal(): void {
    const { rig } = this;
    this.run({ do: 'connect' });
    this.run({ do: 'release' });
    for (let i = 0; i < 200; i += 1) {
      while (this.channel.length > 0) {
        this.run({ do: 'deliver', n: 0 });
      }
      if (rig.open !== null || this.#scan !== null) {
        this.run({ do: 'answer' });
      } else if (rig.status === 'waiting') {
        this.run({ do: 'tick' });
      } else if (i > 20 && rig.state.reasons.every((reason) => reason === 'rows quarantined')) {
        return;
      } else {
        this.run({ do: 'heartbeat' });
      }
    }
  }

  #publish(keys: readonly number[], value: number, sideways: boolean): void {
    const { publisher } = this.rig;
    const writes = [...new Set(keys)].map((key): Write => {
      const identity = `k${key}`;
      return [value === 2 ? identity.toUpperCase() : identity, value === 0 ? null : { v: value, n: publisher.seq }, identity];
    });
    this.channel.push(publisher.publish(writes, sideways ? { version: '7', confirm: false } : {}));
  }

  #reset(newEpoch: boolean): void {
    const { publisher } = this.rig;
    this.channel.push(publisher.transition('loading', 'begin', newEpoch));
    publisher.store('k1', { v: 'stored', n: publisher.seq });
    publisher.store('k3', null);
    this.channel.push(publisher.transition('live', 'end'));
  }

  #deliver(message: Message | undefined): void {
    if (message === undefined || !this.connected) {
      return;
    }
    if (message.type === 'changes' || message.type === 'reset') {
      this.delivered.push(message);
    }
    this.rig.message(message);
  }

  /** One answer; of a scan, one page of one key. */
  #answer(): void {
    const { rig } = this;
    if (rig.open?.type === 'scan') {
      this.#scan = { request: rig.open.request, names: [...rig.publisher.rows.keys()] };
      rig.open = null;
      return;
    }
    if (rig.open !== null) {
      this.#scan = null;
      rig.answer();
      return;
    }
    if (this.#scan === null) {
      return;
    }
    const { request, names } = this.#scan;
    const name = names.shift();
    rig.page(request, name === undefined ? [] : [name]);
    if (name === undefined) {
      this.#scan = null;
      rig.input({ type: 'scanned', request });
    }
  }
}
