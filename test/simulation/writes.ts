/**
 * What writers do: every sequence that change tracking tells in one row, transactions over several tables, big ones, and those that are rolled
 * back. Each draws its particulars from a number of its own, so that taking others away does not change it. None waits. @returns false: nothing
 * of the kind could be done here
 */
import type { Random } from '../../src/lib/random.ts';
import type { Transaction } from './model-database.ts';
import { identityOf, type Key, type Row } from './model-table.ts';
import type { SimSection } from './section.ts';
import { KEYS, type World } from './world.ts';

export type Perform = (world: World, random: Random, section: SimSection) => boolean | void;

export const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
export const int = (random: Random, below: number): number => Math.floor(random() * below);

/** One transaction of a writer of its own, committed at once. @returns whether it touched a row */
export function transact(world: World, random: Random, section: SimSection, work: (write: Writer) => void): boolean {
  const writer = int(random, 4) + 10;
  work(new Writer(world, section, world.database.transaction(writer), random));
  return commit(world, random, writer);
}

function commit(world: World, random: Random, writer: number): boolean {
  const gap = world.setting.gaps && random() < 0.4 ? random() * 250 : 0;
  return world.database.commit(writer, gap);
}

/** Statements of one transaction on one table. A row that another transaction holds is passed over, as a statement that timed out. */
export class Writer {
  readonly #world: World;
  readonly #section: SimSection;
  readonly #transaction: Transaction;
  readonly #random: Random;

  constructor(world: World, section: SimSection, transaction: Transaction, random: Random) {
    this.#world = world;
    this.#section = section;
    this.#transaction = transaction;
    this.#random = random;
  }

