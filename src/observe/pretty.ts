/** Log lines for human eyes, by pino-pretty. Kept apart: the package is CommonJS with a default export only. */
import type { DestinationStream } from 'pino';
import pretty from 'pino-pretty';

/** A stream that writes each JSON line readably to `destination`, with colours. */
export function pinoPretty(destination: DestinationStream): DestinationStream {
  const format = pretty.prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' });
  return {
    write(line) {
      destination.write(format(line));
    },
  };
}
