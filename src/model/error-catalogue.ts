/**
 * Every error code: what it means, what the daemon does, what to do about it. Codes are stable: C1xx configuration, S2xx source,
 * M3xx manager (Redis), W4xx wire and subscriber, I9xx internal (a bug). Those that a subscriber meets stand in reader-errors.ts. README's table is compared with this list by a test.
 */
import { type CatalogueEntry, entry, READER_ERRORS } from './reader-errors.ts';

export type { CatalogueEntry } from './reader-errors.ts';

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
    'A row holds a value that cannot be published.',
    'Correct the row, or exclude the column or the row by a filter.',
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

  'PW-M301': entry('reconnect', 'Redis cannot be reached or the connection was lost.', 'Check the url; the daemon goes on trying.'),
  'PW-M302': READER_ERRORS['PW-M302'],
  'PW-M303': READER_ERRORS['PW-M303'],
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
  'PW-M308': READER_ERRORS['PW-M308'],
  'PW-M309': READER_ERRORS['PW-M309'],
  'PW-M310': READER_ERRORS['PW-M310'],
  'PW-M311': entry(
    'reconnect',
    'The fate of a write is unknown (time-out or lost connection).',
    'None: the leader reads the state and goes on from the stored checkpoint.',
  ),
  'PW-M312': READER_ERRORS['PW-M312'],
  'PW-M313': entry('never', 'The section was written by a newer patchwire.', 'Upgrade this daemon.'),
  'PW-M314': entry('backoff', 'The section is led by another daemon.', 'None: this daemon stands by.'),
  'PW-M315': entry('never', 'Redis is too old or lacks a feature that patchwire needs.', 'Use Redis 6.2 or newer, or Valkey.'),
  'PW-M316': READER_ERRORS['PW-M316'],
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
  'PW-M330': entry(
    'never',
    'The Redis is a node of a cluster.',
    'Use a single Redis (with replicas if you like): this version speaks to no cluster.',
  ),

  'PW-W401': READER_ERRORS['PW-W401'],
  'PW-W402': READER_ERRORS['PW-W402'],
  'PW-W403': READER_ERRORS['PW-W403'],
  'PW-W404': READER_ERRORS['PW-W404'],
  'PW-W405': READER_ERRORS['PW-W405'],
  'PW-W406': READER_ERRORS['PW-W406'],
  'PW-W407': READER_ERRORS['PW-W407'],
  'PW-W408': READER_ERRORS['PW-W408'],
  'PW-W409': READER_ERRORS['PW-W409'],
  'PW-W410': READER_ERRORS['PW-W410'],

  'PW-I901': READER_ERRORS['PW-I901'],
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;
