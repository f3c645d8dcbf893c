/** `patchwire config schema`: the JSON Schema of the configuration file, for editors. */
import type { Command } from 'commander';
import { configJsonSchema } from '../../config/json-schema.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';

export function addConfigSchemaCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('schema')
    .description('Print the JSON Schema of the configuration file, for editors. Needs no configuration.')
    .addHelpText(
      'after',
      `
The package has it as dist/patchwire.schema.json. A file names it in its first line, by a path from its own folder:
  # yaml-language-server: $schema=./node_modules/patchwire/dist/patchwire.schema.json

Examples:
  $ patchwire config schema > patchwire.schema.json`,
    );
  bind(command, ({ output }) => {
    output.line(JSON.stringify(configJsonSchema(), null, 2));
    return Promise.resolve(EXIT.ok);
  });
}
