/**
 * What may happen in a history: every sequence of writes that change tracking tells in one row, what breaks its history, faults of processes,
 * Redis, source and subscribers, and what operators ask. Each action draws its particulars from a number of its own, so that taking others
 * away does not change it. None waits.
 */
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type { Row, Transaction, Value } from './model-database.ts';
import type { SimDaemon } from './sim-daemon.ts';
import { KEYS, type World } from './world.ts';

export interface Action {
  readonly name: ActionName;
  /** Its particulars. */
  readonly n: number;
  /** When it happens after the one before: after so much time, or at the so-maniest call or statement if that comes first. */
  readonly afterMs: number;
  readonly afterCalls: number | null;
}

type Perform = (world: World, random: Random) => void;

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
const int = (random: Random, below: number): number => Math.floor(random() * below);

/** One transaction of a writer of its own, committed at once. */
function transact(world: World, random: Random, work: (write: Writer) => void): void {
  const writer = int(random, 4) + 10;
  work(new Writer(world, world.database.transaction(writer), random));
  commit(world, random, writer);
}

function commit(world: World, random: Random, writer: number): void {
  const gap = world.setting.gaps && random() < 0.4 ? random() * 250 : 0;
  world.database.commit(writer, gap);
}

/** Statements of one transaction. A row that another transaction holds is passed over, as a statement that timed out. */
class Writer {
  readonly #world: World;
  readonly #transaction: Transaction;
  readonly #random: Random;

  constructor(world: World, transaction: Transaction, random: Random) {
    this.#world = world;
    this.#transaction = transaction;
    this.#random = random;
  }

