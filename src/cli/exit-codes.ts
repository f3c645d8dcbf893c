/** The exit codes of every command, in one table: `patchwire --help` and the README print it. */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/errors.ts';

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  differs: 3,
  unavailable: 69,
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODE_TABLE: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: EXIT.ok, meaning: 'Done; of `run`: stopped by a signal within daemon.shutdown, or --once and caught up.' },
  { code: EXIT.failure, meaning: 'It failed: the code PW-… on stderr says why.' },
  { code: EXIT.usage, meaning: 'The command line is wrong, or a question had no one to answer it.' },
  { code: EXIT.differs, meaning: 'The comparison ended with a difference (demo).' },
  { code: EXIT.unavailable, meaning: 'SQL Server or Redis cannot be reached, or a port is taken.' },
  { code: EXIT.configuration, meaning: 'The configuration is wrong; starting again will not help (systemd: RestartPreventExitStatus=78).' },
  { code: 130, meaning: 'A second signal ended it at once (SIGINT; 143: SIGTERM), or daemon.shutdown passed.' },
];

const BY_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  'PW-C101': EXIT.configuration,
  'PW-C102': EXIT.configuration,
  'PW-C103': EXIT.configuration,
  'PW-C104': EXIT.configuration,
  'PW-C108': EXIT.unavailable,
  'PW-C109': EXIT.usage,
  'PW-C110': EXIT.usage,
  'PW-S201': EXIT.unavailable,
  'PW-S202': EXIT.unavailable,
  'PW-S203': EXIT.unavailable,
  'PW-S226': EXIT.unavailable,
  'PW-M301': EXIT.unavailable,
  'PW-M302': EXIT.unavailable,
};

/** The exit code that an error ends a command with. */
export function exitCodeOf(error: unknown): ExitCode {
  return (error instanceof PatchwireError ? BY_CODE[error.code] : undefined) ?? EXIT.failure;
}
