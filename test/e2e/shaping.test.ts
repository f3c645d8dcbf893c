/** Personal data as the built daemon handles it: what is masked, hashed, cut or left out reaches nothing but SQL Server and the daemon's memory. */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { daemonWorld, type DaemonWorld, until } from '../support/daemon-process.ts';
import { testPlaces } from '../support/places.ts';
import { startServer } from '../support/sandbox.ts';
import { startCli } from '../support/cli.ts';

const at = testPlaces(startServer);

const HASH_KEY = 'e2e-hash-key-of-more-than-thirty-two-characters';
const WITH_KEY = ['--set', `shaping.hashKey=${HASH_KEY}`];
const PEOPLE = { table: 'dbo.People', section: 'people', key: ['Id'], columns: {} };
const SHAPE = {
  Id: { as: 'id' },
  Email: { as: 'email', hash: true },
  Phone: { mask: { keepLast: 4 } },
  Note: { truncate: 5 },
  Internal: { exclude: true },
  Spare: { hash: { domain: 'person' } },
};

async function people(entry: Readonly<Record<string, unknown>> = { shape: SHAPE }): Promise<DaemonWorld> {
  const database = await at.server.freshDatabase();
  const world = daemonWorld({ database, redis: at.redis, tables: [{ shape: PEOPLE, entry }] });
  await world.sql(
    `CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(100), Phone nvarchar(40), Note nvarchar(200), Internal nvarchar(100), Spare nvarchar(100));
     ALTER TABLE dbo.People ENABLE CHANGE_TRACKING`,
    insert(1, 'one'),
  );
  return world;
}

/** Every value holds `raw` somewhere that must not be published. */
const insert = (id: number, who: string): string =>
  `INSERT INTO dbo.People VALUES (${id}, N'raw-mail-${who}@example.org', N'raw-phone-${who}-0815', N'note raw-note-${who}', N'raw-internal-${who}', N'raw-backup-${who}')`;

function hash(domain: string, value: string): string {
  const key = createHmac('sha256', HASH_KEY).update(`patchwire/hash/1\n${domain}`).digest();
  return createHmac('sha256', key).update(value).digest('base64url');
}

async function everythingIn(world: DaemonWorld): Promise<string> {
  const texts: string[] = [];
  for (const key of await world.raw.keys(`*${world.partition}*`)) {
    const type = await world.raw.type(key);
    const held =
      type === 'hash' ? await world.raw.hgetall(key) : type === 'stream' ? await world.raw.xrange(key, '-', '+') : await world.raw.get(key);
    texts.push(key, JSON.stringify(held));
  }
  return texts.join('\n');
}

const document = async (world: DaemonWorld, id: number): Promise<unknown> =>
  JSON.parse((await world.raw.get(`{${world.partition}:people}:${id}`)) ?? 'null');

