/**
 * What sharing remembers of one section of this daemon: whether it is led here and since when, when its lease may be free, what was heard of
 * it, and what must not be tried again too soon. It decides nothing, and asks nobody.
 */
import type { Clock } from '../lib/clock.ts';
import type { SectionPhase } from '../observe/section-record.ts';
import type { SectionShare } from '../pipeline/turn.ts';

type Listener = Parameters<SectionShare['attach']>[0];

/** What the others say of the section. */
export type Heard =
  | { readonly kind: 'led'; readonly by: string }
  | { readonly kind: 'free'; readonly mine: boolean; readonly alive: ReadonlySet<string> };

/** A section that could not be led here is not given to this daemon for so long. */
const UNABLE_MS = 600_000;

/** Phases in which a section that is led can be moved: its lane runs, or rests. */
const MOVABLE: ReadonlySet<SectionPhase> = new Set(['loading', 'resyncing', 'live', 'paused']);

export class Member {
  readonly section: string;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #changed: () => void;
  #known = true;
  #ledSinceMs: number | null = null;
  #phase: SectionPhase = 'starting';
  #listener: Listener | null = null;
  #heard: 'led' | 'mine' | 'others' | null = null;
  #leader = '';
  /** When its lease ends or ended, as far as is known, by the monotonic clock; null: nothing is known. */
  #freeAtMs: number | null = null;
  #unableUntilMs = Number.NEGATIVE_INFINITY;
  #giving = false;
  #cameBack = false;

  constructor(section: string, options: { readonly clock: Clock; readonly graceMs: number; readonly changed: () => void }) {
    this.section = section;
    this.#clock = options.clock;
    this.#graceMs = options.graceMs;
    this.#changed = options.changed;
  }

  get known(): boolean {
    return this.#known;
  }

  /** ms since 1970; null: it is not led here. */
  get ledSinceMs(): number | null {
    return this.#ledSinceMs;
  }

  get standsBy(): boolean {
    return this.#ledSinceMs === null && this.#phase === 'standby';
  }

  /** Led here, and not to be moved now. */
  get busy(): boolean {
    return this.#ledSinceMs !== null && (this.#giving || !MOVABLE.has(this.#phase));
  }

  /** Not led here, and would not be if it were free: its source was not reached yet, it is in trouble, or it was a short while ago. */
  get unable(): boolean {
    const trying = this.#phase === 'starting' || this.#phase === 'retrying';
    return this.#ledSinceMs === null && (trying || this.#clock.monotonic() < this.#unableUntilMs);
  }

  /** It was to be given up, and is led here again: nobody took it. */
  get cameBack(): boolean {
    return this.#cameBack;
  }

  attach(listener: Listener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  }

  leading(nowMs: number): void {
    this.#cameBack ||= this.#giving && this.#ledSinceMs === null;
    if (this.#ledSinceMs === null) {
      this.#ledSinceMs = nowMs;
      this.#heard = null;
      this.#changed();
    }
  }

  released(): void {
    this.#freeAtMs = this.#clock.monotonic();
    this.#lost();
  }

  held(expiresInMs: number): void {
    this.#freeAtMs = this.#clock.monotonic() + expiresInMs;
    this.#lost();
  }

  phase(phase: SectionPhase): void {
    const before = [this.busy, this.unable];
    this.#phase = phase;
    if (phase === 'stopped') {
      this.#unableUntilMs = this.#clock.monotonic() + UNABLE_MS;
    } else if (phase === 'live') {
      this.#unableUntilMs = Number.NEGATIVE_INFINITY;
    }
    if (before[0] !== this.busy || before[1] !== this.unable) {
      this.#changed();
    }
  }

  forget(): void {
    this.#known = false;
    this.#lost();
    this.#changed();
  }

  /** How long others go first, from the moment when its lease ends. */
  patienceMs(): number {
    const nowMs = this.#clock.monotonic();
    this.#freeAtMs ??= nowMs;
    return Math.max(0, this.#freeAtMs + this.#graceMs - nowMs);
  }

  /** Wakes the section when what is heard of it is new, and it may be free. */
  hears(heard: Heard): void {
    if (heard.kind === 'led') {
      this.#heard = 'led';
      this.#leader = heard.by;
      return;
    }
    const now = heard.mine ? 'mine' : 'others';
    if (now === this.#heard) {
      return;
    }
    // Whoever led it is alive and does not any more: the lease was given back. Of one who died it still has to run out.
    if (this.#heard === 'led' && heard.alive.has(this.#leader)) {
      this.#freeAtMs = this.#clock.monotonic();
    }
    this.#heard = now;
    this.#listener?.wake();
  }

  /** Asks the section to hand over. */
  give(): void {
    this.#giving = true;
    this.#cameBack = false;
    this.#listener?.give();
    this.#changed();
  }

  /** Somebody took it, or it came back. */
  givenUp(): void {
    this.#giving = false;
    this.#cameBack = false;
    this.#changed();
  }

  #lost(): void {
    if (this.#ledSinceMs !== null) {
      this.#ledSinceMs = null;
      this.#changed();
    }
  }
}
