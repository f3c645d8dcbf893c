import { describe, expect, it } from 'vitest';
import { mapSubscriberError, READER_REPLIES } from '../../../src/subscriber/redis-errors.ts';
import { BY_REPLY } from '../../../src/wire/redis-replies.ts';

describe('mapSubscriberError', () => {
  it('names the error behind a refused EXEC', () => {
    const cause = Object.assign(new Error('NOPERM this user has no permissions'), { name: 'ReplyError' });
    const refused = Object.assign(new Error('EXECABORT Transaction discarded because of previous errors.'), {
      name: 'ReplyError',
      previousErrors: [cause],
    });
    expect(mapSubscriberError(refused, 'loading')).toMatchObject({ code: 'PW-M303' });
  });

  it('by the code of the reply is what the daemon takes it for', () => {
    for (const [reply, code] of Object.entries(READER_REPLIES)) {
      expect([reply, BY_REPLY.get(reply)?.code]).toEqual([reply, code]);
      expect(mapSubscriberError(Object.assign(new Error(`${reply} said`), { name: 'ReplyError' }), 'loading')).toMatchObject({ code });
    }
    expect(mapSubscriberError(Object.assign(new Error('ERR something'), { name: 'ReplyError' }), 'loading').code).toBe('PW-M316');
  });

  it('ends for an error that is among its own previous ones', () => {
    const lost = new Error('Connection is closed.') as Error & { previousErrors: Error[] };
    lost.previousErrors = [lost];
    expect(mapSubscriberError(lost, 'loading')).toMatchObject({ code: 'PW-W403', message: 'loading: Connection is closed.' });
  });
});
