/** A TCP proxy whose two directions can be held back and whose connections can be cut: what a bad network does between client and server. */
import { connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'requests' | 'replies';

export class TcpGate implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #held: Record<Direction, boolean> = { requests: false, replies: false };
  /** Where new connections lead. */
  target: number;
  /** Bytes of requests that arrived, passed on or not. */
  requestBytes = 0;
  /** Connections that were ever made. */
  connections = 0;

  constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.target = target;
    server.on('connection', (client) => {
      this.connections += 1;
      const upstream = connect(this.target, '127.0.0.1');
      const pair = [client, upstream] as const;
      this.#pairs.add(pair);
      const end = (): void => {
        client.destroy();
        upstream.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of pair) {
        socket.on('error', end);
        socket.on('close', end);
      }
      // What is held back is dropped: a gate is cut after it held, never opened with a gap.
      client.on('data', (data) => {
        this.requestBytes += data.length;
        if (!this.#held.requests) {
          upstream.write(data);
        }
      });
      upstream.on('data', (data) => {
        if (!this.#held.replies) {
          client.write(data);
        }
      });
    });
  }

  /** From now on nothing passes in this direction, until `cut`. */
  hold(direction: Direction): void {
    this.#held[direction] = true;
  }

  /** Cuts all connections; new ones pass. */
  cut(): void {
    for (const [client, upstream] of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
    this.#pairs.clear();
    this.#held.requests = false;
    this.#held.replies = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A gate before a port of loopback. */
export async function openTcpGate(target: number): Promise<TcpGate> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return new TcpGate(server, typeof address === 'object' && address !== null ? address.port : 0, target);
}
