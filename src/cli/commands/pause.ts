/** `patchwire pause` and `patchwire resume`: a section, or only its load, rests until an operator says otherwise. */
import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 60_000;

export function addPauseCommand(program: Command, bind: Bind): void {
  const command = program
    .command('pause')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Stop reading a section, or only its load, until it is resumed: also over restarts.')
    .option('--load', 'only the load: changes are read on')
    .option('--all', 'everything; the default')
    .addHelpText(
      'after',
      `
Heartbeats go on and say so. A section must be resumed before change tracking forgets what it has not read (CHANGE_RETENTION); else its history is
lost. Goes through the running daemon; without one this process takes the section's lease.

Examples:
  $ patchwire pause orders
  $ patchwire pause orders --load`,
    );
  bind(command, (context) => {
    const { load = false, all = false } = command.opts<{ load?: boolean; all?: boolean }>();
    if (load && all) {
      throw new PatchwireError('PW-C109', '--load and --all exclude each other');
    }
    return request(context, command, 'pause', { what: load ? 'load' : 'all' });
  });
}

export function addResumeCommand(program: Command, bind: Bind): void {
  const command = program
    .command('resume')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Go on with a section, or a load, that was paused.')
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire resume orders`,
    );
  bind(command, (context) => request(context, command, 'resume', {}));
}

function request(
  { config: load, output }: CommandContext,
  command: Command,
  verb: 'pause' | 'resume',
  args: Readonly<Record<string, string>>,
): Promise<number> {
  return untilSignal(async (signal) => {
    const config = load();
    const table = findTable(config, String(command.args[0]));
    const [{ openManager }, { ask }] = await Promise.all([import('../opening.ts'), import('../operator.ts')]);
    await using manager = await openManager(config, signal);
    const note = (text: string): void => output.note(text);
    const answer = await ask({ config, manager, table, verb, args, audit: verb, note, signal, patienceMs: PATIENCE_MS });
    const rest = answer.by === 'self' && verb === 'resume' ? ' No daemon is running: the next one goes on.' : '';
    output.result({ section: table.section, table: table.table, ...answer }, `${answer.message}${rest}`);
    return EXIT.ok;
  });
}
