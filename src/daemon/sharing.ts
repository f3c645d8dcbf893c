/**
 * Shares the sections between the daemons of a partition: says that this one is alive and what it leads, hears what the others say, wakes a
 * standby when its section is free, holds it back while another is to go first, and gives sections up one at a time until shares are even.
 * Courtesy only: without an answer from Redis every section leads whatever it can, and the lease decides who leads (C3).
 *
 * Looks are cheap: one HGET each look; everything is read only when somebody said something new. A section handed over or left by a clean stop
 * is announced at once, so that the next daemon takes it with its next look.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { DaemonAnnouncement, DaemonEntry, DaemonRegistry, DaemonsView } from '../manager/daemon-registry.ts';
import { asPatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionPhase } from '../observe/section-record.ts';
import { Alarm } from '../pipeline/alarm.ts';
import type { SectionShare } from '../pipeline/turn.ts';
import { assignFree, leadersOf, type Move, nextMove, type Sharer } from './fair-share.ts';
import { Member } from './sharing-member.ts';

export interface SharingOptions {
  readonly registry: DaemonRegistry;
  /** The manager's id: what leases and the registry call this daemon. */
  readonly id: string;
  readonly self: Pick<DaemonAnnouncement, 'host' | 'pid' | 'version' | 'startedAtMs'>;
  readonly sections: readonly string[];
  /** Whether this daemon reaches the section's source now; what it would only wait for is given to others. Default: always. */
  readonly reachable?: (section: string) => boolean;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Told after every look. */
  readonly told?: (status: SharingStatus) => void;
}

export interface SharingStatus {
  /** This daemon's id. */
  readonly id: string;
  /** Those alive, this one included; null: not known now. */
  readonly daemons: readonly DaemonEntry[] | null;
  readonly led: number;
  readonly standby: number;
}

const clamp = (min: number, value: number, max: number): number => Math.min(max, Math.max(min, value));

/** All times follow the lease. For 10 s: a look every 250 ms, a word every second, dead after 4 s without one, a move a second. */
export function sharingTimes(leaseMs: number) {
  return {
    lookMs: clamp(50, leaseMs / 40, 250),
    announceMs: clamp(100, leaseMs / 10, 5000),
    ttlMs: 4 * clamp(100, leaseMs / 10, 5000),
    /** How long another daemon goes first. */
    graceMs: clamp(250, leaseMs / 5, 1000),
    /** Between two sections that are given up, and after somebody joined or left. */
    paceMs: clamp(200, leaseMs / 10, 2000),
  };
}

/** Two announcements are so far apart at least: many sections that are taken at once are told together. */
const GAP_MS = 25;
const MAX_PAUSE_MS = 5000;
/** Who did not take what it was given is given nothing for so many paces at first, and for so long at most. */
const SHUN_PACES = 10;
const MAX_SHUN_MS = 600_000;
/** Departing is a courtesy that a stop does not wait for any longer. */
const DEPART_MS = 1000;

const ENDED = new Error('sharing has ended');

export class Sharing implements AsyncDisposable {
  readonly #options: SharingOptions;
  readonly #times: ReturnType<typeof sharingTimes>;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #alarm: Alarm;
  readonly #end = new AbortController();
  #run: Promise<void> | null = null;
  #joined: Promise<void> | null = null;
  #stopping = false;
  /** Something was not said yet. */
  #dirty = true;
  /** When, by the monotonic clock. */
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  #view: DaemonsView | null = null;
  #plan: Plan | null = null;
  #nextMoveAtMs = 0;
  #giving: { readonly section: string; readonly to: string; readonly untilMs: number } | null = null;
  /** By id: daemons that did not take what they were given are given nothing for some time, longer each time. */
  readonly #shunned = new Map<string, { readonly untilMs: number; readonly ms: number }>();

