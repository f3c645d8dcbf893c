/**
 * What a leader remembers of its leads, over all refusals and reconnects (C2, C4): its tokens, and the tips that the stored tip may be if
 * Redis did not go back in time: the last acknowledged one and those whose fate is open.
 */

/** Beyond so many, the oldest is forgotten: the worst that follows is a new epoch that was not needed. */
const MOST = 256;

export class LeadMemory {
  #tokens: string[] = [];
  #tips: string[] = [];

  get tokens(): readonly string[] {
    return this.#tokens;
  }

  /** The last acknowledged tip first, then the open ones in the order of sending. */
  get tips(): readonly string[] {
    return this.#tips;
  }

  /** A lead is tried: it may succeed without our knowing, with this token and, if it draws an epoch, this tip. */
  trying(token: string, tip: string): void {
    this.#tokens = [...this.#tokens, token].slice(-MOST);
    this.#tips = [...this.#tips, tip].slice(-MOST);
  }

  /** The lead was taken: what was before is settled. */
  taken(token: string, tip: string): void {
    this.#tokens = [token];
    this.#tips = [tip];
  }

  /** The try is known to have changed nothing. */
  refused(token: string, tip: string): void {
    this.#tokens = this.#tokens.filter((one) => one !== token);
    this.#tips = this.#tips.filter((one) => one !== tip);
  }

  sent(tip: string): void {
    this.#tips.push(tip);
    if (this.#tips.length > MOST) {
      this.#tips.shift();
    }
  }

  /** Answers come in the order of sending: what was sent before this tip can be the stored one no more. */
  acknowledged(tip: string): void {
    const at = this.#tips.indexOf(tip);
    if (at > 0) {
      this.#tips.splice(0, at);
    }
  }
}
