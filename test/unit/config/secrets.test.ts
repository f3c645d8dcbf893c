import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { secretsOf } from '../../../src/config/print.ts';
import { describeSource } from '../../../src/daemon/parts.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { hideSecrets } from '../../../src/observe/secrets.ts';

const MINIMAL = `sources:
  shop:
    connection: Server=127.0.0.1;Database=shop;User Id=sa;Password=s3cret!
manager:
  redis: { url: "redis://daemon:hush%21@127.0.0.1:6379" }
  partition: shop
`;

/** The url in it. */
const URL_OF_MINIMAL = /redis:\/\/[^"]*/u;

const parse = (text: string) => parseConfig(text, { origin: 'cdc.config.yaml', env: {}, folder: tmpdir() });

function failure(run: () => unknown): PatchwireError {
  try {
    run();
  } catch (error) {
    if (error instanceof PatchwireError) {
      return error;
    }
    throw error;
  }
  throw new Error('expected a refusal');
}

describe('secrets of a configuration', () => {
  it.each([
    ['in double quotes', 'Server=h;User Id=u;Password="se;cret""q"', 'se;cret"q'],
    ['in single quotes', "Server=h;User Id=u;Pwd='it''s;secret'", "it's;secret"],
    ['with a key inside', 'Password="xx;Server=leaked";Server=h;User Id=u', 'xx;Server=leaked'],
    ['spaced', 'Server=h;User Id=u; PASSWORD = spaced secret ;Encrypt=false', 'spaced secret'],
    ['said twice', 'Server=h;User Id=u;Password=first-one;Pwd=second-one', 'second-one'],
  ])('knows the password of a connection string as it is meant: %s', (_how, connection, password) => {
    const config = parse(JSON.stringify({ sources: { s: { connection } }, manager: { redis: { url: 'redis://h' }, partition: 'p' } }));
    expect(secretsOf(config)).toContain(password);
  });

  it.each([
    ['redis://user:p@ssw@rd@host', ['p@ssw@rd', 'p%40ssw%40rd']],
    ['redis://:p%40ss%2Fword@host', ['p@ss/word', 'p%40ss%2Fword']],
    ['rediss://u:a:b:c-secret@host/2', ['a:b:c-secret', 'a%3Ab%3Ac-secret']],
  ])('knows the password of %s in both its spellings', (url, passwords) => {
    const text = MINIMAL.replace(URL_OF_MINIMAL, url);
    expect(secretsOf(parse(text))).toEqual(expect.arrayContaining(passwords));
  });

  it.each(['redis://h?password=qsecret1', 'redis://h?db=3', 'redis://u:secret%zz@h', 'redis://h:6379?x#pa', 'redis://u:12?34@h'])(
    'refuses the url %s, of which the driver would make something else',
    (url) => {
      const found = failure(() => parse(MINIMAL.replace(URL_OF_MINIMAL, url)));
      expect(found.code).toBe('PW-C103');
      expect(found.message).not.toContain(url);
    },
  );

  it.each([
    ['sources.shop.pass', '    pass: hunter22'],
    ['sources.shop.kennwort', '    kennwort: hunter22'],
    ['sources.shop.auth', '    auth: { user: sa, word: hunter22 }'],
  ])('shows no value of a key that nobody knows where a secret is at home: %s', (path, line) => {
    const { message } = failure(() => parse(MINIMAL.replace('    connection', `${line}\n    connection`)));
    expect(message).toContain(path);
    expect(message).not.toContain('hunter22');
  });

  it.each([
    ['Password="xx;Server=leaked-part";Server=tcp:db.example,1444', 'SQL Server (source s at db.example,1444)'],
    ['Data Source=db\\\\two;Password=x', 'SQL Server (source s at db\\\\two)'],
    ['Server=a;b=c;Password=x', 'SQL Server (source s)'],
  ])('names the server of %s, and nothing of its password', (connection, told) => {
    const config = parse(JSON.stringify({ sources: { s: { connection } }, manager: { redis: { url: 'redis://h' }, partition: 'p' } }));
    expect(describeSource(config, 's')).toBe(told);
  });

  it('hides the longer of two secrets first, and half a surrogate pair breaks nothing', () => {
    expect(hideSecrets('a secret-2 b secret c', ['secret', 'secret-2', 'x\uD800y'])).toBe('a *** b *** c');
  });
});
