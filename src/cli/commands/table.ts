/** `patchwire table …`: the registered tables. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addTableAddCommand } from './table-add.ts';
import { addTableEnableCommand } from './table-enable.ts';
import { addTableListCommand } from './table-list.ts';
import { addTableRemoveCommand } from './table-remove.ts';
import { addTableShowCommand } from './table-show.ts';

export function addTableCommands(program: Command, bind: Bind): void {
  const table = program.command('table').description('Register tables: edits the configuration, keeping its comments and order.');
  addTableAddCommand(table, bind);
  addTableListCommand(table, bind);
  addTableShowCommand(table, bind);
  addTableEnableCommand(table, bind);
  addTableRemoveCommand(table, bind);
}
