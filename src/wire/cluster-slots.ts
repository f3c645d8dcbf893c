/** Who owns which slots of a Redis Cluster, as CLUSTER SLOTS tells it. Reads a reply; asks nobody. */
import type { HostPort } from '../lib/host-port.ts';

export interface ClusterSlots {
  /** The primary of a slot; null: nobody serves it. */
  ownerOf(slot: number): HostPort | null;
  /** Every primary, once. */
  readonly primaries: readonly HostPort[];
  /** Every replica, once. */
  readonly replicas: readonly HostPort[];
}

/**
 * @param asked the node that answered: it may name itself, or all, by a port only
 * @returns null when the reply is no list of slots, or an empty one
 * Source: redis.io, CLUSTER SLOTS: [first, last, [address, port, id, …] of the primary, … of each replica]; a NULL address is the one asked, an
 * empty or `?` one is not known
 */
export function readClusterSlots(reply: unknown, asked: HostPort): ClusterSlots | null {
  if (!Array.isArray(reply)) {
    return null;
  }
  const ranges: { readonly first: number; readonly last: number; readonly owner: HostPort }[] = [];
  const primaries = new Map<string, HostPort>();
  const replicas = new Map<string, HostPort>();
  for (const range of reply as readonly unknown[]) {
    const [first, last, ...nodes] = range as readonly [number, number, ...(readonly unknown[])[]];
    nodes.forEach(([host, port], i) => {
      const known = host === null ? asked.host : host;
      if (typeof known !== 'string' || known === '' || known === '?') {
        return;
      }
      const node = { host: known, port: Number(port) };
      (i === 0 ? primaries : replicas).set(`${node.host} ${node.port}`, node);
      if (i === 0) {
        ranges.push({ first, last, owner: node });
      }
    });
  }
  return ranges.length === 0
    ? null
    : {
        ownerOf: (slot) => ranges.find(({ first, last }) => slot >= first && slot <= last)?.owner ?? null,
        primaries: [...primaries.values()],
        replicas: [...replicas.values()],
      };
}
