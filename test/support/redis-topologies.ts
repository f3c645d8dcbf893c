/**
 * More than one Redis for tests, of real processes: a cluster with replicas, and a primary with replicas under Sentinels. Everything is on
 * loopback, fails over within a few seconds, and is gone when it is disposed of.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findRedisServer, type PrivateRedis, startPrivateRedis } from '../../src/demo/private-redis.ts';
import { keySlot, SLOTS } from '../../src/wire/slot.ts';
import { until } from './daemon-process.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { Isolation, openBusGate } from './bus-gate.ts';
import type { Certificates } from './certificates.ts';

const FAST_REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

/** One server with a client of its own that never gives up. */
export interface TestNode {
  readonly server: PrivateRedis;
  readonly raw: Redis;
  /** Where the code under test finds it: with certificates its TLS port, else its port. */
  readonly address: string;
}

interface NodeOptions {
  readonly args?: readonly string[];
  readonly binary?: string;
  readonly tlsPort?: number | null;
  /** Of the default user, for the test's own client. */
  readonly password?: string | null;
}

async function startNode({ args = [], binary, tlsPort = null, password = null }: NodeOptions): Promise<TestNode> {
  const server = await startPrivateRedis({ args, ...(binary === undefined ? {} : { binary }) });
  const raw = new Redis(server.url, {
    ...{ protocol: 2, retryStrategy: () => 50, maxRetriesPerRequest: null, enableReadyCheck: false },
    ...(password === null ? {} : { password }),
  });
  raw.on('error', () => undefined);
  return { server, raw, address: `127.0.0.1:${tlsPort ?? server.port}` };
}

/** A server's lines for TLS on a port of its own, beside its plain one; between servers TLS is spoken too. */
function tlsLines(certificates: Certificates, port: number): readonly (readonly [name: string, value: string])[] {
  return [
    ['tls-port', String(port)],
    ['tls-cert-file', certificates.cert],
    ['tls-key-file', certificates.key],
    ['tls-ca-cert-file', certificates.ca],
    ['tls-auth-clients', 'optional'],
    ['tls-replication', 'yes'],
  ];
}

const argsOf = (lines: readonly (readonly [string, string])[]): string[] => lines.flatMap(([name, value]) => [`--${name}`, value]);

async function endNodes(nodes: readonly TestNode[]): Promise<void> {
  nodes.forEach(({ raw }) => raw.disconnect());
  await Promise.all(nodes.map(({ server }) => server[Symbol.asyncDispose]()));
}

export interface TestCluster extends AsyncDisposable {
  readonly nodes: readonly TestNode[];
  readonly addresses: readonly string[];
  /** The primary that serves a key now, as a living node says. */
  primaryOf(key: string): Promise<TestNode>;
  replicaOf(primary: TestNode): Promise<TestNode>;
  /** CLUSTER FAILOVER: the replica takes over while its primary lives. */
  promote(replica: TestNode): Promise<void>;
  /** Waits until every slot is served, as all living nodes see it, and every replica follows. */
  whole(): Promise<void>;
  /** Moves the slot of a key, with all its keys, to another primary, as redis-cli does. */
  moveSlot(key: string, to: TestNode, options?: { readonly betweenMs?: number }): Promise<void>;
  /** No other node hears it or is heard by it any more; its clients are. Only where the cluster is gated. */
  isolate(node: TestNode): void;
  /** Ends that. */
  rejoin(node: TestNode): void;
  /** Calls of a command, summed over all living nodes since they were started. */
  calls(command: string): Promise<number>;
}

