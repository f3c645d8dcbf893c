/**
 * A TCP proxy before the bus port of a node of a Redis Cluster, which knows who speaks: what isolates a node from the others, in both directions,
 * while its clients reach it. Source of the header: redis 7.0, cluster.h, clusterMsg: the sender's name is 40 characters from byte 40 on.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

const NAME = { from: 40, to: 80 } as const;

/** Ids of the nodes that nobody hears, and who are told when that changes. */
export class Isolation {
  readonly #ids = new Set<string>();
  readonly #gates: BusGate[] = [];

  add(gate: BusGate): void {
    this.#gates.push(gate);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  isolate(id: string): void {
    this.#ids.add(id);
    this.#gates.forEach((gate) => gate.check());
  }

  rejoin(id: string): void {
    this.#ids.delete(id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#gates.map((gate) => gate[Symbol.asyncDispose]()));
  }
}

class BusGate implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #isolation: Isolation;
  readonly #links = new Map<Socket, { readonly upstream: Socket; sender: string | null }>();
  /** Of the node behind it; known once it is started. */
  id = '';

  constructor(server: Server, port: number, target: number, isolation: Isolation) {
    this.port = port;
    this.#server = server;
    this.#isolation = isolation;
    server.on('connection', (client) => {
      const upstream = connect(target, '127.0.0.1');
      const link: { readonly upstream: Socket; sender: string | null } = { upstream, sender: null };
      this.#links.set(client, link);
      const end = (): void => {
        client.destroy();
        upstream.destroy();
        this.#links.delete(client);
      };
      [client, upstream].forEach((socket) => socket.on('error', end).on('close', end));
      let head = Buffer.alloc(0);
      client.on('data', (data) => {
        if (link.sender === null) {
          head = Buffer.concat([head, data]);
          if (head.length < NAME.to) {
            return;
          }
          link.sender = head.toString('latin1', NAME.from, NAME.to);
          this.check();
          upstream.write(head);
        } else {
          upstream.write(data);
        }
      });
      upstream.on('data', (data) => client.write(data));
      this.check();
    });
  }

  /** Cuts what must not be. */
  check(): void {
    for (const [client, { upstream, sender }] of this.#links) {
      if (this.#isolation.has(this.id) || (sender !== null && this.#isolation.has(sender))) {
        client.destroy();
        upstream.destroy();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#links.forEach(({ upstream }, client) => {
      client.destroy();
      upstream.destroy();
    });
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A gate before a bus port of loopback. */
export async function openBusGate(target: number, isolation: Isolation): Promise<BusGate> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const gate = new BusGate(server, typeof address === 'object' && address !== null ? address.port : 0, target, isolation);
  isolation.add(gate);
  return gate;
}
