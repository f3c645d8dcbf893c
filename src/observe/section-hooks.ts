/** What an embedding program may be told of a section's troubles, as an observer beside status and metrics. A hook that throws is logged. */
import type { ErrorCode } from '../model/error-catalogue.ts';
import type { Logger } from './logger.ts';
import { type SectionObserver, silentObserver } from './section-observer.ts';

/** Why a section does not go on. */
export interface SectionFault {
  readonly section: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

export interface FaultHooks {
  /** Something failed and is tried again by itself: called for each try that fails. */
  readonly onFault?: (fault: SectionFault) => void | Promise<void>;
  /** The section has stopped: from now on it is tried again only slowly, or when an operator asks. Called each time that it stops. */
  readonly onGiveUp?: (fault: SectionFault) => void | Promise<void>;
}

/** Tells the hooks of one section. Hooks are not waited for. */
export function hookObserver(hooks: FaultHooks, section: string, log: Logger): SectionObserver {
  const tell = (name: keyof FaultHooks, fault: SectionFault): void => {
    // Nobody waits for it, but its rejection must not end the process.
    void Promise.resolve(fault)
      .then(hooks[name])
      .catch((error: unknown) => log.warn({ hook: name, err: error }, 'a hook threw: the section goes its way'));
  };
  return {
    ...silentObserver,
    phase(phase, detail) {
      if (detail !== undefined && phase === 'retrying') {
        tell('onFault', { section, ...detail });
      }
      if (detail !== undefined && phase === 'stopped') {
        tell('onGiveUp', { section, ...detail });
      }
    },
  };
}
