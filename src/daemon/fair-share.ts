/**
 * Who should lead what, as pure functions of what all daemons say of themselves. Every daemon computes the same from the same view, so nobody
 * has to be asked; views that differ for a moment cost a move, never a section, since leases decide. Knows no time and no Redis.
 */

export interface Sharer {
  readonly id: string;
  /** What it knows, and would lead. */
  readonly sections: readonly string[];
  readonly led: readonly string[];
  /** Of those that it leads: not to be moved now. */
  readonly busy: readonly string[];
  /** Of those that it knows: it cannot lead them for the time being. */
  readonly unable: readonly string[];
  /** The newest format that it knows. */
  readonly format: number;
}

export interface Move {
  readonly section: string;
  readonly from: string;
  readonly to: string;
}

/** Who leads each section, as far as it is told; of two who say so (one has not heard yet), the first by id. */
export function leadersOf(sharers: readonly Sharer[]): ReadonlyMap<string, string> {
  const leaders = new Map<string, string>();
  for (const { id, led } of inOrder(sharers)) {
    for (const section of led) {
      leaders.set(section, leaders.get(section) ?? id);
    }
  }
  return leaders;
}

/**
 * Who of those alive should take each section that nobody leads: whoever is able and has the least, counting what this gives. A section that
 * nobody is able to lead is not in it.
 */
export function assignFree(sharers: readonly Sharer[]): ReadonlyMap<string, string> {
  const leaders = leadersOf(sharers);
  const loads = new Map(sharers.map(({ id, led }) => [id, led.length]));
  const candidates = new Map<string, string[]>();
  for (const { id, sections, unable } of inOrder(sharers)) {
    for (const section of without(sections, unable)) {
      if (!leaders.has(section)) {
        candidates.set(section, [...(candidates.get(section) ?? []), id]);
      }
    }
  }
  const assigned = new Map<string, string>();
  // Those with the fewest candidates first, so that what anybody can take does not crowd out what only one can.
  for (const [section, ids] of [...candidates].toSorted(([a, x], [b, y]) => x.length - y.length || (a < b ? -1 : 1))) {
    const to = ids.reduce((best, id) => ((loads.get(id) ?? 0) < (loads.get(best) ?? 0) ? id : best));
    loads.set(to, (loads.get(to) ?? 0) + 1);
    assigned.set(section, to);
  }
  return assigned;
}

/**
 * The one section that should change hands next; null: it is even. From whoever has the most to whoever has the least and can lead one of its
 * sections; only where the difference is two or more, so that no move can be the reverse of another: the sum of the squares falls with each,
 * and it stands still after finitely many. Never to a daemon that knows only an older format: it might not be able to take it.
 */
export function nextMove(sharers: readonly Sharer[]): Move | null {
  const loads = new Map(sharers.map(({ id, led }) => [id, led.length]));
  for (const id of assignFree(sharers).values()) {
    loads.set(id, (loads.get(id) ?? 0) + 1);
  }
  const load = ({ id }: Sharer): number => loads.get(id) ?? 0;
  const ordered = inOrder(sharers);
  const able = new Map(sharers.map(({ id, sections, unable }) => [id, without(sections, unable)]));
  const poorest = ordered.toSorted((a, b) => load(a) - load(b));
  for (const from of ordered.toSorted((a, b) => load(b) - load(a))) {
    const busy = new Set(from.busy);
    const movable = from.led.filter((section) => !busy.has(section)).toSorted();
    for (const to of poorest) {
      if (load(from) - load(to) < 2) {
        break;
      }
      const section = to.format < from.format ? undefined : movable.find((one) => able.get(to.id)?.has(one));
      if (section !== undefined) {
        return { section, from: from.id, to: to.id };
      }
    }
  }
  return null;
}

function without(sections: readonly string[], not: readonly string[]): ReadonlySet<string> {
  const left = new Set(sections);
  not.forEach((section) => left.delete(section));
  return left;
}

function inOrder(sharers: readonly Sharer[]): readonly Sharer[] {
  return sharers.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
