import { describe, expect, it } from 'vitest';
import { mapSubscriberError } from '../../../src/subscriber/redis-errors.ts';

describe('mapSubscriberError', () => {
  it('names the error behind a refused EXEC', () => {
    const cause = Object.assign(new Error('NOPERM this user has no permissions'), { name: 'ReplyError' });
    const refused = Object.assign(new Error('EXECABORT Transaction discarded because of previous errors.'), {
      name: 'ReplyError',
      previousErrors: [cause],
    });
    expect(mapSubscriberError(refused, 'loading')).toMatchObject({ code: 'PW-M303' });
  });

  it.each([
    ['WRONGPASS invalid username-password pair', 'PW-M302'],
    ['LOADING Redis is loading the dataset in memory', 'PW-M310'],
    ['READONLY replica', 'PW-M310'],
    ['ERR something', 'PW-M316'],
    ['MOVED 1 a:1', 'PW-M316'],
  ])('%j is %s: by the table of the daemon, as far as a reader has its codes', (text, code) => {
    expect(mapSubscriberError(Object.assign(new Error(text), { name: 'ReplyError' }), 'loading')).toMatchObject({ code });
  });

  it('says why Redis was not reached', () => {
    const lost = Object.assign(new Error('said'), { code: 'EAI_AGAIN' });
    expect(mapSubscriberError(lost, 'loading')).toMatchObject({ code: 'PW-W403', hint: expect.stringContaining('DNS') as string });
  });

  it('ends for an error that is among its own previous ones', () => {
    const lost = new Error('Connection is closed.') as Error & { previousErrors: Error[] };
    lost.previousErrors = [lost];
    expect(mapSubscriberError(lost, 'loading')).toMatchObject({ code: 'PW-W403', message: 'loading: Connection is closed.' });
  });
});
