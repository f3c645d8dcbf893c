/** What is known of the published section at the last message applied: its versions, its state, its age (S4, S5). */
import { compareVersionTexts } from '../model/version.ts';
import type { ChangesMessage, HeartbeatMessage, SectionState } from '../wire/messages.ts';
import type { Position, Status, Unequal } from './events.ts';
import type { SectionView } from './section-view.ts';

export type StandingFacts = Pick<SectionView, 'checkpoint' | 'upTo' | 'state' | 'digest' | 'pending' | 'quarantined' | 'incomplete'>;

export class Standing {
  #checkpoint = '0';
  #upTo: string | null = null;
  #state: SectionState = 'live';
  #pending = false;
  #quarantined = 0;
  #incomplete = false;
  /** When the source last answered, by the clock here. */
  #readAtMs: number | null = null;

  /** Takes what meta, or a heartbeat, says of the moment of my last message. Versions do not go back: a late heartbeat says nothing new. */
  adopt(facts: StandingFacts): void {
    this.#checkpoint = laterVersion(this.#checkpoint, facts.checkpoint) ?? '0';
    this.#incomplete = facts.incomplete;
    this.#upTo = facts.incomplete ? null : laterVersion(this.#upTo, facts.upTo);
    this.#state = facts.state;
    this.#pending = facts.pending;
    this.#quarantined = facts.quarantined;
  }

  apply(message: ChangesMessage, nowMs: number): void {
    this.#checkpoint = message.checkpoint;
    this.#upTo = laterVersion(this.#upTo, message.upTo);
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
    const ageMs = this.#readAtMs === null ? null : Math.max(0, nowMs - this.#readAtMs);
    return { checkpoint: this.#checkpoint, upTo: this.#upTo, ageMs };
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
    return reasons;
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
    case 'closed':
      return [status];
  }
}

/** The greater of two version texts; null is below all. */
export function laterVersion(a: string | null, b: string | null): string | null {
  return a === null || (b !== null && compareVersionTexts(b, a) > 0) ? b : a;
}
