/**
 * Every error code: what it means, what the daemon does, what to do about it. Codes are stable: C1xx configuration, S2xx source,
 * M3xx manager (Redis), W4xx wire and subscriber, I9xx internal (a bug). README's table is compared with this list by a test.
 */
import type { RetryClass } from './failure.ts';

export interface CatalogueEntry {
  readonly retry: RetryClass;
  readonly meaning: string;
  readonly action: string;
}

const entry = (retry: RetryClass, meaning: string, action: string): CatalogueEntry => ({ retry, meaning, action });

export const CATALOGUE = {
  'PW-C101': entry('never', 'The configuration file cannot be read.', 'Name an existing file with --config.'),
  'PW-C102': entry('never', 'The configuration file is not YAML.', 'Mend the syntax at the line shown.'),
  'PW-C103': entry('never', 'The configuration has values that are not allowed.', 'Correct each key listed.'),
  'PW-C104': entry('never', 'A ${env:NAME} or ${file:PATH} reference has no value.', 'Set the variable or create the file.'),
  'PW-C105': entry('never', 'The table is registered already, or its section is taken.', 'Choose another section with --section.'),
  'PW-C106': entry('never', 'The table is not registered.', 'See the registered tables with `patchwire table list`.'),
  'PW-C107': entry('never', 'The configuration file cannot be written.', 'Check the rights of the file and its folder.'),
  'PW-C108': entry(
    'never',
    'A port or file that patchwire needs is taken.',
    'Choose another in the configuration, or stop the program that holds it.',
  ),
  'PW-C109': entry('never', 'A command line argument is missing or wrong.', 'See --help of the command.'),
  'PW-C110': entry(
    'never',
    'A question needs an answer and there is no terminal.',
    'Add --yes once you have read what the command will do.',
  ),

  'PW-S201': entry(
    'reconnect',
    'SQL Server cannot be reached or the connection was lost.',
    'Check server, port and network; the daemon goes on trying.',
  ),
  'PW-S202': entry('backoff', 'The login failed.', 'Check user, password and database; tried again slowly, never in a tight loop.'),
  'PW-S203': entry('backoff', 'The database cannot be opened.', 'Check the name, and that the login is a user of the database.'),
  'PW-S204': entry('never', 'Change tracking is off for the database.', 'ALTER DATABASE … SET CHANGE_TRACKING = ON.'),
  'PW-S205': entry('never', 'Change tracking is off for the table.', 'ALTER TABLE … ENABLE CHANGE_TRACKING.'),
  'PW-S206': entry('never', 'The table does not exist, or the login may not see it.', 'Check schema and name, and GRANT SELECT.'),
  'PW-S207': entry('never', 'The table has no primary key.', 'Change tracking needs one: add a primary key.'),
  'PW-S208': entry('never', 'A named column does not exist.', 'Correct columns, json or filter of the table.'),
  'PW-S209': entry('never', 'The login lacks a permission.', 'GRANT SELECT and VIEW CHANGE TRACKING on the table.'),
  'PW-S210': entry(
    'never',
    'The filter does not parse.',
    'Use the documented grammar: columns, literals, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL.',
  ),
  'PW-S211': entry(
    'resync',
    'History is lost: change tracking no longer reaches back to the checkpoint.',
    'None: the table is resynced. With onLostHistory: stop run `patchwire resync <table>`.',
  ),
  'PW-S212': entry(
    'resync',
    'The version counter is below the checkpoint: the database was restored or rewound.',
    'None: the table is loaded anew under a new epoch. With onLostHistory: stop run `patchwire resync <table>`.',
  ),
  'PW-S213': entry(
    'resync',
    'The table or database is not the one that the data came from.',
    'None: the table is loaded anew under a new epoch. With onLostHistory: stop, if the new source is meant, run `patchwire resync <table>`.',
  ),
  'PW-S214': entry(
    'backoff',
    'The server is not the primary, or the database is read-only.',
    'Connect to the primary (the listener, without ApplicationIntent=ReadOnly).',
  ),
  'PW-S215': entry('backoff', 'SQL Server refused for the moment (lock time-out, deadlock, busy).', 'None: tried again.'),
  'PW-S216': entry(
    'reconnect',
    'SQL Server did not answer in time; the request was cancelled.',
    'Look for blocking; raise limits.requestTimeout if the table needs it.',
  ),
  'PW-S217': entry(
    'backoff',
    'SNAPSHOT isolation failed for the moment (version store, concurrent DDL).',
    'None: tried again; look at tempdb if it stays.',
  ),
  'PW-S218': entry(
    'never',
    'Two keys that SQL Server calls different have one identity here.',
    'Exclude one of the rows by a filter, or report the collation.',
  ),
  'PW-S219': entry('never', 'A column has a type that cannot be published.', 'Exclude the column.'),
  'PW-S220': entry(
    'resync',
    'The projection of the table changed: columns, types, filter, key or serialiser.',
    'None: the table is resynced. With onLostHistory: stop run `patchwire resync <table>`.',
  ),
  'PW-S221': entry(
    'now',
    'Change tracking answered NULL: tracking off, table gone, or permission taken away.',
    'None: the table is described anew at once, which names the cause.',
  ),
  'PW-S222': entry('never', 'The edition, compatibility level or object type does not support change tracking.', 'See the message.'),
  'PW-S223': entry(
    'backoff',
    'The number of rows differs from the index although the table is caught up.',
    'A sweep was started; if it stays, reset the checkpoint.',
  ),
  'PW-S224': entry('never', 'A statement was refused by SQL Server.', 'Report it: the number and message are in the details.'),
  'PW-S225': entry(
    'never',
    'A row, or one of its values, is above limits.maxDocument: the row is in quarantine, the others go on.',
    'Make the row smaller, exclude the column or the row, or raise limits.maxDocument; then it is published by itself, or by `patchwire quarantine retry`.',
  ),
  'PW-S226': entry(
    'reconnect',
    'SQL Server refused the encryption or its certificate is not trusted.',
    'Set encrypt and trustServerCertificate as the server needs.',
  ),
  'PW-S227': entry(
    'backoff',
    'The database does not allow SNAPSHOT isolation.',
    'ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON, or isolation: readCommitted for the source.',
  ),
  'PW-S228': entry(
    'never',
    'A column of the primary key cannot be excluded, masked, hashed or truncated: the data key of every message shows it.',
    'Take the column out of exclude and shape; to keep it out of Redis, give the table a surrogate key, or filter the rows.',
  ),
  'PW-S229': entry(
    'never',
    'A column cannot be shaped as asked, or two columns would have one property name.',
    'Correct shape of the table: the message names the column.',
  ),
  'PW-S230': entry('now', "The table's definition changed while it was followed.", 'None: it is described anew.'),
  'PW-S231': entry(
    'never',
    'A sweep would remove a greater share of the documents than limits.sweepShare; it removes nothing and waits.',
    'Find out why the rows are gone; then `patchwire resync <table> --confirm` removes their documents.',
  ),
  'PW-S232': entry(
    'backoff',
    'More than half of the documents differ from the table: the resync went on as a replacement under a new epoch.',
    'None: subscribers load the section anew when it ends.',
  ),
  'PW-S233': entry(
    'never',
    'The checkpoint table in SQL Server is missing, is not the one of this version, is change-tracked, or the login may not use it.',
    'Run the script that `patchwire sql checkpoint-store` prints; the table waits until then.',
  ),
  'PW-S234': entry(
    'resync',
    'The checkpoint row in SQL Server proves that the database went back in time, or that it belongs to other data.',
    'None: the table is loaded anew under a new epoch. With onLostHistory: stop run `patchwire resync <table>`.',
  ),
  'PW-S235': entry(
    'now',
    'The checkpoint row in SQL Server is not as this leader wrote it last.',
    'None: it is read again at once, which tells another leader from a restore.',
  ),
  'PW-S241': entry(
    'never',
    'A value of a row has no JSON of its own (a float that is no number): the row is in quarantine, the others go on.',
    'Correct the row: `patchwire quarantine show` names the column.',
  ),
  'PW-S242': entry(
    'never',
    'More rows than quarantine.maxRows cannot be published: the section stops in front of the next one.',
    'Find out what they have in common (`patchwire quarantine list`); mend that, or raise quarantine.maxRows.',
  ),

  'PW-M301': entry('reconnect', 'Redis cannot be reached or the connection was lost.', 'Check the url; the daemon goes on trying.'),
  'PW-M302': entry('backoff', 'Redis refused the user or password.', 'Check username and password.'),
  'PW-M303': entry(
    'never',
    'The Redis user may not use a command, key or channel that patchwire needs.',
    'Grant it: the message names the command.',
  ),
  'PW-M304': entry(
    'never',
    'Redis evicts keys of every kind (maxmemory-policy allkeys-*).',
    'Set maxmemory-policy to noeviction or volatile-*.',
  ),
  'PW-M305': entry('backoff', 'Another leader has taken the section.', 'None: this daemon stands by.'),
  'PW-M306': entry(
    'backoff',
    'The chain in Redis is not where the leader left it.',
    'None: the leader takes the lead again and goes on from the stored checkpoint.',
  ),
  'PW-M307': entry(
    'resync',
    'A script stopped half-way: the pending marker is set.',
    'None: repaired by itself under a new epoch, three times in ten minutes at most; beyond that reset it: `patchwire checkpoint reset <table>`.',
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
  'PW-M311': entry(
    'reconnect',
    'The fate of a write is unknown (time-out or lost connection).',
    'None: the leader reads the state and goes on from the stored checkpoint.',
  ),
  'PW-M312': entry(
    'never',
    'A key of the section has a type that patchwire did not give it.',
    'Remove the foreign key, or choose another partition.',
  ),
  'PW-M313': entry('never', 'The section was written by a newer patchwire.', 'Upgrade this daemon.'),
  'PW-M314': entry('backoff', 'The section is led by another daemon.', 'None: this daemon stands by.'),
  'PW-M315': entry('never', 'Redis is too old or lacks a feature that patchwire needs.', 'Use Redis 6.2 or newer, or Valkey.'),
  'PW-M316': entry('never', 'Redis refused a command.', 'Report it: the reply is in the details.'),
  'PW-M317': entry('never', 'The operation ended with an error at the leader.', 'See the message.'),
  'PW-M318': entry(
    'never',
    'Redis has no room for the documents of the table below its maxmemory; nothing was loaded.',
    'Raise maxmemory, publish fewer columns or rows, or set load.ignoreMemory: true for the table; tried again slowly.',
  ),
  'PW-M319': entry('never', 'The section is paused.', 'Resume it: `patchwire resume <section>`.'),
  'PW-M320': entry(
    'never',
    'The section is in this Redis already.',
    'Leave it as it is; or stop its daemons and say --replace, if the documents there are those of the export.',
  ),
  'PW-M325': entry(
    'never',
    'Redis takes every row but this one, or loses the connection over it: the row is in quarantine, the others go on.',
    'See the message, and the limits of the server (proto-max-bulk-len, client-query-buffer-limit); then `patchwire quarantine retry`.',
  ),
  'PW-M330': entry(
    'never',
    'The Redis is a node of a cluster and not configured as one, or the reverse.',
    'Name nodes of a cluster in manager.redis.cluster, a single server in manager.redis.url.',
  ),

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
  'PW-W411': entry(
    'never',
    'Keys are not told on a channel of their own, so there is nothing to invalidate by.',
    'Set manager.invalidations: true for the daemon, or subscribe by another mode.',
  ),
  'PW-W415': entry(
    'never',
    'A lazy subscriber cannot find the row of a key in this spelling: the section does not say how its key is folded.',
    'Ask for the key by its identity, or resync the section: its collations are stored with it then.',
  ),

  'PW-I901': entry('backoff', 'An unexpected error: a bug in patchwire.', 'Report it with the stack trace.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;
