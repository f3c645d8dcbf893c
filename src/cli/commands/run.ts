/** `patchwire run`: the daemon in the foreground, until a signal or, with --once, until every table is caught up. */
import type { Command } from 'commander';
import { runDaemon } from '../../daemon/life-cycle.ts';
import { secretsOf } from '../../config/print.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { ProgressLine } from '../progress-line.ts';
import type { Bind } from '../program.ts';

/** How long the process may take to end by itself once the daemon has stopped. */
const LINGER_MS = 500;

export function addRunCommand(program: Command, bind: Bind): void {
  const command = program
    .command('run')
    .description('Run the daemon in the foreground. SIGTERM or SIGINT stops it; a second signal ends it at once.')
    .option('--once', 'stop with 0 once every table is caught up')
    .addHelpText(
      'after',
      `
Logs JSON lines to stdout, readable ones on a terminal, where the last line tells how far the loads are; a table that another daemon leads is waited for, also by --once. GET /live, /ready and /metrics on http.host:http.port.

Examples:
  $ patchwire run
  $ patchwire run --once --log-level warn
  $ patchwire run --config /etc/patchwire/cdc.config.yaml --set http.port=9000`,
    );
  bind(command, async ({ config: load, control, output }) => {
    const { once = false } = command.opts<{ once?: boolean }>();
    const config = load();
    const [{ createDaemon }, { createLogger }] = await Promise.all([
      import('../../daemon/daemon.ts'),
      import('../../observe/create-logger.ts'),
    ]);
    // On a terminal the last line tells how far the loads are; lines of the log go above it.
    let progress: ProgressLine | null = null;
    const destination = {
      write(line: string): void {
        progress?.clear();
        process.stdout.write(line);
      },
    };
    const terminal = process.stderr.isTTY && !output.json;
    const log = createLogger({ level: config.log.level, secrets: secretsOf(config), ...(terminal ? { destination } : {}) });
    const daemon = createDaemon(config, { log, once });
    using shown = terminal ? new ProgressLine({ terminal: process.stderr, status: () => daemon.status().sections }) : null;
    progress = shown;
    const running = runDaemon(daemon, {
      shutdownMs: config.daemon.shutdown,
      log,
      signals: process,
      exitNow: control.exitNow,
    });
    control.takeSignals();
    const outcome = await running;
    if (outcome.kind === 'failed') {
      output.error(outcome.error);
    }
    const exitCode = outcome.kind === 'failed' ? exitCodeOf(outcome.error) : EXIT.ok;
    // All is said and done; what a server that does not answer leaves open (a socket that is closing) ends with the process, and is no late stop.
    setTimeout(() => control.exitNow(exitCode), LINGER_MS).unref();
    return exitCode;
  });
}
