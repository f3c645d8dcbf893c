/**
 * The one error class, with every code of the catalogue. Driver errors are mapped to it once, in the adapters' errors.ts, by number or code,
 * never by message text. An abort is not an error: rethrow `signal.reason`.
 */
import { CATALOGUE } from './error-catalogue.ts';
import { learnCodes } from './failure.ts';

export { asPatchwireError, type ErrorKind, type ErrorOptions, PatchwireError, type RetryClass } from './failure.ts';

learnCodes(CATALOGUE);
