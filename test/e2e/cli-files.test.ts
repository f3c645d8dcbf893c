/** What may happen to a configuration file while commands write it and daemons run on it: nothing is ever lost. */
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli, startCli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Nothing listens on port 1: neither a server to look up tables, nor a Redis for the audit, which is said and stops nothing. */
const UNAUDITED = expect.stringMatching(/^not written to the audit: PW-M301 .+$/u) as string;
const env = {
  PATCHWIRE_MSSQL: 'Server=127.0.0.1,1;Database=shop;User Id=sa;Password=hush-hush;Encrypt=false;Connect Timeout=2',
  PATCHWIRE_REDIS: 'redis://127.0.0.1:1',
};
const TABLES = ['A', 'B', 'C', 'D', 'E', 'F'];
const TEXT = `sources:
  shop: { connection: "\${env:PATCHWIRE_MSSQL}" } # the shop
manager: { redis: { url: "\${env:PATCHWIRE_REDIS}" }, partition: shop }
http: { port: 0 }
tables: # all of them
${TABLES.map((name) => `  - table: dbo.${name} # table ${name}\n    section: ${name.toLowerCase()}\n`).join('')}`;

function folder(
  text = TEXT,
  cwd = temporaryFolder('files'),
): { readonly cwd: string; readonly file: string; readonly cli: { cwd: string; env: typeof env } } {
  const file = join(cwd, 'cdc.config.yaml');
  writeFileSync(file, text);
  return { cwd, file, cli: { cwd, env } };
}

const without = (text: string, name: string): string =>
  text.replace(new RegExp(String.raw`  - table: dbo\.${name} .*\r?\n.*\r?\n`, 'u'), '');

describe('a configuration file', () => {
  it('keeps the line ends of Windows, its byte order mark, its mode, its symbolic link and every other line', async () => {
    const text = `\uFEFF${TEXT.replaceAll('\n', '\r\n')}`;
    const { cwd, file, cli } = folder(text);
    chmodSync(file, 0o640);
    mkdirSync(join(cwd, 'etc'));
    symlinkSync('../cdc.config.yaml', join(cwd, 'etc/link.yaml'));
    expect(await runCli(['table', 'remove', 'b', '--config', 'etc/link.yaml'], cli)).toMatchObject({ code: 0, stderr: UNAUDITED });
    expect(readFileSync(file, 'utf8')).toBe(without(text, 'B'));
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(lstatSync(join(cwd, 'etc/link.yaml')).isSymbolicLink()).toBe(true);
    expect(readdirSync(cwd).toSorted()).toEqual(['cdc.config.yaml', 'etc']);
  });

  it('that several commands write at once loses no change of any of them', async () => {
    const { file, cwd, cli } = folder();
    const results = await Promise.all(['A', 'C', 'E', 'F'].map((name) => runCli(['table', 'remove', `dbo.${name}`], cli)));
    expect(results.map(({ code, stderr }) => [code, stderr])).toEqual(results.map(() => [0, UNAUDITED]));
    expect(readFileSync(file, 'utf8')).toBe(['A', 'C', 'E', 'F'].reduce(without, TEXT));
    expect(readdirSync(cwd)).toEqual(['cdc.config.yaml']);
  });

  it('that is read-only, or UTF-16, or gone, is refused by that, and stays as it is', async () => {
    const { file, cwd, cli } = folder();
    chmodSync(file, 0o444);
    expect(await runCli(['table', 'remove', 'a'], cli)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^PW-C107 .*read-only.*\n {2}hint: /mu) as string,
    });
    expect(readFileSync(file, 'utf8')).toBe(TEXT);
    const bytes = Buffer.from(`\uFEFF${TEXT}`, 'utf16le');
    writeFileSync(join(cwd, 'utf16.yaml'), bytes);
    expect(await runCli(['table', 'remove', 'a', '--config', 'utf16.yaml'], cli)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('UTF-16') as string,
    });
    expect(readFileSync(join(cwd, 'utf16.yaml')).equals(bytes)).toBe(true);
    expect(await runCli(['table', 'remove', 'a', '--config', 'gone.yaml'], cli)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('PW-C101') as string,
    });
  });

  it.runIf(process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0)(
    'on a full disk is as it was, and nothing is left beside it',
    async () => {
      const mount = join(temporaryFolder('files'), 'full');
      mkdirSync(mount);
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', mount]).status).toBe(0);
      onTestFinished(() => {
        spawnSync('umount', ['-l', mount]);
      });
      const { file, cli } = folder(TEXT, mount);
      spawnSync('dd', ['if=/dev/zero', `of=${join(mount, 'filler')}`, 'bs=1024', 'count=64']);
      expect(await runCli(['table', 'remove', 'a'], cli)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^PW-C107 .*ENOSPC.*\n {2}hint: The disk is full/mu) as string,
      });
      expect(await runCli(['init', '--output', 'new.yaml'], cli)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('ENOSPC') as string,
      });
      expect(readFileSync(file, 'utf8')).toBe(TEXT);
      expect(readdirSync(mount).toSorted()).toEqual(['cdc.config.yaml', 'filler']);
    },
  );

  it('that is broken while a daemon runs on it does not disturb the daemon: it was read at the start', async () => {
    const { file, cli } = folder();
    await using daemon = startCli(['run'], cli);
    const { http } = JSON.parse(await daemon.line((line) => line.includes('daemon starts'))) as { http: { port: number } };
    await daemon.line((line) => line.includes('"what":"SQL Server'));
    writeFileSync(file, 'tables: [\n');
    expect(await runCli(['table', 'list'], cli)).toMatchObject({ code: 78 });
    expect((await fetch(`http://127.0.0.1:${http.port}/live`)).status).toBe(200);
    daemon.process.kill('SIGTERM');
    expect(await daemon.exited()).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe('tables: [\n');
  });
});
