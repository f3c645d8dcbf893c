/**
 * A TCP relay that can stall: bytes wait and go on later, also those of a client that has given up meanwhile. What a paused process, or a
 * network with long queues, does to a Redis that executes old commands late.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Valve implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #stalled = false;

  constructor(server: Server, port: number, target: number) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#server = server;
    server.on('connection', (client) => {
      const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('data', (data) => to.write(data));
        from.on('end', () => to.end());
        from.on('close', () => this.#sockets.delete(from));
      }
      if (this.#stalled) {
        client.pause();
      }
    });
  }

  /** Nothing that clients send arrives until `flow`; connections are accepted. */
  stall(): void {
    this.#stalled = true;
    this.#sockets.forEach((socket) => socket.pause());
  }

  flow(): void {
    this.#stalled = false;
    this.#sockets.forEach((socket) => socket.resume());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A valve before a port of loopback. */
export async function openValve(target: number): Promise<Valve> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return new Valve(server, typeof address === 'object' && address !== null ? address.port : 0, target);
}
