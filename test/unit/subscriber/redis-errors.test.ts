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

  it('ends for an error that is among its own previous ones', () => {
    const lost = new Error('Connection is closed.') as Error & { previousErrors: Error[] };
    lost.previousErrors = [lost];
    expect(mapSubscriberError(lost, 'loading')).toMatchObject({ code: 'PW-W403', message: 'loading: Connection is closed.' });
  });
});
