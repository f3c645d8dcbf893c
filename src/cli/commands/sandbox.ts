/** `patchwire sandbox`: the SQL Server stand-in as a process of its own, until a signal. */
import type { Command } from 'commander';
import { PatchwireError } from '../../model/errors.ts';
import { parseCount } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { signalled, untilSignal } from '../signals.ts';

export function addSandboxCommand(program: Command, bind: Bind): void {
  const command = program
    .command('sandbox')
    .description('Run the SQL Server stand-in on loopback until a signal; prints one line, the connection string.')
    .option('--port <number>', 'the port; 0 is any free one', parseCount({ name: '--port', min: 0, max: 65_535 }), 0)
    .option('--password <text>', "sa's password; default: random")
    .addHelpText(
      'after',
      `
A test instrument: it speaks TDS 7.4, keeps everything in memory, and knows the T-SQL that patchwire and its demo need.

Examples:
  $ patchwire sandbox
  $ patchwire sandbox --port 14330 --password 'Sand-Box-1!'`,
    );
  bind(command, async ({ output }) => {
    const { port, password } = command.opts<{ port: number; password?: string }>();
    // oxlint-disable-next-line no-restricted-imports -- only by await import(), as the table allows: no other command loads it
    const { startSandbox } = await import('../../sandbox/server.ts');
    return await untilSignal(async (signal) => {
      await using sandbox = await startSandbox({ port, ...(password === undefined ? {} : { password }) }).catch((error: unknown) => {
        const reason = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
        throw new PatchwireError('PW-C108', `cannot listen on 127.0.0.1:${port} (${reason})`, { cause: error });
      });
      output.line(sandbox.connectionString());
      await signalled(signal);
      return EXIT.ok;
    });
  });
}