  /** The same transaction on another table. */
  on(section: SimSection): Writer {
    return new Writer(this.#world, section, this.#transaction, this.#random);
  }

  /** Some key, of a row that is there or is not. */
  key(there: boolean | null = null): Key {
    for (let tries = 0; tries < 12; tries += 1) {
      const key = this.#section.key(int(this.#random, KEYS));
      if (there === null || (this.#row(identityOf(key)) !== null) === there) {
        return key;
      }
    }
    return this.#section.key(int(this.#random, KEYS));
  }

  insert(key: Key, state?: string): void {
    if (this.#row(identityOf(key)) === null) {
      const row = this.#section.row(key, this.#random);
      this.#write(key, state === undefined ? row : { ...row, State: state });
    }
  }

  update(key: Key): void {
    const row = this.#row(identityOf(key));
    if (row !== null && row !== undefined) {
      // The spelling stays.
      const { table } = this.#section;
      const own = Object.fromEntries(table.keyColumns.map((name) => [name, row[name] ?? null]));
      this.#write(key, { ...this.#section.row(key, this.#random), ...own });
    }
  }

  delete(key: Key): void {
    if ((this.#row(identityOf(key)) ?? null) !== null) {
      this.#write(key, null);
    }
  }

  /** SET a = a, SET pk = pk. */
  touch(key: Key): void {
    const row = this.#row(identityOf(key));
    if (row !== null && row !== undefined) {
      this.#write(key, row);
    }
  }

  /** @returns whether the row was there, and its state another */
  setState(key: Key, state: string): boolean {
    const row = this.#row(identityOf(key));
    if (row === null || row === undefined || row['State'] === state) {
      return false;
    }
    this.#write(key, { ...row, State: state });
    return true;
  }

  change(from: Key, to: Key): void {
    const row = this.#row(identityOf(from));
    if (row === null || row === undefined || this.#row(identityOf(to)) !== null) {
      return;
    }
    const { keyColumns } = this.#section.table;
    this.#write(from, null);
    this.#write(to, { ...row, ...Object.fromEntries(keyColumns.map((name, i) => [name, to[i] ?? null])) });
  }

  respell(key: Key): void {
    const row = this.#row(identityOf(key));
    const spelt = row?.['Code'];
    if (row !== null && row !== undefined && typeof spelt === 'string') {
      const spelling = spelt === spelt.toUpperCase() ? spelt.toLowerCase() : spelt.toUpperCase();
      this.#write(key, { ...row, Code: this.#random() < 0.2 ? `${spelling} ` : spelling.trimEnd() });
    }
  }

  #row(identity: string): Row | null | undefined {
    return this.#section.table.read(this.#transaction, identity);
  }

  #write(key: Key, row: Row | null): void {
    this.#section.table.write(this.#transaction, identityOf(key), row);
  }
}

/** On one key, each in a transaction of its own or all in one. */
const onOneKey =
  (there: boolean, ...verbs: readonly ('insert' | 'update' | 'delete' | 'touch')[]): Perform =>
  (world, random, section) => {
    const together = random() < 0.5;
    let key: Key | null = null;
    const step = (writer: Writer, verb: (typeof verbs)[number]): void => {
      key ??= writer.key(there);
      writer[verb](key);
    };
    if (together) {
      return transact(world, random, section, (writer) => verbs.forEach((verb) => step(writer, verb)));
    }
    return verbs.map((verb) => transact(world, random, section, (writer) => step(writer, verb))).some((done) => done);
  };

/** Another table of the database, where there is one. */
function another(world: World, random: Random, section: SimSection): SimSection | null {
  const others = world.sections.filter((each) => each !== section);
  return others.length === 0 ? null : pick(random, others);
}

export const WRITES = {
  insert: onOneKey(false, 'insert'),
  update: onOneKey(true, 'update'),
  delete: onOneKey(true, 'delete'),
  insertUpdate: onOneKey(false, 'insert', 'update'),
  insertDelete: onOneKey(false, 'insert', 'delete'),
  updateDelete: onOneKey(true, 'update', 'delete'),
  deleteInsert: onOneKey(true, 'delete', 'insert'),
  deleteInsertUpdate: onOneKey(true, 'delete', 'insert', 'update'),
  deleteInsertTwice: onOneKey(true, 'delete', 'insert', 'delete', 'insert'),
  insertDeleteInsert: onOneKey(false, 'insert', 'delete', 'insert'),
  updateTwice: onOneKey(true, 'update', 'update'),
  noop: onOneKey(true, 'touch'),
  noRows: (world, random, section) => {
    transact(world, random, section, () => {});
  },
  changeKey: (world, random, section) => transact(world, random, section, (writer) => writer.change(writer.key(true), writer.key(false))),
  shiftKeys: (world, random, section) =>
    transact(world, random, section, (writer) => {
      for (let n = KEYS; n > 0; n -= 1) {
        writer.change(section.key(n - 1), section.key(n));
      }
    }),
  respell: (world, random, section) =>
    section.table.keyType !== 'int' && transact(world, random, section, (writer) => writer.respell(writer.key(true))),
  leaveFilter: (world, random, section) => {
    let left = false;
    transact(world, random, section, (writer) => {
      left = writer.setState(writer.key(true), 'gone');
    });
    return left && section.filtered;
  },
  enterFilter: (world, random, section) => {
    let entered = false;
    transact(world, random, section, (writer) => {
      entered = writer.setState(writer.key(true), 'ok');
    });
    return entered && section.filtered;
  },
  /** As a foreign key with cascades would: a row and those that belong to it come and go in one transaction over two tables. */
  acrossTables: (world, random, section) => {
    const other = another(world, random, section);
    if (other === null) {
      return false;
    }
    const goes = random() < 0.5;
    return transact(world, random, section, (parent) => {
      const children = parent.on(other);
      const verb = goes ? 'delete' : 'insert';
      parent[verb](parent.key(goes));
      for (let n = 0; n < 3; n += 1) {
        children[verb](children.key(goes));
      }
    });
  },
  merge: (world, random, section) =>
    transact(world, random, section, (writer) => {
      for (let n = 0; n < 4; n += 1) {
        pick(random, [
          () => writer.insert(writer.key(false)),
          () => writer.update(writer.key(true)),
          () => writer.delete(writer.key(true)),
        ])();
      }
    }),
  /** More rows than any page holds. */
  bigTransaction: (world, random, section) =>
    transact(world, random, section, (writer) => {
      for (let n = 0; n < KEYS; n += 1) {
        const key = section.key(n);
        pick(random, [
          () => writer.insert(key),
          () => writer.update(key),
          () => writer.update(key),
          () => writer.delete(key),
          () => writer.touch(key),
        ])();
      }
    }),
  rollback: (world, random, section) => {
    const writer = new Writer(world, section, world.database.transaction(20), random);
    writer.update(writer.key(true));
    writer.insert(writer.key(false));
    world.database.rollback(20);
  },
  beginWork: (world, random, section) => {
    const id = int(random, 2);
    const writer = new Writer(world, section, world.database.transaction(id), random);
    writer.update(writer.key(true));
    pick(random, [() => writer.insert(writer.key(false)), () => writer.delete(writer.key(true)), () => writer.respell(writer.key(true))])();
  },
  endWork: (world, random) => {
    const id = int(random, 2);
    if (random() < 0.7) {
      return commit(world, random, id);
    }
    const open = world.database.isOpen(id);
    world.database.rollback(id);
    return open;
  },
  elsewhere: (world) => world.database.elsewhere(),
} satisfies Record<string, Perform>;
