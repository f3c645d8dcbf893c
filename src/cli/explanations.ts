/** What usually causes each error, in one sentence, beside the meaning and the action of the catalogue. A test holds it to the catalogue. */
import { CATALOGUE, type ErrorCode } from '../model/error-catalogue.ts';
import type { RetryClass } from '../model/errors.ts';

export const CAUSES: Readonly<Record<ErrorCode, string>> = {
  'PW-C101': 'The path is misspelled, the working directory is another one, or the rights of the file keep its reader out.',
  'PW-C102': 'A quote or bracket is open, a tab indents, a key stands twice, or the file was saved as UTF-16.',
  'PW-C103': 'A key is misspelled or stands at the wrong place, a unit is missing, or two tables have one section.',
  'PW-C104': 'The variable is not exported to this process, or a secret was not mounted.',
  'PW-C105': 'The table was added before, perhaps in another spelling, or two schemas have a table of this name.',
  'PW-C106': 'The name is misspelled, another --config was used, or the table was never added.',
  'PW-C107': 'The file or its folder is read-only, the disk is full, another program edits it, or `init` found it there already.',
  'PW-C108': 'A second daemon runs on this host with the same http.port, or another program listens there.',
  'PW-C109': 'An option is misspelled, or its value has the wrong form.',
  'PW-C110': 'The command runs in a script or a pipe.',
  'PW-S201': 'The server is down, the port is wrong or closed by a firewall, or the network failed.',
  'PW-S202': 'The password is wrong or expired, the login is disabled, or the server takes Windows logins only.',
  'PW-S203': 'The database is misspelled, offline or being restored, or the login has no user in it.',
  'PW-S204': 'It was never switched on, or somebody switched it off.',
  'PW-S205': 'It was never switched on for this table, or somebody switched it off.',
  'PW-S206': 'The name is misspelled, the table was dropped or renamed, or the login has no right on it: SQL Server shows it neither way.',
  'PW-S207': 'Change tracking tells rows apart by their primary key; a unique index is not enough.',
  'PW-S208': 'The column is misspelled, was dropped or renamed, or is excluded and named elsewhere.',
  'PW-S209': 'SELECT alone does not include VIEW CHANGE TRACKING, and db_datareader does not either.',
  'PW-S210': 'The filter uses a function, a subquery, a variable or the column of another table: those change without a change of the row.',
  'PW-S211': 'The daemon was down longer than the retention, the table was truncated, or tracking was off for a while.',
  'PW-S212': 'A backup was restored, or the database failed over to a copy that was behind.',
  'PW-S213': 'The table was dropped and created again, the database was replaced, or the connection leads to another one.',
  'PW-S214': 'An availability group failed over, or the connection asks for a read-only secondary.',
  'PW-S215': 'Other sessions hold locks longer than limits.lockTimeout, or the server is short of memory, log or workers.',
  'PW-S216': 'A long transaction blocks the read, the plan is bad, or the network is slow.',
  'PW-S217': 'tempdb ran out of room for row versions, or DDL ran while a read was open.',
  'PW-S218': 'The collation calls them different in a way that is not modelled here.',
  'PW-S219': 'sql_variant, geography, geometry, hierarchyid and types of the CLR have no lossless text.',
  'PW-S220':
    'A column was added, dropped or changed its type, or columns, json, shape, filter or the hash key of the configuration changed.',
  'PW-S221': 'SQL Server answers NULL in all three cases and does not say which it is.',
  'PW-S222': 'It is a view, a memory-optimised table, or a database below compatibility level 90.',
  'PW-S223': 'A TRUNCATE that change tracking does not show, rows written while tracking was off, or rows that are not committed yet.',
  'PW-S224': 'SQL Server does not know a statement that patchwire sends: a very old version, or a bug.',
  'PW-S225': 'A text, binary, xml or json value, or all values of the row together, are larger than limits.maxDocument allows.',
  'PW-S226': 'The certificate is self-signed or for another name, or the server allows no encryption of this kind.',
  'PW-S227': 'isolation: snapshot is configured and the database has not been allowed it.',
  'PW-S228': 'columns, exclude or shape of the table name a column of its key.',
  'PW-S229': 'A number is masked, a renamed column takes the name of another, or a hash has no key.',
  'PW-S230': 'A column was added, dropped, renamed or given another type, or the primary key is another.',
  'PW-S231':
    'Many rows were deleted where change tracking does not show it (TRUNCATE, a restore), or the wrong database or filter is read.',
  'PW-S232': 'History was lost long ago, the table was filled anew, or another projection changed every document.',
  'PW-S233': 'checkpoint.store is sqlserver and the script of the store was not run in this database, or its rights were taken away.',
  'PW-S234':
    'The database was restored, failed over with loss, or its row was deleted; or Redis was restored from before the table was loaded anew.',
  'PW-S235': 'Another daemon took the section, or the database went back in time, between two writes.',
  'PW-S241': 'A float or real that is no number, which SQL Server takes from some bulk loads although it has no such value.',
  'PW-S242': 'A change to the table, to limits.maxDocument or to Redis concerns many rows: a mass problem is no row problem.',
  'PW-M301': 'Redis is down, the url is wrong, or the network failed.',
  'PW-M302': 'The password is wrong, or the url has no user where Redis wants one.',
  'PW-M303': 'The ACL of the user lacks a command, or its key or channel patterns do not cover the partition.',
  'PW-M304': 'Redis is set up as a cache; it would throw documents and checkpoints away.',
  'PW-M305': 'Another daemon took over because this one was silent for longer than the lease, or somebody asked it to.',
  'PW-M306': 'Redis failed over to a copy that was behind, or was restored.',
  'PW-M307': 'A command was refused to a script half-way, as after rights were taken away, or the script was killed.',
  'PW-M308': 'Another program writes keys of this partition.',
  'PW-M309': 'Redis evicted it, or somebody deleted it.',
  'PW-M310': 'Redis is out of memory, starting, a replica, or cannot save.',
  'PW-M311': 'The connection broke, or Redis was busy, after the command was sent and before its answer came.',
  'PW-M312': 'Another program uses keys of this name.',
  'PW-M313': 'A newer daemon ran on this partition before.',
  'PW-M314': 'Two daemons run with this configuration: only one leads a section at a time.',
  'PW-M315': 'Redis is older than 6.2, or a server that only resembles it.',
  'PW-M316': 'Redis does not know the command, or it is renamed.',
  'PW-M317': 'What an operator asked for went wrong at the leader; its own code is in the message.',
  'PW-M318': 'The estimate of the load is above what maxmemory leaves.',
  'PW-M319': 'An operator paused it.',
  'PW-M320': 'The file was imported before, a daemon has loaded the section here, or everything was copied, checkpoint and all.',
  'PW-M325': 'The document is greater than proto-max-bulk-len or client-query-buffer-limit of the server, or than a proxy lets through.',
  'PW-M330': 'The url names a node of a Redis Cluster, or manager.redis.cluster names a server that is none.',
  'PW-W401': 'Another program publishes on the channel, or a proxy changed the message.',
  'PW-W402': 'The daemon was upgraded before the subscriber.',
  'PW-W403': 'Redis is down, or the network failed.',
  'PW-W404': 'The daemon has not loaded the section yet, it was purged, or partition and section are misspelled.',
  'PW-W405': "The row does not exist, does not pass the filter, or has not been read yet; or the key is another row's.",
  'PW-W406':
    'The section was replaced or removed, Redis went back in time, or the subscriber was away for longer than the replay stream reaches.',
  'PW-W407': 'The schema is narrower than the table, or a column changed its type.',
  'PW-W408': 'The file was cut short or edited, belongs to another section, or another version of this library wrote it.',
  'PW-W409': 'The handler threw.',
  'PW-W410': 'It was closed, its signal fired, or it ended with an error of its own.',
  'PW-W415':
    'The section was loaded by an older patchwire, which did not store the collations of its key; the row is there, under another identity.',
  'PW-W411': 'The daemon that leads the section has manager.invalidations: false, or none has led it since the upgrade.',
  'PW-I901': 'Something happened that nobody thought of.',
};