  /** Some key, of a row that is there or is not. */
  key(there: boolean | null = null): Value {
    const { database } = this.#world;
    for (let tries = 0; tries < 12; tries += 1) {
      const key = this.#world.key(int(this.#random, KEYS));
      if (there === null || (this.#row(database.identity(key)) !== null) === there) {
        return key;
      }
    }
    return this.#world.key(int(this.#random, KEYS));
  }

  insert(key: Value): void {
    const { database } = this.#world;
    if (this.#row(database.identity(key)) === null) {
      this.#write(key, this.#world.row(key, this.#random));
    }
  }

  update(key: Value): void {
    const row = this.#row(this.#world.database.identity(key));
    if (row !== null && row !== undefined) {
      this.#write(key, { ...this.#world.row(key, this.#random), Code: row['Code'] ?? null });
    }
  }

  delete(key: Value): void {
    if ((this.#row(this.#world.database.identity(key)) ?? null) !== null) {
      this.#write(key, null);
    }
  }

  /** SET a = a, SET pk = pk. */
  touch(key: Value): void {
    const row = this.#row(this.#world.database.identity(key));
    if (row !== null && row !== undefined) {
      this.#write(key, row);
    }
  }

  change(from: Value, to: Value): void {
    const { database } = this.#world;
    const row = this.#row(database.identity(from));
    if (row === null || row === undefined || this.#row(database.identity(to)) !== null) {
      return;
    }
    this.#write(from, null);
    this.#write(to, { ...row, Code: to });
  }

  respell(key: Value): void {
    const row = this.#row(this.#world.database.identity(key));
    const spelt = row?.['Code'];
    if (row !== null && row !== undefined && typeof spelt === 'string') {
      const spelling = spelt === spelt.toUpperCase() ? spelt.toLowerCase() : spelt.toUpperCase();
      this.#write(key, { ...row, Code: this.#random() < 0.2 ? `${spelling} ` : spelling.trimEnd() });
    }
  }

  #row(identity: string): Row | null | undefined {
    return this.#world.database.read(this.#transaction, identity);
  }

  #write(key: Value, row: Row | null): void {
    const { database } = this.#world;
    database.write(this.#transaction, database.identity(key), row);
  }
}

/** On one key, each in a transaction of its own or all in one. */
const onOneKey =
  (there: boolean, ...verbs: readonly ('insert' | 'update' | 'delete' | 'touch')[]): Perform =>
  (world, random) => {
    const together = random() < 0.5;
    let key: Value | null = null;
    const step = (writer: Writer, verb: (typeof verbs)[number]): void => {
      key ??= writer.key(there);
      writer[verb](key);
    };
    if (together) {
      transact(world, random, (writer) => verbs.forEach((verb) => step(writer, verb)));
    } else {
      verbs.forEach((verb) => transact(world, random, (writer) => step(writer, verb)));
    }
  };

const WRITES = {
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
  noRows: (world, random) => transact(world, random, () => {}),
  changeKey: (world, random) => transact(world, random, (writer) => writer.change(writer.key(true), writer.key(false))),
  shiftKeys: (world, random) =>
    transact(world, random, (writer) => {
      for (let n = KEYS; n > 0; n -= 1) {
        writer.change(world.key(n - 1), world.key(n));
      }
    }),
  respell: (world, random) => transact(world, random, (writer) => writer.respell(writer.key(true))),
  merge: (world, random) =>
    transact(world, random, (writer) => {
      for (let n = 0; n < 4; n += 1) {
        pick(random, [
          () => writer.insert(writer.key(false)),
          () => writer.update(writer.key(true)),
          () => writer.delete(writer.key(true)),
        ])();
      }
    }),
  bigTransaction: (world, random) =>
    transact(world, random, (writer) => {
      for (let n = 0; n < KEYS; n += 1) {
        const key = world.key(n);
        pick(random, [
          () => writer.insert(key),
          () => writer.update(key),
          () => writer.update(key),
          () => writer.delete(key),
          () => writer.touch(key),
        ])();
      }
    }),
  rollback: (world, random) => {
    const writer = new Writer(world, world.database.transaction(20), random);
    writer.update(writer.key(true));
    writer.insert(writer.key(false));
    world.database.rollback(20);
  },
  beginWork: (world, random) => {
    const id = int(random, 2);
    const writer = new Writer(world, world.database.transaction(id), random);
    writer.update(writer.key(true));
    pick(random, [() => writer.insert(writer.key(false)), () => writer.delete(writer.key(true)), () => writer.respell(writer.key(true))])();
  },
  endWork: (world, random) => {
    const id = int(random, 2);
    if (random() < 0.7) {
      commit(world, random, id);
    } else {
      world.database.rollback(id);
    }
  },
  elsewhere: (world) => world.database.elsewhere(),
} satisfies Record<string, Perform>;

/** Begin and min valid become current: to be seen only where they were not current before. */
function cutHistory(world: World, cut: () => void): void {
  const { database } = world;
  const hidden = database.tracking === null || database.tracking.begin === database.version;
  cut();
  world.oracle.break();
  world.hidden ||= hidden;
}

const BREAKS = {
  truncate: (world) => cutHistory(world, () => world.database.truncate()),
  truncateTwice: (world, random) => {
    cutHistory(world, () => world.database.truncate());
    if (random() < 0.5) {
      transact(world, random, (writer) => writer.insert(writer.key(false)));
    }
    cutHistory(world, () => world.database.truncate());
  },
  cleanup: (world, random) => {
    const { database } = world;
    const back = BigInt(int(random, 4));
    database.cleanUp(database.version > back ? database.version - back : 0n);
  },
  disableEnable: (world, random) => {
    cutHistory(world, () => {
      world.database.disable();
      if (random() < 0.5) {
        transact(world, random, (writer) => writer.update(writer.key(true)));
      }
      if (random() < 0.5) {
        world.database.enable();
      } else {
        void world.clock.sleep(random() * 3000).then(() => world.database.enable());
      }
    });
  },
  databaseOffOn: (world, random) => {
    cutHistory(world, () => {
      world.database.disable();
      world.database.databaseTracking = false;
      transact(world, random, (writer) => writer.delete(writer.key(true)));
      void world.clock.sleep(random() * 2000).then(() => {
        world.database.databaseTracking = true;
        world.database.enable();
      });
    });
  },
  dropCreate: (world, random) => {
    world.oracle.break();
    world.database.replaceTable(new Map());
    void world.clock.sleep(random() < 0.5 ? 0 : random() * 2000).then(() => world.database.enable());
  },
  swapByRename: (world, random) => {
    world.oracle.break();
    const { database } = world;
    const rows = new Map(
      [...database.rows].filter(() => random() < 0.7).map(([identity, row]): [string, Row] => [identity, { ...row, S: 'c' }]),
    );
    database.replaceTable(rows);
    database.enable();
  },
  backUp: (world) => world.database.backUp(),
  restore: (world) => {
    if (world.database.restore()) {
      world.oracle.break();
      // What it says of versions may soon be overtaken: nobody is asked to notice.
      world.hidden = true;
      world.server.cuts.push(0, 0);
    }
  },
  addColumn: (world, random) => {
    world.database.addColumn(random() < 0.5 ? 'd' : null);
    world.oracle.break();
    world.hidden = true;
  },
  dropColumn: (world) => {
    if (world.database.dropColumn()) {
      world.oracle.break();
      world.hidden = true;
    }
  },
  revoke: (world, random) => {
    world.database.allowed = false;
    void world.clock.sleep(random() * 3000).then(() => {
      world.database.allowed = true;
    });
  },
} satisfies Record<string, Perform>;

function living(world: World, random: Random): SimDaemon | undefined {
  const alive = world.daemons.filter((daemon) => daemon !== null && daemon.alive) as SimDaemon[];
  return alive[int(random, alive.length)];
}

const FAULTS = {
  crash: (world, random) => living(world, random)?.crashAt(1 + int(random, 14), random() < 0.5 ? 'before' : 'after'),
  crashSoon: (world, random) => living(world, random)?.crashAt(1 + int(random, 3), random() < 0.5 ? 'before' : 'after'),
  kill: (world, random) => world.kill(int(random, 2)),
  terminate: (world, random) => living(world, random)?.stop(),
  freeze: (world, random) => living(world, random)?.freeze(random() * 6000),
  secondDaemon: (world) => world.start(1),
  lostBefore: (world) => world.redis.faults.push('lostBefore'),
  lostAfter: (world) => world.redis.faults.push('lostAfter'),
  lateScript: (world) => world.redis.faults.push('late'),
  tornScript: (world) => world.redis.faults.push('tear'),
  cutRedis: (world) => world.redis.cut(),
  cutLine: (world, random) => [...world.redis.lines][int(random, world.redis.lines.size)]?.cut(),
  redisRefuses: (world, random) => {
    world.redis.refusesUntil = world.clock.now() + random() * 2000;
  },
  redisSlow: (world, random) => {
    world.redis.slow = { untilMs: world.clock.now() + 3000, ms: random() * 250 };
  },
  redisFlushed: (world) => {
    if (world.random() < 0.5) {
      world.redis.cut();
    }
    world.redis.flush();
  },
  redisRewound: (world, random) => {
    world.redis.rewind(1 + int(random, 8));
    if (random() < 0.7) {
      world.redis.cut();
      world.replicas.forEach((replica) => replica.cut());
    }
  },
  redisFailover: (world, random) => {
    world.redis.cut();
    world.replicas.forEach((replica) => replica.cut());
    world.redis.rewind(1 + int(random, 3));
    world.redis.refusesUntil = world.clock.now() + random() * 800;
  },
  leaseExpires: (world) => {
    world.stored.lease = null;
  },
  sourceSlow: (world, random) => {
    world.server.slowMs = random() * 60;
    void world.clock.sleep(1500).then(() => {
      world.server.slowMs = 0;
    });
  },
  sourceCut: (world, random) => world.server.cuts.push(...Array.from({ length: 1 + int(random, 3) }, () => int(random, 12))),
  replicaCut: (world, random) => world.replicas[int(random, 2)]?.cut(),
  replicaDeaf: (world, random) => world.replicas[int(random, 2)]?.deafen(),
  garbage: (world, random) => world.replicas[int(random, 2)]?.garble(pick(random, ['', 'x', '{"v":2,"type":"changes"}', '{"v":1}', '[[['])),
} satisfies Record<string, Perform>;

const REQUESTS = {
  askReset: (world) => world.ask('reset'),
  askResetTo: (world, random) => {
    const checkpoint = world.stored.meta?.checkpoint ?? 0n;
    const back = BigInt(int(random, 5));
    world.ask('reset', { to: (checkpoint > back ? checkpoint - back : 0n).toString() });
  },
  askPoll: (world) => world.ask('poll'),
  askPause: (world, random) => {
    world.ask('pause', { what: random() < 0.5 ? 'all' : 'load' });
    void world.clock.sleep(random() * 3000).then(() => world.ask('resume'));
  },
  askSkip: (world) => world.ask('set', { to: world.database.version.toString(), skipChanges: 'true' }),
  askPurge: (world) => world.ask('purge'),
} satisfies Record<string, Perform>;

export const KINDS = { write: WRITES, break: BREAKS, fault: FAULTS, request: REQUESTS } as const;

export type ActionName = keyof typeof WRITES | keyof typeof BREAKS | keyof typeof FAULTS | keyof typeof REQUESTS;

const ALL: Readonly<Record<string, Perform>> = { ...WRITES, ...BREAKS, ...FAULTS, ...REQUESTS };

export const ACTION_NAMES = Object.keys(ALL) as readonly ActionName[];

export function perform(world: World, action: Action): void {
  world.tell(`${action.name} #${action.n}`);
  ALL[action.name]?.(world, seededRandom(action.n));
}
