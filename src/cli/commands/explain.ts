/** `patchwire explain`: what an error code means, what causes it and what to do. Needs no configuration. */
import type { Command } from 'commander';
import { nearestName } from '../../lib/nearest.ts';
import { CATALOGUE, type ErrorCode } from '../../model/error-catalogue.ts';
import { PatchwireError } from '../../model/errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Explanation, explanationOf } from '../explanations.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';

export function addExplainCommand(program: Command, bind: Bind): void {
  const command = program
    .command('explain')
    .argument('[code]', 'an error code, such as PW-S205 or s205')
    .description('Explain an error code: meaning, cause, what is done, what to do.')
    .option('--list', 'every code with its meaning')
    .addHelpText(
      'after',
      `
Examples:
  $ patchwire explain PW-S211
  $ patchwire explain --list
  $ patchwire explain s205 --json`,
    );
  bind(command, ({ output }) => {
    const { list = false } = command.opts<{ list?: boolean }>();
    const [text] = command.args;
    const codes = Object.keys(CATALOGUE) as ErrorCode[];
    if (list === (text !== undefined)) {
      throw new PatchwireError('PW-C109', list ? '--list takes no code' : 'explain takes a code, or --list');
    }
    if (text === undefined) {
      const all = codes.map(explanationOf);
      output.result(
        all,
        formatRows(
          ['CODE', 'CLASS', 'MEANING'],
          all.map(({ code, retry, meaning }) => [code, retry, meaning]),
        ),
      );
      return Promise.resolve(EXIT.ok);
    }
    const wanted = `PW-${text.toUpperCase().replace(/^PW-?/u, '')}`;
    const code = codes.find((each) => each === wanted);
    if (code === undefined) {
      const nearest = nearestName(wanted, codes);
      throw new PatchwireError('PW-C109', `there is no code ${text}`, {
        hint: `The nearest is ${nearest}; all of them: patchwire explain --list`,
      });
    }
    const explanation = explanationOf(code);
    output.result(explanation, textOf(explanation));
    return Promise.resolve(EXIT.ok);
  });
}

function textOf({ code, retry, meaning, cause, action, handling, seen }: Explanation): string {
  return [
    `${code}: ${meaning}`,
    '',
    `  cause:   ${cause}`,
    `  class:   ${retry} (${handling})`,
    `  to do:   ${action}`,
    `  seen in: ${seen}`,
  ].join('\n');
}
