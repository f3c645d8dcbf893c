/**
 * Whose turn it is to lead a section, from the section's side: waiting while another daemon goes first, resting while another leads, being
 * woken when it is free, and being asked to hand over. Who gets which section is decided elsewhere; without anybody who decides, whoever can
 * lead leads. It is never more than courtesy: the lease alone decides who leads.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { LeadResult } from '../manager/distributed-data-manager.ts';
import { Alarm } from './alarm.ts';

/** What shares the sections between daemons, as one section sees it. */
export interface SectionShare {
  /** How long others go first, in ms; 0: this one may lead now. Bounded: a section is never left to somebody who does not come. */
  patienceMs(): number;
  /** It leads: its chain may break and be taken up again without a word. */
  leading(): void;
  /** It gave the lead up: the lease is free. */
  released(): void;
  /** Another holds the lease. */
  held(expiresInMs: number): void;
  /** `wake`: the section may be free; `give`: hand it over now. One listener at a time. @returns what ends it */
  attach(listener: { wake(): void; give(): void }): () => void;
}

/** Why a reign ended: another daemon is to lead. */
export const HANDED_OVER = new Error('the section is handed over');

/** A lease that has just run out is not asked for at the same moment by everybody. */
const MIN_REST_MS = 100;
const JITTER_MS = 100;

export interface TurnOptions {
  readonly share?: SectionShare;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: number;
}

export class Turn implements Disposable {
  readonly #options: TurnOptions;
  readonly #alarm: Alarm;
  readonly #detach: (() => void) | undefined;
  #scope: AbortController | null = null;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
    this.#detach = options.share?.attach({
      wake: () => this.#alarm.ring(),
      give: () => this.#scope?.abort(HANDED_OVER),
    });
  }

  /** How long another daemon goes first, in ms. */
  get patienceMs(): number {
    return this.#options.share?.patienceMs() ?? 0;
  }

  /** Waits until it may have changed who leads. @throws the signal's reason */
  async rest(ms: number, signal: AbortSignal): Promise<void> {
    await this.#alarm.wait(ms, signal);
  }

  /** The rest of whoever found the lease held: until it runs out, as far as is known. @throws the signal's reason */
  async restWhileHeld(expiresInMs: number, signal: AbortSignal): Promise<void> {
    const { leaseMs, random } = this.#options;
    await this.rest(Math.max(MIN_REST_MS, Math.min(expiresInMs, leaseMs)) + JITTER_MS * random(), signal);
  }

  /** What `lead` answered; `scope` is aborted when the section is to be handed over. */
  answered(led: LeadResult, scope: AbortController): void {
    if (led.kind === 'leading') {
      this.#scope = scope;
      this.#options.share?.leading();
    } else {
      this.#options.share?.held(led.expiresInMs);
    }
  }

  /** The reign ended. `released`: with the lease given back. */
  over({ released }: { readonly released: boolean }): void {
    this.#scope = null;
    if (released) {
      this.#options.share?.released();
    }
  }

  [Symbol.dispose](): void {
    this.#detach?.();
  }
}
