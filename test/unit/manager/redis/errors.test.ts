import { expect, it } from 'vitest';
import { mapRedisError } from '../../../../src/manager/redis/errors.ts';
import { PatchwireError } from '../../../../src/model/errors.ts';

function reply(text: string): Error {
  const error = new Error(text);
  error.name = 'ReplyError';
  return error;
}

it.each([
  ['OOM command not allowed', 'PW-M310', 'backoff'],
  ["READONLY You can't write against a read only replica.", 'PW-M310', 'backoff'],
  ['LOADING Redis is loading the dataset in memory', 'PW-M310', 'backoff'],
  ['MISCONF Redis is configured to save RDB snapshots', 'PW-M310', 'backoff'],
  ['BUSY Redis is busy running a script.', 'PW-M310', 'backoff'],
  ['NOREPLICAS Not enough good replicas to write.', 'PW-M310', 'backoff'],
  ['MASTERDOWN Link with MASTER is down', 'PW-M310', 'backoff'],
  ['TRYAGAIN Multiple keys request during rehashing of slot', 'PW-M310', 'backoff'],
  ['CLUSTERDOWN The cluster is down', 'PW-M310', 'backoff'],
  ['UNKILLABLE Sorry the script already executed write commands', 'PW-M310', 'backoff'],
  ['UNBLOCKED force unblock from blocking operation', 'PW-M310', 'backoff'],
  ['EXECABORT Transaction discarded because of previous errors.', 'PW-M310', 'backoff'],
  ['ERR Script killed by user with SCRIPT KILL... script: 694a5f, on @user_script:1.', 'PW-M310', 'backoff'],
  ['ERR max number of clients reached', 'PW-M301', 'reconnect'],
  ['DENIED Redis is running in protected mode', 'PW-M301', 'reconnect'],
  ['NOPROTO unsupported protocol version', 'PW-M315', 'never'],
  ['MOVED 3999 127.0.0.1:6381', 'PW-M330', 'never'],
  ['ASK 3999 127.0.0.1:6381', 'PW-M330', 'never'],
  ["CROSSSLOT Keys in request don't hash to the same slot", 'PW-M330', 'never'],
  ['NOPERM this user has no permissions', 'PW-M303', 'never'],
  ['NOAUTH Authentication required.', 'PW-M302', 'backoff'],
  ['WRONGPASS invalid username-password pair', 'PW-M302', 'backoff'],
  ['WRONGTYPE Operation against a key', 'PW-M312', 'never'],
  ['NOSCRIPT No matching script.', 'PW-M311', 'reconnect'],
  ['PWLEADER another', 'PW-M305', 'backoff'],
  ['PWTIP the tip is x', 'PW-M306', 'backoff'],
  ['PWPOSITION the stored', 'PW-M306', 'backoff'],
  ['PWSTREAM the log', 'PW-M306', 'resync'],
  ['PWPENDING x', 'PW-M307', 'resync'],
  ['PWBASE 3', 'PW-M308', 'resync'],
  ['PWTYPE a is a set', 'PW-M312', 'never'],
  ['PWFORMAT 2', 'PW-M313', 'never'],
  ['ERR something', 'PW-M316', 'never'],
  ['lower case', 'PW-M316', 'never'],
] as const)('the reply %j is %s, class %s', (text, code, retry) => {
  expect(mapRedisError(reply(text), 'write', 'publish')).toMatchObject({ code, retry, details: expect.anything() as unknown });
});

it('a text that only looks like a code, deeper in the reply, decides nothing', () => {
  expect(mapRedisError(reply('ERR Error running script: -OOM command not allowed'), 'write', 'x').code).toBe('PW-M316');
});

const CALL = 'ERR Error running script (call to f_cf61906ce88caed8886048f4ea6746aa43fc15c1): @user_script:7: ';

it.each([
  [`${CALL}@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'. `, 'PW-M310', 'OOM command'],
  ["@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'. ", 'PW-M310', 'OOM command'],
  [`${CALL}@user_script: 7: -READONLY You can't write against a read only replica. `, 'PW-M310', 'READONLY You'],
  [`${CALL}WRONGTYPE Operation against a key holding the wrong kind of value `, 'PW-M312', 'WRONGTYPE Operation'],
  [`${CALL}@user_script: 7: The user executing the script can't run this command or subcommand `, 'PW-M303', 'The user executing'],
  [`${CALL}user_script:7: attempt to index a nil value `, 'PW-M316', 'user_script:7'],
] as const)('what a script met in Redis 6.2 (%j) is %s', (text, code, begins) => {
  const error = mapRedisError(reply(text), 'write', 'publish');
  expect(error).toMatchObject({ code, details: { reply: expect.stringContaining(begins) as unknown } });
  expect(error.message.startsWith(`publish: ${begins}`)).toBe(true);
});

it('without a reply the fate of a write is unknown, and a read or a connect could not reach Redis', () => {
  const lost = new Error('Connection is closed.');
  expect(mapRedisError(lost, 'write', 'x')).toMatchObject({ code: 'PW-M311', cause: lost });
  expect(mapRedisError(lost, 'read', 'x')).toMatchObject({ code: 'PW-M301', cause: lost });
  expect(mapRedisError(new Error(''), 'connect', 'connecting')).toMatchObject({
    code: 'PW-M301',
    message: 'connecting: Redis cannot be reached',
  });
});

it('says how many identities differ, and passes a mapped error on', () => {
  expect(mapRedisError(reply('PWBASE 3'), 'write', 'x').details).toMatchObject({ identities: 3 });
  const mapped = new PatchwireError('PW-M305', 'x');
  expect(mapRedisError(mapped, 'write', 'y')).toBe(mapped);
});

it.each([
  ['ECONNREFUSED', 'Nothing listens'],
  ['EAI_AGAIN', 'DNS'],
  ['ENOTFOUND', 'host name'],
  ['ETIMEDOUT', 'firewall'],
  ['EMFILE', 'file descriptors'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'rediss://'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'another host name'],
] as const)('a connection that fails with %s could not reach Redis, and the hint says %j', (code, hint) => {
  const lost = Object.assign(new Error('said'), { code });
  expect(mapRedisError(lost, 'connect', 'x')).toMatchObject({
    code: 'PW-M301',
    retry: 'reconnect',
    hint: expect.stringContaining(hint) as string,
  });
  expect(mapRedisError(lost, 'write', 'x')).toMatchObject({ code: 'PW-M311', retry: 'reconnect' });
});

it('what a node of a cluster says of its slots is trouble of a moment, and names the node', () => {
  for (const text of [
    'MOVED 3999 127.0.0.1:6381',
    'ASK 3999 127.0.0.1:6381',
    'TRYAGAIN Multiple keys',
    'CLUSTERDOWN Hash slot not served',
  ]) {
    const error = mapRedisError(reply(text), 'write', 'publish', '127.0.0.1:7000');
    expect(error).toMatchObject({ code: 'PW-M310', retry: 'backoff', details: { node: '127.0.0.1:7000' } });
  }
  expect(mapRedisError(new Error('lost'), 'write', 'publish', '127.0.0.1:7000')).toMatchObject({
    code: 'PW-M311',
    details: { node: '127.0.0.1:7000' },
  });
});
