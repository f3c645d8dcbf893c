import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig, loadConfig } from '../../../src/config/load.ts';
import { flagOverride } from '../../../src/config/overrides.ts';
import { printConfig, redactConfig, secretsOf } from '../../../src/config/print.ts';
import type { ConfigProblem } from '../../../src/config/problems.ts';
import { NAME_PATTERN } from '../../../src/config/schema.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { NAME_PATTERN as WIRE_NAME_PATTERN } from '../../../src/wire/keys.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MINIMAL = `sources:
  shop:
    connection: Server=127.0.0.1;Database=shop;User Id=sa;Password=s3cret!
manager:
  redis: { url: "redis://daemon:hush%21@127.0.0.1:6379" }
  partition: shop
tables:
  - table: dbo.Orders
`;

const parse = (text: string, env: Record<string, string> = {}, flags: string[] = []) =>
  parseConfig(text, { origin: 'cdc.config.yaml', env, folder: tmpdir(), flags: flags.map((flag) => flagOverride(flag)!) });

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

const problems = (run: () => unknown): ConfigProblem[] => failure(run).details['problems'] as ConfigProblem[];

describe('loadConfig', () => {
  it('fills in every default', () => {
    const config = parse(MINIMAL);
    expect(config.manager.heartbeat).toBe(5000);
    expect(config.batch).toEqual({ rows: 500, bytes: 262_144, inFlight: 4 });
    expect(config.sources['shop']?.polling.ladder.at(-1)).toEqual({ delayMs: 5000, count: Number.POSITIVE_INFINITY });
    expect(config.tables[0]).toMatchObject({ source: 'shop', section: 'Orders', columns: 'all', json: [], initial: 'full' });
    expect(config.daemon.shutdown).toBe(25_000);
  });

  it('refuses an alias without its anchor, and one that unfolds without end, as no YAML', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`).join('\n')}\n`;
    for (const text of [`${MINIMAL}x: *nowhere\n`, bomb]) {
      expect(failure(() => parse(text))).toMatchObject({
        code: 'PW-C102',
        message: expect.stringMatching(/^cdc\.config\.yaml:\d+ .*alias/iu) as string,
      });
    }
  });

  it.each(['a: &a [*a]', 'a: &a { b: *a }', 'a: &a [[1, { c: [*a] }]]'])('refuses an alias of what it stands in: %s', (text) => {
    expect(failure(() => parse(`x: 1\n${text}\n`))).toMatchObject({
      code: 'PW-C102',
      message: 'cdc.config.yaml:2 an alias (*) of what it stands in',
    });
  });

  it('takes a known key with nothing behind it as not set, and still refuses an unknown one', () => {
    const text = MINIMAL.replace('  - table: dbo.Orders\n', '  # - table: dbo.Orders\nbatch:\n  # rows: 7\n');
    expect(parse(text)).toMatchObject({ tables: [], batch: { rows: 500 } });
    expect(problems(() => parse(`${MINIMAL}batsh:\n`))).toMatchObject([{ path: 'batsh', nearest: 'batch' }]);
    expect(problems(() => parse(MINIMAL.replace('partition: shop', 'partition:')))).toMatchObject([
      { path: 'manager.partition', value: null },
    ]);
  });

  it('names a file that is not there, or why it cannot be read', () => {
    expect(failure(() => loadConfig({ path: '/nowhere.yaml', env: {} }))).toMatchObject({
      code: 'PW-C101',
      message: 'the configuration file /nowhere.yaml is not there',
    });
    expect(failure(() => loadConfig({ path: tmpdir(), env: {} }))).toMatchObject({
      code: 'PW-C101',
      message: expect.stringContaining('EISDIR') as string,
    });
  });

  it('refuses a Redis URL whose path is no number of a database', () => {
    const url = (text: string) => MINIMAL.replace('127.0.0.1:6379', text);
    for (const good of ['h:1', 'h:1/', 'h/0', 'h:1/12']) {
      expect(parse(url(good)).manager.redis.url).toContain(good);
    }
    for (const bad of ['h:1/abc', 'h:1/-1', 'h:1/1/2', 'h:99999']) {
      expect(problems(() => parse(url(bad)))).toMatchObject([{ path: 'manager.redis.url', value: '***' }]);
    }
  });

  it('freezes the configuration deeply', () => {
    const config = parse(MINIMAL);
    expect(() => {
      (config.tables[0] as { section: string }).section = 'x';
    }).toThrow(TypeError);
    expect(Object.isFrozen(config.sources['shop']?.polling.ladder)).toBe(true);
  });

  it('lists every problem at once, each with line, path, value, rule and nearest known key', () => {
    const text = `sources:
  shop:
    conection: x
    isolation: chaos
manager:
  redis: { url: "http://x" }
  partition: a b
batch:
  rows: many
  inflight: 4
tables:
  - table: Orders
  - table: dbo.[Order Details]
tabels: []
`;
    const found = problems(() => parse(text)).map(({ line, path, value, nearest }) => [line, path, value, nearest]);
    expect(found).toEqual(
      expect.arrayContaining([
        [2, 'sources.shop', expect.any(String), null],
        [3, 'sources.shop.conection', '***', 'connection'],
        [4, 'sources.shop.isolation', '"chaos"', null],
        [6, 'manager.redis.url', '***', null],
        [7, 'manager.partition', '"a b"', null],
        [9, 'batch.rows', '"many"', null],
        [10, 'batch.inflight', '4', 'inFlight'],
        [12, 'tables[0].table', '"Orders"', null],
        [13, 'tables[1].section', null, null],
        [14, 'tabels', '[]', 'tables'],
      ]),
    );
    expect(found).toHaveLength(10);
  });

  it.each([
    ['log: { level: loud }', 'log.level', 'one of trace, debug'],
    ['batch: { bytes: 256 }', 'batch.bytes', 'a size with its unit'],
    ['batch: { bytes: 1B }', 'batch.bytes', 'between 1KiB and 64MiB'],
    ['daemon: { shutdown: soon }', 'daemon.shutdown', 'a duration with its unit'],
    ['http: { port: 70000 }', 'http.port', 'a whole number between 0 and 65535'],
    ['http: 9464', 'http', 'a map'],
    ['http: { host: 127 }', 'http.host', 'a text: put it in quotes'],
    ['checkpoint: { store: paper }', 'checkpoint.store', 'one of redis, sqlserver'],
  ])('refuses %s', (line, path, rule) => {
    const [problem, ...more] = problems(() => parse(`${MINIMAL}${line}\n`));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ code: 'PW-C103', line: 9, path, rule: expect.stringContaining(rule) as string });
  });

  it.each([
    ['initial: half', 'tables[0].initial', 'one of full, none'],
    ['onLostHistory: shrug', 'tables[0].onLostHistory', 'one of resync, stop'],
    ['columns: some', 'tables[0].columns', 'all, a list of columns'],
    ['source: other', 'tables[0].source', 'one of the sources: shop'],
    ['section: a/b', 'tables[0].section', 'a name of letters'],
    ['polling: { ladder: [1s] }', 'tables[0].polling.ladder', 'unknown key'],
  ])('refuses the table key %s', (line, path, rule) => {
    const [problem, ...more] = problems(() => parse(`${MINIMAL}    ${line}\n`));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ line: 9, path, rule: expect.stringContaining(rule) as string });
  });

  it.each([
    ['the same table twice', '  - table: DBO.orders\n    section: o2\n', 'tables[1].table', 'a table once only'],
    ['a section that another table names', '  - table: dbo.B\n    section: Orders\n  - table: x.Orders\n', 'tables[0].section', 'needed'],
    ['two tables of one default section', '  - table: sales.Orders\n', 'tables[1].section', 'needed'],
  ])('refuses %s', (_title, lines, path, rule) => {
    const found = problems(() => parse(MINIMAL + lines));
    expect(found[0]).toMatchObject({ path, rule: expect.stringContaining(rule) as string });
  });

  it('refuses a source with a connection string and fields, and one with neither', () => {
    const both = MINIMAL.replace('    connection', '    port: 1433\n    connection');
    expect(problems(() => parse(both))).toMatchObject([{ path: 'sources.shop.port', line: 3 }]);
    const neither = MINIMAL.replace(/connection: .*/u, 'server: localhost');
    expect(problems(() => parse(neither))).toMatchObject([
      { path: 'sources.shop', rule: expect.stringContaining('missing: database') as string },
    ]);
  });

  it('names a missing file, broken YAML with its line, and an empty file', () => {
    expect(failure(() => loadConfig({ path: '/nowhere/cdc.yaml', env: {} })).code).toBe('PW-C101');
    const broken = failure(() => parse('a: 1\nb: [1,\nc: }\n'));
    expect(broken.code).toBe('PW-C102');
    expect(broken.message).toMatch(/cdc\.config\.yaml:[23] /u);
    expect(problems(() => parse('')).map(({ path }) => path)).toEqual(['sources', 'manager']);
  });

  it('always names an unknown key, wherever it stands', () => {
    const places = ['', 'sources.shop', 'manager', 'manager.redis', 'batch', 'http', 'tables.0', 'sources.shop.limits'];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.stringMatching(/^[a-z]{3,12}X$/u), (place, key) => {
        const path = place === '' ? key : `${place}.${key}`;
        const found = problems(() => parse(MINIMAL, {}, [`${path}=1`]));
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ rule: 'unknown key', nearest: expect.any(String) as string });
        expect(found[0]?.path.endsWith(key)).toBe(true);
      }),
    );
  });

  it('has the same names as the wire', () => {
    expect(NAME_PATTERN.source).toBe(WIRE_NAME_PATTERN.source);
  });
});

