/**
 * What a leader remembers of its leads, over all refusals and reconnects (C2, C4): their tokens, and the tips that the stored tip may be if
 * Redis did not go back in time: the last acknowledged one and those whose fate is open. A token of an earlier lead is found only after Redis
 * went back beyond the last one. A lead whose answer was lost needs no memory: where its token is found, nothing was written after it.
 */

/** Beyond so many, the oldest is forgotten: the worst that follows is a new epoch that was not needed. */
const MOST = 256;
const MOST_TOKENS = 16;

export class LeadMemory {
  #tokens: readonly string[] = [];
  #tips: string[] = [];

  /** The token of the last lead first, then those of the leads before. Empty: never led. */
  get tokens(): readonly string[] {
    return this.#tokens;
  }

  /** The last acknowledged tip first, then the open ones in the order of sending. */
  get tips(): readonly string[] {
    return this.#tips;
  }

  /** The lead was taken: what was before is settled. */
  taken(token: string, tip: string): void {
    this.#tokens = [token, ...this.#tokens].slice(0, MOST_TOKENS);
    this.#tips = [tip];
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
