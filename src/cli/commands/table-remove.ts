/** `patchwire table remove`: takes a table out of the configuration; with --purge also its keys out of Redis. */
import type { Command } from 'commander';
import { parseTableName } from '../../config/table-name.ts';
import type { AuditTrail } from '../../manager/audit-trail.ts';
import { PatchwireError } from '../../model/errors.ts';
import { findTable } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { checkRemovable, removeTable } from '../registration.ts';
import { untilSignal } from '../signals.ts';

const PATIENCE_MS = 120_000;

interface Removed {
  /** null: it was not asked for. */
  readonly purged: { readonly by: string; readonly documents: number } | null;
  readonly files: readonly string[];
}

export function addTableRemoveCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('remove')
    .argument('<name>', 'the table (dbo.Orders) or its section')
    .description('Take a table out of the configuration. Its documents stay in Redis unless they are purged.')
    .option('--purge', 'delete its documents and all its keys, and tell subscribers that it is gone')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
The purge goes through the running daemon, which stops following the table; without a daemon it is done here, under the section's lease.

Examples:
  $ patchwire table remove dbo.Orders
  $ patchwire table remove orders --purge --yes`,
    );
  bind(command, ({ config: load, configPaths, output }) =>
    untilSignal(async (signal) => {
      const { purge = false, yes = false } = command.opts<{ purge?: boolean; yes?: boolean }>();
      const config = load();
      const table = findTable(config, String(command.args[0]));
      const name = parseTableName(table.table);
      if (name === null) {
        throw new PatchwireError('PW-C106', `${table.table} is not registered`);
      }
      let documents: number | null = null;
      const note = (text: string): void => output.note(text);
      const [{ openManager }, { ask }, { audited, withAudit }] = await Promise.all([
        import('../opening.ts'),
        import('../operator.ts'),
        import('../auditing.ts'),
      ]);
      await using manager = purge ? await openManager(config, signal) : null;
      if (manager !== null) {
        checkRemovable(configPaths, name, table.source);
        const meta = await manager.readMeta(table.section);
        documents = meta?.count ?? null;
        const question = `This deletes ${documents} documents of section ${table.section} from Redis and tells its subscribers that it is gone. Go on?`;
        if (meta !== null && !yes && !(await output.confirm(question, signal))) {
          note('nothing was changed');
          return EXIT.failure;
        }
      }
      const remove = async (): Promise<Removed> => {
        const asked = { config, table, verb: 'purge', args: {}, audit: null, note, signal, patienceMs: PATIENCE_MS } as const;
        const by = manager === null || documents === null ? 'nobody' : (await ask({ ...asked, manager })).by;
        return { purged: manager === null ? null : { by, documents: documents ?? 0 }, files: removeTable(configPaths, name, table.source) };
      };
      const told = ({ purged, files }: Removed): string =>
        purged === null
          ? `removed ${table.table} from ${files.join(' and ')}; its documents stay in Redis (section ${table.section}); a running daemon follows it until it is restarted`
          : `removed ${table.table} from ${files.join(' and ')} and purged section ${table.section} (${purged.documents} documents)`;
      const deed = { command: 'table remove', section: table.section, table: table.table, args: { ...(purge ? { purge: 'true' } : {}) } };
      const done = (audit: AuditTrail): Promise<Removed> => audited({ config, audit, note }, deed, { work: remove, told, signal });
      const removed = manager === null ? await withAudit(config, done) : await done(manager.audit);
      output.result({ table: table.table, section: table.section, ...removed }, told(removed));
      return EXIT.ok;
    }),
  );
}
