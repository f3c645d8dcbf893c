import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Nothing listens on port 1: both servers are out of reach at once. */
const NOWHERE = {
  PATCHWIRE_MSSQL: 'Server=127.0.0.1,1;Database=shop;User Id=sa;Password=hush-hush;Encrypt=false;Connect Timeout=2',
  PATCHWIRE_REDIS: 'redis://u:quiet-now@127.0.0.1:1',
};

const TEXT = `# the tenant's tables
sources:
  shop: { connection: "\${env:PATCHWIRE_MSSQL}" }
manager:
  redis: { url: "\${env:PATCHWIRE_REDIS}" }
  partition: shop # one tenant
tables:
  - table: dbo.Orders # busy
    section: orders
  - table: dbo.Lines
    columns: { exclude: [Notes] }
http: { port: 0 }
`;

function folder(text = TEXT): { readonly cwd: string; readonly file: string } {
  const cwd = temporaryFolder('cli');
  const file = join(cwd, 'cdc.config.yaml');
  writeFileSync(file, text);
  return { cwd, file };
}

describe('patchwire --help', () => {
  it.each([
    [[]],
    [['run']],
    [['table']],
    [['table', 'add']],
    [['table', 'list']],
    [['table', 'show']],
    [['table', 'enable']],
    [['table', 'remove']],
    [['config']],
    [['config', 'check']],
    [['config', 'print']],
    [['config', 'plan']],
    [['config', 'schema']],
    [['init']],
    [['explain']],
    [['completion']],
    [['sql']],
    [['sql', 'enable']],
    [['sql', 'login']],
    [['sql', 'disable']],
    [['checkpoint']],
    [['checkpoint', 'list']],
    [['checkpoint', 'show']],
    [['checkpoint', 'reset']],
    [['tail']],
    [['demo']],
    [['sandbox']],
  ])('of %j exits with 0 and prints to stdout, every command with examples', async (command: string[]) => {
    const { code, stdout, stderr } = await runCli([...command, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: patchwire ${command.join(' ')}`.trimEnd());
    expect(stdout.includes('Examples:')).toBe(!['table', 'checkpoint', 'config', 'sql'].includes(command.join(' ')));
  });

  it('documents the exit codes, and --version prints the version alone', async () => {
    expect((await runCli(['--help'])).stdout).toMatch(/Exit codes:[^]*\b69\b[^]*\b78\b/u);
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: version });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['frobnicate']],
    [['run', '--frobnicate']],
    [['table', 'add']],
    [['table', 'add', 'Orders']],
    [['checkpoint', 'reset', 'orders', '--to', 'x']],
    [['sandbox', '--port', '70000']],
    [['run', 'extra']],
    [[]],
  ])('%j exits with 2', async (args: string[]) => {
    const { code, stdout, stderr } = await runCli(args, folder());
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/\n\s+at /u);
  });

  it('is said as PW-C109, with --json as JSON', async () => {
    expect((await runCli(['run', '--onec'])).stderr).toMatch(/^PW-C109 unknown option '--onec'[^]*--once[^]*hint: /u);
    const { stderr } = await runCli(['run', '--onec', '--json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'PW-C109' } });
  });

  it('--set without a value is one', async () => {
    expect(await runCli(['table', 'list', '--set', 'nonsense'], { ...folder(), env: NOWHERE })).toMatchObject({ code: 2 });
  });
});

describe('a wrong configuration', () => {
  it('exits with 78 and lists every problem at once', async () => {
    const { cwd } = folder(TEXT.replace('http: { port: 0 }', 'http: { prot: 0 }\nbatch: { rows: none }'));
    const { code, stderr, stdout } = await runCli(['run'], { cwd, env: NOWHERE });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^PW-C103 .*2 problems/u);
    expect(stderr).toContain('cdc.config.yaml:12 http.prot = 0: unknown key; nearest known key: port');
    expect(stderr).toContain('cdc.config.yaml:13 batch.rows = "none": a whole number');
  });

  it('gives the problems as data with --json', async () => {
    const { cwd } = folder(TEXT.replace('http:', 'htpt:'));
    const { code, stderr } = await runCli(['table', 'list', '--json'], { cwd, env: NOWHERE });
    expect(code).toBe(78);
    expect(JSON.parse(stderr)).toMatchObject({ error: { details: { problems: [{ line: 12, path: 'htpt', nearest: 'http' }] } } });
  });

  it.each([
    ['a missing file', ['run', '--config', 'nowhere.yaml'], {}, 'PW-C101'],
    ['an unset variable', ['run'], {}, 'PW-C104'],
    ['a connection string that cannot be honoured', ['run'], { ...NOWHERE, PATCHWIRE_MSSQL: 'Server=x;Nonsense=1' }, 'PW-C103'],
  ])('exits with 78 for %s', async (_title, args, env, code) => {
    const result = await runCli(args, { ...folder(), env });
    expect(result.code).toBe(78);
    expect(result.stderr).toContain(code);
  });
});

describe('table list and table remove', () => {
  it('list the tables without asking a server', async () => {
    const { cwd } = folder();
    const { code, stdout } = await runCli(['table', 'list'], { cwd, env: NOWHERE });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^TABLE +SECTION[^]*dbo\.Orders +orders[^]*dbo\.Lines +Lines +shop +all but Notes/u);
    const json = await runCli(['table', 'list', '--json'], { cwd, env: NOWHERE });
    expect(JSON.parse(json.stdout)).toEqual([
      { table: 'dbo.Orders', section: 'orders', source: 'shop', columns: 'all', json: [], filter: null },
      { table: 'dbo.Lines', section: 'Lines', source: 'shop', columns: { exclude: ['Notes'] }, json: [], filter: null },
    ]);
  });

  it('remove an entry and keep every other line', async () => {
    const { cwd, file } = folder();
    const { code, stdout } = await runCli(['table', 'remove', 'orders'], { cwd, env: NOWHERE });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('removed dbo.Orders') as string });
    expect(readFileSync(file, 'utf8')).toBe(TEXT.replace('  - table: dbo.Orders # busy\n    section: orders\n', ''));
    expect(await runCli(['table', 'remove', 'orders'], { cwd, env: NOWHERE })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PW-C106') as string,
    });
  });
});

describe('servers out of reach', () => {
  it.each([
    [['checkpoint', 'list'], 'PW-M301'],
    [['checkpoint', 'reset', 'orders', '--yes'], 'PW-M301'],
    [['table', 'remove', 'orders', '--purge', '--yes'], 'PW-M301'],
    [['table', 'add', 'dbo.New'], 'PW-S201'],
  ])('%j exits with 69, says what to do, and prints no secret', async (args: string[], code) => {
    const { cwd, file } = folder();
    const result = await runCli([...args, '--debug'], { cwd, env: NOWHERE });
    expect(result.code).toBe(69);
    expect(result.stderr).toMatch(new RegExp(`^${code} .*\\n {2}hint: `, 'u'));
    expect(result.stdout + result.stderr).not.toMatch(/hush-hush|quiet-now/u);
    expect(readFileSync(file, 'utf8')).toBe(TEXT);
  });

  it('run waits for them, says for what, is live but not ready, and stops with 0 at a signal', async () => {
    await using daemon = startCli(['run'], { ...folder(), env: NOWHERE });
    const started = JSON.parse(await daemon.line((line) => line.includes('daemon starts'))) as { http: { port: number } };
    await daemon.line((line) => line.includes('"what":"Redis at 127.0.0.1:1"'));
    await daemon.line((line) => line.includes('"what":"SQL Server (source shop at 127.0.0.1,1)"'));
    const base = `http://127.0.0.1:${started.http.port}`;
    expect((await fetch(`${base}/live`)).status).toBe(200);
    const ready = await fetch(`${base}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('waiting for ');
    daemon.process.kill('SIGTERM');
    const { code, stdout, stderr } = await daemon.exited();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toMatch(/hush-hush|quiet-now/u);
    expect(stdout.split('\n').every((line) => typeof JSON.parse(line) === 'object')).toBe(true);
    expect(stdout).toContain('counters at stop');
  });
});

describe('run', () => {
  it('exits with 69 when its port is taken', async () => {
    const squatter = createServer();
    const port = await new Promise<number>((resolve) => {
      squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port));
    });
    const { code, stderr } = await runCli(['run', '--set', `http.port=${port}`], { ...folder(), env: NOWHERE });
    squatter.close();
    expect(code).toBe(69);
    expect(stderr).toContain('PW-C108');
  });

  it('exits with 78 when no table is registered', async () => {
    const { code, stderr } = await runCli(['run'], { ...folder(TEXT.replace(/tables:[^]*http/u, 'http')), env: NOWHERE });
    expect(code).toBe(78);
    expect(stderr).toContain('patchwire table add');
  });
});
