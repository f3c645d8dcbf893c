/** The commands that take a section by its name: `get`, `poll`, `pause`, `resume`. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addGetCommand } from './get.ts';
import { addPauseCommand, addResumeCommand } from './pause.ts';
import { addPollCommand } from './poll.ts';

export function addSectionCommands(program: Command, bind: Bind): void {
  addGetCommand(program, bind);
  addPollCommand(program, bind);
  addPauseCommand(program, bind);
  addResumeCommand(program, bind);
}
