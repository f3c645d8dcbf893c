/**
 * A proxy before Redis that understands requests well enough to count the scripts of a kind and to let only so many through: everything behind
 * the last one that may pass is swallowed, as by a network that broke right there. Replies pass always.
 */
import { createHash } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class ScriptGate implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #hash: string;
  readonly #sockets = new Set<Socket>();
  #budget = Number.POSITIVE_INFINITY;
  #onShut: (() => void) | null = null;
  /** The words of the last script of the kind that was passed on: EVALSHA, hash, number of keys, keys, arguments. */
  last: readonly string[] = [];

  constructor(server: Server, port: number, target: number, hash: string) {
    this.#server = server;
    this.port = port;
    this.#hash = hash;
    server.on('connection', (client) => this.#accept(client, target));
  }

  /** From now on `scripts` more pass; with the next one the gate shuts. @returns when it is shut */
  admit(scripts: number): Promise<void> {
    this.#budget = scripts;
    return new Promise((resolve) => {
      this.#onShut = resolve;
    });
  }

  /** Cuts every connection, and lets everything pass from now on. */
  reopen(): void {
    this.#budget = Number.POSITIVE_INFINITY;
    this.#onShut = null;
    this.#sockets.forEach((socket) => socket.destroy());
    this.#sockets.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reopen();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket, target: number): void {
    const upstream = connect(target, '127.0.0.1');
    const end = (): void => {
      for (const socket of [client, upstream]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    let waiting = Buffer.alloc(0);
    client.on('data', (data: Buffer) => {
      waiting = Buffer.concat([waiting, data]);
      for (let size = commandSize(waiting); size !== null; size = commandSize(waiting)) {
        const command = waiting.subarray(0, size);
        waiting = waiting.subarray(size);
        if (this.#passes(command)) {
          upstream.write(command);
        }
      }
    });
    upstream.on('data', (data) => client.write(data));
  }

  #passes(command: Buffer): boolean {
    if (this.#budget < 0) {
      return false;
    }
    if (!command.subarray(0, 100).includes(this.#hash)) {
      return true;
    }
    this.#budget -= 1;
    if (this.#budget < 0) {
      this.#onShut?.();
      return false;
    }
    this.last = words(command);
    return true;
  }
}

/** Length of the first whole command (an array of bulk strings); null when there is none yet. */
function commandSize(data: Buffer): number | null {
  let at = 0;
  const line = (): number | null => {
    const end = data.indexOf('\r\n', at);
    if (end < 0) {
      return null;
    }
    const value = Number(data.toString('latin1', at + 1, end));
    at = end + 2;
    return value;
  };
  const parts = line();
  if (parts === null) {
    return null;
  }
  for (let i = 0; i < parts; i += 1) {
    const length = line();
    if (length === null) {
      return null;
    }
    at += length + 2;
  }
  return at <= data.length ? at : null;
}

/** The strings of a whole command. */
function words(command: Buffer): string[] {
  const found: string[] = [];
  let at = command.indexOf('\r\n') + 2;
  while (at < command.length) {
    const end = command.indexOf('\r\n', at);
    const length = Number(command.toString('latin1', at + 1, end));
    found.push(command.toString('utf8', end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  return found;
}

/** A gate before a Redis on loopback that counts the calls of this script. */
export async function openScriptGate(target: number, script: string): Promise<ScriptGate> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return new ScriptGate(server, port, target, createHash('sha1').update(script).digest('hex'));
}
