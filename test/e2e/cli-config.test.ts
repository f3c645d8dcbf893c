/** The commands around the configuration, through the real command line; none of them needs a server. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist/main.js');

const ENV = {
  PATCHWIRE_MSSQL: 'Server=127.0.0.1,1;Database=Shop;User Id=sa;Password=hush-hush;Encrypt=false;Connect Timeout=2',
  PATCHWIRE_REDIS: 'redis://u:quiet-now@127.0.0.1:1',
};

const TEXT = `sources:
  shop: { connection: "\${env:PATCHWIRE_MSSQL}" }
manager:
  redis: { url: "\${env:PATCHWIRE_REDIS}" }
  partition: shop
batch: { rows: 100 }
tables:
  - table: dbo.Orders
    section: orders
    filter: Total > 1
  - table: "[dbo].[Order Lines]"
    section: lines
`;

function folder(files: Readonly<Record<string, string>> = { 'cdc.config.yaml': TEXT }): {
  readonly cwd: string;
  readonly env: Record<string, string>;
} {
  const cwd = temporaryFolder('config');
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(cwd, name), text);
  }
  return { cwd, env: ENV };
}

describe('--config', () => {
  const files = {
    'base.yaml': TEXT,
    'over.yaml': 'batch: { rows: 7 }\ntables:\n  - table: dbo.Orders\n    filter: null\n',
    'top.yaml': 'log: { level: warn }\n',
  };

  it('given more than once puts files over each other; PATCHWIRE_CONFIG does the same, and the flag goes before it', async () => {
    const here = folder(files);
    const args = ['--config', 'base.yaml', '--config', 'over.yaml', '--config', 'top.yaml'];
    const byFlag = await runCli(['config', 'print', '--json', ...args], here);
    const byVariable = await runCli(['config', 'print', '--json'], {
      ...here,
      env: { ...ENV, PATCHWIRE_CONFIG: 'base.yaml:over.yaml:top.yaml' },
    });
    expect(byVariable).toEqual(byFlag);
    expect(JSON.parse(byFlag.stdout)).toMatchObject({ batch: { rows: 7 }, log: { level: 'warn' }, tables: [{ table: 'dbo.Orders' }, {}] });
    expect(JSON.parse(byFlag.stdout)).not.toHaveProperty('tables[0].filter');
    const flagFirst = await runCli(['config', 'print', '--json', '--config', 'base.yaml'], {
      ...here,
      env: { ...ENV, PATCHWIRE_CONFIG: 'over.yaml' },
    });
    expect(JSON.parse(flagFirst.stdout)).toMatchObject({ batch: { rows: 100 } });
  });

  it('names the file that a problem is in', async () => {
    const here = folder({ ...files, 'top.yaml': 'log: { level: warn }\nbatsh: 1\n' });
    const { code, stderr } = await runCli(['config', 'check', '--config', 'base.yaml', '--config', 'top.yaml'], here);
    expect({ code, stderr }).toMatchObject({ code: 78, stderr: expect.stringContaining('top.yaml:2 batsh = 1: unknown key') as string });
  });

  it('table remove takes the table out of every file that has it, and says which', async () => {
    const here = folder(files);
    const { code, stdout } = await runCli(
      ['table', 'remove', 'orders', '--config', 'base.yaml', '--config', 'over.yaml', '--config', 'top.yaml'],
      here,
    );
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('removed dbo.Orders from over.yaml and base.yaml') as string,
    });
    expect(readFileSync(join(here.cwd, 'base.yaml'), 'utf8')).not.toContain('dbo.Orders');
    expect(readFileSync(join(here.cwd, 'over.yaml'), 'utf8')).toBe('batch: { rows: 7 }\ntables: []\n');
    expect(readFileSync(join(here.cwd, 'top.yaml'), 'utf8')).toBe(files['top.yaml']);
  });
});

describe('config check', () => {
  it('ends with 0 where nothing is wrong, and connects to nothing', async () => {
    expect(await runCli(['config', 'check'], folder())).toMatchObject({
      code: 0,
      stderr: '',
      stdout: 'cdc.config.yaml: no problem (1 source, 2 tables)',
    });
  });

  it('--online tells what is wrong with every server at once, without a secret', async () => {
    const { code, stdout, stderr } = await runCli(['config', 'check', '--online'], folder());
    expect({ code, stderr }).toEqual({ code: 69, stderr: '' });
    expect(stdout).toMatch(/^FAIL {2}Redis at 127\.0\.0\.1:1: PW-M301 .*\n {6}hint: \S/mu);
    expect(stdout).toMatch(
      /^FAIL {2}SQL Server \(source shop at 127\.0\.0\.1,1\): PW-S201 .*2 tables were not looked at.*\n {6}hint: \S/mu,
    );
    expect(stdout).toMatch(/cdc\.config\.yaml: 2 problems/u);
    expect(stdout).not.toMatch(/hush-hush|quiet-now/u);
  });
});

describe('config print', () => {
  it('prints the effective configuration without its secrets', async () => {
    const { code, stdout } = await runCli(['config', 'print', '--set', 'log.level=debug'], folder());
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ log: { level: 'debug' }, daemon: { shutdown: '25s' }, sources: { shop: { connection: '***' } } });
    expect(stdout).not.toMatch(/hush-hush|quiet-now/u);
  });

  it('--origin says of every value where it comes from', async () => {
    const here = folder();
    const env = { ...ENV, PATCHWIRE_LOG__LEVEL: 'warn', PATCHWIRE_DAEMON__SHUTDOWN: '9s' };
    const { stdout } = await runCli(['config', 'print', '--origin', '--json', '--set', 'daemon.shutdown=8s'], { ...here, env });
    const origins = Object.fromEntries(
      (JSON.parse(stdout) as { key: string; value: unknown; origin: string }[]).map((each) => [each.key, [each.value, each.origin]]),
    );
    expect(origins).toMatchObject({
      'sources.shop.connection': ['***', 'cdc.config.yaml:2 ${env:PATCHWIRE_MSSQL}'],
      'batch.rows': [100, 'cdc.config.yaml:6'],
      'batch.bytes': ['256KiB', 'default'],
      'log.level': ['warn', 'environment PATCHWIRE_LOG__LEVEL'],
      'daemon.shutdown': ['8s', 'flag --set daemon.shutdown'],
      'tables[0].filter': ['Total > 1', 'cdc.config.yaml:10'],
      'tables[1].section': ['lines', 'cdc.config.yaml:12'],
      'tables[1].source': ['shop', 'default'],
    });
    const text = (await runCli(['config', 'print', '--origin'], here)).stdout;
    expect(text).toMatch(/^batch\.rows +100 +cdc\.config\.yaml:6$/mu);
  });
});

describe('config plan', () => {
  const plan = async (next: string, more: readonly string[] = []): Promise<readonly Record<string, string>[]> => {
    const here = folder({ 'cdc.config.yaml': TEXT, 'next.yaml': next });
    const { code, stdout, stderr } = await runCli(['config', 'plan', 'next.yaml', '--json', ...more], here);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return (JSON.parse(stdout) as { steps: Record<string, string>[] }).steps;
  };

  it('says nothing of what stays, be it spelled otherwise', async () => {
    expect(
      await plan(TEXT.replace('dbo.Orders', '"[DBO].orders"').replace('batch: { rows: 100 }', 'batch: { rows: 100, bytes: 256KiB }')),
    ).toEqual([]);
    const here = folder({ 'cdc.config.yaml': TEXT, 'same.yaml': TEXT });
    expect(await runCli(['config', 'plan', 'same.yaml'], here)).toMatchObject({ code: 0, stdout: 'nothing changes' });
  });

  it.each([
    ['a limit', TEXT.replace('100', '200'), [['restart', 'batch.rows', '100 → 200']]],
    [
      'how often a table is polled',
      TEXT.replace('    filter', '    polling: { max: 1s }\n    filter'),
      [['restart', 'dbo.Orders polling', '{} → {"max":1000}']],
    ],
    ['L5: the filter', TEXT.replace('Total > 1', 'Total > 2'), [['reset', 'dbo.Orders filter', 'Total > 1 → Total > 2']]],
    [
      'L5: the columns',
      TEXT.replace('    filter', '    columns: { exclude: [Notes] }\n    filter'),
      [['reset', 'dbo.Orders columns', 'all → {"exclude":["Notes"]}']],
    ],
    ['a new table', `${TEXT}  - table: dbo.New\n`, [['load', 'dbo.New', 'is added']]],
    ['a table less', TEXT.replace(/ {2}- table: "[^]*/u, ''), [['purge', '[dbo].[Order Lines]', 'is removed']]],
    [
      'another section',
      TEXT.replace('section: orders', 'section: o2'),
      [
        ['load', 'dbo.Orders section', 'orders → o2'],
        ['purge', 'dbo.Orders section', 'orders → o2'],
      ],
    ],
    [
      'another table in a section',
      TEXT.replace('dbo.Orders', 'dbo.Orders2'),
      [['reset', 'dbo.Orders2 table', 'shop/dbo.Orders → shop/dbo.Orders2']],
    ],
    [
      'another partition',
      TEXT.replace('partition: shop', 'partition: shop2'),
      [
        ['load', 'dbo.Orders', 'moves'],
        ['load', '[dbo].[Order Lines]', 'moves'],
        ['purge', 'dbo.Orders', 'moves'],
        ['purge', '[dbo].[Order Lines]', 'moves'],
        ['restart', 'manager.partition', 'shop → shop2'],
      ],
    ],
    [
      'L5: the key of the hashes',
      TEXT.replace('section: lines', 'section: lines\n    shape: { Note: { hash: true } }') + `shaping: { hashKey: ${'k'.repeat(32)} }\n`,
      [
        ['reset', '[dbo].[Order Lines] shape', '{} → {"Note":{"hash":true}}'],
        ['reset', '[dbo].[Order Lines] shape', 'another hash key'],
        ['restart', 'shaping.hashKey', '- → ***'],
      ],
    ],
    [
      'a secret',
      TEXT.replace('${env:PATCHWIRE_MSSQL}', 'Server=other;Password=plain-text'),
      [['restart', 'sources.shop.connection', 'changes (secret)']],
    ],
  ])('%s has its cost', async (_what, next, expected) => {
    const steps = await plan(next);
    expect(steps.map(({ cost, key, change }) => [cost, key, change])).toEqual(expected);
    expect(JSON.stringify(steps)).not.toMatch(/plain-text|hush-hush/u);
  });

  it('is refused for a new file that is wrong, by its name', async () => {
    const here = folder({ 'cdc.config.yaml': TEXT, 'next.yaml': `${TEXT}batsh: 1\n` });
    expect(await runCli(['config', 'plan', 'next.yaml'], here)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('next.yaml:13 batsh') as string,
    });
  });
});

