/** A world in which reads are slow or fail, and writes are refused or not answered: the same for a seed, until it is left in peace. */
import type { Random } from '../../../src/lib/random.ts';
import type { Document } from '../../../src/model/document.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { slowLine, World } from './world.ts';

const FAULTS = 30;

export interface FaultyWorld {
  readonly world: World;
  /** Commits a transaction of up to six rows among fifteen keys, some of them respelled. */
  readonly write: () => void;
  /** Nothing fails from now on. */
  readonly calm: () => void;
}

export function faultyWorld(random: Random): FaultyWorld {
  const world = new World({ pageRows: 4, loadRows: 3, caseInsensitive: true, claims: random() < 0.5 ? 'implied' : 'confirmed' });
  world.wrap = (manager) => slowLine(manager, world.clock, () => random() * 80);
  let faults = FAULTS;
  const faulty = (share: number): boolean => random() < share && faults-- > 0;
  world.store.intercept = () => (faulty(0.04) ? (random() < 0.5 ? 'before' : 'after') : null);
  world.tracker.after = async () => {
    if (random() < 0.3) {
      await world.clock.sleep(random() * 200);
    }
    if (faulty(0.01)) {
      throw new PatchwireError('PW-S201', 'connection lost');
    }
  };
  const write = (): void => {
    const values: Record<string, Document | null> = {};
    for (let i = 0; i < 1 + random() * 6; i += 1) {
      const k = `${String(Math.floor(random() * 15)).padStart(2, '0')}k`;
      values[random() < 0.1 ? k.toUpperCase() : k] = random() < 0.25 ? null : { k, v: Math.floor(random() * 3) };
    }
    world.tracker.commit(values);
  };
  const calm = (): void => {
    faults = 0;
  };
  return { world, write, calm };
}
