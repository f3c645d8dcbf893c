/** `patchwire audit`: what operators did in the partition, newest first. Looks only. */
import type { Command } from 'commander';
import { type AuditRecord, MOST_AUDITED } from '../../manager/audit-trail.ts';
import { parseCount } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addAuditCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('audit')
    .description('List what operators did: which command, by whom, with what result; the newest first.')
    .option('--limit <count>', `so many entries, up to ${MOST_AUDITED}`, parseCount({ name: '--limit', min: 1, max: MOST_AUDITED }), 20)
    .addHelpText(
      'after',
      `
Every command that changes something writes one entry when it ends, whoever runs it on whatever host: table add, remove and enable, checkpoint set, reset
and import, pause, resume, resync, quarantine retry and drop. OUTCOME asked: it was interrupted, or no daemon served it yet; whoever leads goes on with it.
The last ${MOST_AUDITED} are kept in Redis, in {partition}/audit. It is a help for people, no proof: who may write to Redis may write there.

Examples:
  $ patchwire audit
  $ patchwire audit --limit 200 --json | jq '.[] | select(.section == "orders")'`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async () => {
      const { limit } = command.opts<{ limit: number }>();
      const config = load();
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const records = await manager.audit.last(limit);
      output.result(auditJson(records), auditText(records));
      return EXIT.ok;
    }),
  );
}

/** As --json prints it: the fields are a contract, added to and never changed. */
export function auditJson(records: readonly AuditRecord[]) {
  return records.map(({ atMs, who, command, section, table, args, outcome, code, message }) => ({
    at: new Date(atMs).toISOString(),
    ...{ who, command, section, table, arguments: args, outcome, code, message },
  }));
}

export function auditText(records: readonly AuditRecord[]): string {
  if (records.length === 0) {
    return 'Nothing is written in the audit.';
  }
  const rows = auditJson(records).map(({ at, who, command, section, table, arguments: args, outcome, code, message }) => [
    ...[at, who, command, section ?? table ?? '-'],
    Object.entries(args)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ') || '-',
    `${outcome}: ${code === null ? '' : `${code} `}${message}`,
  ]);
  // Whoever may write there could send a terminal's control characters.
  return formatRows(
    ['WHEN', 'WHO', 'COMMAND', 'SECTION', 'ARGUMENTS', 'OUTCOME'],
    rows.map((row) => row.map((cell) => cell.replaceAll(/\p{Cc}+/gu, ' '))),
  );
}