describe('config schema', () => {
  const printed = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await runCli(['config', 'schema'], { cwd: '/' })).stdout) as Record<string, unknown>;

  it('is what the build puts into the package, and what the shipped configuration names in its first line', async () => {
    expect(JSON.parse(readFileSync(join(root, 'dist/patchwire.schema.json'), 'utf8'))).toEqual(await printed());
    const [first = ''] = readFileSync(join(root, 'cdc.config.yaml'), 'utf8').split('\n');
    const [, named = ''] = /^# yaml-language-server: \$schema=(.+)$/u.exec(first) ?? [];
    expect(existsSync(join(root, named))).toBe(true);
  });

  it('takes what the program takes and refuses what it refuses, as an editor judges it', async () => {
    await using app = fastify({ ajv: { customOptions: { coerceTypes: false, useDefaults: false, removeAdditional: false } } });
    app.post('/', { schema: { body: await printed() } }, () => 'taken');
    const judged = async (text: string): Promise<number> =>
      (await app.inject({ method: 'POST', url: '/', payload: parse(text) as object })).statusCode;
    expect(await judged(TEXT)).toBe(200);
    expect(await judged(readFileSync(join(root, 'cdc.config.yaml'), 'utf8'))).toBe(200);
    expect(await judged(`${TEXT}log: { level: "\${env:LEVEL}" }\n`)).toBe(200);
    for (const wrong of [
      'batsh: 1',
      'log: { level: loud }',
      'daemon: { shutdown: 25 }',
      'daemon: { shutdown: soon }',
      'http: { port: 70000 }',
      'limits: { maxDocument: 1MB }',
    ]) {
      expect([wrong, await judged(`${TEXT}${wrong}\n`)]).toEqual([wrong, 400]);
    }
  });
});

