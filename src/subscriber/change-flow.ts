/**
 * Changes on their way to a consumer that takes its time: a bounded queue in order. When it is full it either drops the oldest, and says at
 * their place how many, or asks the replica to hold, which then leaves messages to the replay stream until there is room.
 */
import type { Patch } from '../model/document.ts';
import type { ChangeEvent, EventOf, LiveEvent, ResetEvent } from './events.ts';

/** Changes that were dropped, because their consumer was slower than they came: at this place of the order. */
export interface DroppedChanges {
  readonly type: 'dropped';
  readonly changes: number;
}

/**
 * What comes out of `changes()`: changes in order, and the places where they do not follow one another: `reset` (documents are replaced), `live`
 * (look at them anew), `skipped` (messages are missing for good), `dropped` (this consumer was too slow).
 */
export type FlowItem<T> = ChangeEvent<T> | LiveEvent | ResetEvent | EventOf<'skipped'> | DroppedChanges;

export interface FlowLimits {
  readonly items: number;
  readonly bytes: number;
}

/** drop: the oldest go; wait: the replica is held, falls behind, and fetches what it missed when there is room. */
export type WhenFull = 'drop' | 'wait';

export interface FlowOptions {
  readonly limits: FlowLimits;
  readonly whenFull: WhenFull;
  /** It has become full (true), or has room again (false). Only where it waits. */
  readonly full: (full: boolean) => void;
}

interface Queued<T> {
  readonly item: Exclude<FlowItem<T>, DroppedChanges>;
  readonly bytes: number;
}

export class ChangeFlow<T> {
  readonly #options: FlowOptions;
  #queue: Queued<T>[] = [];
  #head = 0;
  #bytes = 0;
  #dropped = 0;
  #full = false;
  #end: { readonly error: unknown } | null = null;
  /** Who waits for an item, first come first served. */
  #waiting: (() => void)[] = [];

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  push(item: Exclude<FlowItem<T>, DroppedChanges>): void {
    if (this.#end !== null) {
      return;
    }
    const bytes = item.type === 'change' ? weigh(item.patch) : 0;
    this.#queue.push({ item, bytes });
    this.#bytes += bytes;
    if (this.#options.whenFull === 'drop') {
      while (this.#over(1) && this.length > 1) {
        const oldest = this.#shift();
        this.#dropped += oldest?.type === 'change' ? 1 : 0;
      }
    } else if (!this.#full && this.#over(1)) {
      this.#full = true;
      this.#options.full(true);
    }
    this.#signal();
  }

  /** Nothing more comes; what is queued is still given out, then the error is thrown, if there is one. */
  finish(error: unknown = null): void {
    this.#end ??= { error };
    this.#signal();
  }

  /** Ends it at once: what is queued is forgotten, and nobody is held. */
  discard(error: unknown = null): void {
    this.#queue = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#dropped = 0;
    this.#end ??= { error };
    this.#room();
    this.#signal();
  }

  /** The next item, when there is one; null at the end. @throws what it was finished with */
  async next(): Promise<FlowItem<T> | null> {
    for (;;) {
      if (this.#dropped > 0) {
        const changes = this.#dropped;
        this.#dropped = 0;
        return { type: 'dropped', changes };
      }
      const item = this.#shift();
      if (item !== null) {
        this.#room();
        return item;
      }
      if (this.#end !== null) {
        if (this.#end.error !== null) {
          throw this.#end.error as Error;
        }
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  #shift(): Queued<T>['item'] | null {
    const first = this.#queue[this.#head];
    if (first === undefined) {
      return null;
    }
    this.#head += 1;
    this.#bytes -= first.bytes;
    // Moved together now and then, so that taking one costs the same whatever is queued.
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return first.item;
  }

  /** Whether it holds more than this part of what it may. */
  #over(part: number): boolean {
    const { items, bytes } = this.#options.limits;
    return this.length > items * part || this.#bytes > bytes * part;
  }

  #room(): void {
    if (this.#full && !this.#over(0.5)) {
      this.#full = false;
      this.#options.full(false);
    }
  }

  #signal(): void {
    this.#waiting.splice(0).forEach((wake) => wake());
  }
}

/** About how many bytes a patch holds on to. */
function weigh(patch: Patch): number {
  return patch.reduce((sum, operation) => {
    const value = 'value' in operation ? operation.value : null;
    const size = typeof value === 'string' ? value.length : typeof value === 'object' && value !== null ? JSON.stringify(value).length : 8;
    return sum + 64 + operation.path.length + size;
  }, 0);
}
