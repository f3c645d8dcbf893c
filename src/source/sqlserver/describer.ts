/**
 * Describes tables together: what is asked while a request waits for its turn goes into it. At the start of a daemon with hundreds of tables
 * each would otherwise wait for the requests of all others. A table whose catalog cannot be read delays the others once, and fails alone.
 */
import type { TableSelection } from '../../model/table.ts';
import { describeTable, describeTables, type DescribeOptions, type Description, type Outcome } from './catalog.ts';
import { concernsTable } from './errors.ts';
import type { Guest } from './guest.ts';

export interface DescriberOptions {
  readonly guest: Pick<Guest, 'read'>;
  readonly describe: DescribeOptions;
}

/** Tables in one request: a few rows for each of their columns are read into memory. */
export const DESCRIBED_AT_A_TIME = 50;

interface Batch {
  readonly selections: TableSelection[];
  readonly result: Promise<readonly Outcome[]>;
  readonly abort: AbortController;
  waiting: number;
}

/** The descriptions of one source that have not begun yet. */
export class Describer {
  readonly #options: DescriberOptions;
  #open: Batch | null = null;

  constructor(options: DescriberOptions) {
    this.#options = options;
  }

  /** @throws the signal's reason; a request that nobody waits for any more is cancelled before this settles. What describeTable throws */
  async describe(selection: TableSelection, signal: AbortSignal): Promise<Description> {
    signal.throwIfAborted();
    const batch = this.#join();
    const number = batch.selections.push(selection) - 1;
    batch.waiting += 1;
    let leave = (): void => {};
    try {
      const outcomes = await Promise.race([
        batch.result,
        new Promise<never>((_, reject) => {
          leave = () => reject(signal.reason as Error);
          signal.addEventListener('abort', leave, { once: true });
        }),
      ]);
      const outcome = outcomes[number];
      if (outcome === undefined || 'error' in outcome) {
        throw outcome?.error;
      }
      return outcome.description;
    } finally {
      signal.removeEventListener('abort', leave);
      batch.waiting -= 1;
      if (batch.waiting === 0 && signal.aborted) {
        this.#close(batch);
        batch.abort.abort(signal.reason);
        await batch.result.catch(() => {});
      }
    }
  }

  #join(): Batch {
    if (this.#open !== null && this.#open.selections.length < DESCRIBED_AT_A_TIME) {
      return this.#open;
    }
    const abort = new AbortController();
    const selections: TableSelection[] = [];
    const batch: Batch = { selections, result: Promise.resolve().then(() => this.#ask(batch)), abort, waiting: 0 };
    // Each caller sees the failure by itself.
    batch.result.catch(() => {});
    this.#open = batch;
    return batch;
  }

  /** Nobody joins it any more. */
  #close(batch: Batch): void {
    if (this.#open === batch) {
      this.#open = null;
    }
  }

  async #ask(batch: Batch): Promise<readonly Outcome[]> {
    const { guest, describe } = this.#options;
    const { selections, abort } = batch;
    const { signal } = abort;
    try {
      return await guest.read(
        (run) => {
          this.#close(batch);
          return describeTables(run, selections, describe);
        },
        { signal },
      );
    } catch (error) {
      this.#close(batch);
      if (selections.length === 1 || signal.aborted || !concernsTable(error)) {
        throw error;
      }
    }
    const outcomes: Outcome[] = [];
    for (const selection of selections) {
      try {
        outcomes.push({ description: await guest.read((run) => describeTable(run, selection, describe), { signal }) });
      } catch (error) {
        outcomes.push({ error });
      }
    }
    return outcomes;
  }
}
