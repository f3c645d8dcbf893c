/**
 * What Redis' error replies mean, for publisher and subscriber: by the code that a reply begins with. Only for replies that have no code of their
 * own (ERR) a documented beginning of the text counts. Source: redis.io, error replies and the text of 7.0's src/server.c and script.c.
 */
import { byCode, classification, type Classified, unreachable, untrusted } from '../model/classification.ts';

const CLUSTER = { hint: 'Name the cluster: manager.redis.cluster: [host:port, …] instead of the url.' } as const;

/** By the code that the reply begins with. */
export const BY_REPLY: ReadonlyMap<string, Classified> = classification<string>([
  // Nothing was written; it may be otherwise in a moment.
  [
    'PW-M310',
    ['OOM'],
    { hint: 'Redis is at its maxmemory: raise it, or publish fewer columns or rows; nothing was written, polling waits.' },
  ],
  ['PW-M310', ['READONLY'], { hint: 'This Redis is a replica: connect to the primary; after a failover it is found again by itself.' }],
  ['PW-M310', ['LOADING'], { hint: 'None: Redis reads its data from disk; tried again.' }],
  ['PW-M310', ['MISCONF'], { hint: 'Redis cannot save to its disk: see its log; nothing was written, polling waits.' }],
  [
    'PW-M310',
    ['BUSY', 'UNKILLABLE', 'NOTBUSY'],
    { hint: 'A script holds Redis up: somebody else runs one, or the machine is too slow; tried again.' },
  ],
  [
    'PW-M310',
    ['NOREPLICAS', 'NOQUORUM'],
    { hint: 'Redis has too few replicas (min-replicas-to-write): see them; nothing was written, polling waits.' },
  ],
  ['PW-M310', ['MASTERDOWN', 'UNBLOCKED', 'TRYAGAIN', 'CLUSTERDOWN']],
  ['PW-M310', ['EXECABORT'], { hint: 'A command of the transaction was refused; tried again.' }],
  ['PW-M302', ['NOAUTH'], { hint: 'Redis wants a password: set it, and the username if it is not the default one.' }],
  ['PW-M302', ['WRONGPASS', 'NOPASS']],
  ['PW-M303', ['NOPERM']],
  ['PW-M301', ['DENIED'], { hint: 'Redis runs in protected mode: give it a password, or bind it to an address that only you reach.' }],
  ['PW-M312', ['WRONGTYPE']],
  ['PW-M315', ['NOPROTO']],
  ['PW-M330', ['MOVED', 'ASK', 'CROSSSLOT'], CLUSTER],
]);

/** Replies without a code: what they say begins like this. */
const BY_TEXT: readonly (readonly [begins: string, Classified])[] = [
  // Redis kills only scripts that have not written yet (UNKILLABLE): nothing was written.
  [
    'ERR Script killed by user with SCRIPT KILL',
    { code: 'PW-M310', hint: 'Somebody ended a script of patchwire by SCRIPT KILL: none; it is sent again from what is stored.' },
  ],
  // Before 7.0 a right that a script lacks has no code.
  ["The user executing the script can't", { code: 'PW-M303' }],
  [
    'ERR max number of clients',
    { code: 'PW-M301', hint: 'Redis has as many clients as it takes: raise maxclients, or look who holds them.' },
  ],
];

/** Where Redis was not reached, by what Node calls it. */
const BY_NODE_CODE = classification<string>([
  ...untrusted(
    'PW-M301',
    'The certificate is not trusted, or one end speaks TLS and the other does not: rediss:// with the right CA, or redis://.',
  ),
  ...unreachable('PW-M301'),
]);

/** What stands before the error that a script met, in Redis before 7.0. Source: scripting.c of 6.2. */
const OF_SCRIPT = /^(?:ERR Error running script \(call to \w+\): )?(?:@user_script: ?\d+: )+-?/u;

/** An error reply as the command gave it, whether a script met it or not. */
export function replyText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(OF_SCRIPT, '');
}

/** The code that an error reply begins with; null when the error is no reply of the server. */
export function replyCode(error: unknown): string | null {
  return error instanceof Error && error.name === 'ReplyError' ? codeOf(replyText(error)) : null;
}

/** Whether a server is too old for a command, or was built without it. */
export function isUnknownCommand(error: unknown): boolean {
  return replyCode(error) === 'ERR' && (error as Error).message.startsWith('ERR unknown command');
}

/** Whether a server that was asked about its cluster is in none. */
export function isNoCluster(reply: unknown): boolean {
  return typeof reply === 'string' && reply.startsWith('ERR This instance has cluster support disabled');
}

/** What an error reply means; null: nobody knows it. */
export function classifyReply(text: string): Classified | null {
  return BY_REPLY.get(codeOf(text)) ?? BY_TEXT.find(([begins]) => text.startsWith(begins))?.[1] ?? null;
}

function codeOf(text: string): string {
  return /^[A-Z][A-Z0-9_]*/.exec(text)?.[0] ?? '';
}

/** Why there was no reply, as far as Node says it; null: a time-out of the client, or a connection closed without a word. */
export function classifySilence(error: unknown): Classified | null {
  const { cause, errors } = (error ?? {}) as { readonly cause?: unknown; readonly errors?: unknown };
  return byCode(BY_NODE_CODE, [error, ...(Array.isArray(errors) ? errors : []), cause]);
}
