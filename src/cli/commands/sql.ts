/** `patchwire sql …`: prints the scripts of sql/ for the configured tables. Runs nothing. */
import type { Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import { parseTableName } from '../../config/table-name.ts';
import { PatchwireError } from '../../model/errors.ts';
import { parseList } from '../arguments.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { filledScript, type ScriptName } from '../sql-scripts.ts';
import { parseRetention } from './table-enable.ts';

interface SqlOptions {
  readonly tables?: readonly string[];
  readonly source?: string;
  readonly database?: string;
  readonly user: string;
  readonly retention?: string;
}

export function addSqlCommands(program: Command, bind: Bind): void {
  const sql = program.command('sql').description('Print T-SQL for an administrator, filled for the configured tables. Runs nothing.');
  addSqlCommand(sql, bind, 'enable', 'Print the script that switches change tracking on, for the database and its tables.');
  addSqlCommand(sql, bind, 'login', 'Print the script that makes a login with the least that the daemon needs.');
  addSqlCommand(
    sql,
    bind,
    'checkpoint-store',
    'Print the script that makes the table of checkpoint.store: sqlserver, and lets the daemon use it.',
  );
  addSqlCommand(sql, bind, 'disable', 'Print the script that takes everything back: tracking, user and login.');
}

/** What names tables. */
const OF_TABLES: ReadonlySet<ScriptName> = new Set(['enable', 'login', 'disable']);

function addSqlCommand(parent: Command, bind: Bind, script: ScriptName, description: string): void {
  const command = parent.command(script).description(description);
  if (OF_TABLES.has(script)) {
    command.option('--tables <a,b>', 'these tables, registered or not; default: every registered one', parseList);
  }
  command
    .option('--source <name>', 'their database; needed when the configuration has several')
    .option('--database <name>', 'its name, where the connection does not say it')
    .option('--user <name>', 'the login and user', 'patchwire');
  if (script === 'enable') {
    command.option('--retention <time>', 'how long changes are kept: 7d, 36h or 90m', parseRetention);
  }
  command.addHelpText(
    'after',
    `
Names are quoted. Connects to nothing; \`patchwire table enable\` runs what is missing.

Examples:
  $ patchwire sql ${script} > ${script}.sql${OF_TABLES.has(script) ? `\n  $ patchwire sql ${script} --tables dbo.Orders,sales.Lines` : ''}`,
  );
  bind(command, async ({ config: load, output }) => {
    const options = command.opts<SqlOptions>();
    const config = load();
    const { sourceFor } = await import('../survey.ts');
    const source = sourceFor(config, options.source);
    const names = options.tables ?? config.tables.filter((table) => table.source === source).map(({ table }) => table);
    if (names.length === 0 && OF_TABLES.has(script)) {
      throw new PatchwireError('PW-C109', 'no table is registered: name some with --tables dbo.Orders');
    }
    const tables = names.map((text) => {
      const name = parseTableName(text);
      if (name === null) {
        throw new PatchwireError('PW-C109', `${text} is no table name such as dbo.Orders`);
      }
      return name;
    });
    const database = options.database ?? (await databaseOf(config, source));
    const text = filledScript(script, { database, tables, user: options.user, retention: options.retention ?? '7 DAYS' });
    output.result({ source, database, tables: names, user: options.user, script: text }, text);
    return EXIT.ok;
  });
}

/** The database that the connection names. @throws PatchwireError PW-C103 for a connection that cannot be honoured, PW-C109 when it names none */
async function databaseOf(config: Config, source: string): Promise<string> {
  const { connection, database } = config.sources[source] ?? {};
  const { parseConnectionString } = await import('../../source/sqlserver/connection-string.ts');
  const found = connection === undefined ? database : parseConnectionString(connection).database;
  if (found === undefined) {
    throw new PatchwireError('PW-C109', `the connection of source ${source} names no database: name it with --database`);
  }
  return found;
}
