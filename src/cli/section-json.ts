/** A section as --json prints it: versions as decimal texts, instants as ISO 8601. The fields are a contract: added to, never changed. */
import type { Config, TableConfig } from '../config/schema.ts';
import type { SectionMeta } from '../manager/distributed-data-manager.ts';

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
        : { phase: meta.cursor.phase, rows: meta.cursor.rows, estimate: meta.cursor.estimate, startedAt: instant(meta.cursor.startedAtMs) },
    identity: meta?.source ?? null,
  };
}
