/** `patchwire config …`: judging, showing and comparing configurations. Writes nothing. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addConfigCheckCommand } from './config-check.ts';
import { addConfigPlanCommand } from './config-plan.ts';
import { addConfigPrintCommand } from './config-print.ts';
import { addConfigSchemaCommand } from './config-schema.ts';

export function addConfigCommands(program: Command, bind: Bind): void {
  const config = program.command('config').description('Check, print and compare configurations; writes nothing.');
  addConfigCheckCommand(config, bind);
  addConfigPrintCommand(config, bind);
  addConfigPlanCommand(config, bind);
  addConfigSchemaCommand(config, bind);
}
