/**
 * Replaces a configuration file so that nothing is ever lost: the new text is written beside it, synced and renamed over it, so that a crash
 * or a full disk leaves the old file or the new one. Keeps owner, mode, byte order mark and a symbolic link. Two programs that edit at once
 * wait for each other; what an editor saved meanwhile is read again, never written over.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PatchwireError } from '../model/errors.ts';
import { decodeText, unreadable } from './text-file.ts';

/** An edit takes milliseconds: a lock so old was left by a program that died. */
const STALE_AFTER_MS = 30_000;
const WAIT_MS = 5000;
const LOOK_EVERY_MS = 20;
/** How often a file that others save meanwhile is read again. */
const TRIES = 10;

/**
 * Applies `change` to the file's text, more than once when others save the file meanwhile.
 * @returns whether the text changed
 * @throws PatchwireError PW-C101 when it cannot be read, PW-C102 when it is not UTF-8, PW-C107 when it cannot be written, and what `change`
 * throws: the file is as it was then
 */
export function editFile(path: string, change: (text: string) => string): boolean {
  let target: string;
  try {
    target = realpathSync(path);
    readFileSync(target);
  } catch (error) {
    throw unreadable(path, error);
  }
  const unlock = lock(target, path);
  try {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const before = readFileSync(target);
      const { text, byteOrderMark } = decodeText(before, path);
      const after = change(text);
      if (after === text) {
        return false;
      }
      if (replace(target, byteOrderMark + after, { path, before })) {
        return true;
      }
    }
  } finally {
    unlock();
  }
  throw new PatchwireError('PW-C107', `the configuration file ${path} is changed by another program all the time`);
}

/**
 * Finds out whether `editFile` could replace it, before something is done that its failure could not take back: a file beside it is made and
 * removed, as far as a rename can be foreseen by that.
 * @throws PatchwireError PW-C101, PW-C107 as `editFile`
 */
export function checkEditable(path: string): void {
  let target: string;
  try {
    target = realpathSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const unlock = lock(target, path);
  const temporary = temporaryBeside(target);
  try {
    const stat = demandWritable(target);
    rmSync(temporary, { force: true });
    write(openSync(temporary, 'wx', 0o600), readFileSync(target, 'utf8'), stat);
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    rmSync(temporary, { force: true });
    unlock();
  }
}

/**
 * Writes a file that is not there yet; with `force` over one that is.
 * @throws PatchwireError PW-C107 when it is there already, or cannot be written; nothing is left behind then
 */
export function createFile(path: string, text: string, { force }: { readonly force: boolean }): void {
  if (force && statSync(path, { throwIfNoEntry: false }) !== undefined) {
    editFile(path, () => text);
    return;
  }
  let created = false;
  try {
    const file = openSync(path, 'wx', 0o640);
    created = true;
    write(file, text);
  } catch (error) {
    if (created) {
      rmSync(path, { force: true });
    }
    const there = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw there
      ? new PatchwireError('PW-C107', `the file ${path} is there already: it stays as it is`, {
          hint: 'Name another with --output, or replace it with --force.',
          details: { path, reason: 'EEXIST' },
          cause: error,
        })
      : unwritable(path, error);
  }
}

/** @returns false when the file was no longer `before`: nothing was written then */
function replace(target: string, text: string, { path, before }: { readonly path: string; readonly before: Buffer }): boolean {
  const temporary = temporaryBeside(target);
  try {
    const stat = demandWritable(target);
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    write(file, text, stat);
    if (!readFileSync(target).equals(before)) {
      rmSync(temporary, { force: true });
      return false;
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unwritable(path, error);
  }
  syncFolder(dirname(target));
  return true;
}

const temporaryBeside = (target: string): string => join(dirname(target), `.${basename(target)}.${process.pid}.new`);

/** A rename would replace also what its owner has made read-only. */
function demandWritable(target: string): Stats {
  const stat = statSync(target);
  if ((stat.mode & 0o222) === 0) {
    throw Object.assign(new Error('the file is read-only'), { code: 'read-only' });
  }
  return stat;
}

/** Writes, syncs and closes it, with the owner and mode of `like`. */
function write(file: number, text: string, like?: Stats): void {
  try {
    writeFileSync(file, text);
    if (like !== undefined) {
      if (like.uid !== process.geteuid?.() || like.gid !== process.getegid?.()) {
        fchownSync(file, like.uid, like.gid);
      }
      fchmodSync(file, like.mode & 0o7777);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** So that the rename outlives a loss of power. It has happened whatever this says, and some file systems sync no folders. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // The new file is in its place.
  }
}

function unwritable(path: string, error: unknown): PatchwireError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const hints: Readonly<Record<string, string>> = {
    ENOSPC: 'The disk is full: free some space. The file is as it was.',
    EDQUOT: 'The quota is used up: free some space. The file is as it was.',
    EFBIG: 'The file may not be so large (ulimit -f). The file is as it was.',
    EROFS: 'The file system is mounted read-only: edit the file where it comes from.',
    EBUSY: 'The file is mounted by itself (a container): mount its folder, or edit it outside.',
    EPERM: "The file's owner or mode could not be kept: run this as its owner. The file is as it was.",
    'read-only': 'The file is read-only: if it may be changed, chmod u+w.',
  };
  const hint = hints[code];
  return new PatchwireError('PW-C107', `the configuration file ${path} cannot be written (${code})`, {
    cause: error,
    details: { path, reason: code },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Waits for others of this program that edit the file. @returns what gives the lock back. @throws PatchwireError PW-C107 */
function lock(target: string, path: string): () => void {
  const file = join(dirname(target), `.${basename(target)}.lock`);
  const until = Date.now() + WAIT_MS;
  for (;;) {
    try {
      closeSync(lockFile(file));
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        rmSync(file, { force: true });
        throw unwritable(path, error);
      }
    }
    const holder = holderOf(file);
    if (holder !== null && holder.dead) {
      rmSync(file, { force: true });
    } else if (Date.now() > until) {
      throw new PatchwireError('PW-C107', `the configuration file ${path} is being edited by ${holder?.name ?? 'another program'}`, {
        hint: `Try again; if nothing edits it, remove ${file}.`,
        details: { path, reason: 'locked' },
      });
    } else {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_EVERY_MS);
    }
  }
}

function lockFile(path: string): number {
  const file = openSync(path, 'wx', 0o644);
  writeFileSync(file, `${process.pid}@${hostname()}`);
  return file;
}

/** Who holds the lock; null when it has just been given back. */
function holderOf(file: string): { readonly name: string; readonly dead: boolean } | null {
  try {
    const name = readFileSync(file, 'utf8');
    const old = Date.now() - statSync(file).mtimeMs > STALE_AFTER_MS;
    const [, pid] = name.endsWith(`@${hostname()}`) ? (/^([0-9]+)@/u.exec(name) ?? []) : [];
    return { name: `process ${name}`, dead: old || (pid !== undefined && !isRunning(Number(pid))) };
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
