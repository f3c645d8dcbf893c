/**
 * The rules between keys, which no single key can check: how a source is reached, which source and section a table has, names that must be
 * free. Works on the raw values, so that they are reported together with every other problem; judges nothing whose own shape is wrong.
 */
import type { ConfigPath } from './problems.ts';
import { NAME_PATTERN, NAME_RULE } from './schema.ts';
import { parseTableName, sameTableName, type TableName } from './table-name.ts';
import { parseDuration } from './units.ts';

export interface RuleBreak {
  readonly path: ConfigPath;
  readonly rule: string;
}

/** What the rules give to a table that left it out. */
export interface TableDefaults {
  readonly source: string;
  readonly section: string;
}

/** What a connection string says as well, so that it may not stand beside one. */
const CONNECTION_FIELDS = [
  'server',
  'port',
  'database',
  'user',
  'password',
  'encrypt',
  'trustServerCertificate',
  'instanceName',
  'domain',
  'hostNameInCertificate',
  'multiSubnetFailover',
] as const;

interface RawTable {
  readonly index: number;
  readonly entry: Readonly<Record<string, unknown>>;
  readonly table: TableName;
  readonly source: string | null;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Everything that the rules between keys find, and what each table gets by default (where it could be said). */
export function checkRules(raw: unknown): { readonly breaks: readonly RuleBreak[]; readonly defaults: ReadonlyMap<number, TableDefaults> } {
  const root = isMap(raw) ? raw : {};
  const breaks = [...sourceRules(root['sources']), ...managerRules(root['manager']), ...shapingRules(root)];
  const defaults = new Map<number, TableDefaults>();
  const tables = rawTables(root, breaks);
  const sections = new Map<string, number>();
  for (const { index, entry } of tables) {
    const section = entry['section'];
    if (typeof section === 'string') {
      const other = sections.get(section);
      if (other !== undefined) {
        const holder = tables.find((item) => item.index === other)?.entry['table'];
        breaks.push({ path: ['tables', index, 'section'], rule: `a free section: ${String(holder)} (tables[${other}]) has this one` });
      }
      sections.set(section, other ?? index);
    }
  }
  for (const item of tables) {
    const { index, entry, table, source } = item;
    const twin = tables.find((other) => other.index < index && other.source === source && sameTableName(other.table, table));
    if (twin !== undefined) {
      breaks.push({ path: ['tables', index, 'table'], rule: `a table once only: it is tables[${twin.index}] already` });
      continue;
    }
    const named = entry['section'];
    const section = typeof named === 'string' ? named : table.name;
    if (named === undefined) {
      const other = sections.get(section);
      if (!NAME_PATTERN.test(section)) {
        breaks.push({ path: ['tables', index, 'section'], rule: `needed, since the table's own name is not ${NAME_RULE}` });
        continue;
      }
      if (other !== undefined) {
        breaks.push({ path: ['tables', index, 'section'], rule: `needed, since tables[${other}] has the section ${section}` });
        continue;
      }
      sections.set(section, index);
    }
    if (source !== null) {
      defaults.set(index, { source, section });
    }
  }
  return { breaks, defaults };
}

function sourceRules(sources: unknown): RuleBreak[] {
  if (!isMap(sources)) {
    return [];
  }
  if (Object.keys(sources).length === 0) {
    return [{ path: ['sources'], rule: 'at least one source' }];
  }
  return Object.entries(sources).flatMap(([source, entry]) => {
    const path = ['sources', source];
    const breaks: RuleBreak[] = NAME_PATTERN.test(source) ? [] : [{ path, rule: NAME_RULE }];
    if (!isMap(entry)) {
      return breaks;
    }
    if (entry['connection'] === undefined) {
      const missing = ['server', 'database', 'user', 'password'].filter((field) => entry[field] === undefined);
      if (missing.length > 0) {
        breaks.push({ path, rule: `connection, or server, database, user and password (missing: ${missing.join(', ')})` });
      }
    } else {
      for (const field of CONNECTION_FIELDS.filter((other) => entry[other] !== undefined)) {
        breaks.push({ path: [...path, field], rule: 'not beside connection: say it there' });
      }
    }
    return breaks;
  });
}

function managerRules(manager: unknown): RuleBreak[] {
  const ms = (key: string): number | null => {
    const value = isMap(manager) ? manager[key] : undefined;
    return typeof value === 'string' ? parseDuration(value) : null;
  };
  const heartbeat = ms('heartbeat') ?? 5000;
  const lease = ms('lease') ?? 10_000;
  const short: RuleBreak[] =
    heartbeat * 2 > lease ? [{ path: ['manager', 'lease'], rule: 'at least twice the heartbeat, which renews it' }] : [];
  return [...short, ...(isMap(manager) && isMap(manager['redis']) ? redisRules(manager['redis']) : [])];
}

/** Which keys of the Redis go together. */
const ONLY_WITH = { name: 'sentinels', sentinelUsername: 'sentinels', sentinelPassword: 'sentinels', db: 'sentinels' } as const;
const DB_ELSEWHERE: Readonly<Record<string, string>> = {
  url: 'not beside a url: the number of the database stands behind its port (redis://host:6379/2)',
  cluster: 'not with a cluster: it has database 0 only',
};

function redisRules(redis: Readonly<Record<string, unknown>>): RuleBreak[] {
  const present = (key: string): boolean => (redis[key] ?? null) !== null;
  const path = (key: string): ConfigPath => ['manager', 'redis', key];
  const [form, ...others] = (['url', 'sentinels', 'cluster'] as const).filter(present);
  if (form === undefined) {
    return [{ path: path('url'), rule: 'required; or sentinels and name, or cluster' }];
  }
  if (others.length > 0) {
    return others.map((other) => ({ path: path(other), rule: `not beside ${form}: a Redis is named by url, by sentinels or by cluster` }));
  }
  const breaks = Object.entries(ONLY_WITH).flatMap(([key, wanted]): RuleBreak[] =>
    form === wanted || !present(key)
      ? []
      : [{ path: path(key), rule: (key === 'db' ? DB_ELSEWHERE[form] : undefined) ?? `only with ${wanted}` }],
  );
  const { tls, url } = redis;
  const encrypted = isMap(tls) && tls['enabled'] === true;
  if (isMap(tls) && !encrypted && !(typeof url === 'string' && url.startsWith('rediss:'))) {
    const unused = Object.keys(tls).filter((key) => key !== 'enabled' && (tls[key] ?? null) !== null);
    breaks.push(...unused.map((key) => ({ path: [...path('tls'), key], rule: 'only with TLS: tls.enabled: true, or a rediss:// url' })));
  }
  const nameless = form === 'sentinels' && !present('name');
  return nameless
    ? [...breaks, { path: path('name'), rule: 'needed with sentinels: how they call the primary, such as mymaster' }]
    : breaks;
}

/** Hashes need their key. */
function shapingRules(root: Readonly<Record<string, unknown>>): RuleBreak[] {
  const list: readonly unknown[] = Array.isArray(root['tables']) ? root['tables'] : [];
  const hashed = list.flatMap((entry, i) => {
    const shape = isMap(entry) && isMap(entry['shape']) ? Object.entries(entry['shape']) : [];
    return shape.flatMap(([column, how]) => (isMap(how) && how['hash'] !== undefined ? [`tables[${i}].shape.${column}`] : []));
  });
  const shaping = root['shaping'];
  const missing = shaping === undefined || shaping === null || (isMap(shaping) && (shaping['hashKey'] ?? null) === null);
  return missing && hashed.length > 0
    ? [
        {
          path: ['shaping', 'hashKey'],
          rule: `needed, since ${hashed.join(', ')} hashes: at least 32 characters, such as \${env:PATCHWIRE_HASH_KEY}`,
        },
      ]
    : [];
}

function rawTables(root: Readonly<Record<string, unknown>>, breaks: RuleBreak[]): RawTable[] {
  const list: readonly unknown[] = Array.isArray(root['tables']) ? root['tables'] : [];
  const sources = isMap(root['sources']) ? Object.keys(root['sources']) : [];
  return list.flatMap((entry, index) => {
    const table = isMap(entry) && typeof entry['table'] === 'string' ? parseTableName(entry['table']) : null;
    if (!isMap(entry) || table === null) {
      return [];
    }
    const named = entry['source'];
    const source = typeof named === 'string' ? named : named === undefined && sources.length === 1 ? (sources[0] ?? null) : null;
    if (named === undefined && sources.length > 1) {
      breaks.push({ path: ['tables', index, 'source'], rule: `needed, since there are several: ${sources.join(', ')}` });
    } else if (typeof named === 'string' && sources.length > 0 && !sources.includes(named)) {
      breaks.push({ path: ['tables', index, 'source'], rule: `one of the sources: ${sources.join(', ')}` });
    }
    return [{ index, entry, table, source }];
  });
}
