/** `patchwire tail`: prints patches as they come, by the subscriber library: what it prints is what a replica applied, in order. */
import type { Command } from 'commander';
import { PatchwireError } from '../../model/errors.ts';
import type { SubscriberEvent } from '../../subscriber/events.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import type { Bind } from '../program.ts';
import { signalled, untilSignal } from '../signals.ts';

export function addTailCommand(program: Command, bind: Bind): void {
  const command = program
    .command('tail')
    .argument('[section...]', 'sections or tables; default: every registered one')
    .description('Print patches as they come, until a signal. It holds a replica of the sections in memory.')
    .addHelpText(
      'after',
      `
With --json one event a line: change, live, gap, recovered, reset, diverged, trouble.

Examples:
  $ patchwire tail
  $ patchwire tail orders --json | jq -c 'select(.type == "change") | .patch'`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const config = load();
      const { partition } = config.manager;
      if (config.tables.length === 0) {
        throw new PatchwireError('PW-C106', 'no table is registered: there is nothing to print', {
          hint: 'Register one: patchwire table add dbo.Orders',
        });
      }
      const names = command.args.length === 0 ? config.tables.map(({ section }) => section) : command.args;
      const sections = [...new Set(names.map((name) => findTable(config, name).section))];
      const [{ subscribe }, { subscriberRedis }] = await Promise.all([
        import('../../subscriber/index.ts'),
        import('../../daemon/parts.ts'),
      ]);
      const redis = subscriberRedis(config);
      const replicas = sections.map((section) =>
        subscribe({ redis, partition, section, onEvent: (event) => print(output, section, event) }),
      );
      try {
        await signalled(signal);
      } finally {
        await Promise.all(replicas.map((replica) => replica.close()));
      }
      return EXIT.ok;
    }),
  );
}

function print(output: Output, section: string, event: SubscriberEvent): void {
  switch (event.type) {
    case 'change': {
      const { dataKey, op, versionId, prevVersionId, changeVersion, patch, seq, changeTime } = event;
      const value = { type: event.type, section, dataKey, op, versionId, prevVersionId, changeVersion, seq, changeTime, patch };
      output.item(value, () => `${section} ${dataKey} ${op} @${versionId} ${JSON.stringify(patch)}`);
      break;
    }
    case 'live':
      output.item({ section, ...event }, () => `${section}: live at seq ${event.seq}, ${event.size} documents`);
      break;
    case 'gap':
    case 'reset':
      output.item({ section, ...event }, () => `${section}: ${event.type} (${event.reason})`);
      break;
    case 'recovered':
      output.item({ section, ...event }, () => `${section}: recovered ${event.messages} messages`);
      break;
    case 'diverged':
      output.item({ section, ...event }, () => `${section}: diverged: ${event.detail}`);
      break;
    case 'trouble': {
      const { code, message, hint } = event.error;
      output.item({ section, type: event.type, error: { code, message, hint } }, () => `${section}: ${code} ${message}`);
      break;
    }
    case 'skipped':
      output.item({ section, ...event }, () => `${section}: skipped seq ${event.from + 1} to ${event.to}: ${event.text}`);
      break;
    case 'lag':
    case 'restored':
    case 'closed':
      break;
  }
}
