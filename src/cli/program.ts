/**
 * The command line: global options, the commands, and how its end becomes an exit code. Each command is a file of commands/,
 * and loads drivers and servers only when it runs: `--help` needs none of them.
 */
import { Command, CommanderError } from 'commander';
import { PatchwireError } from '../model/errors.ts';
import { packageVersion } from '../daemon/version.ts';
import { addCheckpointCommands } from './commands/checkpoint.ts';
import { addConfigCommands } from './commands/config.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addInitCommand } from './commands/init.ts';
import { addQuarantineCommands } from './commands/quarantine.ts';
import { addRunCommand } from './commands/run.ts';
import { addSandboxCommand } from './commands/sandbox.ts';
import { addTableCommands } from './commands/table.ts';
import { addSectionCommands } from './commands/sections.ts';
import { addTailCommand } from './commands/tail.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addSqlCommands } from './commands/sql.ts';
import { type CommandContext, createContext, type GlobalOptions, type ProcessControl } from './context.ts';
import { EXIT, EXIT_CODE_TABLE, exitCodeOf } from './exit-codes.ts';
import { Output } from './output.ts';

/** Runs a command: given its context and commander's own command object, it returns the exit code. */
export type CommandAction = (context: CommandContext, command: Command) => Promise<number>;

/** How a command file hangs its action on a command. */
export type Bind = (command: Command, action: CommandAction) => void;

/**
 * Runs one command line.
 * @param args what stands behind the program's name
 * @returns the exit code; everything has been printed
 */
export async function runCli(args: readonly string[], control: ProcessControl): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram((command, action) => {
    command.action(async () => {
      if (command.name() !== 'run') {
        control.takeSignals();
      }
      const context = createContext(command.optsWithGlobals<GlobalOptions>(), control);
      exitCode = await runAction(context, () => action(context, command));
    });
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      throw error;
    }
    if (error.exitCode === 0) {
      return EXIT.ok;
    }
    if (error.code !== 'commander.help') {
      const message = error.message.replace(/^error: /u, '');
      new Output({ json: args.includes('--json'), debug: false }).error(new PatchwireError('PW-C109', message));
    }
    return EXIT.usage;
  }
}

async function runAction(context: CommandContext, action: () => Promise<number>): Promise<number> {
  try {
    return await action();
  } catch (error) {
    context.output.error(error);
    return exitCodeOf(error);
  }
}

/** The command tree; `bind` hangs actions on it. */
export function buildProgram(bind: Bind): Command {
  const program = new Command('patchwire');
  program
    .description('Follows SQL Server change tracking and publishes JSON Patches through Redis.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('-c, --config <file>', 'the configuration (default: cdc.config.yaml); repeatable, later files go over earlier ones', collect)
    .option('--set <path=value>', 'set a key of the configuration, before environment and file (repeatable)', collect)
    .option('--log-level <level>', 'the same as --set log.level=…')
    .option('--json', 'results as JSON on stdout, errors as JSON on stderr')
    .option('--debug', 'stack traces with errors')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire demo                              a seeded order desk, end to end, no SQL Server needed
  $ patchwire table add dbo.Orders              follow a table
  $ patchwire run                               the daemon, until a signal
  $ patchwire tail orders                       patches as they come

Environment: PATCHWIRE_LOG__LEVEL=debug sets log.level; a double underscore is one level. PATCHWIRE_CONFIG names the configuration.

Exit codes:
${EXIT_CODE_TABLE.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`,
    );
  addInitCommand(program, bind);
  addRunCommand(program, bind);
  addTableCommands(program, bind);
  addCheckpointCommands(program, bind);
  addConfigCommands(program, bind);
  addSectionCommands(program, bind);
  addQuarantineCommands(program, bind);
  addTailCommand(program, bind);
  addSqlCommands(program, bind);
  addExplainCommand(program, bind);
  addCompletionCommand(program, bind);
  addDemoCommand(program, bind);
  addSandboxCommand(program, bind);
  inherit(program);
  return program;
}

/** Every command throws instead of ending the process, and prints through us. */
function inherit(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => process.stdout.write(text),
    writeErr: (text) => process.stderr.write(text),
    outputError: () => undefined,
  });
  command.showSuggestionAfterError(true);
  if (command.commands.length > 0 && command.parent !== null) {
    command.helpCommand(false);
  }
  for (const inner of command.commands) {
    inner.configureHelp({ showGlobalOptions: true });
    inherit(inner);
  }
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