describe('references', () => {
  it('replaces ${env:…} and ${file:…}', () => {
    const folder = temporaryFolder('config');
    writeFileSync(join(folder, 'secret'), 'from file\n');
    const text = MINIMAL.replace(/connection: .*/u, 'connection: ${env:PATCHWIRE_MSSQL}').replace(
      'url:',
      'password: "${file:secret}", url:',
    );
    const config = parseConfig(text, { origin: 'x', env: { PATCHWIRE_MSSQL: 'Server=db' }, folder });
    expect(config.sources['shop']?.connection).toBe('Server=db');
    expect(config.manager.redis.password).toBe('from file');
  });

  it('names every reference without a value as PW-C104, without a second problem for the same place', () => {
    const text = MINIMAL.replace(/connection: .*/u, 'connection: ${env:NOPE}').replace(/url: "[^"]*"/u, 'url: "${file:/nope}"');
    const error = failure(() => parse(text));
    expect(error.code).toBe('PW-C104');
    expect(problems(() => parse(text))).toMatchObject([
      { line: 3, path: 'sources.shop.connection', value: '"${env:NOPE}"', rule: 'the environment variable NOPE is not set' },
      { line: 5, path: 'manager.redis.url', rule: 'the file /nope cannot be read (ENOENT)' },
    ]);
  });

  it('refuses what only looks like a reference, and takes $${ for ${', () => {
    expect(problems(() => parse(`${MINIMAL}    filter: "a = '\${X}'"\n`))).toMatchObject([{ code: 'PW-C103', line: 9 }]);
    expect(parse(`${MINIMAL}    filter: "a = '$\${X}'"\n`).tables[0]?.filter).toBe("a = '${X}'");
  });
});

