/** Makes the logger: JSON lines to stdout, readable lines on a terminal. Keeps secrets out; decides nothing about what is logged. */
import { pino, type DestinationStream, type LoggerOptions } from 'pino';
import { pinoPretty } from './pretty.ts';
import { PatchwireError } from '../model/errors.ts';
import type { Logger } from './logger.ts';
import { hideSecrets } from './secrets.ts';

export interface CreateLoggerOptions {
  readonly level: string;
  /** Texts that must never appear: wherever one stands in a line, `***` is written instead. */
  readonly secrets?: readonly string[];
  /** Where lines go; stdout by default. */
  readonly destination?: DestinationStream;
  /** Readable lines instead of JSON; by default on a terminal. */
  readonly pretty?: boolean;
}

/** Fields that may hold a secret, at the top and one level below. Source: pino, "Redaction". */
const REDACTED = ['password', 'connection', 'connectionString', 'url', 'token'].flatMap((field) => [field, `*.${field}`]);

/** A logger at `level` (trace to fatal, or silent). Lines are written at once: a killed process has written what it logged. */
export function createLogger(options: CreateLoggerOptions): Logger {
  const { level, secrets = [], pretty = process.stdout.isTTY } = options;
  const destination = options.destination ?? pino.destination({ dest: 1, sync: true });
  const settings: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (fields) => (level === 'debug' || level === 'trace' ? fields : tellKnownTrouble(fields)),
    },
    redact: { paths: REDACTED, censor: '***' },
  };
  return pino(settings, withoutSecrets(pretty ? pinoPretty(destination) : destination, secrets));
}

/**
 * A known trouble stands in the line as fields, each thing once: code, reason, hint, details, and its cause where that says more. Only what is a
 * bug comes with its stack trace, or what is asked for at debug.
 */
function tellKnownTrouble({ err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  if (!(err instanceof PatchwireError) || err.kind === 'internal') {
    return err === undefined ? fields : { ...fields, err };
  }
  const { code, message: reason, hint, details, cause } = err;
  const said = cause instanceof Error && cause.message !== '' && !reason.includes(cause.message) ? { cause: cause.message } : {};
  return { code, reason, hint, ...fields, ...(Object.keys(details).length === 0 ? {} : { details }), ...said };
}

function withoutSecrets(destination: DestinationStream, secrets: readonly string[]): DestinationStream {
  if (secrets.length === 0) {
    return destination;
  }
  return { write: (line) => destination.write(hideSecrets(line, secrets)) };
}