/** Primaries that share the slots evenly; the first so many of them have a replica. */
export async function startCluster({
  primaries = 3,
  replicas = 0,
  certificates = null,
  gated = false,
}: {
  primaries?: number;
  replicas?: number;
  /** Everything is spoken over TLS, but with the test's own clients. */
  certificates?: Certificates | null;
  /** Nodes can be isolated. */
  gated?: boolean;
} = {}): Promise<TestCluster> {
  const isolation = new Isolation();
  const nodes: TestNode[] = [];
  const busPorts: number[] = [];
  for (let i = 0; i < primaries + replicas; i += 1) {
    const bus = await freePort();
    const gate = gated ? await openBusGate(bus, isolation) : null;
    const announced = gate === null ? [] : ['--cluster-announce-bus-port', String(gate.port)];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), ...announced, '--cluster-node-timeout', '1500'];
    const tlsPort = certificates === null ? null : await freePort();
    const tls = certificates === null ? [] : ['--tls-cluster', 'yes', ...argsOf(tlsLines(certificates, tlsPort ?? 0))];
    nodes.push(await startNode({ args: [...cluster, '--cluster-replica-validity-factor', '0', ...FAST_REPLICATION, ...tls], tlsPort }));
    busPorts.push(gate?.port ?? bus);
    if (gate !== null) {
      gate.id = String(await nodes[i]!.raw.call('CLUSTER', 'MYID'));
    }
  }
  const alive = (): TestNode[] => nodes.filter(({ server }) => server.running);
  const shares = (i: number): [number, number] => [Math.floor((i * SLOTS) / primaries), Math.floor(((i + 1) * SLOTS) / primaries) - 1];
  for (const [i, { raw }] of nodes.entries()) {
    await raw.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (i < primaries) {
      await raw.call('CLUSTER', 'ADDSLOTSRANGE', ...shares(i).map(String));
    }
  }
  for (const [i, node] of nodes.entries()) {
    await nodes[0]!.raw.call('CLUSTER', 'MEET', '127.0.0.1', portOf(node), String(busPorts[i]));
  }
  const see = async ({ raw }: TestNode, count: number): Promise<boolean> => {
    const info = String(await raw.call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
  };
  const ids = await Promise.all(nodes.map(async ({ raw }) => String(await raw.call('CLUSTER', 'MYID'))));
  await until('a cluster whose nodes know each other', async () =>
    (await Promise.all(nodes.map((node) => see(node, nodes.length)))).every(Boolean),
  );
  for (let i = 0; i < replicas; i += 1) {
    await nodes[primaries + i]!.raw.call('CLUSTER', 'REPLICATE', ids[i % primaries]!);
  }
  const isPrimary = async ({ raw }: TestNode): Promise<boolean> => ((await raw.call('ROLE')) as [string])[0] === 'master';
  const follows = async ({ raw }: TestNode): Promise<boolean> => {
    const role = (await raw.call('ROLE')) as readonly [string, string, number, string];
    return role[0] === 'master' || role[3] === 'connected';
  };
  const byPort = (port: number): TestNode => nodes.find(({ server }) => server.port === port)!;
  const slots = async (node: TestNode): Promise<readonly [number, number, ...(readonly [string, number])[]][]> =>
    (await node.raw.call('CLUSTER', 'SLOTS')) as readonly [number, number, ...(readonly [string, number])[]][];
  const self: TestCluster = {
    nodes,
    addresses: nodes.map(({ address }) => address),
    primaryOf: async (key) => {
      const slot = keySlot(key);
      const range = (await slots(alive()[0]!)).find(([first, last]) => slot >= first && slot <= last)!;
      return byPort(range[2]![1]);
    },
    replicaOf: async (primary) => {
      let port: number | undefined;
      // Whose replica a node has become comes to its primary by gossip.
      await until('a primary that knows its replica', async () => {
        port = (await slots(primary)).find(([, , owner]) => owner?.[1] === primary.server.port)?.[3]?.[1];
        return port !== undefined;
      });
      return byPort(port!);
    },
    promote: async (replica) => {
      let asked = Number.NEGATIVE_INFINITY;
      await until('a replica that has taken over', async () => {
        // A manual failover that does not come about is given up after five seconds, in silence. Source: redis.io, CLUSTER FAILOVER.
        if (Date.now() - asked > 6000) {
          asked = Date.now();
          await replica.raw.call('CLUSTER', 'FAILOVER');
        }
        return await isPrimary(replica);
      });
    },
    whole: async () => {
      await until('a whole cluster', async () => {
        const living = alive();
        const views = await Promise.all(
          living.map(async (node) =>
            (await see(node, nodes.length)) && (await follows(node)) ? JSON.stringify(ownersIn(await slots(node))) : '',
          ),
        );
        const live = new Set(living.map(({ server }) => server.port));
        const owners = views[0] === '' ? [] : (JSON.parse(views[0]!) as [number, number, number][]);
        return owners.length > 0 && new Set(views).size === 1 && owners.every(([, , port]) => live.has(port));
      });
    },
    moveSlot: async (key, to, { betweenMs = 0 } = {}) => {
      const slot = String(keySlot(key));
      const from = await self.primaryOf(key);
      const [fromId, toId] = [ids[nodes.indexOf(from)]!, ids[nodes.indexOf(to)]!];
      await to.raw.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
      await from.raw.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      for (;;) {
        const keys = (await from.raw.call('CLUSTER', 'GETKEYSINSLOT', slot, '10')) as string[];
        if (keys.length === 0) {
          break;
        }
        await from.raw.call('MIGRATE', '127.0.0.1', portOf(to), '', '0', '10000', 'KEYS', ...keys);
        await new Promise((resolve) => setTimeout(resolve, betweenMs));
      }
      for (const node of [to, from, ...alive()]) {
        if (await isPrimary(node)) {
          await node.raw.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
        }
      }
    },
    calls: async (command) => {
      const counts = await Promise.all(
        alive().map(async ({ raw }) =>
          Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(await raw.info('commandstats'))?.[1] ?? 0),
        ),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
    isolate: (node) => isolation.isolate(ids[nodes.indexOf(node)]!),
    rejoin: (node) => isolation.rejoin(ids[nodes.indexOf(node)]!),
    [Symbol.asyncDispose]: async () => {
      await endNodes(nodes);
      await isolation.close();
    },
  };
  await self.whole();
  return self;
}

function ownersIn(reply: readonly [number, number, ...(readonly [string, number])[]][]): [number, number, number][] {
  return reply.map(([first, last, owner]): [number, number, number] => [first, last, owner![1]]).toSorted((a, b) => a[0] - b[0]);
}

export interface TestSentinels extends AsyncDisposable {
  readonly name: string;
  /** The data servers; the first one began as the primary. */
  readonly nodes: readonly TestNode[];
  readonly sentinels: readonly TestNode[];
  readonly addresses: readonly string[];
  /** As a Sentinel says. */
  primary(): Promise<TestNode>;
  /** Waits until the Sentinels agree on a primary other than `old`, and have done with it. */
  failedOver(old: TestNode): Promise<TestNode>;
  /** Neither Sentinels nor other servers get through to it any more, whoever else does: it lives on as what it is. */
  isolate(node: TestNode): Promise<void>;
  /** Ends that. */
  rejoin(node: TestNode): Promise<void>;
  /** SENTINEL FAILOVER: the old primary lives on, as a replica. */
  switchOver(): Promise<TestNode>;
}

const SENTINEL_RHYTHM_MS = { 'info-period': 200, 'publish-period': 200 };

/** The user of replicas and Sentinels, and what only they need. */
const INNER = 'inner';
const BETWEEN_SERVERS = ['ping', 'replicaof', 'slaveof', 'sync', 'psync', 'replconf'];

/** Writes its configuration and becomes a Sentinel: it takes none from the command line. $2 is the port, $6 the folder. */
const sentinelScript = (lines: readonly (readonly [string, string])[]): string => `#!/bin/sh
printf 'port %s\\ndir %s\\nbind 127.0.0.1\\n' "$2" "$6" > "$6/sentinel.conf"
cat >> "$6/sentinel.conf" <<'END'
${lines.map((words) => words.join(' ')).join('\n')}
END
exec "${findRedisServer() ?? 'redis-server'}" "$6/sentinel.conf" --sentinel
`;

/** A primary, its replicas, and Sentinels that watch it. */
export async function startSentinels({
  replicas = 2,
  sentinels = 3,
  certificates = null,
  passwords = { data: null, sentinel: null },
}: {
  replicas?: number;
  sentinels?: number;
  /** Everything is spoken over TLS, but with the test's own clients. */
  certificates?: Certificates | null;
  /** What the default users want, each kind its own. */
  passwords?: { readonly data: string | null; readonly sentinel: string | null };
} = {}): Promise<TestSentinels> {
  const name = 'orders-redis';
  const nodes: TestNode[] = [];
  for (let i = 0; i <= replicas; i += 1) {
    const tlsPort = certificates === null ? null : await freePort();
    const follow = i === 0 ? [] : ['--replicaof', `127.0.0.1 ${portOf(nodes[0]!)}`];
    const inner = ['--user', INNER, 'on', `>${INNER}`, '~*', '&*', '+@all', '--masteruser', INNER, '--masterauth', INNER];
    const secret = passwords.data === null ? [] : ['--requirepass', passwords.data];
    const tls = certificates === null ? [] : argsOf(tlsLines(certificates, tlsPort ?? 0));
    nodes.push(await startNode({ args: [...FAST_REPLICATION, ...inner, ...secret, ...tls, ...follow], tlsPort, password: passwords.data }));
  }
  const watchers: TestNode[] = [];
  for (let i = 0; i < sentinels; i += 1) {
    const tlsPort = certificates === null ? null : await freePort();
    const binary = join(temporaryFolder('sentinel'), 'sentinel.sh');
    const secret = passwords.sentinel === null ? [] : ([['requirepass', passwords.sentinel]] as const);
    writeFileSync(binary, sentinelScript([...secret, ...(certificates === null ? [] : tlsLines(certificates, tlsPort ?? 0))]));
    chmodSync(binary, 0o755);
    const sentinel = await startNode({ binary, tlsPort, password: passwords.sentinel });
    await sentinel.raw.call('SENTINEL', 'MONITOR', name, '127.0.0.1', portOf(nodes[0]!), String(Math.floor(sentinels / 2) + 1));
    for (const [option, value] of [
      ['down-after-milliseconds', '1000'],
      ['failover-timeout', '3000'],
      ['auth-user', INNER],
      ['auth-pass', INNER],
    ] as const) {
      await sentinel.raw.call('SENTINEL', 'SET', name, option, value);
    }
    // Its own rhythm is of seconds: what a replica said first of its link would count for ten.
    await sentinel.raw.call('SENTINEL', 'DEBUG', ...Object.entries(SENTINEL_RHYTHM_MS).flatMap(([what, ms]) => [what, String(ms)]));
    watchers.push(sentinel);
  }
  const field = async (sentinel: TestNode, key: string): Promise<string> => {
    const flat = (await sentinel.raw.call('SENTINEL', 'MASTER', name)) as string[];
    return flat[flat.indexOf(key) + 1] ?? '';
  };
  await until('Sentinels that know each other and the replicas', async () => {
    const known = await Promise.all(
      watchers.map(async (sentinel) => `${await field(sentinel, 'num-other-sentinels')} ${await field(sentinel, 'num-slaves')}`),
    );
    return known.every((each) => each === `${sentinels - 1} ${replicas}`);
  });
  const named = async (sentinel: TestNode): Promise<string> =>
    ((await sentinel.raw.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as [string, string])[1];
  const self: TestSentinels = {
    name,
    nodes,
    sentinels: watchers,
    addresses: watchers.map(({ address }) => address),
    primary: async () => {
      const port = await named(watchers[0]!);
      return nodes.find((node) => portOf(node) === port)!;
    },
    failedOver: async (old) => {
      await until('another primary', async () => {
        // A failover that is not over yet stands in the way of the next.
        const flags = new Set(await Promise.all(watchers.map((sentinel) => field(sentinel, 'flags'))));
        const ports = new Set(await Promise.all(watchers.map(named)));
        const [port] = [...ports];
        const node = nodes.find((each) => portOf(each) === port);
        if (flags.size !== 1 || !flags.has('master') || ports.size !== 1 || node === undefined || node === old) {
          return false;
        }
        return ((await node.raw.call('ROLE')) as [string])[0] === 'master';
      });
      return self.primary();
    },
    switchOver: async () => {
      const old = await self.primary();
      // Refused right after another failover.
      await until('a failover that is begun', () =>
        watchers[0]!.raw.call('SENTINEL', 'FAILOVER', name).then(
          () => true,
          () => false,
        ),
      );
      return self.failedOver(old);
    },
    isolate: async ({ raw }) => {
      await raw.call('ACL', 'SETUSER', INNER, 'off');
      // Whom it does not know is the default user: as that one they may look on.
      await raw.call('ACL', 'SETUSER', 'default', ...BETWEEN_SERVERS.map((command) => `-${command}`));
      await raw.call('CLIENT', 'KILL', 'USER', INNER);
    },
    rejoin: async ({ raw }) => {
      await raw.call('ACL', 'SETUSER', 'default', '+@all');
      await raw.call('ACL', 'SETUSER', INNER, 'on');
    },
    [Symbol.asyncDispose]: () => endNodes([...watchers, ...nodes]),
  };
  return self;
}

/** What others in the topology connect to. */
const portOf = ({ address }: TestNode): string => address.split(':')[1]!;

export async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}