describe('precedence', () => {
  it('puts environment over the file and flags over both', () => {
    const file = `${MINIMAL}log: { level: warn }\nbatch: { inFlight: 2 }\n`;
    expect(parse(file).log.level).toBe('warn');
    expect(parse(file, { PATCHWIRE_LOG__LEVEL: 'debug' }).log.level).toBe('debug');
    expect(parse(file, { PATCHWIRE_LOG__LEVEL: 'debug' }, ['log.level=trace']).log.level).toBe('trace');
    expect(parse(file, { PATCHWIRE_BATCH__IN_FLIGHT: '9' }).batch.inFlight).toBe(9);
  });

  it('reaches into maps and lists, and keeps texts texts', () => {
    const env = {
      PATCHWIRE_SOURCES__SHOP__POLLING__LADDER: '[10ms x3, 1s]',
      PATCHWIRE_MANAGER__REDIS__PASSWORD: '12345',
      PATCHWIRE_TABLES__0__SECTION: 'orders',
    };
    const config = parse(MINIMAL, env);
    expect(config.sources['shop']?.polling.ladder).toHaveLength(2);
    expect(config.manager.redis.password).toBe('12345');
    expect(config.tables[0]?.section).toBe('orders');
  });

  it('takes a name without a double underscore for no key', () => {
    expect(parse(MINIMAL, { PATCHWIRE_MSSQL: 'x', PATCHWIRE_LOG_LEVEL: 'debug', PATCHWIRE_TEST_REDIS: 'y' }).log.level).toBe('info');
  });

  it('names the variable or flag whose value is wrong', () => {
    expect(problems(() => parse(MINIMAL, { PATCHWIRE_LOG__LEVL: 'debug' }))).toMatchObject([
      { origin: 'environment PATCHWIRE_LOG__LEVL', line: null, nearest: 'level' },
    ]);
    expect(problems(() => parse(MINIMAL, {}, ['batch.rows=0']))).toMatchObject([{ origin: 'flag --set batch.rows', value: '0' }]);
  });

  it('does not look at a reference that is overridden', () => {
    const text = MINIMAL.replace(/connection: .*/u, 'connection: ${env:NOPE}');
    expect(parse(text, { PATCHWIRE_SOURCES__SHOP__CONNECTION: 'Server=x' }).sources['shop']?.connection).toBe('Server=x');
  });
});

