/** `patchwire init`: writes a commented configuration, with --from-database one that proposes the database's tables. Never over a file. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readLayers } from '../../config/load.ts';
import { createFile } from '../../config/replace-file.ts';
import { type Template, configTemplate } from '../../config/template.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { draftOf, schemaReference } from '../init-draft.ts';
import { showBytes } from '../memory-estimate.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import type { Proposal } from '../proposal.ts';
import { untilSignal } from '../signals.ts';

interface InitOptions {
  readonly fromDatabase?: boolean;
  readonly output: string;
  readonly force?: boolean;
  readonly name?: string;
}

export function addInitCommand(program: Command, bind: Bind): void {
  const command = program
    .command('init')
    .description('Write a commented configuration; never over a file that is there.')
    .option('--from-database', 'connect, and propose its tables: keys, rows, memory in Redis, and what keeps one from being followed')
    .option('--output <file>', 'the file to write', 'cdc.config.yaml')
    .option('--name <name>', 'name of the source and the partition; default: main')
    .option('--force', 'replace the file if it is there')
    .addHelpText(
      'after',
      `
The connection comes from PATCHWIRE_MSSQL, or from --set sources.<name>.server=… and so on, or from PATCHWIRE_SOURCES__<NAME>__… in the
environment. No password is written: the file refers to the environment. --from-database reads 200 rows of each table by primary key.
Memory in Redis = rows × (document as JSON + key + entry in the index, with Redis's own overhead); the change log of a section takes up to
manager.replay.maxBytes more.

Examples:
  $ patchwire init
  $ PATCHWIRE_MSSQL='Server=db;Database=Shop;User Id=patchwire;Password=…' patchwire init --from-database
  $ patchwire init --from-database --output shop.yaml --name shop`,
    );
  bind(command, (context) =>
    untilSignal(async (signal) => {
      const { output, control, flags } = context;
      const options = command.opts<InitOptions>();
      if (existsSync(options.output) && options.force !== true) {
        throw new PatchwireError('PW-C107', `the file ${options.output} is there already: it stays as it is`, {
          hint: 'Name another with --output, or replace it with --force.',
        });
      }
      const draft = draftOf({ env: control.env, flags: flags(), name: options.name });
      const proposal = options.fromDatabase === true ? await propose(context, draft, signal) : null;
      const text = configTemplate({ ...draft, schema: schemaReference(resolve(options.output)), tables: proposal?.entries ?? null });
      createFile(options.output, text, { force: options.force === true });
      const { tables = [], skipped = [] } = proposal ?? {};
      output.result(
        { file: options.output, source: draft.source.name, partition: draft.partition, tables, skipped },
        [
          ...(proposal === null ? [] : [proposalText(proposal), '']),
          `wrote ${options.output}`,
          `next: patchwire config check --online${context.configPaths.includes(options.output) ? '' : ` --config ${options.output}`}`,
        ].join('\n'),
      );
      return EXIT.ok;
    }),
  );
}

/** Connects with what the environment and the flags say, as the file that is to be written would. */
async function propose(
  { control, flags, output }: CommandContext,
  draft: Omit<Template, 'schema' | 'tables'>,
  signal: AbortSignal,
): Promise<Proposal> {
  const env = { PATCHWIRE_REDIS: 'redis://127.0.0.1:6379', ...control.env };
  const text = configTemplate({ ...draft, schema: null, tables: [] });
  const { config } = readLayers([{ name: 'the new file', folder: process.cwd(), text }], { env, flags: flags() });
  const [{ proposeTables }, { secretsOf }] = await Promise.all([import('../proposal.ts'), import('../../config/print.ts')]);
  output.keepSecret(secretsOf(config));
  return await proposeTables({ config, source: draft.source.name, partition: draft.partition, signal });
}

function proposalText({ tables, skipped }: Proposal): string {
  const rows = tables.map(({ table, section, key, rows: count, memory }) => [
    table,
    section,
    key.join(', '),
    String(count),
    memory.sampled === 0 ? '-' : String(memory.documentBytes),
    showBytes(memory.totalBytes),
  ]);
  const total = tables.reduce((sum, { memory }) => sum + memory.totalBytes, 0);
  return [
    tables.length === 0
      ? 'no table can be followed as it is'
      : formatRows(['TABLE', 'SECTION', 'KEY', 'ROWS', 'BYTES A DOCUMENT', 'IN REDIS'], rows),
    ...(tables.length === 0 ? [] : [`together about ${showBytes(total)} in Redis, and the change logs`]),
    ...skipped.flatMap(({ table, code, reason, statements }) => [
      `left in a comment: ${table}: ${code ?? ''} ${reason}`,
      ...statements.map((line) => `  ${line}`),
    ]),
  ].join('\n');
}
