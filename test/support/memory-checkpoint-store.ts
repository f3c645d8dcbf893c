/** A checkpoint store in memory, which a test takes back in time together with the table beside it, lets fail, or looks into. */
import type { CheckpointRow, CheckpointStore, ExpectedRow, StoredCheckpoint } from '../../src/source/checkpoint-store.ts';

export type StoreCall = 'read' | 'create' | 'replace';

export class MemoryCheckpointStore implements CheckpointStore {
  rows = new Map<string, CheckpointRow>();
  readonly calls: StoreCall[] = [];
  /** Runs before a call looks; what it throws the call throws, without effect. */
  before: ((call: StoreCall) => void | Promise<void>) | null = null;
  /** Runs when a call has taken effect; what it throws the call throws. */
  after: ((call: StoreCall) => void | Promise<void>) | null = null;

  read(section: string, options: { readonly signal: AbortSignal }): Promise<StoredCheckpoint | null> {
    return this.#call('read', options, () => {
      const row = this.rows.get(section);
      return row === undefined ? null : { ...row, updatedAtMs: 0 };
    });
  }

  create(section: string, row: CheckpointRow, options: { readonly signal: AbortSignal }): Promise<boolean> {
    return this.#call('create', options, () => {
      if (this.rows.has(section)) {
        return false;
      }
      this.rows.set(section, { ...row });
      return true;
    });
  }

  replace(section: string, expected: ExpectedRow, row: CheckpointRow, options: { readonly signal: AbortSignal }): Promise<boolean> {
    return this.#call('replace', options, () => {
      const found = this.rows.get(section);
      if (found?.leader !== expected.leader || found.mark !== expected.mark) {
        return false;
      }
      this.rows.set(section, { ...row });
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  state(): ReadonlyMap<string, CheckpointRow> {
    return new Map(this.rows);
  }

  restore(state: ReadonlyMap<string, CheckpointRow>): void {
    this.rows = new Map(state);
  }

  async #call<T>(call: StoreCall, { signal }: { readonly signal: AbortSignal }, effect: () => T): Promise<T> {
    signal.throwIfAborted();
    this.calls.push(call);
    await this.before?.(call);
    signal.throwIfAborted();
    const result = effect();
    await this.after?.(call);
    return result;
  }
}
