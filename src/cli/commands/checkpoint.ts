/** `patchwire checkpoint …`: where the sections stand, and beginning anew. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addCheckpointListCommand } from './checkpoint-list.ts';
import { addCheckpointResetCommand } from './checkpoint-reset.ts';
import { addCheckpointShowCommand } from './checkpoint-show.ts';

export function addCheckpointCommands(program: Command, bind: Bind): void {
  const checkpoint = program.command('checkpoint').description('See where the sections stand; read one again or load it anew.');
  addCheckpointListCommand(checkpoint, bind);
  addCheckpointShowCommand(checkpoint, bind);
  addCheckpointResetCommand(checkpoint, bind);
}
