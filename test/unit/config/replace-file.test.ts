import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withTable } from '../../../src/config/edit.ts';
import { createFile, editFile } from '../../../src/config/replace-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const TEXT = 'tables:\n  - table: dbo.A\n';
const root = process.getuid?.() === 0;

function file(text: string | Buffer = TEXT): { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder('replace');
  const path = join(folder, 'c.yaml');
  writeFileSync(path, text);
  return { folder, path };
}

const add = (name: string) => (text: string) => withTable(text, { table: name });
const refusal = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;

describe('editFile', () => {
  it('keeps byte order mark, line ends, mode and a symbolic link, and leaves nothing beside', () => {
    const { folder, path } = file('\uFEFFtables:\r\n  - table: dbo.A\r\n');
    chmodSync(path, 0o604);
    const link = join(folder, 'link.yaml');
    symlinkSync('c.yaml', link);
    editFile(link, add('dbo.B'));
    expect(readFileSync(path, 'utf8')).toBe('\uFEFFtables:\r\n  - table: dbo.A\r\n  - table: dbo.B\r\n');
    expect(statSync(path).mode & 0o777).toBe(0o604);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['c.yaml', 'link.yaml']);
  });

  it.runIf(root)('keeps the owner', () => {
    const { path } = file();
    chownSync(path, 1234, 4321);
    editFile(path, add('dbo.B'));
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 4321 });
  });

  it('loses nothing that another program saved between reading and writing', () => {
    const { path } = file();
    let saves = 0;
    editFile(path, (text) => {
      saves += 1;
      if (saves <= 2) {
        writeFileSync(path, `${readFileSync(path, 'utf8')}# saved ${saves}\n`);
      }
      return add('dbo.B')(text);
    });
    expect(readFileSync(path, 'utf8')).toBe(`${TEXT}  - table: dbo.B\n# saved 1\n# saved 2\n`);
    expect(saves).toBe(3);
  });

  it('refuses a read-only file, though a rename could replace it', () => {
    const { folder, path } = file();
    chmodSync(path, 0o444);
    expect(() => editFile(path, add('dbo.B'))).toThrow(refusal('PW-C107', 'read-only'));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
    expect(readdirSync(folder)).toEqual(['c.yaml']);
  });

  it('is refused while another process of this host edits, and not by one that died or that is old', () => {
    const { folder, path } = file();
    const lock = join(folder, '.c.yaml.lock');
    writeFileSync(lock, `${process.pid}@${hostname()}`);
    expect(() => editFile(path, add('dbo.B'))).toThrow(refusal('PW-C107', `process ${process.pid}@`));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    writeFileSync(lock, `${pid}@${hostname()}`);
    editFile(path, add('dbo.B'));
    writeFileSync(lock, '1@elsewhere');
    utimesSync(lock, new Date(0), new Date(0));
    editFile(path, add('dbo.C'));
    expect(readFileSync(path, 'utf8')).toContain('dbo.C');
    expect(readdirSync(folder)).toEqual(['c.yaml']);
  });

  it('refuses what is not UTF-8 and leaves it as it is', () => {
    const bytes = Buffer.from(TEXT, 'utf16le');
    const { path } = file(bytes);
    expect(() => editFile(path, add('dbo.B'))).toThrow(refusal('PW-C102', 'UTF-16'));
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describe.runIf(root && spawnSync('unshare', ['-m', 'true']).status === 0)('a file system of its own', () => {
  function mounted(options: string): string {
    const folder = join(temporaryFolder('replace'), 'mount');
    mkdirSync(folder);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status).toBe(0);
    onTestFinished(() => {
      spawnSync('umount', ['-l', folder]);
    });
    return folder;
  }

  it('that is full: ENOSPC is said, the file is as it was, nothing is left beside it', () => {
    const folder = mounted('size=32k');
    const path = join(folder, 'c.yaml');
    writeFileSync(path, TEXT);
    const filler = join(folder, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1024', 'count=64']);
    expect(() => editFile(path, add('dbo.B'))).toThrow(refusal('PW-C107', 'ENOSPC'));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
    expect(() => createFile(join(folder, 'new.yaml'), TEXT, { force: false })).toThrow(refusal('PW-C107', 'ENOSPC'));
    expect(() => createFile(path, 'x: 1\n', { force: true })).toThrow(refusal('PW-C107', 'ENOSPC'));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
    expect(readdirSync(folder).toSorted()).toEqual(['c.yaml', 'filler']);
  });

  it('that is read-only: EROFS is said', () => {
    const folder = mounted('size=64k');
    const path = join(folder, 'c.yaml');
    writeFileSync(path, TEXT);
    spawnSync('mount', ['-o', 'remount,ro', folder]);
    expect(() => editFile(path, add('dbo.B'))).toThrow(refusal('PW-C107', 'EROFS'));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
  });
});

describe('createFile', () => {
  it('never writes over a file unless it is told to', () => {
    const { folder, path } = file();
    expect(() => createFile(path, 'x', { force: false })).toThrow(refusal('PW-C107', 'there already'));
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
    createFile(path, 'x: 1\n', { force: true });
    createFile(join(folder, 'new.yaml'), 'y: 1\n', { force: true });
    expect([readFileSync(path, 'utf8'), readFileSync(join(folder, 'new.yaml'), 'utf8')]).toEqual(['x: 1\n', 'y: 1\n']);
  });

  it('says why a folder takes no file', () => {
    expect(() => createFile('/nowhere/c.yaml', 'x', { force: false })).toThrow(refusal('PW-C107', 'ENOENT'));
  });
});
