/**
 * Hears what nobody else does of a Redis client's socket. ioredis listens for one error of it; a TLS handshake that is broken off and fails ends in
 * two, and the second one would end the program.
 */

interface SocketOwner {
  on(event: 'connecting', listener: () => void): unknown;
  readonly stream?: { on(event: 'error', listener: () => void): unknown };
}

/** For every connection that the client makes from now on. */
export function hearLateErrors(client: SocketOwner): void {
  client.on('connecting', () => {
    // The socket is made within this turn, and cannot have failed before the next one.
    setImmediate(() => client.stream?.on('error', () => {}));
  });
}
