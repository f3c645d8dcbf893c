import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../../src/model/errors.ts';
import { retryDelayMs } from '../../../../src/model/retry-delay.ts';
import { BY_NUMBER, sourceError } from '../../../../src/source/sqlserver/errors.ts';

const context = { source: 'shop', table: 'dbo.T', doing: 'reading changes' };
const numbered = (number: number, more: object = {}): Error => Object.assign(new Error('said'), { code: 'EREQUEST', number, ...more });

/** Every number that change tracking, its reads and its connections are known to raise: as what, and of which class. */
const NUMBERS: readonly (readonly [numbers: string, code: string, retry: string])[] = [
  ['20 64 121 233 997 10053 10054 10060', 'PW-S201', 'reconnect'],
  ['18401 18451 18452 18456 18461 18470 18486 18487 18488', 'PW-S202', 'backoff'],
  ['911 916 927 4060', 'PW-S203', 'backoff'],
  ['615 926 5120 40613 42108 42109', 'PW-S203', 'backoff'],
  ['1718', 'PW-S204', 'never'],
  ['4998 22105', 'PW-S205', 'never'],
  ['208 4701 4902', 'PW-S206', 'never'],
  ['4997', 'PW-S207', 'never'],
  ['207', 'PW-S208', 'never'],
  ['229 230 297 300', 'PW-S209', 'never'],
  ['976 978 3906 3908 4221 22117', 'PW-S214', 'backoff'],
  ['1205 41301 41302 41305 41325 41839', 'PW-S215', 'now'],
  ['701 1105 1204 1222 1807 8645 8651 9002', 'PW-S215', 'backoff'],
  ['10928 10929 40143 40197 40501 40540 49918 49919 49920', 'PW-S215', 'backoff'],
  ['22120 22121 22122 22123 22124 22125', 'PW-S215', 'backoff'],
  ['3960 3961', 'PW-S217', 'now'],
  ['3950 3953 3956 3957 3958 3959 3966 3967', 'PW-S217', 'backoff'],
  ['4999 13563 22106 22107 22116 22118 22119', 'PW-S222', 'never'],
  ['3952', 'PW-S227', 'backoff'],
  ['102 155 156 257 2812 3951 3964 8114 8116', 'PW-S224', 'never'],
  ['3727 3735 3987 3999 4996 5069 5088 5089 5090 5091 5092', 'PW-S224', 'never'],
  ['22101 22103 22104 22108 22109 22110 22111 22113 22114 22115', 'PW-S224', 'never'],
];