describe('init', () => {
  it('writes a configuration that passes config check, and never over a file', async () => {
    const here = folder({});
    expect(await runCli(['init'], here)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('wrote cdc.config.yaml') as string,
    });
    expect(await runCli(['config', 'check'], here)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 source, 0 tables') as string,
    });
    const file = join(here.cwd, 'cdc.config.yaml');
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^# yaml-language-server: \$schema=file:.*\/dist\/patchwire\.schema\.json\n/u);
    expect(text).not.toMatch(/hush-hush|quiet-now/u);
    writeFileSync(file, TEXT);
    expect(await runCli(['init'], here)).toMatchObject({ code: 1, stderr: expect.stringContaining('PW-C107') as string });
    expect(readFileSync(file, 'utf8')).toBe(TEXT);
    expect(await runCli(['init', '--force', '--name', 'desk'], here)).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toContain('partition: desk');
  });

  it('takes over what the flags say of the server, but no password', async () => {
    const here = folder({});
    const flags = ['server=db', 'database=Shop', 'user=app', 'password=hush-hush'].flatMap((text) => ['--set', `sources.desk.${text}`]);
    expect(await runCli(['init', ...flags, '--set', 'manager.redis.url=redis://h:1'], here)).toMatchObject({ code: 0 });
    const text = readFileSync(join(here.cwd, 'cdc.config.yaml'), 'utf8');
    expect(parse(text)).toMatchObject({
      sources: { desk: { server: 'db', database: 'Shop', user: 'app', password: '${env:PATCHWIRE_PASSWORD}' } },
      manager: { redis: { url: 'redis://h:1' }, partition: 'desk' },
    });
    expect(await runCli(['config', 'check'], { ...here, env: { PATCHWIRE_PASSWORD: 'x' } })).toMatchObject({ code: 0 });
  });
});

