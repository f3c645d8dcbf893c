/** The state in words: what is paused, how far a load is, and whether rows are missing. */
export function stateInWords(shown: ReturnType<typeof sectionJson>): string {
  const { state, paused, incomplete, load, sweepHeld, quarantined } = shown;
  if (state === null) {
    return 'not there';
  }
  const words = [
    ...(load?.phase === 'load' ? [load.percent === null ? `${load.rows} rows` : `${load.percent} %`] : []),
    ...(sweepHeld === null ? [] : [`sweep waits: ${sweepHeld.missing} documents, resync --confirm`]),
    ...(quarantined === null || quarantined === 0 ? [] : [`${quarantined} in quarantine`]),
    ...(paused === null ? [] : [paused.what === 'all' ? 'paused' : 'load paused']),
    ...(incomplete === null ? [] : [incomplete.reason === 'initial' ? 'not loaded' : 'changes skipped']),
  ];
  return words.length === 0 ? state : `${state} (${words.join(', ')})`;
}

/** A section as --json prints it: versions as decimal texts, instants as ISO 8601. The fields are a contract: added to, never changed. */
import type { Config, TableConfig } from '../config/schema.ts';
import type { SectionMeta } from '../manager/distributed-data-manager.ts';
import { progressOf } from '../pipeline/load-pace.ts';

export function sectionJson(config: Config, { table, section, source }: TableConfig, meta: SectionMeta | null) {
  const instant = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : new Date(ms).toISOString());
  return {
    section,
    table,
    source,
    partition: config.manager.partition,
    state: meta?.state ?? null,
    checkpoint: meta?.checkpoint.toString() ?? null,
    confirmed: meta?.confirmed.toString() ?? null,
    upTo: meta?.upTo?.toString() ?? null,
    high: meta?.high.toString() ?? null,
    epoch: meta?.epoch ?? null,
    seq: meta?.seq ?? null,
    documents: meta?.count ?? null,
    digest: meta?.digest ?? null,
    pending: meta?.pending ?? null,
    quarantined: meta?.quarantined ?? null,
    leader: meta?.leader ?? null,
    heartbeatAt: instant(meta?.heartbeatAtMs),
    sourceReadAt: instant(meta?.sourceReadAtMs),
    load:
      meta?.cursor === null || meta === null
        ? null
        : {
            phase: meta.cursor.phase,
            rows: meta.cursor.rows,
            estimate: meta.cursor.estimate,
            startedAt: instant(meta.cursor.startedAtMs),
            ...progressOf(meta.cursor),
            changed: meta.cursor.changed ?? null,
          },
    sweepHeld:
      meta?.cursor?.held === undefined || meta.cursor.held === null
        ? null
        : { missing: meta.cursor.held.missing, documents: meta.cursor.held.documents, since: instant(meta.cursor.held.sinceMs) },
    identity: meta?.source ?? null,
    incomplete: meta?.incomplete === null || meta === null ? null : { ...meta.incomplete, since: meta.incomplete.since.toString() },
    paused: meta?.paused === null || meta === null ? null : { what: meta.paused.what, who: meta.paused.who, at: instant(meta.paused.atMs) },
  };
}
