/** Lets a history happen, then heals everything and waits for rest; says what was wrong, and how often what was met. */
import { settled } from '../support/manual-clock.ts';
import { type Action, perform } from './actions.ts';
import type { History } from './history.ts';
import { KEYS, World } from './world.ts';

export interface Outcome {
  readonly violations: readonly string[];
  readonly happened: readonly string[];
  readonly codes: ReadonlyMap<string, number>;
  readonly crashes: ReadonlyMap<string, number>;
  readonly checks: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

/** Virtual time within which everything must have come to rest. */
const REST_LIMIT_MS = 400_000;

/** @param crash the await of the first daemon around which it dies, counted from its start */
export async function runHistory(
  { seed, setting, actions }: History,
  crash: { readonly n: number; readonly side: 'before' | 'after' } | null = null,
): Promise<Outcome> {
  const world = new World(seed, setting);
  fill(world);
  world.start(0, crash);
  try {
    await world.clock.until(script(world, actions), 600_000);
    await rest(world);
  } catch (error) {
    world.oracle.violations.push(`the simulation threw ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    world.close();
  }
  const { oracle, happened, codes, crashes, clock } = world;
  return { violations: oracle.violations, happened, codes, crashes, checks: oracle.checks, virtualMs: clock.monotonic() };
}

/** Some rows, of which change tracking tells. */
function fill(world: World): void {
  const { database, random } = world;
  for (let n = 0; n < KEYS; n += 1) {
    if (random() < 0.6) {
      const key = world.key(n);
      database.write(database.transaction(1), database.identity(key), world.row(key, random));
    }
    if (n % 8 === 7) {
      database.commit(1, 0);
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
  const { database, redis, server, clock, oracle } = world;
  world.between = () => {};
  world.tell('everything heals');
  [0, 1].forEach((writer) => database.rollback(writer));
  redis.faults.length = 0;
  server.cuts.length = 0;
  server.slowMs = 0;
  database.databaseTracking = true;
  database.allowed = true;
  database.enable();
  world.ask('resume');
  world.healing = true;
  if (world.hidden) {
    world.ask('reset');
  }
  let quiet = 0;
  let why: readonly string[] = [];
  const atRest = (): boolean => {
    why = unrest(world);
    return why.length === 0 || oracle.violations.length > 0;
  };
  const deadline = clock.monotonic() + REST_LIMIT_MS;
  try {
    while (quiet < 2 && oracle.violations.length === 0) {
      await clock.until(atRest, Math.max(0, deadline - clock.monotonic()));
      // Stays so, over heartbeats and confirming reads.
      await clock.advance(700);
      quiet = unrest(world).length === 0 ? quiet + 1 : 0;
    }
  } catch {
    for (const operation of world.stored.operations.values()) {
      world.tell(`operation ${JSON.stringify(operation)}`);
    }
    world.tell(
      `leader ${world.stored.meta?.leader} lease ${JSON.stringify(world.stored.lease)} requests ${JSON.stringify(world.stored.requests)}`,
    );
    oracle.violations.push(
      `no rest: ${why.slice(0, 4).join('; ')}; stopped at ${world.daemons.map((daemon) => `${daemon?.phase.phase} ${daemon?.phase.code}`).join(', ')}`,
    );
  }
  world.replicas.forEach((replica) => oracle.replica(replica, clock.now()));
  await settled(1);
}

function unrest(world: World): readonly string[] {
  const { stored, database, oracle, replicas } = world;
  const { meta } = stored;
  if (meta === null || meta.state !== 'live' || meta.pending !== '') {
    return [`the section is ${meta?.state ?? 'missing'} ${meta?.pending ?? ''}`];
  }
  if (meta.incomplete !== null) {
    return ['the section is incomplete'];
  }
  if (meta.upTo === null || meta.upTo < database.version) {
    return [`upTo is ${meta.upTo} of ${database.version}`];
  }
  // Where Redis lost nothing but an answer, no leader notices: the next one answers.
  const lost = (id: string): boolean => stored.operations.get(id)?.leader === meta.leader && world.redis.rewinds > 0;
  const open = stored.requests.filter(({ id }) => !lost(id)).map(({ verb }) => `${verb} is not answered`);
  const differences = oracle.differences(stored);
  const unequal = replicas.flatMap((replica) => {
    const { equal, reasons } = replica.machine.state();
    return equal ? oracle.replicaDifferences(replica, stored) : [`a replica is ${reasons.join(', ')}`];
  });
  return [...open, ...differences, ...unequal];
}
