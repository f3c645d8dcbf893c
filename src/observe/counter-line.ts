/** One line of counters in the log every ten seconds, and a last one at stop, so that a log alone tells what a daemon did. */
import type { Clock } from '../lib/clock.ts';
import type { Logger } from './logger.ts';
import type { SectionStatus, SectionTotals } from './section-record.ts';

export const COUNTER_LINE_MS = 10_000;

export interface CounterLineOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly status: () => readonly SectionStatus[];
  /** Ends it: the last line is written then. */
  readonly signal: AbortSignal;
}

/** Writes until the signal fires; resolves after the last line. Never rejects. */
export async function writeCounterLines({ log, clock, status, signal }: CounterLineOptions): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(COUNTER_LINE_MS, { signal });
    } catch {
      log.info(countersOf(status()), 'counters at stop');
      return;
    }
    log.info(countersOf(status()), 'counters');
  }
}

/** The totals of all sections, how many are in which phase, and the greatest lag. */
export function countersOf(sections: readonly SectionStatus[]): Readonly<Record<string, unknown>> {
  const phases: Record<string, number> = {};
  const totals: Record<string, number> = {};
  let lagVersions = 0;
  for (const section of sections) {
    phases[section.phase] = (phases[section.phase] ?? 0) + 1;
    lagVersions = Math.max(lagVersions, section.lagVersions ?? 0);
    for (const name of Object.keys(section.totals) as (keyof SectionTotals)[]) {
      totals[name] = (totals[name] ?? 0) + section.totals[name];
    }
  }
  return { sections: sections.length, phases, ...totals, lagVersions };
}
