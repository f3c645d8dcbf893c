/** `patchwire quarantine …`: the rows that cannot be published: which, why, trying them again, letting go of them. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addQuarantineDropCommand, addQuarantineRetryCommand } from './quarantine-requests.ts';
import { addQuarantineListCommand, addQuarantineShowCommand } from './quarantine-list.ts';

export function addQuarantineCommands(program: Command, bind: Bind): void {
  const quarantine = program.command('quarantine').description('Rows that cannot be published: list, explain, try again, drop.');
  addQuarantineListCommand(quarantine, bind);
  addQuarantineShowCommand(quarantine, bind);
  addQuarantineRetryCommand(quarantine, bind);
  addQuarantineDropCommand(quarantine, bind);
}
