/** What operators did, over a plain list. The store's time is the manager's clock. */
import type { Clock } from '../../lib/clock.ts';
import { type AuditEntry, type AuditRecord, type AuditTrail, MOST_AUDITED } from '../audit-trail.ts';
import type { MemoryStore } from './memory-store.ts';

export class MemoryAudit implements AuditTrail {
  readonly #records: AuditRecord[];
  readonly #clock: Clock;

  constructor({ store, partition, clock }: { readonly store: MemoryStore; readonly partition: string; readonly clock: Clock }) {
    this.#records = store.auditOf(partition);
    this.#clock = clock;
  }

  async append(entry: AuditEntry): Promise<void> {
    this.#records.push({ ...structuredClone(entry), atMs: this.#clock.now() });
    this.#records.splice(0, Math.max(0, this.#records.length - MOST_AUDITED));
  }

  async last(limit: number): Promise<readonly AuditRecord[]> {
    return this.#records.slice(-limit).toReversed();
  }
}
