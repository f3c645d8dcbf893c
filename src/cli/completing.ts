/**
 * What may stand at a place of a command line: commands, options, and the names that the configuration has. Walks the command tree itself,
 * so that a new command is completed without being named here. Reads the configuration; connects to nothing, and fails silently.
 */
import type { Argument, Command, Option } from 'commander';
import { allPaths } from '../config/known-keys.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { CATALOGUE } from '../model/error-catalogue.ts';
import { configPathsOf } from './context.ts';

export interface Line {
  /** Without the program's name. */
  readonly words: readonly string[];
  /** The word that is completed, from 0; it may be one behind the last. */
  readonly index: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The candidates that begin with what is there, sorted; none: the shell's own file names. */
export function complete(program: Command, { words, index, env }: Line): string[] {
  const current = words[index] ?? '';
  const before = words.slice(0, index);
  const { command, operands, pending } = walk(program, before);
  const config = (): Config | null => readable(before, env);
  const candidates =
    pending !== null
      ? valuesOf(pending, config)
      : current.startsWith('-')
        ? optionsOf(program, command)
        : command.commands.length > 0
          ? command.commands.map((each) => each.name())
          : argumentValues(command.registeredArguments, operands, config);
  return candidates.filter((candidate) => candidate.startsWith(current) && candidate !== '').toSorted();
}

/** Where a line has got to: its command, how many arguments stand there, and the option that waits for its value. */
function walk(program: Command, words: readonly string[]): { command: Command; operands: number; pending: Option | null } {
  let command = program;
  let operands = 0;
  let pending: Option | null = null;
  for (const word of words) {
    if (pending !== null) {
      pending = null;
    } else if (word.startsWith('-')) {
      const option = [...command.options, ...program.options].find(({ long, short }) => long === word || short === word);
      pending = option !== undefined && (option.required || option.optional) ? option : null;
    } else {
      const inner = command.commands.find((each) => each.name() === word);
      operands += inner === undefined ? 1 : 0;
      command = inner ?? command;
    }
  }
  return { command, operands, pending };
}

function optionsOf(program: Command, command: Command): string[] {
  const own = [...command.options, ...(command === program ? [] : program.options)].filter(({ hidden }) => !hidden);
  return [...new Set([...own.flatMap(({ long }) => (long === undefined || long === null ? [] : [long])), '--help'])].filter(
    (name) => name !== '--complete' && (command === program || name !== '--version'),
  );
}

function argumentValues(registered: readonly Argument[], operands: number, config: () => Config | null): string[] {
  const last = registered.at(-1);
  const argument = registered[operands] ?? (last?.variadic === true ? last : undefined);
  const name = argument?.name() ?? '';
  if (name === 'code') {
    return Object.keys(CATALOGUE);
  }
  if (argument?.description === 'bash or zsh') {
    return ['bash', 'zsh'];
  }
  return /^(?:name|table|section|schema\.name)/u.test(name) ? namesOf(config()) : [];
}

function valuesOf(option: Option, config: () => Config | null): string[] {
  switch (option.long) {
    case '--log-level':
      return ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
    case '--source':
      return Object.keys(config()?.sources ?? {});
    case '--tables':
      return (config()?.tables ?? []).map(({ table }) => table);
    case '--set':
      return pathsOf(config());
    case undefined:
    default:
      return [];
  }
}

function namesOf(config: Config | null): string[] {
  return [...new Set((config?.tables ?? []).flatMap(({ table, section }) => [table, section]))];
}

/** `log.level=`: every key that may be set, with the sources of the configuration. */
function pathsOf(config: Config | null): string[] {
  const sources = Object.keys(config?.sources ?? {});
  const all = allPaths();
  return all
    .filter((path) => !path.includes('[]') && !all.some((other) => other.startsWith(`${path}.`)))
    .flatMap((path) => (path.includes('<name>') ? sources.map((source) => path.replace('<name>', source)) : [path]))
    .map((path) => `${path}=`);
}

/** The configuration that the line names, or null: what is wrong with it is not for a completion to say. */
function readable(words: readonly string[], env: Line['env']): Config | null {
  const named = words.filter((_, i) => words[i - 1] === '--config' || words[i - 1] === '-c');
  try {
    // A reference without its variable keeps no name from being completed.
    const lenient = new Proxy(env, { get: (target, name) => target[String(name)] ?? 'redis://unset' });
    return loadConfig({ path: configPathsOf(named, env), env: lenient });
  } catch {
    return null;
  }
}
