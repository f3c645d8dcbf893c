/** Lets a history happen, then heals everything and waits for rest; says what was wrong, and how often what was met. */
import { type Action, perform } from './actions.ts';
import type { History } from './history.ts';
import { identityOf } from './model-table.ts';
import type { SimSection } from './section.ts';
import { SimWorld } from './sim-world.ts';
import { type CrashPoint, KEYS, type World } from './world.ts';

export interface Outcome {
  readonly violations: readonly string[];
  readonly happened: readonly string[];
  readonly codes: ReadonlyMap<string, number>;
  readonly crashes: ReadonlyMap<string, number>;
  /** Actions that did something. */
  readonly performed: ReadonlyMap<string, number>;
  /** What daemons mended by themselves, and how often an operator was asked. */
  readonly mended: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

/** @param crash the await of the first daemon around which it dies, counted from its start */
export function runHistory(history: History, crash: CrashPoint = null): Promise<Outcome> {
  return live(new SimWorld(history.seed, history.setting), history, crash);
}

/** Fills the tables, lets the actions happen, waits for rest. */
export async function live(world: World, { actions }: History, crash: CrashPoint = null): Promise<Outcome> {
  try {
    fill(world);
    world.start(0, crash);
    await world.until(script(world, actions), 600_000);
    await rest(world);
  } catch (error) {
    world.violations.push(`the simulation threw ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    await world.close();
  }
  const { violations, happened, codes, crashes, performed, mended, clock } = world;
  const checks: Record<string, number> = {};
  for (const { oracle } of world.sections) {
    Object.entries(oracle.checks).forEach(([name, times]) => (checks[name] = (checks[name] ?? 0) + times));
  }
  return { violations, happened, codes, crashes, performed, mended, checks, virtualMs: clock.monotonic() };
}

/** Some rows, of which change tracking tells. */
function fill(world: World): void {
  const { database, random, sections } = world;
  for (const section of sections) {
    for (let n = 0; n < KEYS; n += 1) {
      if (random() < 0.6) {
        const key = section.key(n);
        section.table.write(database.transaction(1), identityOf(key), section.row(key, random));
      }
      if (n % 8 === 7) {
        database.commit(1, 0);
      }
    }
  }
}

/** Performs the actions one after another, each when it is due. @returns whether all have happened */
function script(world: World, actions: readonly Action[]): () => boolean {
  let next = 0;
  let calls = 0;
  let performing = false;
  let timer = 0;
  const due = (): void => {
    const action = actions[next];
    if (action === undefined || performing) {
      return;
    }
    next += 1;
    calls = 0;
    performing = true;
    perform(world, action);
    performing = false;
    arm();
  };
  const arm = (): void => {
    const action = actions[next];
    timer += 1;
    const mine = timer;
    if (action !== undefined) {
      void world.clock.sleep(Math.max(1, action.afterMs)).then(() => {
        if (mine === timer) {
          due();
        }
      });
    }
  };
  world.between = () => {
    const action = actions[next];
    calls += 1;
    if (action?.afterCalls !== undefined && action.afterCalls !== null && calls >= action.afterCalls) {
      due();
    }
  };
  arm();
  return () => next >= actions.length;
}

/** No more faults: what is broken is mended by whoever broke it, and then all must become equal. */
async function rest(world: World): Promise<void> {
  const { database, redis, source, clock, sections, violations } = world;
  world.between = () => {};
  world.tell('everything heals');
  [0, 1].forEach((writer) => database.rollback(writer));
  redis.heal();
  source.heal();
  database.databaseTracking = true;
  for (const section of sections) {
    section.table.allowed = true;
    section.table.enable();
    world.ask(section, 'resume');
    if (section.hidden) {
      world.ask(section, 'reset');
    }
  }
  world.healing = true;
  let quiet = 0;
  let why: readonly string[] = [];
  const atRest = (): boolean => {
    why = sections.flatMap((section) => unrest(world, section));
    return why.length === 0 || violations.length > 0;
  };
  const deadline = clock.monotonic() + world.restLimitMs;
  try {
    while (quiet < 2 && violations.length === 0) {
      await world.until(atRest, Math.max(0, deadline - clock.monotonic()));
      // Stays so, over heartbeats and confirming reads.
      await world.pass(700);
      quiet = sections.every((section) => unrest(world, section).length === 0) ? quiet + 1 : 0;
    }
  } catch {
    for (const { name, stored } of sections) {
      stored.operations.forEach((operation) => world.tell(`${name}: operation ${JSON.stringify(operation)}`));
      world.tell(
        `${name}: leader ${stored.meta?.leader} lease ${JSON.stringify(stored.lease)} requests ${JSON.stringify(stored.requests)}`,
      );
    }
    const phases = world.daemons.flatMap((daemon) =>
      [...(daemon?.phases ?? [])].map(([name, { phase, code }]) => `${name} ${phase} ${code}`),
    );
    violations.push(`no rest: ${why.slice(0, 4).join('; ')}; stopped at ${phases.join(', ')}`);
  }
  world.replicas.forEach((replica) => replica.section.oracle.replica(replica, clock.now()));
  await world.pass(0);
}

function unrest(world: World, { name, stored, oracle }: SimSection): readonly string[] {
  const { meta } = stored;
  if (meta === null || meta.state !== 'live' || meta.pending !== '') {
    return [`${name} is ${meta?.state ?? 'missing'} ${meta?.pending ?? ''}`];
  }
  if (meta.incomplete !== null) {
    return [`${name} is incomplete`];
  }
  if (meta.upTo === null || meta.upTo < world.database.version) {
    return [`upTo of ${name} is ${meta.upTo} of ${world.database.version}`];
  }
  // Where Redis lost nothing but an answer, no leader notices: the next one answers.
  const lost = (id: string): boolean => stored.operations.get(id)?.leader === meta.leader && world.rewound;
  const open = stored.requests.filter(({ id }) => !lost(id)).map(({ verb }) => `${verb} is not answered`);
  const differences = oracle.differences(stored);
  const unequal = world.replicas
    .filter((replica) => replica.section.name === name)
    .flatMap((replica) => {
      const { equal, reasons } = replica.state();
      // A row that cannot be published is all that may keep it from being equal, and must.
      const right = stored.quarantine.size === 0 ? equal : reasons.join() === 'rows quarantined';
      return right ? oracle.replicaDifferences(replica, stored) : [`a replica is ${reasons.join(', ')}`];
    });
  return [...open, ...differences, ...unequal];
}
