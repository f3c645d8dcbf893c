/**
 * Opens a server's adapter once for all sections that need it, however many ask: the first asks, the others wait for the same answer. After a
 * failure the next one to ask opens it again.
 */

export class SharedOpening {
  readonly #open: () => Promise<void>;
  #under: Promise<void> | null = null;

  constructor(open: () => Promise<void>) {
    this.#open = open;
  }

  /** Resolves when it is open. @throws what opening threw */
  async opened(): Promise<void> {
    this.#under ??= this.#open().catch((error: unknown) => {
      this.#under = null;
      throw error;
    });
    await this.#under;
  }
}
