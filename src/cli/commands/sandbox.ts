/** `patchwire sandbox`: the SQL Server stand-in as a process of its own, until a signal. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DURATION_RULE, parseDuration } from '../../config/units.ts';
import { PatchwireError } from '../../model/errors.ts';
import { parseCount } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { signalled, untilSignal } from '../signals.ts';

/** As startSandbox names them; it is loaded only when the command runs. */
const PROFILES = ['implied', 'live', 'worst'] as const;

interface SandboxFlags {
  readonly port: number;
  readonly password?: string;
  readonly profile: (typeof PROFILES)[number];
  readonly visibilityGap: number;
}

/** Milliseconds. */
function parseGap(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) {
    throw new InvalidArgumentError(`--visibility-gap takes ${DURATION_RULE}.`);
  }
  return ms;
}

export function addSandboxCommand(program: Command, bind: Bind): void {
  const command = program
    .command('sandbox')
    .description('Run the SQL Server stand-in on loopback until a signal; prints one line, the connection string.')
    .option('--port <number>', 'the port; 0 is any free one', parseCount({ name: '--port', min: 0, max: 65_535 }), 0)
    .option('--password <text>', "sa's password; default: random")
    .addOption(
      new Option('--profile <name>', 'what the functions of change tracking do inside SNAPSHOT transactions')
        .choices(PROFILES)
        .default('implied'),
    )
    .addOption(
      new Option('--visibility-gap <duration>', 'between the version of a commit and the visibility of its rows')
        .argParser(parseGap)
        .default(0, '0ms'),
    )
    .addHelpText(
      'after',
      `
A test instrument: it speaks TDS 7.4, keeps everything in memory, and knows the T-SQL that patchwire and its demo need.

Where Microsoft's text is silent it has three profiles. implied: CHANGE_TRACKING_CURRENT_VERSION() and
CHANGE_TRACKING_MIN_VALID_VERSION() fix the view of a SNAPSHOT transaction and are read through it. live: they touch no view.
worst: the version is live and fixes nothing, the minimum is the view's. With a visibility gap a commit's version can be asked
for before its rows can be read. EXEC sandbox.set_visibility_gap changes it while it runs.

Examples:
  $ patchwire sandbox
  $ patchwire sandbox --profile worst --visibility-gap 50ms
  $ patchwire sandbox --port 14330 --password 'Sand-Box-1!'`,
    );
  bind(command, async ({ output }) => {
    const { port, password, profile, visibilityGap } = command.opts<SandboxFlags>();
    // oxlint-disable-next-line no-restricted-imports -- only by await import(), as the table allows: no other command loads it
    const { startSandbox } = await import('../../sandbox/server.ts');
    return await untilSignal(async (signal) => {
      await using sandbox = await startSandbox({
        port,
        profile,
        visibilityGap,
        ...(password === undefined ? {} : { password }),
      }).catch((error: unknown) => {
        const reason = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
        throw new PatchwireError('PW-C108', `cannot listen on 127.0.0.1:${port} (${reason})`, { cause: error });
      });
      output.line(sandbox.connectionString());
      await signalled(signal);
      return EXIT.ok;
    });
  });
}
