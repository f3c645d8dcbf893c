/**
 * The part of the port that is about the partition and not about a section: which daemons are alive, which sections each knows and leads, and
 * who holds which lease. What daemons say of themselves decides nothing: only a lease does, and only a leader writes (C3). It lives on another
 * slot than any section, so it never shares a script with one.
 */

/** What a daemon says of itself. */
export interface DaemonAnnouncement {
  readonly host: string;
  readonly pid: number;
  /** Of the package. */
  readonly version: string;
  readonly startedAtMs: number;
  /** The sections that it knows and would lead; none while it stops. */
  readonly sections: readonly string[];
  /** Those that it leads, and since when (ms since 1970, its own clock). */
  readonly led: Readonly<Record<string, number>>;
  /** Of those that it leads: not to be moved now. */
  readonly busy: readonly string[];
  /** Of those that it knows: it tried, and cannot lead them for the time being. */
  readonly unable: readonly string[];
}

export interface DaemonEntry extends DaemonAnnouncement {
  /** The manager's id: what a lease names. */
  readonly id: string;
  /** The newest format of a section that it reads and writes. */
  readonly format: number;
  /** By the clock of the store, ms since 1970. */
  readonly seenAtMs: number;
}

export interface DaemonsView {
  /** Another text whenever somebody joined, left, died, or said something new. '' when nobody ever did. */
  readonly revision: string;
  /** The clock of the store, ms since 1970. */
  readonly nowMs: number;
  /** Those alive, by id. */
  readonly daemons: readonly DaemonEntry[];
}

export interface LeaseHeld {
  /** The manager's id. */
  readonly by: string;
  readonly expiresInMs: number;
}

export interface DaemonRegistry {
  /**
   * Says that this manager's daemon is alive for the next `ttlMs`, and removes who is not. Time is that of the store.
   * @throws PW-M301, PW-M310, PW-M311, PW-M312
   */
  announce(announcement: DaemonAnnouncement, options: { readonly ttlMs: number }): Promise<DaemonsView>;
  /** It is gone: others need not wait for the end of its time. */
  depart(): Promise<void>;
  /** Who is alive, without being one of them. */
  view(): Promise<DaemonsView>;
  /** The revision alone: the cheap look. */
  revision(): Promise<string>;
  /** Who holds the lease of each section; null: nobody. One look for all of them. */
  leases(sections: readonly string[]): Promise<ReadonlyMap<string, LeaseHeld | null>>;
}
