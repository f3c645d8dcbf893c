/** A TCP relay before a Redis: a test blocks it (no connection, as after a cable was pulled) or makes subscribed connections deaf. */
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  subscribed: boolean;
  deaf: boolean;
}

export class Relay implements AsyncDisposable {
  readonly #port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #blocked = false;
  /** Bytes that came from Redis, over all connections. */
  received = 0;

  constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#accept(client));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return `redis://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** Cuts every connection and lets none through until `unblock`. */
  block(): void {
    this.#blocked = true;
    this.#pairs.forEach(({ client }) => client.destroy());
  }

  unblock(): void {
    this.#blocked = false;
  }

  /** The connections that are subscribed now stay open, and hear nothing any more. @returns how many */
  deafen(): number {
    const subscribed = [...this.#pairs].filter((pair) => pair.subscribed);
    subscribed.forEach((pair) => {
      pair.deaf = true;
    });
    return subscribed.length;
  }

  /** The connections that are subscribed now take no more from Redis, as a process does that is stopped. @returns how many */
  stall(): number {
    const subscribed = [...this.#pairs].filter((pair) => pair.subscribed);
    subscribed.forEach(({ upstream }) => upstream.pause());
    return subscribed.length;
  }

  /** They take again what Redis has for them, or hear that it has cut them off. */
  resume(): void {
    this.#pairs.forEach(({ upstream }) => upstream.resume());
  }

  #accept(client: Socket): void {
    if (this.#blocked) {
      client.destroy();
      return;
    }
    const pair: Pair = { client, upstream: connect(this.#port, '127.0.0.1'), subscribed: false, deaf: false };
    this.#pairs.add(pair);
    client.on('data', (data) => {
      pair.subscribed ||= /subscribe/i.test(data.toString('latin1'));
      pair.upstream.write(data);
    });
    pair.upstream.on('data', (data) => {
      this.received += data.length;
      if (!pair.deaf) {
        client.write(data);
      }
    });
    for (const socket of [client, pair.upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        pair.upstream.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.block();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
