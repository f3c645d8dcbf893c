/**
 * What an operator can get wrong, and what the command line must say to it: an exit code, a PW- code, the thing and its value, the way out.
 * Data only; error-matrix.test.ts holds the built program to it.
 */

/** Every secret that the matrix plants somewhere; none may be seen anywhere. */
export const SECRETS = {
  sql: 'Sql-Secret-77!',
  wrongSql: 'Wrong-Sql-Secret-78!',
  redis: 'redis-secret-79',
  wrongRedis: 'wrong-redis-secret-80',
} as const;

export type RedisKind = 'plain' | 'password' | 'replica' | 'acl' | 'evicting' | 'cluster' | 'node' | 'down';

export interface ErrorCase {
  readonly title: string;
  readonly args: readonly string[];
  /** Keys over those of the right connection: server, port, user, password, database, encrypt, … */
  readonly source?: Readonly<Record<string, unknown>>;
  /** Instead of the keys: a connection string; PORT stands for the server's. */
  readonly connection?: string;
  readonly redis?: RedisKind;
  /** User and password in the Redis url. */
  readonly redisUser?: string;
  readonly tables?: readonly Readonly<Record<string, unknown>>[];
  /** More keys of the configuration. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly exit: number;
  readonly code: string;
  /** What the message names. */
  readonly names: readonly string[];
  /** What the way out says. */
  readonly way: RegExp;
}

const add = (table: string, ...options: readonly string[]): readonly string[] => ['table', 'add', table, ...options];
const ORDERS = { table: 'dbo.Orders' };

const SQL_SERVER: readonly ErrorCase[] = [
  {
    title: 'a server that is not there',
    args: add('dbo.Orders'),
    source: { server: 'no-such-host.invalid' },
    exit: 69,
    code: 'PW-S201',
    names: ['no-such-host.invalid'],
    way: /host name is not known: check it/u,
  },
  {
    title: 'a port where nothing listens',
    args: add('dbo.Orders'),
    source: { port: 1 },
    exit: 69,
    code: 'PW-S201',
    names: ['127.0.0.1', ':1'],
    way: /check host and port/u,
  },
  {
    title: 'a wrong password',
    args: add('dbo.Orders'),
    source: { password: SECRETS.wrongSql },
    exit: 69,
    code: 'PW-S202',
    names: ["'reader'"],
    way: /user, password and database/u,
  },
  {
    title: 'a wrong password inside a connection string',
    args: add('dbo.Orders'),
    connection: `Server=127.0.0.1,PORT;Database=Shop;User Id=reader;Password=${SECRETS.wrongSql};Encrypt=false`,
    exit: 69,
    code: 'PW-S202',
    names: ["'reader'"],
    way: /user, password and database/u,
  },
  {
    title: 'a database that is not there',
    args: add('dbo.Orders'),
    source: { database: 'Nowhere' },
    exit: 69,
    code: 'PW-S203',
    names: ['Nowhere'],
    way: /name|user of the database/u,
  },
  {
    title: 'a certificate that nobody trusts',
    args: add('dbo.Orders'),
    source: { encrypt: true },
    exit: 69,
    code: 'PW-S226',
    names: ['127.0.0.1'],
    way: /trustServerCertificate/u,
  },
  {
    title: 'no SELECT on the table',
    args: add('dbo.Orders'),
    source: { user: 'no_select', password: SECRETS.sql },
    exit: 1,
    code: 'PW-S209',
    names: ['SELECT', 'dbo.Orders'],
    way: /GRANT SELECT/u,
  },
  {
    title: 'no VIEW CHANGE TRACKING on the table',
    args: add('dbo.Orders'),
    source: { user: 'no_tracking', password: SECRETS.sql },
    exit: 1,
    code: 'PW-S209',
    names: ['VIEW CHANGE TRACKING', 'dbo.Orders'],
    way: /GRANT .*VIEW CHANGE TRACKING/u,
  },
  {
    title: 'a login that is no user of the database',
    args: add('dbo.Orders'),
    source: { user: 'stranger', password: SECRETS.sql },
    exit: 69,
    code: 'PW-S203',
    names: ['Shop'],
    way: /user of the database/u,
  },
  {
    title: 'change tracking off for the database',
    args: add('dbo.Orders'),
    source: { database: 'Untracked' },
    exit: 1,
    code: 'PW-S204',
    names: ['Untracked'],
    way: /SET CHANGE_TRACKING = ON/u,
  },
  {
    title: 'change tracking off for the table',
    args: add('dbo.Loose'),
    exit: 1,
    code: 'PW-S205',
    names: ['dbo.Loose'],
    way: /ENABLE CHANGE_TRACKING/u,
  },
  {
    title: 'no primary key',
    args: add('dbo.Heap'),
    exit: 1,
    code: 'PW-S207',
    names: ['dbo.Heap'],
    way: /primary key/u,
  },
  {
    title: 'a table that is not there',
    args: add('dbo.Nothing'),
    exit: 1,
    code: 'PW-S206',
    names: ['dbo.Nothing'],
    way: /schema and name/u,
  },
  {
    title: 'a column that is not there',
    args: add('dbo.Orders', '--columns', 'OrderID,Stauts'),
    exit: 1,
    code: 'PW-S208',
    names: ['Stauts', 'dbo.Orders'],
    way: /columns/u,
  },
  {
    title: 'a key column excluded',
    args: add('dbo.Orders', '--exclude', 'OrderID'),
    exit: 1,
    code: 'PW-S228',
    names: ['OrderID', 'dbo.Orders'],
    way: /key/u,
  },
  {
    title: 'a filter that does not parse',
    args: add('dbo.Orders', '--filter', 'Status = = 1'),
    exit: 1,
    code: 'PW-S210',
    names: ['Status = = 1'],
    way: /grammar/u,
  },
  {
    title: 'a filter that names another table',
    args: add('dbo.Orders', '--filter', 'OrderID IN (SELECT Id FROM dbo.Loose)'),
    exit: 1,
    code: 'PW-S210',
    names: ['SELECT'],
    way: /grammar/u,
  },
  {
    title: 'a filter on a column that is not there',
    args: add('dbo.Orders', '--filter', 'Statsu = 1'),
    exit: 1,
    code: 'PW-S210',
    names: ['Statsu'],
    way: /grammar/u,
  },
];

