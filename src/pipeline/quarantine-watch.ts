/** What a section keeps of its quarantine over all leads: its limits, the rows under suspicion, and what was said of it already. */
import type { Clock } from '../lib/clock.ts';
import type { RowWrite } from '../manager/distributed-data-manager.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { DEFAULT_QUARANTINE, type QuarantineLimits } from './quarantine.ts';
import { Suspects } from './quarantine-suspects.ts';

export interface QuarantineWatchOptions {
  readonly quarantine?: QuarantineLimits;
  /** A greater document is not published. Default 1 MiB. */
  readonly maxDocumentBytes?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: SectionObserver;
}

const DEFAULT_DOCUMENT_BYTES = 1024 * 1024;

export class QuarantineWatch {
  readonly limits: QuarantineLimits;
  readonly maxDocumentBytes: number;
  readonly suspects: Suspects;
  readonly #options: QuarantineWatchOptions;
  #alerted = false;

  constructor(options: QuarantineWatchOptions) {
    this.#options = options;
    this.limits = options.quarantine ?? DEFAULT_QUARANTINE;
    this.maxDocumentBytes = options.maxDocumentBytes ?? DEFAULT_DOCUMENT_BYTES;
    this.suspects = new Suspects(options);
  }

  /** So many rows are in quarantine. */
  counted(rows: number): void {
    const { logger, observer } = this.#options;
    const { alertAbove } = this.limits;
    const alert = rows > alertAbove;
    observer.quarantine({ rows, alert });
    if (alert && !this.#alerted) {
      logger.error({ rows, alertAbove }, 'rows in quarantine: they cannot be published, all others go on');
    } else if (!alert && this.#alerted) {
      logger.info({ rows }, 'the quarantine is no alert any more');
    }
    this.#alerted = alert;
  }

  /** A batch was acknowledged. `rows`: in quarantine after it. */
  delivered(writes: readonly RowWrite[], rows: number): void {
    const { logger, observer } = this.#options;
    let back = 0;
    let touched = false;
    for (const { identity, quarantine } of writes) {
      this.suspects.cleared(identity);
      if (quarantine === null) {
        back += 1;
      } else if (quarantine !== undefined) {
        const { code, dataKey, message, attempts } = quarantine;
        observer.error(code);
        logger[attempts === 1 ? 'warn' : 'debug'](
          { code, dataKey, reason: message, attempts },
          'a row cannot be published: it is in quarantine',
        );
      }
      touched ||= quarantine !== undefined;
    }
    if (back > 0) {
      logger.info({ rows: back }, 'rows left the quarantine');
    }
    if (touched) {
      this.counted(rows);
    }
  }
}
