/** What every command gets: the global options, the configuration on demand, the output, and the signal that ends it. */
import { delimiter } from 'node:path';
import { type LoadedConfig, readConfig } from '../config/load.ts';
import { flagOverride, type Override } from '../config/overrides.ts';
import { secretsOf } from '../config/print.ts';
import type { Config } from '../config/schema.ts';
import { PatchwireError } from '../model/errors.ts';
import { Output } from './output.ts';

export interface GlobalOptions {
  readonly config?: readonly string[];
  readonly set?: readonly string[];
  readonly logLevel?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** What main.ts alone may do: a process belongs to its entry point. */
export interface ProcessControl {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the process at once. */
  readonly exitNow: (code: number) => void;
  /** From now on signals are the command's own affair; until then one ends `run` with 0. */
  readonly takeSignals: () => void;
}

export interface CommandContext {
  readonly output: Output;
  /** The configuration files as they were named, later ones over earlier ones; one at least. */
  readonly configPaths: readonly string[];
  readonly control: ProcessControl;
  /** Loads the configuration; its secrets are kept out of the output from then on. @throws PatchwireError PW-C101 to PW-C104, PW-C109 */
  readonly config: () => Config;
  /** The same with the origin of every value; `paths`: of other files. @throws PatchwireError PW-C101 to PW-C104, PW-C109 */
  readonly loaded: (paths?: readonly string[]) => LoadedConfig;
  /** What goes over the files: `--set` and `--log-level`. @throws PatchwireError PW-C109 */
  readonly flags: () => readonly Override[];
}

export function createContext(options: GlobalOptions, control: ProcessControl): CommandContext {
  const output = new Output({ json: options.json ?? false, debug: options.debug ?? false });
  const configPaths = configPathsOf(options.config ?? [], control.env);
  const loaded = (paths: readonly string[] = configPaths): LoadedConfig => {
    const found = readConfig({ path: paths, env: control.env, flags: flagsOf(options) });
    output.keepSecret(secretsOf(found.config));
    return found;
  };
  return { output, configPaths, control, config: () => loaded().config, loaded, flags: () => flagsOf(options) };
}

/** `--config` (repeatable), else PATCHWIRE_CONFIG (several separated as in PATH), else cdc.config.yaml. */
export function configPathsOf(config: readonly string[], env: ProcessControl['env']): readonly string[] {
  const named = config.length > 0 ? config : (env['PATCHWIRE_CONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  return named.length > 0 ? named : ['cdc.config.yaml'];
}

function flagsOf({ set = [], logLevel }: GlobalOptions): Override[] {
  const flags = set.map((text) => {
    const flag = flagOverride(text);
    if (flag === null) {
      // Only what looks like a key is repeated: a value that lost its = may be a password.
      const [key = ''] = /^[\w.[\]-]*/u.exec(text) ?? [];
      throw new PatchwireError('PW-C109', `--set takes path=value, not ${JSON.stringify(key === text ? text : `${key}…`)}`);
    }
    return flag;
  });
  return logLevel === undefined ? flags : [...flags, { origin: 'flag --log-level', path: ['log', 'level'], value: logLevel }];
}
