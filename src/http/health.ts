/**
 * The rules behind /live and /ready, as functions of the status. Live: every section's loop advanced within the time that its slowest round
 * may take, so that a hung process is found and a waiting one is not. Ready: every section leads or stands by, both ends answer, none is
 * stopped. A process that is not ready must not be killed for it.
 */
import type { SectionPhase, SectionStatus } from '../observe/section-record.ts';
import type { ServerStatus } from '../observe/server-status.ts';

export interface HealthStatus {
  readonly stopping: boolean;
  /** Redis and the sources, each by its circuit breaker. */
  readonly servers: readonly ServerStatus[];
  readonly sections: readonly (SectionStatus & {
    /** The longest that the loop may go without advancing, in ms. */
    readonly silenceMs: number;
  })[];
}

export interface Verdict {
  readonly ok: boolean;
  /** Empty when ok. */
  readonly reasons: readonly HealthReason[];
  /** What somebody should look at though all is well. */
  readonly notes?: readonly HealthReason[];
}

export interface HealthReason {
  readonly section?: string;
  readonly code?: string;
  readonly reason: string;
  readonly hint?: string;
}

/** Phases without a loop: a stopped or paused table waits for a person, a standby for a lease. A restart would help none. */
const WAITING: ReadonlySet<SectionPhase> = new Set(['stopped', 'standby', 'paused']);

/** Whether the loops advance. */
export function judgeLiveness(status: HealthStatus, nowMs: number): Verdict {
  const reasons = status.sections
    .filter(({ phase, progressAtMs, silenceMs }) => !WAITING.has(phase) && nowMs - progressAtMs > silenceMs)
    .map(({ section, progressAtMs }) => ({
      section,
      reason: `the loop has not advanced for ${Math.round((nowMs - progressAtMs) / 1000)} s`,
    }));
  return { ok: reasons.length === 0, reasons };
}

/** Sweeps that wait for a confirmation, and rows that cannot be published. */
function notesOf({ sections }: HealthStatus): HealthReason[] {
  return sections.flatMap(({ section, sweepHeld, quarantine }) => [
    ...(sweepHeld === null
      ? []
      : [
          {
            section,
            code: 'PW-S231',
            reason: `a sweep waits: it would remove ${sweepHeld.missing} of ${sweepHeld.documents} documents`,
            hint: `patchwire resync ${section} --confirm`,
          },
        ]),
    ...(quarantine.alert
      ? [{ section, reason: `${quarantine.rows} rows are in quarantine`, hint: `patchwire quarantine list ${section}` }]
      : []),
  ]);
}

/** Whether changes get through now. */
export function judgeReadiness(status: HealthStatus, nowMs: number): Verdict {
  const reasons: HealthReason[] = [...judgeLiveness(status, nowMs).reasons];
  if (status.stopping) {
    reasons.push({ reason: 'the daemon is stopping' });
  }
  for (const { what, state, trouble } of status.servers) {
    if (state !== 'closed') {
      const { code, hint } = trouble ?? {};
      reasons.push({ ...(code === undefined ? {} : { code }), reason: `waiting for ${what}`, ...(hint === undefined ? {} : { hint }) });
    }
  }
  for (const { section, phase, trouble, leading } of status.sections) {
    if (phase === 'starting') {
      reasons.push({ section, reason: 'starting: the leader is not known yet' });
    } else if (phase === 'retrying' || phase === 'stopped') {
      const { code, message, hint } = trouble ?? {};
      reasons.push({
        section,
        reason: `${phase}${message === undefined ? '' : `: ${message}`}`,
        ...(code === undefined ? {} : { code }),
        ...(hint === undefined ? {} : { hint }),
      });
    } else if (phase !== 'standby' && !leading) {
      reasons.push({ section, reason: 'the lead was lost' });
    }
  }
  const notes = notesOf(status);
  return { ok: reasons.length === 0, reasons, ...(notes.length === 0 ? {} : { notes }) };
}
