/**
 * The queue of scripts that are sent and not answered: each in the order in which it was asked for, at most `inFlight` outstanding. After the
 * first refusal it sends nothing more (C2): its owner waits until all is answered and makes a new one. Knows nothing of what it sends.
 */

export interface SendingOptions {
  /** Most calls outstanding, at the moment. */
  readonly inFlight: () => number;
  /** Called once, with the first refusal. */
  readonly onRefusal: (error: unknown) => void;
}

/** Modes: sending, from construction; refused, after the first rejection, for ever. */
export class Sending {
  readonly #options: SendingOptions;
  readonly #outstanding = new Set<Promise<void>>();
  #queue: Promise<void> = Promise.resolve();
  #refusal: { readonly error: unknown } | null = null;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  /** Whether nothing that was sent is unanswered. */
  get quiet(): boolean {
    return this.#outstanding.size === 0;
  }

  /**
   * Sends when there is room, in the order of the calls. Resolves as soon as it is sent; its answer comes wrapped, so that nobody waits for it
   * unasked. `before` is waited for first, and whatever is sent after it waits with it. @throws the first refusal
   */
  send<T>(call: () => Promise<T>, before: (() => Promise<void>) | null = null): Promise<{ readonly answer: Promise<T> }> {
    const sent = this.#queue.then(async () => {
      while (this.#outstanding.size >= this.#options.inFlight() && this.#refusal === null) {
        await Promise.race(this.#outstanding);
      }
      this.throwRefusal();
      if (before !== null) {
        await before();
        this.throwRefusal();
      }
      const answer = call();
      const settled = answer.then(
        () => {},
        (error: unknown) => this.#refused(error),
      );
      this.#outstanding.add(settled);
      void settled.then(() => this.#outstanding.delete(settled));
      return { answer };
    });
    this.#queue = sent.then(
      () => {},
      () => {},
    );
    return sent;
  }

  /** Waits until everything sent has been answered. Never throws: what must come before the lead is taken again (C2). */
  async drain(): Promise<void> {
    await this.#queue;
    while (this.#outstanding.size > 0) {
      await Promise.all(this.#outstanding);
    }
  }

  throwRefusal(): void {
    if (this.#refusal !== null) {
      throw this.#refusal.error;
    }
  }

  #refused(error: unknown): void {
    if (this.#refusal === null) {
      this.#refusal = { error };
      this.#options.onRefusal(error);
    }
  }
}
