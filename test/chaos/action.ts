/**
 * What an action is: what is drawn for it from the seed, what nobody else may hurt meanwhile, and what is done. Every action mends what it broke
 * before it ends; what it leaves behind is for daemons and subscribers to find.
 */
import type { Random } from '../../src/lib/random.ts';
import type { World } from './world.ts';

/** What survives from one action to the next. */
export interface Memory {
  /** A backup of the database, and its version; null: none that may be restored. */
  backup: { readonly name: string; readonly version: bigint } | null;
  /** A dump of Redis, and of which history of the database its versions are; null: none that a daemon could tell from the history after. */
  dump: { readonly file: string; readonly history: number } | null;
  /** Something was done that moves no version: what is claimed is true only once it was noticed. */
  unnumbered: boolean;
  /** Columns that were ever added. */
  columns: number;
}

export interface Action {
  readonly name: string;
  /** Two actions with a lock in common come one after the other. `all`: with every other. */
  readonly locks: (drawn: Drawn) => readonly string[];
  readonly run: (world: World, drawn: Drawn, memory: Memory) => Promise<'done' | 'skipped'>;
}

/** Drawn for every action, whether it needs it or not: so that a seed means the same whatever an action does. */
export interface Drawn {
  /** 0 or 1: which daemon. */
  readonly daemon: number;
  /** Which subscriber. */
  readonly subscriber: number;
  /** Which table, by index, of those that may be hurt. */
  readonly table: number;
  /** How long, between 0 and 1. */
  readonly length: number;
  readonly direction: 'requests' | 'replies' | 'both';
  /** Whether a line to a daemon or to a subscriber. */
  readonly toDaemon: boolean;
}

export function draw(random: Random): Drawn {
  return {
    daemon: Math.floor(random() * 2),
    subscriber: Math.floor(random() * 5),
    table: Math.floor(random() * 4),
    length: random(),
    direction: (['requests', 'replies', 'both'] as const)[Math.floor(random() * 3)] ?? 'both',
    toDaemon: random() < 0.5,
  };
}

/** Between two lengths, in ms. */
export const lasting = ({ length }: Drawn, from: number, to: number): number => Math.round(from + length * (to - from));
