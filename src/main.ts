#!/usr/bin/env node
/** The bin: hands the command line to the CLI. The one place that may end the process. */
import { runCli } from './cli/program.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  exitNow: (code) => process.exit(code),
});