describe('printing', () => {
  const duration = (min: number, max: number) => fc.integer({ min, max }).map((ms) => `${ms}ms`);
  const word = fc.string({
    minLength: 1,
    maxLength: 12,
    unit: fc.constantFrom('a', 'Z', '$', '{', '}', ':', '#', ' ', '"', "'", 'é', '~', '1'),
  });
  const configs = fc.record({
    sources: fc.dictionary(
      fc.stringMatching(/^[a-z]{1,5}$/u),
      fc.record({
        connection: word.map((text) => `x${text.replaceAll('{', '')}`),
        claims: fc.constantFrom('implied', 'confirmed'),
        polling: fc.record({ confirm: duration(100, 3_600_000), ladder: duration(1, 90_000).map((last) => ['7ms x3', last]) }),
        limits: fc.record({ timeShare: fc.double({ min: 0.01, max: 1, noNaN: true }), pageRows: fc.integer({ min: 1, max: 1_000_000 }) }),
      }),
      { minKeys: 1, maxKeys: 1 },
    ),
    manager: fc.record({
      redis: fc.record({ url: fc.constant('redis://h:1'), password: word.map((text) => text.replaceAll('${', '$$${')) }),
      partition: fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/u),
      heartbeat: duration(250, 500),
    }),
    tables: fc.array(
      fc.record({
        columns: fc.oneof(fc.constant('all'), fc.constant(['a', 'b']), fc.constant({ exclude: ['null'] })),
        filter: word.map((text) => text.replaceAll('${', '$$${')),
        polling: fc.record({ max: duration(10, 86_400_000) }),
      }),
      { maxLength: 3 },
    ),
  });

  it('loads again what it printed, as the same configuration', () => {
    fc.assert(
      fc.property(configs, (raw) => {
        const text = JSON.stringify({ ...raw, tables: raw.tables.map((table, i) => ({ table: `dbo.T${i}`, ...table })) });
        const config = parse(text);
        expect(parse(printConfig(config))).toEqual(config);
      }),
    );
  });

  it('masks every secret', () => {
    const config = parse(MINIMAL);
    const shown = JSON.stringify(redactConfig(config));
    expect(shown).not.toContain('s3cret');
    expect(shown).not.toContain('hush');
    expect(shown).toContain('"shutdown":"25s"');
    expect(secretsOf(config)).toEqual(expect.arrayContaining(['s3cret!', 'hush!', 'hush%21']));
  });

  it('never shows a secret in a problem, not even of a map that holds one', () => {
    const text = MINIMAL.replace('    connection', '    port: x\n    password: topsecret\n    connection').replace(
      '  partition: shop',
      '  heartbeat: 3',
    );
    expect(failure(() => parse(text)).message).not.toMatch(/topsecret|s3cret|hush/u);
    expect(JSON.stringify(problems(() => parse(text)))).not.toMatch(/topsecret|s3cret|hush/u);
  });
});