  constructor(options: SharingOptions) {
    const { clock, leaseMs, sections } = options;
    this.#options = options;
    this.#times = sharingTimes(leaseMs);
    this.#alarm = new Alarm(clock);
    this.#members = new Map(
      sections.map((section) => [section, new Member(section, { clock, graceMs: this.#times.graceMs, changed: () => this.#changed() })]),
    );
  }

  /** Begins, and resolves once the others know of this daemon, or cannot be told for the time being. Never rejects. */
  async join(): Promise<void> {
    this.#joined ??= new Promise((resolve) => {
      this.#run = this.#keepLooking(resolve);
    });
    await this.#joined;
  }

  /** What the section of this name is given. */
  share(section: string): SectionShare {
    const member = this.#member(section);
    return {
      patienceMs: () => this.#patienceMs(member),
      leading: () => member.leading(this.#options.clock.now()),
      released: () => member.released(),
      held: (expiresInMs) => member.held(expiresInMs),
      attach: (listener) => member.attach(listener),
    };
  }

  /** What the pipeline says of the section's phase. */
  phase(section: string, phase: SectionPhase): void {
    this.#member(section).phase(phase);
  }

  /** Nothing is to be given to this daemon any more; what it gives back is announced. */
  stop(): void {
    this.#stopping = true;
    this.#changed();
  }

  /** The section was purged: this daemon knows it no more. */
  forget(section: string): void {
    this.#member(section).forget();
  }

  status(): SharingStatus {
    const members = [...this.#members.values()].filter(({ known }) => known);
    const led = members.filter(({ ledSinceMs }) => ledSinceMs !== null).length;
    return {
      id: this.#options.id,
      daemons: this.#fresh()?.daemons ?? null,
      led,
      standby: members.filter(({ standsBy }) => standsBy).length,
    };
  }

  /** Says that this daemon is gone, as far as Redis takes it in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { registry, clock } = this.#options;
    this.#end.abort(ENDED);
    const over = new AbortController();
    const departed = (async (): Promise<void> => {
      await this.#run;
      if (this.#announcedAtMs > Number.NEGATIVE_INFINITY) {
        await registry.depart();
      }
    })().catch(() => undefined);
    await Promise.race([departed, clock.sleep(DEPART_MS, { signal: over.signal }).catch(() => undefined)]);
    over.abort(ENDED);
  }

  #member(section: string): Member {
    const member = this.#members.get(section);
    if (member === undefined) {
      throw new RangeError(`no section of this daemon: ${section}`);
    }
    return member;
  }

  #changed(): void {
    this.#dirty = true;
    this.#plan = null;
    this.#alarm.ring();
  }

  async #keepLooking(joined: () => void): Promise<void> {
    const { clock, random, log } = this.#options;
    const { signal } = this.#end;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#look();
        failures = 0;
      } catch (thrown) {
        failures += 1;
        const { code, message } = asPatchwireError(thrown);
        // The sections say what is wrong with Redis: here it is told once, and a stop is nothing wrong.
        log[failures === 1 && !signal.aborted ? 'info' : 'debug']({ code, reason: message, failures }, 'the other daemons cannot be seen');
      }
      joined();
      this.#options.told?.(this.status());
      const pauseMs = failures === 0 ? this.#times.lookMs : Math.min(MAX_PAUSE_MS, this.#times.announceMs * failures);
      const sleeping = failures === 0 ? this.#alarm.wait(pauseMs * (0.9 + 0.2 * random()), signal) : clock.sleep(pauseMs, { signal });
      await sleeping.catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { registry, clock } = this.#options;
    const sinceMs = clock.monotonic() - this.#announcedAtMs;
    const due = this.#dirty || sinceMs >= this.#times.announceMs;
    if (due || (await registry.revision()) !== this.#view?.revision) {
      if (sinceMs < GAP_MS) {
        await clock.sleep(GAP_MS - sinceMs, { signal: this.#end.signal });
      }
      await this.#announce();
    }
    this.#decide();
  }

  async #announce(): Promise<void> {
    const { registry, clock, log } = this.#options;
    this.#dirty = false;
    const atMs = clock.monotonic();
    let view: DaemonsView;
    try {
      view = await registry.announce(this.#saying(), { ttlMs: this.#times.ttlMs });
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
    const names = ({ daemons }: DaemonsView): string => daemons.map(({ id }) => id).join(' ');
    if (this.#view === null || names(this.#view) !== names(view)) {
      log.info({ daemons: view.daemons.map(({ host, pid, id }) => ({ host, pid, id })) }, 'daemons alive');
      // Who has just come may go again, and others come with it.
      this.#nextMoveAtMs = Math.max(this.#nextMoveAtMs, atMs + this.#times.paceMs);
    }
    const alive = new Set(view.daemons.map(({ id }) => id));
    [...this.#shunned.keys()].filter((id) => !alive.has(id)).forEach((id) => this.#shunned.delete(id));
    this.#view = view;
    this.#plan = null;
    this.#announcedAtMs = atMs;
  }

  #saying(): DaemonAnnouncement {
    const { sections, led, busy, unable } = this.#own();
    const since = led.map((section) => [section, this.#member(section).ledSinceMs ?? 0] as const);
    return { ...this.#options.self, sections, led: Object.fromEntries(since), busy, unable };
  }

  #own(): Omit<Sharer, 'format' | 'id'> {
    const { reachable = () => true } = this.#options;
    const known = [...this.#members.values()].filter((member) => member.known);
    const names = (which: (member: Member) => boolean): string[] => known.filter(which).map(({ section }) => section);
    return {
      sections: this.#stopping ? [] : names(() => true),
      led: names(({ ledSinceMs }) => ledSinceMs !== null),
      busy: names((member) => member.busy),
      unable: names((member) => member.unable || (member.ledSinceMs === null && !reachable(member.section))),
    };
  }

  /** The last view, while those in it may be taken to be alive. */
  #fresh(): DaemonsView | null {
    const ageMs = this.#options.clock.monotonic() - this.#announcedAtMs;
    return ageMs <= this.#times.ttlMs ? this.#view : null;
  }

  /** What follows from what all say; null: it is not known what they say. */
  #planned(): Plan | null {
    const view = this.#fresh();
    if (view === null) {
      return null;
    }
    const { id, clock } = this.#options;
    const shuns = (other: string): boolean => clock.monotonic() < (this.#shunned.get(other)?.untilMs ?? 0);
    this.#plan ??= planOf(view, id, this.#own(), shuns);
    return this.#plan;
  }

  #patienceMs(member: Member): number {
    const plan = this.#planned();
    if (plan === null || plan.leaders.has(member.section)) {
      // Somebody says that it leads: the lease knows.
      return 0;
    }
    const to = plan.assigned.get(member.section);
    return to === undefined || to === this.#options.id ? 0 : member.patienceMs();
  }

  #decide(): void {
    const plan = this.#planned();
    if (plan === null || this.#stopping) {
      return;
    }
    const { id, clock } = this.#options;
    for (const member of this.#members.values()) {
      const leader = plan.leaders.get(member.section);
      if (leader !== id && member.known) {
        const to = plan.assigned.get(member.section);
        member.hears(
          leader === undefined ? { kind: 'free', mine: to === undefined || to === id, alive: plan.alive } : { kind: 'led', by: leader },
        );
      }
    }
    const nowMs = clock.monotonic();
    if (this.#settled(plan, nowMs)) {
      // What that changes is looked at anew.
      return;
    }
    if (this.#giving === null && nowMs >= this.#nextMoveAtMs && plan.move?.from === id) {
      const { section, to } = plan.move;
      this.#options.log.info({ section, to }, 'handing a section over: another daemon leads fewer');
      this.#nextMoveAtMs = nowMs + this.#times.paceMs;
      this.#giving = { section, to, untilMs: nowMs + this.#options.leaseMs };
      this.#member(section).give();
    }
  }

