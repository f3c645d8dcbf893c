/**
 * The recipe against refilling a stale value. A fill begins before its value is read; if its key is told of until it is stored, the value may be the
 * old one, and must not be stored. What is remembered are the fills under way, and nothing else. Knows no cache.
 */
import { compareVersionTexts } from '../../model/version.ts';
import type { Invalidations } from '../invalidations.ts';
import type { Key } from '../keys.ts';

/** What a guard needs of a subscription. */
export type Told = Pick<Invalidations, 'on' | 'identityOf' | 'position' | 'horizon'>;

/** One reading of a key, from before it is read until after it is stored. */
export interface Fill {
  /**
   * Whether what was read may be stored: asked without an `await` before the storing, and once more after it where storing takes time.
   * @param version the version of the database before it was read, where the read may see an older state than the one that was told of
   */
  fresh(version?: bigint | string): boolean;
  /** It is stored, or is not going to be. */
  end(): void;
}

export class FillGuard implements Disposable {
  readonly #told: Told;
  /** By identity. */
  readonly #open = new Map<string, Set<OpenFill>>();
  readonly #off: readonly (() => void)[];

  constructor(told: Told) {
    this.#told = told;
    this.#off = [
      told.on('invalidate', ({ identity }) => this.invalidate(identity)),
      told.on('invalidateAll', () => {
        for (const identity of this.#open.keys()) {
          this.invalidate(identity);
        }
      }),
    ];
  }

  /** To be called before the value is read. While it cannot be said which keys have changed, no fill is fresh. */
  begin(key: Key): Fill {
    const identity = this.#told.identityOf(key);
    const horizon = this.#told.horizon();
    const fill: OpenFill = { valid: this.#told.position() !== null };
    const fills = this.#open.get(identity) ?? new Set();
    this.#open.set(identity, fills.add(fill));
    return {
      fresh: (version) => fill.valid && (version === undefined || (horizon !== null && compareVersionTexts(String(version), horizon) >= 0)),
      end: () => {
        fills.delete(fill);
        if (fills.size === 0 && this.#open.get(identity) === fills) {
          this.#open.delete(identity);
        }
      },
    };
  }

  /** What is being read of a key may be old: after a write of one's own, before it is told of. */
  invalidate(identity: string): void {
    this.#open.get(identity)?.forEach((fill) => {
      fill.valid = false;
    });
    this.#open.delete(identity);
  }

  /** How many keys are being filled that may still be stored, or have not ended. */
  get size(): number {
    return this.#open.size;
  }

  /** Hears nothing any more: no fill that is under way is fresh. */
  [Symbol.dispose](): void {
    this.#off.forEach((off) => off());
    for (const identity of this.#open.keys()) {
      this.invalidate(identity);
    }
  }
}

interface OpenFill {
  valid: boolean;
}

/** For a store of your own: `const fill = guard.begin(key)`, read, `if (fill.fresh()) store`, `fill.end()`. */
export function fillGuard(told: Told): FillGuard {
  return new FillGuard(told);
}
