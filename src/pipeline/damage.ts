/**
 * Repairs what others did to a section in Redis: a script that stopped half-way (C5), versions that are not those that were delivered (C6), a
 * change log that is ahead of the chain. Always the same way: a new epoch from the stored checkpoint, with the digest of the index as it is; a live
 * section is `resyncing` until every document was looked for and everything since was read again. Never over and over: see MOST.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, LeadResult, LoadCursor } from '../manager/distributed-data-manager.ts';
import type { PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';

/** So many repairs in so long; beyond it somebody is at work whom no repair stops: the section stops, and is tried again slowly. */
const MOST = 3;
const WITHIN_MS = 600_000;
/** Before the lead is taken again. */
const PAUSE_MS = 250;

export interface DamageOptions {
  readonly section: string;
  readonly manager: DistributedDataManager;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: SectionObserver;
}

/** Whether a new epoch mends what the error tells. */
export function isDamage({ code, retry }: PatchwireError): boolean {
  return code === 'PW-M307' || code === 'PW-M308' || (code === 'PW-M306' && retry === 'resync');
}

export class Damage {
  readonly #options: DamageOptions;
  #due: PatchwireError | null = null;
  /** When the last repairs were begun, monotonic. */
  #repairs: number[] = [];

  constructor(options: DamageOptions) {
    this.#options = options;
  }

  /** What the next lead repairs. */
  get due(): PatchwireError | null {
    return this.#due;
  }

  /** Takes damage on, after a moment. @returns false for what is none, or came too often. @throws the signal's reason */
  async takeOn(error: PatchwireError, signal: AbortSignal): Promise<boolean> {
    if (!isDamage(error)) {
      return false;
    }
    const { clock, logger, observer } = this.#options;
    const now = clock.monotonic();
    this.#repairs = this.#repairs.filter((at) => now - at < WITHIN_MS);
    if (this.#repairs.length >= MOST) {
      return false;
    }
    this.#repairs.push(now);
    this.#due = error;
    const { code, message, details } = error;
    observer.error(code);
    logger.warn({ code, reason: message, details, repairs: this.#repairs.length }, 'damage in redis: repaired under a new epoch');
    await clock.sleep(PAUSE_MS, { signal });
    return true;
  }

  /**
   * Takes the lead and repairs. A user who may not use every command is refused first: he would tear the next script too.
   * @throws PW-M303 and whatever the manager throws; the repair stays due then
   */
  async lead(signal: AbortSignal): Promise<LeadResult> {
    const { section, manager, clock, observer } = this.#options;
    const code = this.#due?.code;
    await manager.open({ signal });
    const led = await manager.lead(section, { repair: true });
    if (led.kind === 'held' || led.created) {
      this.#due = null;
      return led;
    }
    const { state, count } = led.meta;
    const cursor: LoadCursor = { phase: 'check', after: null, rows: 0, estimate: count, startedAtMs: clock.now() };
    const live = state === 'live';
    const reason = `repaired: ${code}`;
    const meta = await manager.transition(section, {
      state: live ? 'resyncing' : state,
      newEpoch: true,
      reset: { phase: state === 'loading' ? 'begin' : 'end', reason },
      advance: live ? { cursor } : {},
    });
    this.#due = null;
    observer.reset(reason);
    return { ...led, meta };
  }
}
