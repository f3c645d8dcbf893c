/**
 * What may happen in a history: writes (writes.ts), what breaks the history that change tracking keeps, faults of processes, Redis, source, clocks
 * and subscribers, what somebody else damages in Redis, and what operators ask. Each action draws its particulars from a number of its own, so
 * that taking others away does not change it. None waits. @returns false: nothing of the kind could be done here
 */
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type { Row } from './model-table.ts';
import type { SimSection } from './section.ts';
import type { ManagedDaemon, World } from './world.ts';
import { int, type Perform, pick, transact, WRITES } from './writes.ts';

export interface Action {
  readonly name: ActionName;
  /** Its particulars. */
  readonly n: number;
  /** When it happens after the one before: after so much time, or at the so-maniest call or statement if that comes first. */
  readonly afterMs: number;
  readonly afterCalls: number | null;
}

/** Begin and min valid become current: to be seen only where they were not current before. */
function cutHistory(world: World, { table, oracle }: SimSection, cut: () => void): boolean {
  const hidden = table.tracking === null || table.tracking.begin === world.database.version;
  cut();
  oracle.break();
  return hidden;
}

/** Of the newest column that was added; where there is none, one is, and it happens a little later. */
function onAddedColumn(world: World, random: Random, { table, oracle }: SimSection, change: () => void): void {
  const happen = (): void => {
    if (!world.healing) {
      change();
      oracle.break();
    }
  };
  if (table.columns.at(-1)?.name.startsWith('X') === true) {
    happen();
  } else {
    table.addColumn('d');
    oracle.break();
    world.later(random() * 1000, happen);
  }
}

const BREAKS = {
  truncate: (world, _, section) => {
    section.hidden = cutHistory(world, section, () => section.table.truncate()) || section.hidden;
  },
  truncateTwice: (world, random, section) => {
    section.hidden = cutHistory(world, section, () => section.table.truncate()) || section.hidden;
    if (random() < 0.5) {
      transact(world, random, section, (writer) => writer.insert(writer.key(false)));
    }
    section.hidden = cutHistory(world, section, () => section.table.truncate()) || section.hidden;
  },
  cleanup: (world, random, { table }) => {
    const back = BigInt(int(random, 4));
    const { version } = world.database;
    return table.cleanUp(version > back ? version - back : 0n);
  },
  disableEnable: (world, random, section) => {
    const { table } = section;
    const hidden = cutHistory(world, section, () => {
      table.disable();
      if (random() < 0.5) {
        transact(world, random, section, (writer) => writer.update(writer.key(true)));
      }
      if (random() < 0.5) {
        table.enable();
      } else {
        world.later(random() * 3000, () => table.enable());
      }
    });
    section.hidden ||= hidden;
  },
  databaseOffOn: (world, random, section) => {
    const { database, sections } = world;
    for (const each of sections) {
      const hidden = cutHistory(world, each, () => each.table.disable());
      each.hidden ||= hidden;
    }
    database.databaseTracking = false;
    transact(world, random, section, (writer) => writer.delete(writer.key(true)));
    world.later(random() * 2000, () => {
      database.databaseTracking = true;
      sections.forEach(({ table }) => table.enable());
    });
  },
  dropCreate: (world, random, { table, oracle }) => {
    oracle.break();
    table.replace(new Map());
    world.later(random() < 0.5 ? 0 : random() * 2000, () => table.enable());
  },
  swapByRename: (_, random, { table, oracle }) => {
    oracle.break();
    const rows = new Map(
      [...table.rows].filter(() => random() < 0.7).map(([identity, row]): [string, Row] => [identity, { ...row, S: 'c' }]),
    );
    table.replace(rows);
    table.enable();
  },
  backUp: (world) => world.database.backUp(),
  /** To the last backup; where there is none, one is made and restored a little later. */
  restore: (world, random) => {
    const restore = (): void => {
      if (world.healing || !world.database.restore()) {
        return;
      }
      for (const section of world.sections) {
        section.oracle.break();
        // What it says of versions may soon be overtaken: nobody is asked to notice.
        section.hidden = true;
      }
      world.source.cut(2);
    };
    if (world.database.canRestore) {
      restore();
    } else {
      world.database.backUp();
      world.later(random() * 1000, restore);
    }
  },
  addColumn: (_, random, section) => {
    section.table.addColumn(random() < 0.5 ? 'd' : null);
    section.oracle.break();
  },
  dropColumn: (world, random, section) => onAddedColumn(world, random, section, () => void section.table.dropColumn()),
  renameColumn: (world, random, section) => onAddedColumn(world, random, section, () => void section.table.renameColumn()),
  revoke: (world, random, { table }) => {
    table.allowed = false;
    world.later(random() * 3000, () => {
      table.allowed = true;
    });
  },
} satisfies Record<string, Perform>;

function living(world: World, random: Random): ManagedDaemon | undefined {
  const alive = world.daemons.filter((daemon) => daemon !== null && daemon.alive) as ManagedDaemon[];
  return alive[int(random, alive.length)];
}