describe('explain', () => {
  it('explains a code in any spelling, lists all, and names the nearest to one that is not there', async () => {
    const { code, stdout } = await runCli(['explain', 's211'], { cwd: '/' });
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^PW-S211: History is lost[^]*cause: [^]*class: +resync[^]*to do: [^]*seen in: /u) as string,
    });
    expect(JSON.parse((await runCli(['explain', 'PW-S211', '--json'])).stdout)).toMatchObject({ code: 'PW-S211', retry: 'resync' });
    expect((await runCli(['explain', '--list'])).stdout.split('\n').length).toBeGreaterThan(60);
    expect(await runCli(['explain', 'PW-C999'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/nearest is PW-C1/u) as string });
    expect(await runCli(['explain'])).toMatchObject({ code: 2 });
  });
});

describe('completion', () => {
  /** What bash offers for a line, by its own completion: the script is read, its function called as bash calls it. */
  function offered(cwd: string, ...words: readonly string[]): string[] {
    const bin = join(cwd, 'patchwire');
    if (!existsSync(bin)) {
      symlinkSync(main, bin);
      chmodSync(main, 0o755);
    }
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `source <(patchwire completion bash); complete -p patchwire >/dev/null || exit 9
COMP_WORDS=(patchwire ${line}); COMP_CWORD=${words.length}; _patchwire; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, status } = spawnSync('bash', ['-c', script], {
      cwd,
      env: { ...process.env, ...ENV, PATH: `${cwd}:${process.env['PATH']}` },
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    return stdout.split('\n').filter((each) => each !== '');
  }

  it('in bash offers commands, options, tables and sections of the configuration, connecting to nothing', () => {
    const { cwd } = folder();
    expect(offered(cwd, 'ta')).toEqual(['table', 'tail']);
    expect(offered(cwd, 'table', 'e')).toEqual(['enable']);
    expect(offered(cwd, 'config', '')).toEqual(['check', 'plan', 'print', 'schema']);
    expect(offered(cwd, 'table', 'add', '--d')).toEqual(['--debug', '--dry-run']);
    expect(offered(cwd, 'table', 'remove', '')).toEqual(['[dbo].[Order Lines]', 'dbo.Orders', 'lines', 'orders']);
    expect(offered(cwd, 'checkpoint', 'reset', 'or')).toEqual(['orders']);
    expect(offered(cwd, 'tail', 'orders', 'li')).toEqual(['lines']);
    expect(offered(cwd, '--log-level', 'd')).toEqual(['debug']);
    expect(offered(cwd, '--set', 'sources.shop.lim')).toContain('sources.shop.limits.pageRows=');
    expect(offered(cwd, 'explain', 'PW-W40')).toContain('PW-W401');
    expect(offered(cwd, 'table', 'remove', '--config', 'nowhere.yaml', '')).toEqual([]);
    expect(offered(cwd, 'table', 'remove', '--config', 'nowhere.yaml', '')).toEqual([]);
  });

  it('in both shells is a script that the shell reads', async () => {
    const here = folder();
    for (const shell of ['bash', 'zsh']) {
      const { code, stdout } = await runCli(['completion', shell], here);
      const { error, stderr } = spawnSync(shell, ['-n'], { input: `${stdout}\n`, encoding: 'utf8' });
      expect({ code, complaint: error === undefined ? stderr : '' }).toEqual({ code: 0, complaint: '' });
    }
    expect(await runCli(['completion', 'fish'], here)).toMatchObject({ code: 2 });
  });

  it.runIf(spawnSync('zsh', ['-c', 'true']).status === 0)('in zsh offers the same', () => {
    const { cwd } = folder();
    symlinkSync(main, join(cwd, 'patchwire'));
    const script = `compdef() { : }; compadd() { shift; print -l -- "$@" }; _files() { print files }
source <(patchwire completion zsh); words=(patchwire table remove ''); CURRENT=4; _patchwire; words=(patchwire run '--on'); CURRENT=3; _patchwire`;
    const { stdout } = spawnSync('zsh', ['-f', '-c', script], {
      cwd,
      env: { ...process.env, ...ENV, PATH: `${cwd}:${process.env['PATH']}` },
      encoding: 'utf8',
    });
    expect(stdout.trim().split('\n')).toEqual(['[dbo].[Order Lines]', 'dbo.Orders', 'lines', 'orders', '--once']);
  });
});

describe('sql', () => {
  it.each(['enable', 'login', 'disable'])('%s prints the script of sql/ for every registered table, its names quoted', async (name) => {
    const { code, stdout, stderr } = await runCli(['sql', name], folder());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('[dbo].[Orders]');
    expect(stdout).toContain('[dbo].[Order Lines]');
    expect(stdout).toContain('[Shop]');
    expect(stdout).not.toMatch(/OrderDesk|Replace: |hush-hush/u);
  });

  it('quotes what would end a name, a text or a comment', async () => {
    const args = ['--tables', "[d']].[O--]", '--database', "S'h]op\nDROP", '--user', "u]'"];
    const { stdout } = await runCli(['sql', 'disable', ...args.with(1, "[d']]x].[O--]")], folder());
    expect(stdout).toContain("OBJECT_ID(N'[d'']]x].[O--]')");
    expect(stdout).toContain("DATABASE_PRINCIPAL_ID(N'u]''')");
    expect(stdout).toContain("--   ALTER DATABASE [S'h]]op DROP] SET ALLOW_SNAPSHOT_ISOLATION OFF;");
    expect(await runCli(['sql', 'enable', '--tables', 'Orders'], folder())).toMatchObject({ code: 2 });
  });
});
