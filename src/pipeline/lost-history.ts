/**
 * What is known to be lost of a section and not mended yet: outlives its lanes and its leads, so that what was seen once is not forgotten when the
 * next look shows nothing (a counter that has overtaken, tracking that is on again). Says it once; begins no remedy itself.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { type Remedy, remedyOf } from './remedies.ts';

const WHAT: Partial<Record<ErrorCode, string>> = {
  'PW-S211': 'history lost',
  'PW-S212': 'source went back in time',
  'PW-S220': 'projection changed',
  'PW-M309': 'documents lost in Redis',
};

export interface LostHistoryOptions {
  /** Default resync. */
  readonly onLostHistory?: 'resync' | 'stop';
  readonly logger: Logger;
  readonly observer: SectionObserver;
}

export class LostHistory {
  readonly #options: LostHistoryOptions;
  #error: PatchwireError | null = null;
  #tries = 0;

  constructor(options: LostHistoryOptions) {
    this.#options = options;
  }

  /** What the next lane mends, or stops for; null: nothing is known to be lost. */
  get error(): PatchwireError | null {
    return this.#error;
  }

  /** How often a remedy was due since one began: the first time nothing is waited for. */
  get tries(): number {
    return this.#tries;
  }

  /** What the section does about an error by itself; null: nothing. */
  remedy(error: PatchwireError): Remedy | null {
    const { onLostHistory = 'resync' } = this.#options;
    return remedyOf(error, { onLostHistory });
  }

  /** Takes note of an error that ended a lane. Where a remedy is due it is told, once. @returns whether one is */
  note(error: PatchwireError): boolean {
    const remedy = this.remedy(error);
    if (remedy === null) {
      return false;
    }
    this.#tries += 1;
    if (this.#error?.code !== error.code) {
      const { code, details, message } = error;
      this.#options.observer.error(code);
      this.#options.logger.warn(
        { code, what: WHAT[code] ?? 'source replaced', remedy, details, reason: message },
        'documents are made anew',
      );
    }
    // What was rewound or replaced stays so, whatever is seen of it later.
    if (this.#error === null || remedy === 'replace') {
      this.#error = error;
    }
    return true;
  }

  /** Tracking was seen to be off: what was written meanwhile nobody knows, also where the next look shows no difference. */
  sawTrackingOff(error: PatchwireError): void {
    this.#error ??= new PatchwireError('PW-S211', `Change tracking was off: ${error.message}`, { cause: error, details: error.details });
  }

  /** A remedy has begun, or an operator's reset. */
  mended(): void {
    this.#error = null;
    this.#tries = 0;
  }
}
