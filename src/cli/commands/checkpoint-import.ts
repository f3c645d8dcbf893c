/** `patchwire checkpoint import`: gives documents that were moved to this Redis the checkpoint that was exported with them. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import { readTextFile } from '../../config/text-file.ts';
import type { AdoptResult, DistributedDataManager } from '../../manager/distributed-data-manager.ts';
import type { ErrorCode } from '../../model/error-catalogue.ts';
import { asPatchwireError, PatchwireError } from '../../model/errors.ts';
import { type ExportedEntry, readExported } from '../../wire/exported-sections.ts';
import type { Deed } from '../auditing.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addCheckpointImportCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('import')
    .argument('<file>', 'what `checkpoint export` wrote')
    .description('Give documents that were moved to this Redis their checkpoint: the next daemon goes on without a load.')
    .option('--replace', 'also over a section that is there and that no daemon leads')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
A section whose documents are not here, or are not exactly those of the export, is left alone: the next daemon loads it. One script a section
writes, and only while nobody leads it.

Examples:
  $ patchwire checkpoint import checkpoints.json
  $ patchwire checkpoint import checkpoints.json --replace --yes`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async (signal) => {
      const { replace = false, yes = false } = command.opts<{ replace?: boolean; yes?: boolean }>();
      const config = load();
      const [file = ''] = command.args;
      const exported = readExported(textOf(file), file);
      const [registered, unknown] = [true, false].map((known) =>
        exported.sections.filter(({ section }) => config.tables.some((table) => table.section === section) === known),
      );
      for (const { section } of unknown ?? []) {
        output.note(`${section} is not registered here: left out`);
      }
      const entries = registered ?? [];
      if (entries.length === 0) {
        throw new PatchwireError('PW-C106', `none of the sections in ${file} is registered`);
      }
      const [{ openManager }, { writeDown }] = await Promise.all([import('../opening.ts'), import('../auditing.ts')]);
      await using manager = await openManager(config, signal);
      for (const { section, checkpoint, count } of entries) {
        output.note(
          `The section ${section} goes on from version ${checkpoint} if its ${count} documents are in partition ${config.manager.partition}.`,
        );
      }
      if (!yes && !(await output.confirm('Go on?', signal))) {
        output.note('nothing was changed');
        return EXIT.failure;
      }
      const results: { section: string; result: AdoptResult['kind']; message: string }[] = [];
      for (const entry of entries) {
        signal.throwIfAborted();
        const result = await adopted(manager, entry, replace);
        results.push({ section: entry.section, ...result });
        await writeDown({ config, audit: manager.audit, note: (text) => output.note(text) }, deedOf(config, entry, file, replace), {
          outcome: result.result === 'adopted' ? 'done' : 'failed',
          ...{ code: CODES[result.result] ?? null, message: result.message },
        });
      }
      output.result(results, results.map(({ section, message }) => `${section}: ${message}`).join('\n'));
      const refused = results.find(({ result }) => result === 'living' || result === 'held');
      if (refused !== undefined) {
        throw new PatchwireError(CODES[refused.result] ?? 'PW-M320', `${refused.section}: ${refused.message}`, {
          ...(refused.result === 'held' ? { hint: 'Stop its daemon, wait for its lease to end, and import again.' } : {}),
        });
      }
      return EXIT.ok;
    }),
  );
}

/** @throws PatchwireError PW-C109: it is an argument, and no configuration */
function textOf(file: string): string {
  try {
    return readTextFile(resolve(file)).text;
  } catch (error) {
    const why = asPatchwireError(error).message.replace(/^the configuration file /u, '');
    throw new PatchwireError('PW-C109', why, { hint: 'Name a file that `patchwire checkpoint export --output FILE` wrote.', cause: error });
  }
}

const CODES: Partial<Record<AdoptResult['kind'], ErrorCode>> = { held: 'PW-M314', living: 'PW-M320' };

function deedOf({ tables }: Config, { section }: ExportedEntry, file: string, replace: boolean): Deed {
  const table = tables.find((item) => item.section === section)?.table ?? null;
  return { command: 'checkpoint import', section, table, args: { file, ...(replace ? { replace: 'true' } : {}) } };
}

async function adopted(
  manager: DistributedDataManager,
  { section, ...exported }: ExportedEntry,
  replace: boolean,
): Promise<{ readonly result: AdoptResult['kind']; readonly message: string }> {
  const answer = await manager.adopt(section, exported, { replace });
  switch (answer.kind) {
    case 'adopted':
      return { result: 'adopted', message: `goes on from version ${answer.meta.checkpoint} with ${answer.meta.count} documents` };
    case 'differs': {
      const lacking = answer.missing === 0 ? '' : `, ${answer.missing} of them only in the index`;
      const found = `${answer.documents} documents are here${lacking}, ${exported.count} belong to the export`;
      const why =
        answer.documents === exported.count && answer.missing === 0
          ? `the ${exported.count} documents here are others than those of the export`
          : found;
      return { result: 'differs', message: `nothing was written: ${why}; the next daemon loads it, unless it is live here` };
    }
    case 'living':
      return { result: 'living', message: 'nothing was written: the section is in this Redis already' };
    case 'held':
      return {
        result: 'held',
        message: `nothing was written: ${answer.by} leads it, for ${Math.ceil(answer.expiresInMs / 1000)} s at least`,
      };
  }
}