const look = { args: ['checkpoint', 'list'], tables: [ORDERS] } as const;
/** Tries all that a leader does before it asks for anything. */
const ask = { args: ['poll', 'dbo.Orders'], tables: [ORDERS] } as const;

const REDIS: readonly ErrorCase[] = [
  {
    title: 'a Redis that is down',
    ...look,
    redis: 'down',
    exit: 69,
    code: 'PW-M301',
    names: ['127.0.0.1:'],
    way: /check host and port/u,
  },
  {
    title: 'a wrong password of Redis',
    ...look,
    redis: 'password',
    redisUser: `default:${SECRETS.wrongRedis}`,
    exit: 69,
    code: 'PW-M302',
    names: ['default'],
    way: /username and password/u,
  },
  {
    title: 'no password for Redis',
    ...ask,
    redis: 'password',
    redisUser: '',
    exit: 69,
    code: 'PW-M302',
    names: ['password'],
    way: /wants a password: set it/u,
  },
  {
    title: 'a Redis that is read-only',
    ...ask,
    redis: 'replica',
    exit: 1,
    code: 'PW-M310',
    names: ['READONLY'],
    way: /primary|nothing was written/u,
  },
  {
    title: 'an ACL that is one command short',
    ...ask,
    redis: 'acl',
    redisUser: `short:${SECRETS.redis}`,
    exit: 1,
    code: 'PW-M303',
    names: ['XADD', 'shop'],
    way: /Grant|users\.acl/u,
  },
  {
    title: 'a Redis that evicts keys',
    ...ask,
    redis: 'evicting',
    exit: 1,
    code: 'PW-M304',
    names: ['allkeys-lru'],
    way: /noeviction/u,
  },
  { title: 'a Redis Cluster', ...look, redis: 'cluster', exit: 1, code: 'PW-M330', names: ['cluster'], way: /manager\.redis\.cluster/u },
];

const COMMANDS: readonly ErrorCase[] = [
  {
    title: 'two tables on one section',
    args: ['run', '--once'],
    tables: [
      { table: 'dbo.Orders', section: 'same' },
      { table: 'dbo.Loose', section: 'same' },
    ],
    exit: 78,
    code: 'PW-C103',
    names: ['same', 'dbo.Orders'],
    way: /Correct/u,
  },
  {
    title: 'a port that is taken',
    args: ['run', '--once'],
    tables: [ORDERS],
    more: { http: { port: 'REDIS' } },
    exit: 69,
    code: 'PW-C108',
    names: ['127.0.0.1:'],
    way: /Choose another/u,
  },
  {
    title: 'a table that is not registered',
    args: ['checkpoint', 'show', 'Ordres'],
    tables: [ORDERS],
    exit: 1,
    code: 'PW-C106',
    names: ['Ordres'],
    way: /table list/u,
  },
  {
    title: 'a table that is registered already',
    args: add('dbo.orders'),
    tables: [ORDERS],
    exit: 1,
    code: 'PW-C105',
    names: ['dbo.orders', 'section Orders'],
    way: /table list/u,
  },
];

export const CASES: readonly ErrorCase[] = [...SQL_SERVER, ...REDIS, ...COMMANDS];
