/**
 * Where the control API meets running sessions: it holds a session before a given statement, slows answers down. Production code knows
 * nothing of it; without a rule it costs one test per statement.
 */
import type { SandboxClock } from './clock.ts';
import { turnOfOthers } from './turn.ts';

/** Which statements a rule is about. All parts must match; text is compared without case. */
export interface StatementMatch {
  readonly appName?: string | undefined;
  readonly sqlContains?: string | undefined;
}

/** A session that is to be held before a statement. */
export interface Pause {
  /** Resolves when a session stands there. */
  readonly reached: Promise<void>;
  /** Lets it go on; before `reached` it takes the rule back. */
  resume(): void;
}

export interface StatementGate {
  /** Holds the next session that is about to run a matching statement. */
  pauseBefore(match: StatementMatch): Pause;
  /** Delays the answers of matching requests; `count` of them, then no more. 0 ms takes the rules of that app back. */
  slowAnswers(delayMs: number, options?: { readonly appName?: string | undefined; readonly count?: number | undefined }): void;
  /** Called by a session before each statement: others have their turn here too. @throws the signal's reason. */
  beforeStatement(appName: string, text: string, signal: AbortSignal): Promise<void> | undefined;
  /** Called by a session before its first answer to a request. @throws the signal's reason. */
  beforeAnswer(appName: string, signal: AbortSignal): Promise<void> | undefined;
  /** Lets every held session go. */
  clear(): void;
}

interface PauseRule {
  readonly match: StatementMatch;
  readonly reach: () => void;
  readonly released: Promise<void>;
}

interface SlowRule {
  readonly delayMs: number;
  readonly appName: string | undefined;
  left: number;
}

export function createStatementGate(clock: SandboxClock): StatementGate {
  const pauses = new Set<PauseRule>();
  const resumes = new Set<() => void>();
  let slow: SlowRule[] = [];

  return {
    pauseBefore: (match) => {
      let reach: () => void = () => undefined;
      let release: () => void = () => undefined;
      const reached = new Promise<void>((resolve) => (reach = resolve));
      const released = new Promise<void>((resolve) => (release = resolve));
      const rule: PauseRule = { match, reach, released };
      pauses.add(rule);
      const resume = (): void => {
        pauses.delete(rule);
        resumes.delete(resume);
        release();
      };
      resumes.add(resume);
      return { reached, resume };
    },
    slowAnswers: (delayMs, options = {}) => {
      slow = slow.filter((rule) => rule.appName !== options.appName);
      if (delayMs > 0) {
        slow.push({ delayMs, appName: options.appName, left: options.count ?? Infinity });
      }
    },
    beforeStatement: (appName, text, signal) => {
      for (const rule of pauses) {
        if (matches(rule.match, appName, text)) {
          pauses.delete(rule);
          rule.reach();
          return until(rule.released, signal);
        }
      }
      return turnOfOthers()?.then(() => {
        signal.throwIfAborted();
      });
    },
    beforeAnswer: (appName, signal) => {
      const rule = slow.find((each) => each.left > 0 && (each.appName === undefined || sameText(each.appName, appName)));
      if (rule === undefined) {
        return undefined;
      }
      rule.left -= 1;
      let cancel: () => void = () => undefined;
      const passed = new Promise<void>((resolve) => (cancel = clock.after(rule.delayMs, resolve)));
      return until(passed, signal).finally(() => {
        cancel();
      });
    },
    clear: () => {
      slow = [];
      for (const resume of resumes) {
        resume();
      }
    },
  };
}

function matches(match: StatementMatch, appName: string, text: string): boolean {
  return (
    (match.appName === undefined || sameText(match.appName, appName)) &&
    (match.sqlContains === undefined || text.toLowerCase().includes(match.sqlContains.toLowerCase()))
  );
}

function sameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

async function until(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('cancelled'));
    };
    signal.addEventListener('abort', abort);
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
