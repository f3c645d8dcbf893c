/** `patchwire checkpoint …`: where the sections stand, moving them, and beginning anew. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addCheckpointExportCommand } from './checkpoint-export.ts';
import { addCheckpointImportCommand } from './checkpoint-import.ts';
import { addCheckpointListCommand } from './checkpoint-list.ts';
import { addCheckpointResetCommand } from './checkpoint-reset.ts';
import { addCheckpointSetCommand } from './checkpoint-set.ts';
import { addCheckpointShowCommand } from './checkpoint-show.ts';

export function addCheckpointCommands(program: Command, bind: Bind): void {
  const checkpoint = program
    .command('checkpoint')
    .description('See where the sections stand; move, export and import checkpoints; load a section anew.');
  addCheckpointListCommand(checkpoint, bind);
  addCheckpointShowCommand(checkpoint, bind);
  addCheckpointSetCommand(checkpoint, bind);
  addCheckpointResetCommand(checkpoint, bind);
  addCheckpointExportCommand(checkpoint, bind);
  addCheckpointImportCommand(checkpoint, bind);
}