  /** Whether what was given up last has come to an end just now: somebody took it, or it came back. */
  #settled(plan: Plan, nowMs: number): boolean {
    if (this.#giving === null) {
      return false;
    }
    const { section, to, untilMs } = this.#giving;
    const leader = plan.leaders.get(section);
    const taken = leader !== undefined && leader !== this.#options.id;
    if (taken) {
      this.#shunned.delete(to);
    } else if (nowMs >= untilMs || this.#member(section).cameBack) {
      const ms = Math.min(MAX_SHUN_MS, Math.max(2 * (this.#shunned.get(to)?.ms ?? 0), SHUN_PACES * this.#times.paceMs));
      this.#shunned.set(to, { untilMs: nowMs + ms, ms });
      this.#options.log.info({ section, to, ms }, 'nobody took a section that was handed over');
    } else {
      return false;
    }
    this.#giving = null;
    this.#member(section).givenUp();
    return true;
  }
}

interface Plan {
  readonly leaders: ReadonlyMap<string, string>;
  readonly assigned: ReadonlyMap<string, string>;
  readonly move: Move | null;
  readonly alive: ReadonlySet<string>;
}

function planOf(view: DaemonsView, id: string, own: Omit<Sharer, 'format' | 'id'>, shuns: (other: string) => boolean): Plan {
  const sharers = view.daemons.map((daemon): Sharer => {
    const { sections, led, busy } = daemon;
    const unable = shuns(daemon.id) ? sections : daemon.unable;
    return { id: daemon.id, format: daemon.format, ...(daemon.id === id ? own : { sections, led: Object.keys(led), busy, unable }) };
  });
  return {
    leaders: leadersOf(sharers),
    assigned: assignFree(sharers),
    move: nextMove(sharers),
    alive: new Set(sharers.map((sharer) => sharer.id)),
  };
}
