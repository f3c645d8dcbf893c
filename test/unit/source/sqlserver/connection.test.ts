import { describe, expect, it } from 'vitest';
import { driverConfig } from '../../../../src/source/sqlserver/connection.ts';
import { parseConnectionString } from '../../../../src/source/sqlserver/connection-string.ts';

describe('connection strings', () => {
  it('are read key by key', () => {
    expect(
      parseConnectionString(
        'Server=tcp:db.example,1444;Initial Catalog=Shop;User Id=reader;Password="a;b""c";Encrypt=true;TrustServerCertificate=yes;MultiSubnetFailover=true;Connect Timeout=30;Application Name=mine',
      ),
    ).toEqual({
      server: 'db.example',
      port: 1444,
      database: 'Shop',
      user: 'reader',
      password: 'a;b"c',
      encrypt: true,
      trustServerCertificate: true,
      multiSubnetFailover: true,
      connectTimeoutMs: 30_000,
    });
    expect(parseConnectionString(String.raw`data source=host\INST; uid=u; pwd='p=1;'; database=d;`)).toEqual({
      server: 'host',
      instanceName: 'INST',
      user: 'u',
      password: 'p=1;',
      database: 'd',
    });
    expect(parseConnectionString('Server=.;Database=d')).toEqual({ server: 'localhost', database: 'd' });
  });

  it.each([
    ['strict', 'strict'],
    ['Strict', 'strict'],
    ['true', true],
    ['Mandatory', true],
    ['false', false],
    ['no', false],
    ['Optional', false],
  ])('R9: Encrypt=%s is honoured as %s', (text, encrypt) => {
    const config = driverConfig(`Server=h;Encrypt=${text}`);
    expect(config.options).toMatchObject({ encrypt, appName: 'patchwire' });
  });

  it('encrypts when nothing is said', () => {
    expect(driverConfig('Server=h').options).toMatchObject({ encrypt: true, trustServerCertificate: false });
    expect(driverConfig({ server: 'h', encrypt: 'strict' }).options).toMatchObject({ encrypt: 'strict' });
  });

  it.each([
    ['Server=h;Encrypt=maybe', '"encrypt"'],
    ['Server=h;ApplicationIntent=ReadOnly', '"applicationintent"'],
    ['Server=h;Integrated Security=true', '"integrated security"'],
    ['Server=h;Authentication=Active Directory Default', '"authentication"'],
    ['Server=np:h', '"server"'],
    ['Server=h;Nonsense=1', 'unknown key at position 10'],
    ['Database=d', 'names no server'],
    ['Server=h;secret', 'position'],
  ])('refuse %s', (text, part) => {
    expect(() => parseConnectionString(text)).toThrow(part);
    expect(() => parseConnectionString(text)).toThrow(expect.objectContaining({ code: 'PW-C103' }));
  });

  it('never repeat a value in a refusal', () => {
    for (const text of [
      'Server=h;Password=hunter2;Pasword=hunter2',
      'Server=h;Password=a;hunter2=b',
      'Server=h;Encrypt=hunter2',
      'Server=h;Password="hunter2',
    ]) {
      expect(() => parseConnectionString(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('hunter2') as string }),
      );
    }
  });

  it('R9: one connection a pool, never useColumnNames', () => {
    const config = driverConfig({ server: 'h' });
    expect(config).toMatchObject({ pool: { max: 1 }, validateConnection: 'socket', requestTimeout: 0 });
    expect(config.options).not.toHaveProperty('useColumnNames');
  });
});
