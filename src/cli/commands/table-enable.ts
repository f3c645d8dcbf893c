/** `patchwire table enable`: switches change tracking on where it is off, or prints the T-SQL that an administrator runs. */
import { type Command, InvalidArgumentError } from 'commander';
import { formatTableName } from '../../config/table-name.ts';
import { PatchwireError } from '../../model/errors.ts';
import { parsePatternArguments } from '../arguments.ts';
import type { Enabling } from '../enabling-plan.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';
import { parseTablePattern, type TablePattern } from '../table-pattern.ts';

interface EnableOptions {
  readonly source?: string;
  readonly retention: string;
  readonly snapshot?: boolean;
  readonly print?: boolean;
  readonly yes?: boolean;
}

export function addTableEnableCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('enable')
    .argument('[schema.name...]', 'tables or patterns such as dbo.*; default: every registered one', parsePatternArguments)
    .description('Switch change tracking on, for the database too where it is off. Never touches a table that has it.')
    .option('--source <name>', 'their database; needed when the configuration has several')
    .option('--retention <time>', 'how long changes are kept, where the database is switched on: 7d, 36h or 90m', parseRetention, '7 DAYS')
    .option('--snapshot', 'allow SNAPSHOT isolation as well: readers block nobody; it costs row versions in tempdb')
    .option('--print', 'print the T-SQL instead of running it')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
It runs under the configured login, which needs ALTER on the tables, and on the database where tracking is off; the daemon's own login
should have neither. Give an administrator's for this one command in the environment, as in the last example.

Examples:
  $ patchwire table enable --print
  $ patchwire table enable dbo.Orders 'sales.*' --print > enable.sql
  $ PATCHWIRE_MSSQL="$ADMINISTRATOR" patchwire table enable 'dbo.*' --retention 3d --yes`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const options = command.opts<EnableOptions>();
      const config = load();
      const [{ planEnabling, scriptOf }, { openAdministration, sourceFor }] = await Promise.all([
        import('../enabling-plan.ts'),
        import('../survey.ts'),
      ]);
      const source = sourceFor(config, options.source);
      // Without one commander gives an empty list.
      const named = (command.processedArgs[0] as readonly TablePattern[] | undefined) ?? [];
      const registered = config.tables.filter((table) => table.source === source).map(({ table }) => parseTablePattern(table));
      const patterns = named.length > 0 ? named : registered.filter((pattern) => pattern !== null);
      await using administration = openAdministration(config, source);
      const plan = planEnabling(await administration.survey({ signal }), patterns, options);
      output.note(linesOf(plan).join('\n'));
      const told = toJson(plan);
      if (options.print === true) {
        output.result({ ...told, ran: false }, scriptOf(plan));
        return EXIT.ok;
      }
      if (plan.statements.length === 0) {
        output.result({ ...told, ran: false }, 'there is nothing to switch on');
        return EXIT.ok;
      }
      if (plan.lacking.length > 0) {
        throw new PatchwireError('PW-S209', `The login may not ALTER ${plan.lacking.join(', ')}: nothing was changed.`, {
          hint: `An administrator runs:\n${plan.statements.map(({ text }) => `    ${text}`).join('\n')}`,
          details: { lacking: plan.lacking, statements: plan.statements.map(({ text }) => text) },
        });
      }
      if (options.yes !== true && !(await output.confirm(`Run these ${plan.statements.length} statements in ${plan.database}?`, signal))) {
        output.note('nothing was changed');
        return EXIT.failure;
      }
      const enable = async (): Promise<string> => {
        for (const { text } of plan.statements) {
          await administration.run(text, { signal });
          output.note(`ran   ${text}`);
        }
        return `change tracking is on for ${told.enabled.join(', ') || plan.database}`;
      };
      const deed = {
        ...{ command: 'table enable', section: null, table: told.enabled.join(', ') || null },
        args: { source, retention: options.retention, ...(options.snapshot === true ? { snapshot: 'true' } : {}) },
      };
      const { audited, withAudit } = await import('../auditing.ts');
      const done = await withAudit(config, (audit) =>
        audited({ config, audit, note: (text) => output.note(text) }, deed, { work: enable, told: (text) => text, signal }),
      );
      output.result({ ...told, ran: true }, done);
      return EXIT.ok;
    }),
  );
}

/** `7d` → `7 DAYS` */
export function parseRetention(text: string): string {
  const [, count, unit] = /^([1-9][0-9]{0,4})(d|h|m)$/u.exec(text) ?? [];
  const units: Readonly<Record<string, string>> = { d: 'DAYS', h: 'HOURS', m: 'MINUTES' };
  if (count === undefined || unit === undefined) {
    throw new InvalidArgumentError('It takes a whole number with its unit: d, h or m, such as 7d.');
  }
  return `${count} ${units[unit]}`;
}

function linesOf({ statements, on, skipped }: Enabling): readonly string[] {
  return [
    ...on.map((name) => `on    ${name}: it is left as it is`),
    ...skipped.map(({ name, code, reason }) => `skip  ${name}: ${code} ${reason}`),
    ...statements.map(({ text }) => `run   ${text}`),
  ];
}

function toJson({ database, statements, tables, on, skipped, lacking }: Enabling) {
  return {
    database,
    statements: statements.map(({ text }) => text),
    enabled: tables.map((table) => formatTableName(table)),
    on,
    skipped,
    lacking,
  };
}