/** Of one that lives. */
const ofDaemon =
  (what: (daemon: ManagedDaemon, random: Random) => void): Perform =>
  (world, random) => {
    const daemon = living(world, random);
    if (daemon === undefined) {
      return false;
    }
    what(daemon, random);
    return true;
  };

const FAULTS = {
  crash: ofDaemon((daemon, random) => daemon.crashAt(1 + int(random, 14), random() < 0.5 ? 'before' : 'after')),
  crashSoon: ofDaemon((daemon, random) => daemon.crashAt(1 + int(random, 3), random() < 0.5 ? 'before' : 'after')),
  kill: (world, random) => world.kill(int(random, 2)),
  terminate: ofDaemon((daemon) => daemon.stop()),
  /** Longer than its lease, at times. */
  freeze: ofDaemon((daemon, random) => daemon.freeze(random() * 2 * daemon.leaseMs)),
  secondDaemon: (world) => world.start(1),
  lostBefore: (world) => world.redis.fail('lostBefore'),
  lostAfter: (world) => world.redis.fail('lostAfter'),
  lateScript: (world) => world.redis.fail('late'),
  tornScript: (world, _, section) => world.redis.fail('tear', section),
  cutRedis: (world) => world.redis.cut(),
  cutLine: (world, random) => world.redis.cutOne(random),
  redisRefuses: (world, random) => world.redis.refuse(random() * 2000),
  redisSlow: (world, random) => world.redis.slowDown(3000, random() * 250),
  redisFlushed: (world, random) => {
    if (random() < 0.5) {
      world.redis.cut();
    }
    world.redis.flush();
  },
  redisRewound: (world, random) => {
    const rewound = world.redis.rewind(1 + int(random, 8));
    if (random() < 0.7) {
      world.redis.cut();
      world.replicas.forEach((replica) => replica.cut());
    }
    return rewound;
  },
  redisFailover: (world, random) => {
    world.redis.cut();
    world.replicas.forEach((replica) => replica.cut());
    const rewound = world.redis.rewind(1 + int(random, 3));
    world.redis.refuse(random() * 800);
    return rewound;
  },
  leaseExpires: (world, _, section) => world.redis.dropLease(section),
  /** Somebody's DEL, or an eviction. */
  documentDeleted: (world, random, section) => {
    const keys = [...section.stored.index.keys()];
    const identity = keys[int(random, keys.length)];
    return identity !== undefined && world.redis.deleteDocument(section, identity);
  },
  clockJump: (world, random) => world.jump((random() < 0.5 ? -1 : 1) * random() * 7_200_000),
  sourceSlow: (world, random) => world.source.slowDown(1500, random() * 60),
  sourceCut: (world, random) => world.source.cut(1 + int(random, 3)),
  replicaCut: (world, random) => pick(random, world.replicas).cut(),
  replicaDeaf: (world, random) => pick(random, world.replicas).deafen(),
  garbage: (world, random) => pick(random, world.replicas).garble(pick(random, ['', 'x', '{"v":2,"type":"changes"}', '{"v":1}', '[[['])),
} satisfies Record<string, Perform>;

const REQUESTS = {
  askReset: (world, _, section) => world.ask(section, 'reset'),
  askResetTo: (world, random, section) => {
    const checkpoint = section.stored.meta?.checkpoint ?? 0n;
    const back = BigInt(int(random, 5));
    world.ask(section, 'reset', { to: (checkpoint > back ? checkpoint - back : 0n).toString() });
  },
  askResync: (world, _, section) => world.ask(section, 'resync'),
  askResyncKeys: (world, random, section) => {
    const keys = [...section.stored.index.values()].map(({ dataKey }) => dataKey).filter(() => random() < 0.2);
    world.ask(section, 'resync', { keys: keys.join(',') });
    return keys.length > 0;
  },
  askPoll: (world, _, section) => world.ask(section, 'poll'),
  askPause: (world, random, section) => {
    world.ask(section, 'pause', { what: random() < 0.5 ? 'all' : 'load' });
    world.later(random() * 3000, () => world.ask(section, 'resume'));
  },
  askSkip: (world, _, section) => world.ask(section, 'set', { to: world.database.version.toString(), skipChanges: 'true' }),
  askPurge: (world, _, section) => world.ask(section, 'purge'),
} satisfies Record<string, Perform>;

export const KINDS = { write: WRITES, break: BREAKS, fault: FAULTS, request: REQUESTS } as const;

export type ActionName = keyof typeof WRITES | keyof typeof BREAKS | keyof typeof FAULTS | keyof typeof REQUESTS;

const ALL: Readonly<Record<string, Perform>> = { ...WRITES, ...BREAKS, ...FAULTS, ...REQUESTS };

export const ACTION_NAMES = Object.keys(ALL) as readonly ActionName[];

/** On the table that its number falls on. Counted where something could be done. */
export function perform(world: World, action: Action): void {
  const section = world.sections[Math.floor(action.n / 7) % world.sections.length] as SimSection;
  world.tell(`${action.name} #${action.n} on ${section.name}`);
  if (ALL[action.name]?.(world, seededRandom(action.n), section) !== false) {
    world.performed.set(action.name, (world.performed.get(action.name) ?? 0) + 1);
  }
}