describe('shaping', () => {
  it('publishes what was asked for, and the raw values are in no key, no message, no log line and no metric', async () => {
    const world = await people();
    await using tail = startCli(['tail', 'people', ...WITH_KEY], world.cli);
    await using daemon = world.daemon('--log-level', 'trace', ...WITH_KEY);
    await until('the first row is loaded', async () => (await world.meta('people'))['state'] === 'live');
    expect(await document(world, 1)).toEqual({
      id: 1,
      email: hash('column\ndbo.People\nEmail', 'raw-mail-one@example.org'),
      Phone: '**************0815'.slice(-'raw-phone-one-0815'.length),
      Note: 'note ',
      Spare: hash('domain\nperson', 'raw-backup-one'),
    });
    await world.sql(
      insert(2, 'two'),
      "UPDATE dbo.People SET Email = N'raw-mail-other@example.org', Phone = N'raw-phone-one-0816' WHERE Id = 1",
      "UPDATE dbo.People SET Internal = N'raw-internal-other', Note = N'note raw-note-other' WHERE Id = 2",
      'UPDATE dbo.People SET Phone = NULL WHERE Id = 2',
      insert(3, 'three'),
      'DELETE dbo.People WHERE Id = 3',
    );
    const version = await world.caughtUp('people');
    expect(await document(world, 1)).toMatchObject({
      email: hash('column\ndbo.People\nEmail', 'raw-mail-other@example.org'),
      Note: 'note ',
    });
    expect(await document(world, 2)).toMatchObject({ Phone: null });
    await tail.line((line) => line.includes(String(version)) || line.includes('/Phone')).catch(() => undefined);
    const metrics = (await daemon.get('/metrics')).body;
    const log = [...daemon.cli.stdout, ...daemon.cli.stderr, ...tail.stdout, ...tail.stderr].join('\n');
    for (const text of [await everythingIn(world), metrics, log]) {
      expect(text).not.toContain('raw-');
      expect(text).not.toContain(HASH_KEY);
    }
    await daemon.stop();
    await world.close();
  });

  it('L5: another hash key or another shape is another projection: PW-S220, which stops the table or is resynced', async () => {
    const world = await people();
    expect((await world.command('run', '--once', ...WITH_KEY)).code).toBe(0);
    const before = await document(world, 1);
    const stop = ['--set', 'tables[0].onLostHistory=stop'];
    const other = await world.command('run', '--once', '--set', `shaping.hashKey=${HASH_KEY}-another`, ...stop);
    expect(`${other.code} ${other.stderr}`).toContain('1 PW-S220');
    const shape = await world.command('run', '--once', ...WITH_KEY, '--set', 'tables[0].shape.Note.truncate=6', ...stop);
    expect(`${shape.code} ${shape.stderr}`).toContain('PW-S220');
    expect(await document(world, 1)).toEqual(before);
    expect((await world.command('run', '--once', ...WITH_KEY)).code).toBe(0);
    const resynced = await world.command('run', '--once', ...WITH_KEY, '--set', 'tables[0].shape.Note.truncate=6');
    expect(resynced.code).toBe(0);
    expect(await document(world, 1)).toEqual({ ...(before as object), Note: 'note r' });
    await world.close();
  });

  it('a key column cannot be hidden: PW-S228 names it and the way out', async () => {
    for (const entry of [{ shape: { Id: { hash: true } } }, { shape: { Id: { exclude: true } } }, { columns: { exclude: ['Id'] } }]) {
      const world = await people(entry);
      const { code, stderr } = await world.command('run', '--once', ...WITH_KEY);
      expect(`${code} ${stderr}`).toMatch(/^1 [\s\S]*PW-S228 .*column Id .*\n.*surrogate key/);
      expect(await world.meta('people')).toEqual({});
      await world.close();
    }
  });

  it('hashes without a key are refused before anything is opened', async () => {
    const world = await people();
    const { code, stderr } = await world.command('run', '--once');
    expect(`${code} ${stderr}`).toMatch(/^78 [\s\S]*shaping\.hashKey/);
    await world.close();
  });

  it('the filter keeps to the names of the table, and sees the value', async () => {
    const world = await people({ shape: SHAPE, filter: "Email LIKE 'raw-mail-o%'" });
    await world.sql(insert(2, 'two'));
    expect((await world.command('run', '--once', ...WITH_KEY)).code).toBe(0);
    expect(await document(world, 1)).not.toBeNull();
    expect(await document(world, 2)).toBeNull();
    await world.close();
  });

  it('table show --sample shows a row as it is published, and what the table holds only with --raw', async () => {
    const world = await people();
    await world.sql(insert(7, 'seven'));
    const { code, stdout, stderr } = await world.command('table', 'show', 'people', '--sample', '--key', '7', ...WITH_KEY);
    expect(`${code} ${stderr}`).toBe('0 ');
    expect(stdout).toContain(hash('column\ndbo.People\nEmail', 'raw-mail-seven@example.org'));
    expect(stdout).toMatch(/Internal +nvarchar\(100\) +exclude +- +not published/);
    expect(stdout).not.toContain('raw-');
    const raw = await world.command('table', 'show', 'people', '--sample', '--raw', '--json', ...WITH_KEY);
    const { columns } = JSON.parse(raw.stdout) as { columns: { column: string; raw: unknown; property: string | null }[] };
    expect(columns.find(({ column }) => column === 'Email')).toMatchObject({ property: 'email', raw: 'raw-mail-one@example.org' });
    expect(columns.find(({ column }) => column === 'Internal')).toMatchObject({ property: null, raw: 'raw-internal-one' });
    const none = await world.command('table', 'show', 'people', '--sample', '--key', '99', ...WITH_KEY);
    expect(`${none.code} ${none.stderr}`).toContain('1 PW-W405');
    await world.close();
  });
});
