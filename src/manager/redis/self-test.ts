/**
 * What is tried before the first table: the server's version, every command and PUBLISH under the daemon's own user, and the eviction policy
 * (C5, C8). A script that lacks a permission would fail half-way; here it fails before there is anything to tear. Works on scratch keys of
 * its own and removes them.
 */
import { randomBytes } from 'node:crypto';
import { PatchwireError } from '../../model/errors.ts';
import { partitionKeys, type SectionKeys, sectionKeys } from '../../wire/keys.ts';
import type { Link } from './connection.ts';
import type { Publish } from './scripts/prelude.ts';

/** Whether the server that is tried serves a key. */
type Serves = (key: string) => boolean;

/** A node of a cluster with so few slots that none of so many names lies there is not tried. */
const NAMES = 20_000;

/** Keys that nobody uses, on this server; null: none was found. */
function scratchKeys(partition: string, serves: Serves): SectionKeys | null {
  for (let tries = 0; tries < NAMES; tries += 1) {
    const keys = sectionKeys(partition, `self-test.${randomBytes(6).toString('hex')}`);
    if (serves(keys.meta)) {
      return keys;
    }
  }
  return null;
}

/** Every command that scripts and client use, in an order that leaves nothing behind when one of the first two is not allowed. */
function trials(
  keys: SectionKeys,
  daemons: string | null,
  publish: Publish,
  invalidations: boolean,
): readonly (readonly [string, ...string[]])[] {
  const { document, index, changes, lease, requests } = keys;
  return [
    ['UNLINK', index],
    ['DEL', changes],
    ['HSET', index, 'a', '1'],
    ['HGET', index, 'a'],
    ['HMGET', index, 'a'],
    ['HGETALL', index],
    ['HLEN', index],
    ['HSCAN', index, '0'],
    ['HDEL', index, 'a'],
    ['SET', lease, 'a', 'PX', '10000'],
    ['GET', lease],
    ['PTTL', lease],
    ['PEXPIRE', lease, '10000'],
    ['MSET', `${document}a`, '1'],
    ['MGET', `${document}a`],
    ['TYPE', lease],
    ['EXISTS', changes],
    ['XADD', changes, '0-1', 'message', '1'],
    ['XRANGE', changes, '-', '+', 'COUNT', '1'],
    ['XREVRANGE', changes, '+', '0-1', 'COUNT', '1'],
    ['XTRIM', changes, 'MINID', '0-1'],
    ['XDEL', changes, '0-1'],
    [publish, keys.channel, ''],
    ...(invalidations ? [[publish, keys.keysChannel, ''] as const] : []),
    ['TIME'],
    ...(daemons === null ? [] : [['HDEL', daemons, keys.index] as const]),
    ['UNLINK', index, changes, lease, requests, `${document}a`],
  ];
}

/**
 * `serves`: of a node of a cluster: which keys lie there. `invalidations`: whether keys are told on a channel of their own.
 * @returns warnings. @throws PW-M303 naming the commands, PW-M304, PW-M310, PW-M315, or what the connection throws
 */
export async function selfTest(
  link: Link,
  partition: string,
  { serves = () => true, invalidations = false }: { readonly serves?: Serves; readonly invalidations?: boolean } = {},
): Promise<readonly string[]> {
  const warnings: string[] = [];
  await checkVersion(link, warnings);
  await checkEviction(link, warnings);
  const keys = scratchKeys(partition, serves);
  if (keys === null) {
    return warnings;
  }
  const { daemons } = partitionKeys(partition);
  const forbidden: string[] = [];
  for (const [command, ...args] of trials(keys, serves(daemons) ? daemons : null, link.publish, invalidations)) {
    try {
      await link.call(command, args, 'write', `self-test of ${command}`);
    } catch (error) {
      if (!(error instanceof PatchwireError) || error.code !== 'PW-M303') {
        throw error;
      }
      forbidden.push(command);
      if (command === 'UNLINK' || command === 'DEL') {
        break;
      }
    }
  }
  if (forbidden.length === 0) {
    await runScript(link, keys);
  } else {
    const names = [...new Set(forbidden)].join(', ');
    throw new PatchwireError('PW-M303', `the Redis user may not use ${names} on the keys and channels of partition ${partition}`, {
      details: { commands: [...new Set(forbidden)] },
    });
  }
  return warnings;
}

/** A script that only reads. Last: what it may not use inside is named better above. @throws PW-M303 naming EVALSHA */
async function runScript(link: Link, { meta, index, quarantine }: SectionKeys): Promise<void> {
  try {
    await link.run('readMeta', [meta, index, quarantine], [], 'read', 'self-test of EVALSHA');
  } catch (error) {
    if (error instanceof PatchwireError && error.code === 'PW-M303') {
      throw new PatchwireError('PW-M303', 'the Redis user may not use EVALSHA', { cause: error, details: { commands: ['EVALSHA'] } });
    }
    throw error;
  }
}

async function checkVersion(link: Link, warnings: string[]): Promise<void> {
  const version = await infoField(link, 'server', 'redis_version');
  if (version === null) {
    warnings.push('The version of Redis is not known: its user may not use INFO.');
    return;
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new PatchwireError('PW-M315', `Redis is ${version}, 6.2 is needed`, { details: { version } });
  }
}

/** @throws PW-M304; a policy that its user may not see is a warning */
export async function checkEviction(link: Link, warnings: string[]): Promise<void> {
  let policy: string | null = null;
  try {
    const reply = (await link.call('CONFIG', ['GET', 'maxmemory-policy'], 'read', 'eviction policy')) as readonly string[];
    policy = reply[1] ?? null;
  } catch (error) {
    if (!refusedByServer(error)) {
      throw error;
    }
    policy = await infoField(link, 'memory', 'maxmemory_policy');
  }
  if (policy === null) {
    warnings.push('The eviction policy of Redis is not known: its user may not use CONFIG GET. It must not be allkeys-*.');
  } else if (policy.startsWith('allkeys-')) {
    throw new PatchwireError('PW-M304', `Redis evicts keys of every kind: maxmemory-policy is ${policy}`, { details: { policy } });
  }
}

async function infoField(link: Link, part: string, field: string): Promise<string | null> {
  try {
    const text = (await link.call('INFO', [part], 'read', `INFO ${part}`)) as string;
    return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? null;
  } catch (error) {
    if (refusedByServer(error)) {
      return null;
    }
    throw error;
  }
}

/** Not allowed, or not there: managed services hide both CONFIG and INFO. */
function refusedByServer(error: unknown): boolean {
  return error instanceof PatchwireError && (error.code === 'PW-M303' || error.code === 'PW-M316');
}
