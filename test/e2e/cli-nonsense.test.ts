/** Configurations as people break them, through the real command line: each is refused with its code, its place, its value and its rule. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Planted wherever a secret may stand; nothing may ever print one. */
const SECRET = 'pl4nted-s3cret';

const GOOD = `sources:
  shop:
    connection: "Server=db;Database=shop;User Id=sa;Password=${SECRET};Encrypt=true"
manager:
  redis:
    url: redis://app:${SECRET}@127.0.0.1:6379
  partition: shop
tables:
  - table: dbo.Orders
    section: orders
  - table: dbo.Lines
`;

interface Nonsense {
  readonly what: string;
  readonly text: string | Buffer;
  readonly code: string;
  /** The first line of the problem, whole or its beginning. */
  readonly told: RegExp;
}

const changed = (from: string | RegExp, to: string): string => {
  const text = GOOD.replace(from, () => to);
  if (text === GOOD) {
    throw new Error(`nothing to replace: ${String(from)}`);
  }
  return text;
};
const more = (text: string): string => `${GOOD}${text}\n`;

const CASES: readonly Nonsense[] = [
  // --- No YAML ---
  { what: 'an open quote', text: more('log: { level: "info }'), code: 'PW-C102', told: /cdc\.config\.yaml:1[23] .*quote/iu },
  { what: 'an open bracket', text: more('batch: { rows: 5'), code: 'PW-C102', told: /cdc\.config\.yaml:1[23] / },
  {
    what: 'a tab as indentation',
    text: more('batch:\n\trows: 5'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:13 a tab is no indentation in YAML: use spaces/,
  },
  { what: 'a key twice', text: more('log: { level: info }\nlog: { level: warn }'), code: 'PW-C102', told: /cdc\.config\.yaml:13 .*unique/ },
  { what: 'a colon without a space', text: changed('partition: shop', 'partition:shop'), code: 'PW-C102', told: /cdc\.config\.yaml:[67] / },
  { what: 'an indentation that fits nowhere', text: changed('  redis:', '   redis:'), code: 'PW-C102', told: /cdc\.config\.yaml:[4-7] / },
  {
    what: 'a second document',
    text: more('---\nlog: { level: info }'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:1[23] a second document begins/,
  },
  {
    what: 'an alias without its anchor',
    text: more('log: *usual'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:12 an alias \(\*\) without its anchor/,
  },
  {
    what: 'a tag that nobody knows',
    text: more('log: { level: !env LEVEL }'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:12 a tag \(!\) that nobody knows/,
  },
  {
    what: 'a merge of two branches in git',
    text: changed('    section: orders\n', '<<<<<<< HEAD\n    section: orders\n=======\n    section: o\n>>>>>>> x\n'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:1[0-4] /,
  },
  {
    what: 'UTF-16',
    text: Buffer.from(`\uFEFF${GOOD}`, 'utf16le'),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:1 is UTF-16 \(little endian\), not UTF-8/,
  },
  {
    what: 'Latin-1',
    text: Buffer.concat([Buffer.from(GOOD), Buffer.from('# caf\xe9\n', 'latin1')]),
    code: 'PW-C102',
    told: /cdc\.config\.yaml:12 holds bytes that are not UTF-8/,
  },
  // --- YAML, but no configuration ---
  {
    what: 'an empty file',
    text: '',
    code: 'PW-C103',
    told: /cdc\.config\.yaml:1 sources: a map of sources[^]*cdc\.config\.yaml:1 manager: required/,
  },
  {
    what: 'a list instead of a map',
    text: '- table: dbo.Orders\n',
    code: 'PW-C103',
    told: /cdc\.config\.yaml:1 \(top level\) = \[.*: a map/,
  },
  { what: 'a text instead of a map', text: 'patchwire\n', code: 'PW-C103', told: /cdc\.config\.yaml:1 \(top level\) = "patchwire": a map/ },
  {
    what: 'JSON with another shape',
    text: '{"tables":["dbo.Orders"]}',
    code: 'PW-C103',
    told: /cdc\.config\.yaml:1 tables\[0\] = "dbo\.Orders": a map/,
  },
  {
    what: 'a misspelled key',
    text: more('batsh: { rows: 5 }'),
    code: 'PW-C103',
    told: /cdc\.config\.yaml:12 batsh = \{"rows":5\}: unknown key; nearest known key: batch/,
  },
  {
    what: 'a misspelled key deep inside',
    text: changed('section: orders', 'sektion: orders'),
    code: 'PW-C103',
    told: /cdc\.config\.yaml:10 tables\[0\]\.sektion = "orders": unknown key; nearest known key: section/,
  },
  {
    what: 'a key in another case',
    text: more('batch: { inflight: 4 }'),
    code: 'PW-C103',
    told: /:12 batch\.inflight = 4: unknown key; nearest known key: inFlight/,
  },
  {
    what: 'a key at the wrong place',
    text: more('level: debug'),
    code: 'PW-C103',
    told: /:12 level = "debug": unknown key; nearest known key: log\.level/,
  },
  {
    what: 'a merge key',
    text: more('x: &x { rows: 5 }\nbatch: { <<: *x }'),
    code: 'PW-C103',
    told: /:13 batch\.<< = .*: merge keys are not read/,
  },
  {
    what: 'a duration without its unit',
    text: more('daemon: { shutdown: 25 }'),
    code: 'PW-C103',
    told: /:12 daemon\.shutdown = 25: a duration with its unit/,
  },
  {
    what: 'a duration in another language',
    text: more('daemon: { shutdown: 25 sec }'),
    code: 'PW-C103',
    told: /:12 daemon\.shutdown = "25 sec": a duration with its unit/,
  },
  {
    what: 'a duration beyond its bounds',
    text: more('daemon: { shutdown: 2d }'),
    code: 'PW-C103',
    told: /:12 daemon\.shutdown = "2d": between 1s and 10m/,
  },
  {
    what: 'a size with a comma',
    text: more('batch: { bytes: "1,5MiB" }'),
    code: 'PW-C103',
    told: /:12 batch\.bytes = "1,5MiB": a size with its unit/,
  },
  {
    what: 'MB instead of MiB',
    text: more('batch: { bytes: 1MB }'),
    code: 'PW-C103',
    told: /:12 batch\.bytes = "1MB": a size with its unit: B, KiB, MiB or GiB/,
  },
  {
    what: 'a number in quotes',
    text: more('batch: { rows: "500" }'),
    code: 'PW-C103',
    told: /:12 batch\.rows = "500": a whole number between 1 and 7000/,
  },
  { what: 'a fraction of a row', text: more('batch: { rows: 1.5 }'), code: 'PW-C103', told: /:12 batch\.rows = 1\.5: a whole number/ },
  {
    what: 'a port beyond 65535',
    text: more('http: { port: 94640 }'),
    code: 'PW-C103',
    told: /:12 http\.port = 94640: a whole number between 0 and 65535/,
  },
  {
    what: 'a level that is none',
    text: more('log: { level: verbose }'),
    code: 'PW-C103',
    told: /:12 log\.level = "verbose": one of trace, debug, info/,
  },
  {
    what: 'yes where true is meant',
    text: changed('Encrypt=true"', 'Encrypt=true"\n    trustServerCertificate: yes'),
    code: 'PW-C103',
    told: /:4 sources\.shop\.trustServerCertificate = "yes": (?:true or false|not beside connection)/,
  },
  {
    what: 'a list where a map belongs',
    text: changed(/sources:\n {2}shop:/u, 'sources:\n  - shop:'),
    code: 'PW-C103',
    told: /:1 sources = \[.*: a map of sources/,
  },
  {
    what: 'a text where a list belongs',
    text: changed(/tables:[^]*/u, 'tables: dbo.Orders\n'),
    code: 'PW-C103',
    told: /:8 tables = "dbo\.Orders": a list of tables/,
  },
  {
    what: 'a table without its schema',
    text: changed('dbo.Lines', 'Lines'),
    code: 'PW-C103',
    told: /:11 tables\[1\]\.table = "Lines": a table as schema\.name/,
  },
  {
    what: 'a table with three parts',
    text: changed('dbo.Lines', 'shop.dbo.Lines'),
    code: 'PW-C103',
    told: /:11 tables\[1\]\.table = "shop\.dbo\.Lines": a table as schema\.name/,
  },
  {
    what: 'a table twice',
    text: changed('dbo.Lines', 'DBO.[orders]'),
    code: 'PW-C103',
    told: /:11 tables\[1\]\.table = "DBO\.\[orders\]": a table once only: it is tables\[0\]/,
  },
  {
    what: 'two tables on one section',
    text: changed('dbo.Lines', 'dbo.Lines\n    section: orders'),
    code: 'PW-C103',
    told: /:12 tables\[1\]\.section = "orders": a free section/,
  },
  {
    what: 'a section with a slash',
    text: changed('section: orders', 'section: shop/orders'),
    code: 'PW-C103',
    told: /:10 tables\[0\]\.section = "shop\/orders": a name of letters/,
  },
  {
    what: 'a partition that is a number',
    text: changed('partition: shop', 'partition: 7'),
    code: 'PW-C103',
    told: /:7 manager\.partition = 7: a name of letters/,
  },
  {
    what: 'a source that is not there',
    text: changed('dbo.Lines', 'dbo.Lines\n    source: store'),
    code: 'PW-C103',
    told: /:12 tables\[1\]\.source = "store": one of the sources: shop/,
  },
  {
    what: 'a ladder without an end',
    text: changed('    connection', '    polling: { ladder: [50ms x5, 200ms x15] }\n    connection'),
    code: 'PW-C103',
    told: /:3 sources\.shop\.polling\.ladder = .*: a list of steps/,
  },
  {
    what: 'a lease shorter than two heartbeats',
    text: changed('  partition', '  lease: 5s\n  heartbeat: 4s\n  partition'),
    code: 'PW-C103',
    told: /:7 manager\.lease = "5s": at least twice the heartbeat/,
  },
  {
    what: 'a reference of another tool',
    text: more('log: { level: "${LEVEL}" }'),
    code: 'PW-C103',
    told: /:12 log\.level = "\$\{LEVEL\}": a reference is/,
  },
  {
    what: 'a variable that is not set',
    text: more('log: { level: "${env:NOBODY_SETS_THIS}" }'),
    code: 'PW-C104',
    told: /:12 log\.level = "\$\{env:NOBODY_SETS_THIS\}": the environment variable NOBODY_SETS_THIS is not set/,
  },
  {
    what: 'a file that is not there',
    text: more('log: { level: "${file:nowhere}" }'),
    code: 'PW-C104',
    told: /:12 log\.level = .*: the file nowhere cannot be read \(ENOENT\)/,
  },
  // --- Secrets whose first letter means something to YAML ---
  ...(
    [
      ['*', /:3 an alias \(\*\) without its anchor/],
      ['!', /:3 a tag \(!\) that nobody knows/],
      ['|', /:3 something stands here that YAML does not expect/],
      ['>', /:3 something stands here that YAML does not expect/],
      ['@', /:3 Plain value cannot start with/],
      ['%', /:3 Plain value cannot start with/],
      ['"x" ', /:3 /],
      ['"\\q', /:3 /],
      ["'", /:\d+ Missing closing 'quote/],
      ['[', /:\d+ /],
      ['{', /:\d+ /],
    ] as const
  ).map(([first, told]) => ({
    what: `a password that begins with ${first}`,
    text: changed('    connection', `    password: ${first}${SECRET}\n    connection`),
    code: 'PW-C102',
    told,
  })),
  // --- Secrets at places where they do not belong ---
  {
    what: 'a password under another name',
    text: changed('    connection', `    passwort: ${SECRET}\n    connection`),
    code: 'PW-C103',
    told: /:3 sources\.shop\.passwort = \*\*\*: unknown key; nearest known key: password/,
  },
  {
    what: 'a password beside the connection',
    text: changed('    connection', `    password: ${SECRET}\n    connection`),
    code: 'PW-C103',
    told: /:3 sources\.shop\.password = \*\*\*: not beside connection/,
  },
  {
    what: 'a connection string where the map belongs',
    text: changed(/shop:\n {4}connection:/u, 'shop:'),
    code: 'PW-C103',
    told: /:2 sources\.shop = \*\*\*: a map/,
  },
  {
    what: 'a url where the map belongs',
    text: changed(/redis:\n {4}url:/u, 'redis:'),
    code: 'PW-C103',
    told: /:5 manager\.redis = \*\*\*: a map/,
  },
  {
    what: 'a url of another protocol',
    text: changed('url: redis', 'url: http'),
    code: 'PW-C103',
    told: /:6 manager\.redis\.url = \*\*\*: a URL such as redis:/,
  },
  {
    what: 'a url at the top',
    text: more(`redisUrl: redis://app:${SECRET}@h`),
    code: 'PW-C103',
    told: /:12 redisUrl = \*\*\*: unknown key/,
  },
  {
    what: 'a map of secrets at the top',
    text: more(`credentials: { user: sa, secret: ${SECRET} }`),
    code: 'PW-C103',
    told: /:12 credentials = \*\*\*: unknown key/,
  },
  {
    what: 'a connection string with a key that is not honoured',
    text: changed('Encrypt=true', 'Authentication=x'),
    code: 'PW-C103',
    told: /source shop \(cdc\.config\.yaml:3\): PW-C103 source shop: .*authentication/,
  },
];

describe('a configuration that is nonsense', () => {
  it('is nothing of the kind as it stands here before it is broken', async () => {
    const cwd = temporaryFolder('nonsense');
    writeFileSync(join(cwd, 'cdc.config.yaml'), GOOD);
    expect(await runCli(['config', 'check'], { cwd })).toMatchObject({ code: 0, stderr: '' });
  });

  it.each(CASES)('$what: $code', async ({ text, code, told }) => {
    const cwd = temporaryFolder('nonsense');
    const file = join(cwd, 'cdc.config.yaml');
    writeFileSync(file, text);
    const before = readFileSync(file);
    const result = await runCli(['config', 'check', '--debug'], { cwd });
    const output = `${result.stdout}\n${result.stderr}`;
    expect(result.code).toBe(78);
    expect(output).toMatch(new RegExp(String.raw`^(?:FAIL .*)?${code}|: ${code} `, 'mu'));
    expect(output).toMatch(told);
    expect(output).toMatch(/hint: \S/u);
    expect(output).not.toContain(SECRET);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('is refused by every command that reads it, in the same words', async () => {
    const cwd = temporaryFolder('nonsense');
    writeFileSync(join(cwd, 'cdc.config.yaml'), more('batsh: {}'));
    const commands = [
      ['run'],
      ['table', 'list'],
      ['table', 'add', 'dbo.X'],
      ['table', 'show', 'orders'],
      ['checkpoint', 'list'],
      ['config', 'print'],
      ['sql', 'enable'],
      ['tail'],
    ];
    const results = await Promise.all(commands.map((command) => runCli(command, { cwd })));
    expect(results.map(({ code }) => code)).toEqual(commands.map(() => 78));
    expect(new Set(results.map(({ stderr }) => stderr)).size).toBe(1);
  });

  it('is told as data with --json, every problem with its place', async () => {
    const cwd = temporaryFolder('nonsense');
    writeFileSync(join(cwd, 'cdc.config.yaml'), more('batsh: {}\nlog: { level: loud }'));
    const { stderr } = await runCli(['config', 'check', '--json'], { cwd });
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: 'PW-C103',
        details: {
          problems: [
            { origin: 'cdc.config.yaml', line: 12, path: 'batsh', value: '{}', rule: 'unknown key', nearest: 'batch' },
            { origin: 'cdc.config.yaml', line: 13, path: 'log.level', value: '"loud"' },
          ],
        },
      },
    });
  });
});
