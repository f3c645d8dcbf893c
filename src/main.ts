#!/usr/bin/env node
/** The bin: hands the command line to the CLI. The one place that may end the process. */
import { runCli } from './cli/program.ts';

// Whoever reads us has gone, as in `patchwire tail | head`: there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  exitNow: (code) => process.exit(code),
});
