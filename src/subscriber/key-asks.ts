/**
 * Who waits for which keys, where not everything is held: a key that several ask for is read once, and whoever waits for several keys sees each
 * stay in step until the last is there, though it may have had to go again. Reads nothing itself; no clock.
 */
import type { HeldEntry } from './holding.ts';
import type { KeyName, LoadedRow } from './section-view.ts';

/** What is held now, and how a key is folded. */
export interface KeysHeld {
  identityOf(dataKey: string): string;
  /** null: absent; undefined: not held. */
  use(identity: string): HeldEntry | null | undefined;
}

type Row = Omit<LoadedRow, 'dataKey'>;

interface Slot {
  readonly ask: KeyAsk;
  readonly dataKey: string;
  identity: string;
  /** null: not there yet. */
  row: Row | null;
}

export class KeyAsk {
  readonly slots: readonly Slot[];
  /** How many keys are not there yet. */
  open: number;

  constructor(dataKeys: readonly string[]) {
    this.slots = dataKeys.map((dataKey) => ({ ask: this, dataKey, identity: '', row: null }));
    this.open = dataKeys.length;
  }
}

export class KeyAsks {
  readonly #asks = new Set<KeyAsk>();
  /** By identity. */
  readonly #slots = new Map<string, Set<Slot>>();
  readonly #reading = new Set<string>();
  readonly #wanted = new Map<string, KeyName>();

  /** What was being read will not come: whatever is not held is wanted again. */
  restart(held: KeysHeld): void {
    this.#slots.clear();
    this.#reading.clear();
    this.#wanted.clear();
    this.#asks.forEach((ask) => this.add(ask, held));
  }

  /** @param held null: nothing can be read now; `restart` will look */
  add(ask: KeyAsk, held: KeysHeld | null): void {
    this.#asks.add(ask);
    ask.open = ask.slots.length;
    if (held === null) {
      return;
    }
    for (const slot of ask.slots) {
      const { dataKey } = slot;
      const identity = held.identityOf(dataKey);
      slot.identity = identity;
      this.#slots.set(identity, (this.#slots.get(identity) ?? new Set()).add(slot));
      const entry = held.use(identity);
      slot.row = entry === undefined ? null : { identity, entry };
      if (slot.row !== null) {
        ask.open--;
      } else if (!this.#reading.has(identity)) {
        this.#wanted.set(identity, { identity, dataKey });
      }
    }
  }

  /** The keys to be read now; they count as being read from here on. */
  take(): readonly KeyName[] {
    const names = [...this.#wanted.values()];
    this.#wanted.clear();
    names.forEach(({ identity }) => this.#reading.add(identity));
    return names;
  }

  /** What a key is now: it was read, or has changed. */
  tell(row: Row): void {
    this.#reading.delete(row.identity);
    for (const slot of this.#slots.get(row.identity) ?? []) {
      slot.ask.open -= slot.row === null ? 1 : 0;
      slot.row = row;
    }
  }

  /** Nobody waits for it any more. */
  drop(ask: KeyAsk): void {
    this.#asks.delete(ask);
    for (const slot of ask.slots) {
      const slots = this.#slots.get(slot.identity);
      if (slots?.delete(slot) === true && slots.size === 0) {
        this.#slots.delete(slot.identity);
      }
    }
  }
}
