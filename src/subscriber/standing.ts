/** What is known of the published section at the last message applied: its versions, its state, its age (S4, S5). */
import { compareVersionTexts } from '../model/version.ts';
import type { ChangesMessage, HeartbeatMessage, SectionState } from '../wire/messages.ts';
import type { Position, Status, Unequal } from './events.ts';
import type { SectionView } from './section-view.ts';

export type StandingFacts = Pick<
  SectionView,
  'checkpoint' | 'upTo' | 'state' | 'digest' | 'pending' | 'quarantined' | 'incomplete' | 'sourceReadAtMs'
>;

export class Standing {
  #checkpoint = '0';
  #upTo: string | null = null;
  #state: SectionState = 'live';
  #pending = false;
  #quarantined = 0;
  #incomplete = false;
  /** Messages are missing for good. */
  #skipped = false;
  /** When the source last answered, by the clock here. */
  #readAtMs: number | null = null;
  /** The same by the publisher's clock, as meta has it: it counts until a message says more. */
  #metaReadAtMs: number | null = null;

  get skipped(): boolean {
    return this.#skipped;
  }

  get checkpoint(): string {
    return this.#checkpoint;
  }

  get incomplete(): boolean {
    return this.#incomplete;
  }

  /** Takes what meta, or a heartbeat, says of the moment of my last message. Versions do not go back: a late heartbeat says nothing new. */
  adopt(facts: StandingFacts): void {
    this.#checkpoint = laterVersion(this.#checkpoint, facts.checkpoint) ?? '0';
    this.#incomplete = facts.incomplete;
    this.#upTo = facts.incomplete || this.#skipped ? null : laterVersion(this.#upTo, facts.upTo);
    this.#enter(facts.state);
    this.#pending = facts.pending;
    this.#quarantined = facts.quarantined;
    this.#metaReadAtMs = facts.sourceReadAtMs;
  }

  /** From here on nothing is claimed of versions, nor that it is equal. */
  skip(): void {
    this.#skipped = true;
    this.#upTo = null;
  }

  apply(message: ChangesMessage, nowMs: number): void {
    this.#checkpoint = message.checkpoint;
    this.#upTo = this.#skipped ? null : laterVersion(this.#upTo, message.upTo);
    this.#enter(message.state ?? this.#state);
    if (message.changes.some((change) => change.op === 'unavailable')) {
      this.#quarantined = Math.max(1, this.#quarantined);
    }
    this.#readAt(Date.parse(message.changeTime), nowMs);
  }

  /** The age of the last read as the publisher's clock has it, so that the difference of two clocks does not count. */
  read({ time, sourceReadAt }: HeartbeatMessage, nowMs: number): void {
    if (sourceReadAt !== null) {
      this.#readAt(nowMs - Math.max(0, Date.parse(time) - Date.parse(sourceReadAt)), nowMs);
    }
  }

  position(nowMs: number): Pick<Position, 'checkpoint' | 'upTo' | 'ageMs'> {
    return { checkpoint: this.#checkpoint, upTo: this.#upTo, ageMs: this.ageMs(nowMs) };
  }

  /** null: unknown. */
  ageMs(nowMs: number): number | null {
    const readAtMs = this.#readAtMs ?? this.#metaReadAtMs;
    return readAtMs === null ? null : Math.max(0, nowMs - readAtMs);
  }

  /** When the documents will be older than this; null: unknown. */
  tooOldAtMs(maxAgeMs: number): number | null {
    const readAtMs = this.#readAtMs ?? this.#metaReadAtMs;
    return readAtMs === null ? null : readAtMs + maxAgeMs + 1;
  }

  /** Why documents at this standing are not equal to what the source has, by what the publisher itself says. */
  reasons(): Unequal[] {
    const reasons: Unequal[] = [];
    if (this.#state !== 'live') {
      reasons.push(this.#state === 'resyncing' ? 'section resyncing' : 'section loading');
    }
    if (this.#pending) {
      reasons.push('pending script');
    }
    if (this.#quarantined > 0) {
      reasons.push('rows quarantined');
    }
    if (this.#incomplete) {
      reasons.push('section incomplete');
    }
    if (this.#skipped) {
      reasons.push('gap skipped');
    }
    return reasons;
  }

  /** While documents are being corrected no version is claimed: it comes again with what is live. */
  #enter(state: SectionState): void {
    this.#state = state;
    if (state !== 'live') {
      this.#upTo = null;
    }
  }

  #readAt(atMs: number, nowMs: number): void {
    if (!Number.isNaN(atMs)) {
      this.#readAtMs = Math.max(this.#readAtMs ?? 0, Math.min(atMs, nowMs));
    }
  }
}

/** Why a subscriber in this status is not equal to what is published; empty: it is. */
export function unequalReasons(status: Status, waitingFor: Unequal | null, standing: Standing): readonly Unequal[] {
  switch (status) {
    case 'live':
      return standing.reasons();
    case 'waiting':
      return [waitingFor ?? 'backing off'];
    case 'disconnected':
    case 'loading':
    case 'replaying':
    case 'behind':
    case 'closed':
      return [status];
  }
}

/** The greater of two version texts; null is below all. */
export function laterVersion(a: string | null, b: string | null): string | null {
  return a === null || (b !== null && compareVersionTexts(b, a) > 0) ? b : a;
}