export interface Explanation {
  readonly code: ErrorCode;
  readonly retry: RetryClass;
  readonly meaning: string;
  readonly cause: string;
  readonly action: string;
  /** What the daemon does then. */
  readonly handling: string;
  /** Where an operator meets it. */
  readonly seen: string;
}

export function explanationOf(code: ErrorCode): Explanation {
  const { retry, meaning, action } = CATALOGUE[code];
  return { code, retry, meaning, cause: CAUSES[code], action, handling: HANDLING[retry], seen: seenOf(code) };
}

const HANDLING: Readonly<Record<RetryClass, string>> = {
  now: 'tried again at once, a few times',
  backoff: 'tried again after a growing wait',
  reconnect: 'tried again on a fresh connection, after a growing wait',
  resync: 'the table stops until someone acts; the others go on',
  never: 'nothing is tried until someone acts; of a table the others go on',
};

function seenOf(code: ErrorCode): string {
  switch (code.charAt(3)) {
    case 'C':
      return 'stderr of the command; exit code 78 where the configuration is wrong';
    case 'W':
      return "the subscriber library's `trouble` event, `patchwire tail`, `patchwire checkpoint show`";
    case 'I':
      return "stderr of the command, the daemon's log";
    default:
      return 'stderr of the command; of the daemon its log, /ready and the metrics of the table';
  }
}
