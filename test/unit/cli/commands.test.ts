import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

/** Every command that does something, as it is typed. */
function leaves(command: Command, prefix: string): string[] {
  const name = command.parent === null ? '' : `${prefix} ${command.name()}`;
  return command.commands.length === 0 ? [name.trim()] : command.commands.flatMap((inner) => leaves(inner, name));
}

describe('README', () => {
  it('lists every command, and no other', () => {
    const commands = leaves(
      buildProgram(() => undefined),
      '',
    );
    const documented = [...readme.matchAll(/^\| `patchwire ((?:[a-z]+(?:-[a-z]+)* ?)+)/gmu)].map(([, words]) => (words ?? '').trim());
    expect([...new Set(documented)].toSorted()).toEqual(commands.toSorted());
  });
});
