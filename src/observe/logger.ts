/** The logger that is handed to every part: pino's own type, so that a part can be given a child with its bindings. */
import type { Logger as PinoLogger } from 'pino';

/** Message = constant text; data in fields. Levels: info life cycle and summaries, debug per batch, trace per row; never row contents above trace. */
export type Logger = PinoLogger;