describe('errors of the driver are classified once, by number or code', () => {
  it.each(NUMBERS)('%s: %s (%s)', (numbers, code, retry) => {
    for (const number of numbers.split(' ').map(Number)) {
      expect(sourceError(numbered(number), context)).toMatchObject({ code, retry, details: { number, source: 'shop', table: 'dbo.T' } });
    }
  });

  it('knows every number of the list, and says what to do about each', () => {
    const listed = NUMBERS.flatMap(([numbers]) => numbers.split(' ').map(Number));
    expect([...BY_NUMBER.keys()].toSorted((a, b) => a - b)).toEqual(listed.toSorted((a, b) => a - b));
    for (const number of listed) {
      expect(sourceError(numbered(number), context).hint).not.toBe('');
    }
  });

  it('an unknown number is a statement that was refused, of no use to retry', () => {
    expect(sourceError(numbered(99_999), context)).toMatchObject({ code: 'PW-S224', retry: 'never' });
  });

  it.each([10928, 10929, 40501, 49918])('%i asks for a pause of ten seconds, at the first try already', (number) => {
    expect(retryDelayMs(sourceError(numbered(number), context), 1, () => 0)).toBe(10_000);
  });

  it.each([
    ['ELOGIN', 'PW-S202'],
    ['ESOCKET', 'PW-S201'],
    ['ECONNCLOSED', 'PW-S201'],
    ['ETIMEOUT', 'PW-S216'],
    ['EENCRYPT', 'PW-S226'],
    ['EWHATEVER', 'PW-I901'],
    ['EAI_AGAIN', 'PW-S201'],
    ['ETIMEDOUT', 'PW-S201'],
    ['EMFILE', 'PW-S201'],
    ['CERT_HAS_EXPIRED', 'PW-S226'],
    ['EPROTO', 'PW-S226'],
    ['EFEDAUTH', 'PW-S202'],
  ])('%s is %s', (code, expected) => {
    expect(sourceError(Object.assign(new Error('said'), { code }), context)).toMatchObject({ code: expected });
  });

  it('a connection that is not made in time is a server that cannot be reached; a request that is not answered is none', () => {
    const connecting = Object.assign(new Error('said'), { code: 'ETIMEOUT', name: 'ConnectionError' });
    expect(sourceError(connecting, context)).toMatchObject({ code: 'PW-S201', retry: 'reconnect' });
    expect(sourceError(Object.assign(new Error('said'), { code: 'ETIMEOUT', name: 'RequestError' }), context).code).toBe('PW-S216');
  });

  it('what Node says of the socket is told, though the driver wraps it', () => {
    const wrapped = Object.assign(new Error('said'), { code: 'ESOCKET', cause: Object.assign(new Error('x'), { code: 'EAI_AGAIN' }) });
    expect(sourceError(wrapped, context)).toMatchObject({ code: 'PW-S201', hint: expect.stringContaining('DNS') as string });
  });

  it('the first error decides, not what followed from it', () => {
    const follow = numbered(266, { precedingErrors: [numbered(3961)] });
    expect(sourceError(follow, context)).toMatchObject({ code: 'PW-S217', details: { number: 3961 } });
  });

  it('finds the number of a connection error inside of it', () => {
    const login = Object.assign(new Error('login'), { code: 'ELOGIN', originalError: Object.assign(new Error('x'), { number: 4060 }) });
    expect(sourceError(login, context)).toMatchObject({ code: 'PW-S203' });
  });

  it('tells a certificate that is not trusted from a server that is not there', () => {
    const tls = Object.assign(new Error('self signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const socket = Object.assign(new Error('Failed to connect'), {
      code: 'ESOCKET',
      originalError: Object.assign(new Error('x'), { cause: tls }),
    });
    expect(sourceError(socket, context)).toMatchObject({ code: 'PW-S226' });
  });

  it.each([
    [245, "Conversion failed when converting the varchar value 'it's ROW' to data type int.", "the varchar value '…' to data type int."],
    [244, "The conversion of the varchar value 'ROW' overflowed an INT1 column.", "value '…' overflowed an INT1 column."],
    [220, 'Arithmetic overflow error for data type tinyint, value = 77ROW77.', 'data type tinyint, value = ….'],
    [232, 'Arithmetic overflow error for type int, value = 77ROW77.000000.', 'type int, value = ….'],
    [2628, "String or binary data would be truncated in table 'T', column 'C'. Truncated value: 'ROW'.", "Truncated value: '…'."],
  ])('repeats no value of a row from error %i, not in its causes either', (number, message, told) => {
    const driver = Object.assign(new Error(message), { number, code: 'EREQUEST', originalError: { info: { number, message } } });
    const error = sourceError(driver, context);
    expect(error.message).toContain(told);
    const shown = (each: unknown): string => (each instanceof Error ? each.message + String(each.stack) + shown(each.cause) : '');
    expect(shown(error) + JSON.stringify([error, error.cause])).not.toContain('ROW');
    expect(error).toMatchObject({ code: 'PW-S224', details: { number } });
  });

  it('leaves what is classified as it is, and keeps the cause of the rest', () => {
    const classified = new PatchwireError('PW-S211', 'lost');
    expect(sourceError(classified, context)).toBe(classified);
    const error = numbered(1205);
    expect(sourceError(error, context).cause).toBe(error);
  });
});
