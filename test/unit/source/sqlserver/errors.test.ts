import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../../src/model/errors.ts';
import { sourceError } from '../../../../src/source/sqlserver/errors.ts';

const context = { source: 'shop', table: 'dbo.T', doing: 'reading changes' };
const numbered = (number: number, more: object = {}): Error => Object.assign(new Error('said'), { code: 'EREQUEST', number, ...more });

describe('errors of the driver are classified once, by number or code', () => {
  it.each([
    [18456, 'PW-S202', 'backoff'],
    [4060, 'PW-S203', 'backoff'],
    [22105, 'PW-S205', 'never'],
    [208, 'PW-S206', 'never'],
    [207, 'PW-S208', 'never'],
    [229, 'PW-S209', 'never'],
    [22117, 'PW-S214', 'backoff'],
    [1222, 'PW-S215', 'backoff'],
    [1205, 'PW-S215', 'backoff'],
    [40501, 'PW-S215', 'backoff'],
    [3961, 'PW-S217', 'backoff'],
    [3952, 'PW-S227', 'backoff'],
    [10054, 'PW-S201', 'reconnect'],
    [22107, 'PW-S222', 'never'],
    [102, 'PW-S224', 'never'],
    [2812, 'PW-S224', 'never'],
  ])('%i is %s (%s)', (number, code, retry) => {
    expect(sourceError(numbered(number), context)).toMatchObject({ code, retry, details: { number, source: 'shop', table: 'dbo.T' } });
  });

  it.each([
    ['ELOGIN', 'PW-S202'],
    ['ESOCKET', 'PW-S201'],
    ['ECONNCLOSED', 'PW-S201'],
    ['ETIMEOUT', 'PW-S216'],
    ['EENCRYPT', 'PW-S226'],
    ['EWHATEVER', 'PW-I901'],
  ])('%s is %s', (code, expected) => {
    expect(sourceError(Object.assign(new Error('said'), { code }), context)).toMatchObject({ code: expected });
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
