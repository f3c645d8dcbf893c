/** `patchwire table …`: the registered tables. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addTableAddCommand } from './table-add.ts';
import { addTableListCommand } from './table-list.ts';
import { addTableRemoveCommand } from './table-remove.ts';

export function addTableCommands(program: Command, bind: Bind): void {
  const table = program.command('table').description('Register tables: edits the configuration, keeping its comments and order.');
  addTableAddCommand(table, bind);
  addTableListCommand(table, bind);
  addTableRemoveCommand(table, bind);
}
