/** `patchwire subscribers`: who listens to a section, by what subscribers say of themselves where their Redis user may write it. */
import type { Command } from 'commander';
import { systemClock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addSubscribersCommand(program: Command, bind: Bind): void {
  const command = program
    .command('subscribers')
    .argument('[section]', 'the section or its table')
    .option('--all', 'of every registered section')
    .description('List who listens to a section, and how far they are.')
    .addHelpText(
      'after',
      `
A subscriber of the library writes of itself every ten seconds, if its Redis user may (the user listed of docker/users.acl); others listen unseen.
AGE is how long ago it wrote: above half a minute it is probably gone. Ages are by the clocks of two machines.

Examples:
  $ patchwire subscribers orders
  $ patchwire subscribers --all --json`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async () => {
      const config = load();
      const [name] = command.args;
      const { all } = command.opts<{ all?: boolean }>();
      if ((name === undefined) !== (all === true)) {
        throw new PatchwireError('PW-C109', 'name one section, or say --all');
      }
      const sections = name === undefined ? config.tables.map(({ section }) => section) : [findTable(config, name).section];
      const [{ readAudience }, { subscriberRedis }] = await Promise.all([
        import('../../subscriber/audience.ts'),
        import('../../daemon/parts.ts'),
      ]);
      const { partition } = config.manager;
      const listening = await readAudience({ redis: subscriberRedis(config), partition, sections }).catch((error: unknown) => {
        // As every other command says it.
        throw error instanceof PatchwireError && error.code === 'PW-W403'
          ? new PatchwireError('PW-M301', error.message, { cause: error })
          : error;
      });
      const now = systemClock.now();
      const shown = listening.map(({ atMs, sinceMs, ...rest }) => ({
        ...rest,
        ageMs: Math.max(0, now - atMs),
        since: new Date(sinceMs).toISOString(),
      }));
      const rows = shown.map(({ section, name: called, id, mode, status, equal, reasons, seq, upTo, ageMs }) => [
        section,
        called ?? id.slice(0, 8),
        mode,
        equal ? `${status}, equal` : [status, ...reasons.filter((reason) => reason !== status)].join(', '),
        seq === null ? '-' : String(seq),
        upTo ?? '-',
        `${Math.round(ageMs / 1000)} s`,
      ]);
      output.result(shown, formatRows(['SECTION', 'NAME', 'MODE', 'STATE', 'SEQ', 'UP TO', 'AGE'], rows));
      return EXIT.ok;
    }),
  );
}
