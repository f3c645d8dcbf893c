/**
 * Reads an ADO connection string. Written here and not left to the driver, whose parser turns Encrypt=strict into a weaker mode and
 * passes over what it does not know. Refuses what patchwire cannot honour (C103); never repeats a value, which might be the password.
 * Source: learn.microsoft.com, SqlConnection.ConnectionString.
 */
import { PatchwireError } from '../../model/errors.ts';
import type { SqlServerConnection } from './connection-options.ts';

/** Keys that change nothing here: pooling and retrying are patchwire's own, the application name is always 'patchwire'. */
const IGNORED = new Set([
  'application name',
  'app',
  'pooling',
  'min pool size',
  'max pool size',
  'persist security info',
  'persistsecurityinfo',
  'multipleactiveresultsets',
  'multiple active result sets',
  'connectretrycount',
  'connect retry count',
  'connectretryinterval',
  'connect retry interval',
  'command timeout',
  'packet size',
  'workstation id',
  'wsid',
  'enlist',
  'current language',
  'language',
  'load balance timeout',
  'connection lifetime',
  'type system version',
]);

/** Keys that exist and that patchwire cannot honour. */
const UNSUPPORTED = new Set([
  'authentication',
  'attachdbfilename',
  'column encryption setting',
  'context connection',
  'enclave attestation url',
  'failover partner',
  'poolblockingperiod',
  'server certificate',
  'servercertificate',
  'server spn',
  'serverspn',
  'transaction binding',
  'user instance',
]);

interface Pair {
  readonly key: string;
  readonly value: string;
  /** Of the key, 1-based. */
  readonly position: number;
}

type Draft = { -readonly [Key in keyof SqlServerConnection]?: SqlServerConnection[Key] };

const READERS: Readonly<Record<string, (draft: Draft, value: string, key: string) => void>> = {
  server: (draft, value) => Object.assign(draft, serverOf(value)),
  database: (draft, value) => {
    draft.database = value;
  },
  user: (draft, value) => {
    draft.user = value;
  },
  password: (draft, value) => {
    draft.password = value;
  },
  encrypt: (draft, value, key) => {
    draft.encrypt =
      value.toLowerCase() === 'strict' ? 'strict' : choice(key, value, ['true', 'yes', 'mandatory'], ['false', 'no', 'optional']);
  },
  trust: (draft, value, key) => {
    draft.trustServerCertificate = choice(key, value, ['true', 'yes'], ['false', 'no']);
  },
  multiSubnet: (draft, value, key) => {
    draft.multiSubnetFailover = choice(key, value, ['true', 'yes'], ['false', 'no']);
  },
  certificate: (draft, value) => {
    draft.hostNameInCertificate = value;
  },
  timeout: (draft, value, key) => {
    if (!/^\d{1,6}$/.test(value)) {
      throw refuse(key, 'is no number of seconds');
    }
    draft.connectTimeoutMs = Number(value) * 1000;
  },
  intent: (_, value, key) => {
    if (value.toLowerCase() !== 'readwrite') {
      throw refuse(key, 'must be ReadWrite: change tracking answers on the primary only');
    }
  },
  integrated: (_, value, key) => {
    if (choice(key, value, ['true', 'yes', 'sspi'], ['false', 'no'])) {
      throw refuse(key, 'is not supported: give User Id and Password');
    }
  },
};

const KEYS: ReadonlyMap<string, string> = new Map([
  ...['server', 'data source', 'addr', 'address', 'network address'].map((key): [string, string] => [key, 'server']),
  ...['database', 'initial catalog'].map((key): [string, string] => [key, 'database']),
  ...['user id', 'uid', 'user', 'userid'].map((key): [string, string] => [key, 'user']),
  ...['password', 'pwd'].map((key): [string, string] => [key, 'password']),
  ['encrypt', 'encrypt'],
  ...['trustservercertificate', 'trust server certificate'].map((key): [string, string] => [key, 'trust']),
  ...['multisubnetfailover', 'multi subnet failover'].map((key): [string, string] => [key, 'multiSubnet']),
  ...['hostnameincertificate', 'host name in certificate'].map((key): [string, string] => [key, 'certificate']),
  ...['connect timeout', 'connection timeout', 'timeout'].map((key): [string, string] => [key, 'timeout']),
  ...['applicationintent', 'application intent'].map((key): [string, string] => [key, 'intent']),
  ...['integrated security', 'trusted_connection'].map((key): [string, string] => [key, 'integrated']),
]);

/** @throws PatchwireError PW-C103 for a key or value that cannot be honoured */
export function parseConnectionString(text: string): SqlServerConnection {
  const draft: Draft = {};
  for (const { key, value, position } of pairs(text)) {
    if (IGNORED.has(key)) {
      continue;
    }
    const read = READERS[KEYS.get(key) ?? ''];
    if (read === undefined) {
      // An unquoted password with a semicolon looks like an unknown key: only keys that are known are named.
      throw UNSUPPORTED.has(key) ? refuse(key, 'is not supported') : unreadable(position, 'holds an unknown key');
    }
    read(draft, value, key);
  }
  const { server } = draft;
  if (server === undefined || server === '') {
    throw new PatchwireError('PW-C103', 'The connection string names no server.', { hint: 'Add Server=host,port.' });
  }
  return { ...draft, server };
}

/** keyword=value pairs; a value may stand in single or double quotes, a doubled quote inside is one; == in a key is a plain =. */
function pairs(text: string): readonly Pair[] {
  const found: Pair[] = [];
  const pattern = /\s*([^=;]+?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|((?!["'])[^;]*?))\s*(?:;|$)/y;
  let at = 0;
  while (at < text.length) {
    const blank = /^[\s;]+/.exec(text.slice(at));
    at += blank?.[0].length ?? 0;
    if (at >= text.length) {
      break;
    }
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      throw unreadable(at + 1, 'cannot be read');
    }
    const [, key = '', double, single, bare = ''] = match;
    const value = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? bare;
    found.push({ key: key.toLowerCase(), value, position: at + 1 });
    at = pattern.lastIndex;
  }
  return found;
}

/** [tcp:]host[\instance][,port] */
function serverOf(value: string): Partial<Draft> {
  const text = value.trim().replace(/^tcp:/i, '');
  const match = /^([^,\\]+)(?:\\([^,]+))?(?:\s*,\s*(\d{1,5}))?$/.exec(text);
  if (match === null || /^(np|lpc|admin):/i.test(text)) {
    throw refuse('server', 'must be host, host,port or host\\instance');
  }
  const [, host = '', instance, port] = match;
  const name = /^(\.|\(local\))$/i.test(host.trim()) ? 'localhost' : host.trim();
  return {
    server: name,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(instance === undefined || port !== undefined ? {} : { instanceName: instance }),
  };
}

function choice(key: string, value: string, yes: readonly string[], no: readonly string[]): boolean {
  const lower = value.toLowerCase();
  if (yes.includes(lower) || no.includes(lower)) {
    return yes.includes(lower);
  }
  throw refuse(key, `must be one of ${[...yes, ...no].join(', ')}`);
}

function refuse(key: string, why: string): PatchwireError {
  return new PatchwireError('PW-C103', `The connection string's "${key}" ${why}.`, { hint: 'Correct the connection of the source.' });
}

function unreadable(position: number, what: string): PatchwireError {
  return new PatchwireError('PW-C103', `The connection string ${what} at position ${position}.`, {
    hint: 'Write Key=Value pairs with ; between them, and quotes around values that hold ; or quotes.',
  });
}
