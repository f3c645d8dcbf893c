/**
 * The error codes that a subscriber can meet: a part of the catalogue (error-catalogue.ts), apart from it so that a program which only
 * subscribes does not carry the whole.
 */
import type { RetryClass } from './failure.ts';

export interface CatalogueEntry {
  readonly retry: RetryClass;
  readonly meaning: string;
  readonly action: string;
}

export const entry = (retry: RetryClass, meaning: string, action: string): CatalogueEntry => ({ retry, meaning, action });

export const READER_ERRORS = {
  'PW-M302': entry('backoff', 'Redis refused the user or password.', 'Check username and password.'),
  'PW-M303': entry(
    'never',
    'The Redis user may not use a command, key or channel that patchwire needs.',
    'Grant it: the message names the command.',
  ),
  'PW-M308': entry(
    'resync',
    'A document in Redis is not the one that was delivered.',
    'Look for who else writes there. Repaired by itself under a new epoch, three times in ten minutes at most; beyond that the table stops.',
  ),
  'PW-M309': entry(
    'resync',
    'The index names a document that is not there (eviction, or somebody deleted it).',
    'None: written again by itself. Look for who deletes, expires or evicts there.',
  ),
  'PW-M310': entry(
    'backoff',
    'Redis takes no writes for the moment (OOM, READONLY, LOADING, NOREPLICAS, MISCONF, BUSY, cluster).',
    'See the message; nothing was written, polling waits.',
  ),
  'PW-M312': entry(
    'never',
    'A key of the section has a type that patchwire did not give it.',
    'Remove the foreign key, or choose another partition.',
  ),
  'PW-M316': entry('never', 'Redis refused a command.', 'Report it: the reply is in the details.'),
  'PW-W401': entry('never', 'A message does not have the form that its version promises.', 'Check who publishes on the channel.'),
  'PW-W402': entry('never', 'A message has a newer version than this library knows.', 'Upgrade the subscriber.'),
  'PW-W403': entry('reconnect', 'The subscriber lost its Redis connection.', 'None: it reconnects and catches up.'),
  'PW-W404': entry('never', 'The section does not exist in Redis.', 'Check partition and section; is the daemon running?'),
  'PW-W405': entry(
    'never',
    'The section holds no document of this key.',
    "Check the key and the table's filter; `patchwire checkpoint show` tells how far the section is.",
  ),
  'PW-W406': entry(
    'never',
    'What a strict subscriber held does not count any more: the section was replaced, or history was lost.',
    'Decide what becomes of what was derived from it, and subscribe again.',
  ),
  'PW-W407': entry('never', 'The parser of a subscriber refused a document.', 'Correct the parser, or choose onInvalid: skip or keep.'),
  'PW-W408': entry(
    'never',
    'A stored replica cannot be used: it is damaged, of another section, or of another format.',
    'None: the section is loaded anew.',
  ),
  'PW-W409': entry('never', 'A handler of changes failed, and onError is stop.', 'Mend the handler, or choose onError: skip or retry.'),
  'PW-W410': entry('never', 'The subscriber is closed.', 'Subscribe again.'),
  'PW-I901': entry('backoff', 'An unexpected error: a bug in patchwire.', 'Report it with the stack trace.'),
} as const satisfies Record<string, CatalogueEntry>;
