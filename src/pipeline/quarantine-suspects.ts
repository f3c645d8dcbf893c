/**
 * Finds the row that Redis does not take: remembers, over the leads that each refusal costs (C2), which rows were on their way when the chain
 * broke, and has them sent in ever smaller groups until one row is left. What Redis refuses for the moment never comes here. Remembers keys and a
 * checksum of one document, never a document; decides nothing about how a row is set aside.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { RowWrite } from '../manager/distributed-data-manager.ts';
import type { PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';

/** Rows that were on their way in so many losses of the connection running are suspected of having caused them. */
export const LOSSES_TO_SUSPECT = 3;
/** A row alone behind a write that was acknowledged, and the connection is lost over it: so often it is believed. */
const LOSSES_TO_CONDEMN = 3;
/** Most rows remembered; the oldest go. */
const MOST = 20_000;
/** Each round costs a lead, and perhaps a connection, each part but a script: so not in halves. */
const PARTS = 8;
/** Before the lead is taken again. */
const PAUSE_MS = 100;

export interface Verdict {
  /** What Redis said, or that it said nothing. */
  readonly message: string;
  readonly checksum: string;
}

/** A batch that is on its way. */
export interface Flight {
  readonly rows: readonly RowWrite[];
  /** Nothing else is, and just before it Redis took a script without rows. */
  readonly alone: boolean;
}

interface Suspect {
  losses: number;
  /** Suspects of one group may be sent together; null: only watched so far. */
  group: number | null;
}

/** One for each section: outlives its leads. */
export class Suspects {
  readonly #options: { readonly clock: Clock; readonly logger: Logger };
  readonly #rows = new Map<string, Suspect>();
  readonly #verdicts = new Map<string, Verdict>();
  #groups = 0;
  #grouped = 0;
  #due = false;

  constructor(options: { readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
  }

  /** The last break is being looked into: the lead is taken again at once. */
  get due(): boolean {
    return this.#due;
  }

  /** Whether rows are looked for: nothing else is sent meanwhile until the script before is answered. */
  get searching(): boolean {
    return this.#grouped > 0;
  }

  /** What a row may be sent together with: rows of the same group; null: with any other that has none. */
  group(identity: string): number | null {
    return this.#rows.size === 0 ? null : (this.#rows.get(identity)?.group ?? null);
  }

  /** Why exactly this document must be set aside; null: nothing is known against it. */
  verdict(identity: string, document: string): Verdict | null {
    if (this.#verdicts.size === 0) {
      return null;
    }
    const verdict = this.#verdicts.get(identity);
    return verdict !== undefined && verdict.checksum === checksumOf(document) ? verdict : null;
  }

  /** Redis has it as it is, or as it was set aside. */
  cleared(identity: string): void {
    if (this.#rows.size > 0 && this.#rows.has(identity)) {
      this.#drop(identity);
    }
    this.#verdicts.delete(identity);
  }

  /**
   * The chain broke. `refused`: the batch whose script came back first; null: another script did. `flying`: all that were sent and not answered.
   */
  broke(error: PatchwireError, refused: Flight | null, flying: readonly Flight[]): void {
    const lost = error.code === 'PW-M311';
    const flights = lost ? flying : error.code === 'PW-M316' && refused !== null ? [refused] : [];
    const sent = flights.flatMap(({ rows }) => rows).filter(({ next }) => next !== null);
    if (sent.length === 0) {
      return;
    }
    for (const { identity } of sent) {
      const known = this.#rows.get(identity);
      this.#rows.set(identity, { losses: (known?.losses ?? 0) + 1, group: known?.group ?? null });
    }
    this.#bound();
    const [only] = sent;
    if (only !== undefined && sent.length === 1 && flights.every(({ alone }) => alone)) {
      this.#alone(error, only, lost);
    } else {
      const all = sent.map(({ identity }) => identity);
      const suspected = lost ? all.filter((identity) => (this.#rows.get(identity)?.losses ?? 0) >= LOSSES_TO_SUSPECT) : all;
      if (suspected.length > 0) {
        this.#split(suspected);
      }
    }
  }

  /** Goes on with the search after a moment. @returns false when the last break was none of it. @throws the signal's reason */
  async takeOn(signal: AbortSignal): Promise<boolean> {
    const due = this.#due;
    this.#due = false;
    if (due) {
      await this.#options.clock.sleep(PAUSE_MS, { signal });
    }
    return due;
  }

  /** Parts, each to be sent by itself; a row that is the last of its group goes alone. */
  #split(identities: readonly string[]): void {
    this.#due = true;
    const size = Math.ceil(identities.length / PARTS);
    for (let at = 0; at < identities.length; at += size) {
      this.#groups += 1;
      for (const identity of identities.slice(at, at + size)) {
        const suspect = this.#rows.get(identity);
        if (suspect !== undefined) {
          this.#grouped += suspect.group === null ? 1 : 0;
          suspect.group = this.#groups;
          suspect.losses = 0;
        }
      }
    }
    this.#options.logger.warn({ rows: identities.length }, 'redis does not take these rows together: they are sent in parts');
  }

  #alone(error: PatchwireError, { identity, next }: RowWrite, lost: boolean): void {
    this.#due = true;
    const losses = this.#rows.get(identity)?.losses ?? 0;
    if (lost && losses < LOSSES_TO_CONDEMN) {
      return;
    }
    const reply = error.details['reply'];
    const message = lost
      ? `Redis lost the connection ${losses} times running when this row came alone.`
      : `Redis refused this row alone: ${typeof reply === 'string' ? reply.slice(0, 200) : error.code}`;
    this.#drop(identity);
    this.#verdicts.set(identity, { message, checksum: checksumOf(next?.document ?? '') });
  }

  #drop(identity: string): void {
    this.#grouped -= (this.#rows.get(identity)?.group ?? null) === null ? 0 : 1;
    this.#rows.delete(identity);
  }

  #bound(): void {
    for (const identity of this.#rows.keys()) {
      if (this.#rows.size <= MOST) {
        return;
      }
      this.#drop(identity);
    }
  }
}

function checksumOf(document: string): string {
  return createHash('sha256').update(document).digest('base64url');
}
