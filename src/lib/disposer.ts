/** Releases what was acquired, in reverse order: Node 20 has no AsyncDisposableStack. */

export class Disposer implements AsyncDisposable {
  readonly #releases: (() => void | Promise<void>)[] = [];

  /** Keeps `resource` until disposal and returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#releases.push(() => Promise.resolve(resource[Symbol.asyncDispose]()));
    return resource;
  }

  /** Runs `release` at disposal. */
  defer(release: () => void | Promise<void>): void {
    this.#releases.push(release);
  }

  /** Releases everything, last acquired first, even if one release fails. @throws the first failure, after all have run. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw failures[0];
    }
  }
}
