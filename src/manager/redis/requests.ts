/** What operators ask of a section, and how far it is (L6): plain commands for whoever asks, a guarded script for the leader's answers. */
import { PatchwireError } from '../../model/errors.ts';
import type { SectionKeys } from '../../wire/keys.ts';
import type { OperationProgress, OperatorRequest } from '../distributed-data-manager.ts';
import type { Link } from './connection.ts';

/** Unanswered requests beyond so many push out the oldest. */
const MOST_REQUESTS = 1000;
const MOST_OPERATIONS = 200;

export async function putRequest(link: Link, keys: SectionKeys, section: string, request: OperatorRequest): Promise<void> {
  const fields = ['id', request.id, 'verb', request.verb, 'args', JSON.stringify(request.args), 'who', request.who];
  await link.call(
    'XADD',
    [keys.requests, 'MAXLEN', '=', String(MOST_REQUESTS), '*', ...fields],
    'write',
    `request ${request.verb} of ${section}`,
  );
}

/** Oldest first. A request that an earlier lead began and did not end comes again: it is executed at least once. */
export async function pendingRequests(link: Link, keys: SectionKeys, section: string): Promise<readonly OperatorRequest[]> {
  const what = `requests of ${section}`;
  const stream = (await link.call('XRANGE', [keys.requests, '-', '+'], 'read', what)) as readonly [string, readonly string[]][];
  const requests: OperatorRequest[] = [];
  for (const [, fields] of stream) {
    const request = decodeRequest(fields);
    if (request !== null) {
      requests.push(request);
    }
  }
  if (requests.length === 0) {
    return [];
  }
  const leader = (await link.call('HGET', [keys.meta, 'leader'], 'read', what)) as string | null;
  const stored = (await link.call('HMGET', [keys.operations, ...requests.map(({ id }) => id)], 'read', what)) as readonly (string | null)[];
  return requests.filter((_, i) => {
    const text = stored[i];
    if (typeof text !== 'string') {
      return true;
    }
    const operation = decodeOperation(text);
    return operation === null || (operation.state === 'running' && operation.leader !== leader);
  });
}

type StoredOperation = OperationProgress & { readonly leader: string };

/** @throws PW-M305 when the lead is lost */
export async function writeProgress(
  link: Link,
  keys: SectionKeys,
  section: string,
  token: string,
  progress: OperationProgress,
): Promise<void> {
  await link.run(
    'progress',
    [keys.meta, keys.requests, keys.operations],
    [
      token,
      progress.id,
      JSON.stringify({ ...progress, leader: token } satisfies StoredOperation),
      progress.state === 'running' ? '' : '1',
      String(MOST_OPERATIONS),
    ],
    'write',
    `progress of ${section}`,
  );
}

export async function readOperation(link: Link, keys: SectionKeys, section: string, id: string): Promise<OperationProgress | null> {
  const text = (await link.call('HGET', [keys.operations, id], 'read', `operation of ${section}`)) as string | null;
  if (text === null) {
    return null;
  }
  const operation = decodeOperation(text);
  if (operation === null) {
    throw new PatchwireError('PW-M316', `operation ${id} of ${section} cannot be read`);
  }
  const { leader: _, ...progress } = operation;
  return progress;
}

/** null for what is none: somebody else's, which answers nothing. */
function decodeOperation(text: string): StoredOperation | null {
  try {
    const value = JSON.parse(text) as StoredOperation | null;
    return typeof value?.state === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** null for an entry that is no request: somebody else's, never executed. */
function decodeRequest(fields: readonly string[]): OperatorRequest | null {
  const named = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    named.set(fields[i] ?? '', fields[i + 1] ?? '');
  }
  const id = named.get('id');
  const verb = named.get('verb');
  if (id === undefined || verb === undefined) {
    return null;
  }
  const args = decodeArgs(named.get('args') ?? '{}');
  return args === null ? null : { id, verb, args, who: named.get('who') ?? '' };
}

/** Texts by name; null for anything else: whoever does it relies on that, and what it throws would come again with every lead. */
function decodeArgs(text: string): Record<string, string> | null {
  try {
    const value: unknown = JSON.parse(text);
    const texts = typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string');
    return texts && !Array.isArray(value) ? (value as Record<string, string>) : null;
  } catch {
    return null;
  }
}
