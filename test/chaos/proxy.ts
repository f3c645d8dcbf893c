/**
 * A bad network: a TCP proxy whose target can be switched, whose connections can be cut, delayed, refused, or left half-open: what is sent is
 * swallowed, and neither side is told. A connection that lost bytes never carries any again; who holds it must find out.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'requests' | 'replies' | 'both';

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  swallows: Direction | null;
}

export class Proxy {
  readonly name: string;
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Where new connections lead. */
  target: number;
  /** When a connection was last made half-open here, ms since 1970. */
  halfOpenAt = 0;
  #delayMs = 0;
  #refuses = false;
  #swallows: Direction | null = null;

  constructor(name: string, server: Server, port: number, target: number) {
    this.name = name;
    this.port = port;
    this.target = target;
    this.#server = server;
    server.on('connection', (client) => this.#accept(client));
  }

  /** Cuts all connections; new ones pass. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
    this.#pairs.clear();
  }

  /** Cuts all connections, and lets nobody in until `pass`. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  /** Every connection, new ones too, swallows what is sent in this direction until `pass`; those that are open swallow for ever. */
  halfOpen(direction: Direction): void {
    this.#swallows = direction;
    this.halfOpenAt = Date.now();
    for (const pair of this.#pairs) {
      pair.swallows = direction;
    }
  }

  /** What comes is passed on so much later. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** New connections pass; what was swallowed stays lost. */
  pass(): void {
    this.#refuses = false;
    this.#swallows = null;
    this.#delayMs = 0;
  }

  /** Leads elsewhere, and cuts who was led to where it was. */
  switchTo(port: number): void {
    this.target = port;
    this.cut();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    client.setNoDelay(true);
    const upstream = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
    const pair: Pair = { client, upstream, swallows: this.#swallows };
    this.#pairs.add(pair);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      this.#pairs.delete(pair);
    };
    // A half-open connection stays: the end of one side is not told to the other.
    const over = (of: Socket): void => {
      if (pair.swallows === null || of === client) {
        end();
      }
    };
    for (const socket of [client, upstream]) {
      socket.on('error', () => over(socket));
      socket.on('close', () => over(socket));
    }
    client.on('data', (data) => this.#forward(pair, 'requests', upstream, data));
    upstream.on('data', (data) => this.#forward(pair, 'replies', client, data));
  }

  #forward(pair: Pair, direction: 'requests' | 'replies', to: Socket, data: Buffer): void {
    const swallowed = (): boolean => pair.swallows === 'both' || pair.swallows === direction;
    if (this.#delayMs === 0 && !delayed.has(to)) {
      if (!swallowed()) {
        to.write(data);
      }
      return;
    }
    // Once delayed, always in order behind what is delayed.
    const ms = this.#delayMs;
    const before = delayed.get(to) ?? Promise.resolve();
    const turn = Promise.all([before, new Promise((resolve) => setTimeout(resolve, ms))]).then(() => {
      if (!swallowed()) {
        to.write(data);
      }
      if (delayed.get(to) === turn) {
        delayed.delete(to);
      }
    });
    delayed.set(to, turn);
  }
}

const delayed = new WeakMap<Socket, Promise<void>>();

export async function openProxy(name: string, target: number): Promise<Proxy> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return new Proxy(name, server, typeof address === 'object' && address !== null ? address.port : 0, target);
}
