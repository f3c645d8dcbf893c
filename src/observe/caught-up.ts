/**
 * Since when a section is known to contain every change: the last look at the source that it contains all of. A heartbeat is no look: it goes on
 * while the source does not answer.
 */
export class CaughtUp {
  #look: { readonly to: bigint; readonly readAtMs: number } | null = null;
  #upTo: bigint | null = null;
  #atMs: number | null = null;

  /** When the source was looked at, ms since 1970; null: it never was, or what was found is not contained yet. */
  get atMs(): number | null {
    return this.#atMs;
  }

  phase(phase: string): void {
    if (phase !== 'live') {
      this.#look = null;
      this.#upTo = null;
    }
  }

  polled({ to, readAtMs }: { readonly to: bigint; readonly readAtMs: number }): void {
    this.#look = { to, readAtMs };
    this.#judge();
  }

  position({ upTo }: { readonly upTo: bigint | null }): void {
    this.#upTo = upTo;
    this.#judge();
  }

  #judge(): void {
    if (this.#look !== null && this.#upTo !== null && this.#upTo >= this.#look.to) {
      this.#atMs = this.#look.readAtMs;
    }
  }
}
