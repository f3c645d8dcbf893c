/**
 * Maps what Redis, ioredis and our own scripts answer to PatchwireErrors: by the code that an error reply begins with, never by its text.
 * Anything that is no reply (time-out, lost connection) leaves the fate of a write unknown (C2). What Redis itself says stands in
 * wire/redis-replies.ts, what our scripts say stands here.
 */
import { classification, type Classified } from '../../model/classification.ts';
import { PatchwireError } from '../../model/errors.ts';
import { classifyReply, classifySilence, replyCode, replyText } from '../../wire/redis-replies.ts';

export { replyCode };

/** read: nothing can have been written; write: a lost answer leaves the fate unknown; connect: nothing was sent yet. */
export type Purpose = 'read' | 'write' | 'connect';

/** By the code that our scripts' refusals begin with. */
export const BY_SCRIPT: ReadonlyMap<string, Classified> = classification<string>([
  ['PW-M305', ['PWLEADER']],
  ['PW-M306', ['PWTIP', 'PWPOSITION']],
  // A log that is ahead of the chain heals by a new epoch only: its first script deletes the log.
  ['PW-M306', ['PWSTREAM'], { retry: 'resync' }],
  ['PW-M307', ['PWPENDING']],
  ['PW-M308', ['PWBASE']],
  ['PW-M312', ['PWTYPE']],
  ['PW-M313', ['PWFORMAT']],
]);

const MOVED: Classified = { code: 'PW-M310', hint: 'None: the section lies on another node of the cluster now, and is found there.' };

/** Where a node of a cluster was asked: its slots are elsewhere, or on their way. Nothing was executed. */
const ELSEWHERE: ReadonlySet<string> = new Set(['MOVED', 'ASK']);

/**
 * @param what the thing that was tried, for the message: 'publish to orders'
 * @param node the node of the cluster that was asked: what is wrong there says nothing of the others
 */
export function mapRedisError(error: unknown, purpose: Purpose, what: string, node?: string): PatchwireError {
  if (error instanceof PatchwireError) {
    return error;
  }
  const known = mapped(error, purpose, what, node !== undefined);
  if (node === undefined) {
    return known;
  }
  const { code, message, hint, retry, waitMs, details } = known;
  return new PatchwireError(code, `${message} (node ${node})`, { hint, retry, waitMs, details: { ...details, node }, cause: error });
}

function mapped(error: unknown, purpose: Purpose, what: string, ofCluster: boolean): PatchwireError {
  const prefix = replyCode(error);
  const text = replyText(error);
  if (prefix === null || prefix === 'NOSCRIPT') {
    if (purpose === 'write') {
      return new PatchwireError('PW-M311', `${what}: ${text || 'the connection to Redis was lost'}`, { cause: error });
    }
    const { code, ...more } = classifySilence(error) ?? { code: 'PW-M301' };
    return new PatchwireError(code, `${what}: ${text || 'Redis cannot be reached'}`, { cause: error, ...more });
  }
  const { code, ...more } =
    BY_SCRIPT.get(prefix) ?? (ofCluster && ELSEWHERE.has(prefix) ? MOVED : classifyReply(text)) ?? ({ code: 'PW-M316' } as const);
  const details: Record<string, unknown> = { reply: text };
  let message = prefix.startsWith('PW') ? text.slice(prefix.length + 1) : text;
  if (prefix === 'PWBASE') {
    details['identities'] = Number(message);
    message = `${message} index entries are not the ones that were delivered last`;
  } else if (prefix === 'PWPENDING') {
    message = 'a script stopped half-way';
  } else if (code === 'PW-M330') {
    message = `this Redis is a node of a cluster (${text})`;
  } else if (prefix === 'PWFORMAT') {
    message = `the section has format ${message}, which a newer patchwire wrote`;
  }
  return new PatchwireError(code, `${what}: ${message}`, { cause: error, details, ...more });
}
