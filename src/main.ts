#!/usr/bin/env node
/** The bin: hands the command line to the CLI. The one place that may end the process. Imports nothing before it listens to signals. */
const args = process.argv.slice(2);

// A daemon that is still being loaded has begun nothing: a signal ends it in order. Any other command ends by the signal.
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const leave = (): void => {
  process.stderr.write('stopped before anything was begun\n');
  process.exit(0);
};
if (args.includes('run')) {
  SIGNALS.forEach((name) => process.on(name, leave));
}

// Whoever reads us has gone, as in `patchwire tail | head`: there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const { runCli } = await import('./cli/program.ts');
process.exitCode = await runCli(args, {
  env: process.env,
  exitNow: (code) => process.exit(code),
  takeSignals: () => SIGNALS.forEach((name) => process.off(name, leave)),
});
