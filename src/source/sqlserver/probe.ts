/**
 * Probe rounds (R6): one request asks for the database's version for everybody at once; what TRUNCATE and DDL change is asked at least once a
 * second, or when a caller wants it. Calls that come while a round is under way share the next one. A table that somebody holds by a Sch-M lock
 * (an offline index rebuild, a long ALTER TABLE) is told of as locked, and delays the others once. Judges nothing.
 */
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { LockedTable, Probe, TableProbe } from '../change-tracker.ts';
import { isLockTimeout } from './errors.ts';
import { collector, databaseFacts, tableFacts, versionOf, type DatabaseFacts } from './facts.ts';
import type { DriverRow } from './plan.ts';
import type { Guest } from './guest.ts';
import { probeChunks, probeQuery, type RequestSettings } from './queries.ts';

export interface ProberOptions {
  /** Of its own, so that no slow page holds a probe up. */
  readonly guest: Pick<Guest, 'read'>;
  readonly request: RequestSettings;
  readonly clock: Clock;
  /** The tables to ask for: full name and quoted name. */
  readonly tables: () => readonly ProbedTable[];
  /** Called with what a catalog round says of the database. @throws what makes the round fail */
  readonly onDatabase: (facts: DatabaseFacts) => void;
  /** What a table's lock that was waited for in vain is told as. */
  readonly locked: (error: unknown, fullName: string) => PatchwireError;
}

interface ProbedTable {
  readonly fullName: string;
  /** Quoted. */
  readonly name: string;
}

/** The catalog is asked for with every round that comes so much later than the last that did, ms. */
export const CATALOG_EVERY_MS = 1000;

/** A table that was locked is not waited for: everybody else would wait, too. Source: learn.microsoft.com, SET LOCK_TIMEOUT. */
const NO_WAIT = { lockTimeoutMs: 0 };

interface Round {
  readonly result: Promise<Probe>;
  readonly abort: AbortController;
  catalog: boolean;
  waiting: number;
  /** Its request may have been sent: whoever comes now waits for the next. */
  begun: boolean;
}

/** The rounds of one source: at most one under way and one that waits for its end. */
export class Prober {
  readonly #options: ProberOptions;
  #running: Round | null = null;
  #next: Round | null = null;
  #catalogAt = Number.NEGATIVE_INFINITY;
  /** Full names of the tables that were locked when they were asked for last. */
  #locked: ReadonlySet<string> = new Set();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /**
   * A round that begins after this call.
   * @throws the signal's reason; a round that nobody waits for any more is cancelled. PW-S221 when the version is NULL, driver errors
   */
  async probe({ catalog, signal }: { readonly catalog: boolean; readonly signal: AbortSignal }): Promise<Probe> {
    signal.throwIfAborted();
    const round = this.#join(catalog);
    round.waiting += 1;
    let leave = (): void => {};
    try {
      return await Promise.race([
        round.result,
        new Promise<never>((_, reject) => {
          leave = () => reject(signal.reason as Error);
          signal.addEventListener('abort', leave, { once: true });
        }),
      ]);
    } finally {
      signal.removeEventListener('abort', leave);
      round.waiting -= 1;
      if (round.waiting === 0 && signal.aborted) {
        round.abort.abort(signal.reason);
        // The request is cancelled at the server before this call settles.
        await round.result.catch(() => {});
      }
    }
  }

  #join(catalog: boolean): Round {
    const open = this.#next ?? (this.#running?.begun === false ? this.#running : null);
    // A round that everybody has left ends with the reason of the last who did: nobody else's.
    if (open !== null && !open.abort.signal.aborted) {
      open.catalog ||= catalog;
      return open;
    }
    const before = this.#next ?? this.#running;
    const abort = new AbortController();
    const round: Round = { result: Promise.resolve().then(() => this.#turn(round, before)), abort, catalog, waiting: 0, begun: false };
    // Each caller sees the failure by itself; a round without callers fails unseen.
    round.result.catch(() => {});
    if (before === null) {
      this.#running = round;
    } else {
      this.#next = round;
    }
    return round;
  }

  async #turn(round: Round, before: Round | null): Promise<Probe> {
    if (before !== null) {
      await before.result.catch(() => {});
      this.#running = round;
      if (this.#next === round) {
        this.#next = null;
      }
    }
    try {
      return await this.#ask(round);
    } finally {
      if (this.#running === round) {
        this.#running = null;
      }
    }
  }

  async #ask(round: Round): Promise<Probe> {
    const { clock, tables } = this.#options;
    const { signal } = round.abort;
    signal.throwIfAborted();
    round.begun = true;
    const startedAt = clock.monotonic();
    const wanted = round.catalog || startedAt - this.#catalogAt >= CATALOG_EVERY_MS ? tables() : null;
    if (wanted === null) {
      return await this.#request(null, signal);
    }
    const probe = await this.#catalog(wanted, signal);
    this.#catalogAt = startedAt;
    return probe;
  }

  /** Of all tables together; those that are locked one by one, so that nobody waits for them but who follows them. */
  async #catalog(wanted: readonly ProbedTable[], signal: AbortSignal): Promise<Probe> {
    let single = wanted.filter(({ fullName }) => this.#locked.has(fullName));
    let probe: Probe;
    try {
      probe = await this.#request(
        wanted.filter((table) => !single.includes(table)),
        signal,
      );
    } catch (error) {
      if (single.length === wanted.length || !isLockTimeout(error)) {
        throw error;
      }
      single = [...wanted];
      probe = await this.#request([], signal);
    }
    const found = new Map(probe.tables);
    for (const table of single) {
      found.set(table.fullName, await this.#single(table, signal));
    }
    this.#locked = new Set(single.map(({ fullName }) => fullName).filter((fullName) => 'locked' in (found.get(fullName) ?? {})));
    return { ...probe, tables: found };
  }

  async #single(table: ProbedTable, signal: AbortSignal): Promise<TableProbe | LockedTable> {
    try {
      const { tables } = await this.#request([table], signal, NO_WAIT);
      return tables?.get(table.fullName) ?? tableProbe(undefined);
    } catch (error) {
      if (!isLockTimeout(error)) {
        throw error;
      }
      return { locked: this.#options.locked(error, table.fullName) };
    }
  }

  /** @param wanted null: without the catalog */
  async #request(
    wanted: readonly ProbedTable[] | null,
    signal: AbortSignal,
    request: RequestSettings = this.#options.request,
  ): Promise<Probe> {
    const { guest, clock, onDatabase } = this.#options;
    const { sets, onRow } = collector(['version', 'database', ...Array.from({ length: probeChunks(wanted?.length ?? 0) }, () => 'tables')]);
    const text = probeQuery(wanted?.map(({ name }) => name) ?? null, request);
    await guest.read((run) => run({ text, onRow }), { signal });
    const atMs = clock.now();
    const version = versionOf(sets.get('version'));
    if (version === null) {
      throw new PatchwireError('PW-S221', 'The current version is NULL: change tracking is off for the database.');
    }
    if (wanted === null) {
      return { version, atMs, tables: null };
    }
    onDatabase(databaseFacts(sets.get('database')));
    const byNumber = new Map<number, DriverRow>(sets.get('tables')?.map((row) => [Number(row['n']), row]));
    return { version, atMs, tables: new Map(wanted.map(({ fullName }, i) => [fullName, tableProbe(byNumber.get(i))])) };
  }
}

function tableProbe(row: DriverRow | undefined): TableProbe {
  const { objectId, beginVersion, minValidVersion, definition, rows } = tableFacts(row);
  return { objectId, beginVersion, minValidVersion, definition, rows };
}
