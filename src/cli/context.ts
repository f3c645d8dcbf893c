/** What every command gets: the global options, the configuration on demand, the output, and the signal that ends it. */
import { loadConfig } from '../config/load.ts';
import { flagOverride, type Override } from '../config/overrides.ts';
import { secretsOf } from '../config/print.ts';
import type { Config } from '../config/schema.ts';
import { PatchwireError } from '../model/errors.ts';
import { Output } from './output.ts';

export interface GlobalOptions {
  readonly config: string;
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
}

export interface CommandContext {
  readonly output: Output;
  readonly configPath: string;
  readonly control: ProcessControl;
  /** Loads the configuration; its secrets are kept out of the output from then on. @throws PatchwireError PW-C101 to PW-C104, PW-C109 */
  readonly config: () => Config;
}

export function createContext(options: GlobalOptions, control: ProcessControl): CommandContext {
  const output = new Output({ json: options.json ?? false, debug: options.debug ?? false });
  return {
    output,
    configPath: options.config,
    control,
    config() {
      const config = loadConfig({ path: options.config, env: control.env, flags: flagsOf(options) });
      output.keepSecret(secretsOf(config));
      return config;
    },
  };
}

function flagsOf({ set = [], logLevel }: GlobalOptions): Override[] {
  const flags = set.map((text) => {
    const flag = flagOverride(text);
    if (flag === null) {
      throw new PatchwireError('PW-C109', `--set takes path=value, not ${JSON.stringify(text)}`);
    }
    return flag;
  });
  return logLevel === undefined ? flags : [...flags, { origin: 'flag --log-level', path: ['log', 'level'], value: logLevel }];
}
