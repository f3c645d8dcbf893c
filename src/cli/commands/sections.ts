/** The commands about sections: `get`, `poll`, `pause`, `resume` and `resync` take one by its name, `leases` shows who leads all of them. */
import type { Command } from 'commander';
import type { Bind } from '../program.ts';
import { addAuditCommand } from './audit.ts';
import { addGetCommand } from './get.ts';
import { addLeasesCommand } from './leases.ts';
import { addPauseCommand, addResumeCommand } from './pause.ts';
import { addPollCommand } from './poll.ts';
import { addResyncCommand } from './resync.ts';
import { addSubscribersCommand } from './subscribers.ts';

export function addSectionCommands(program: Command, bind: Bind): void {
  addGetCommand(program, bind);
  addPollCommand(program, bind);
  addLeasesCommand(program, bind);
  addAuditCommand(program, bind);
  addPauseCommand(program, bind);
  addResumeCommand(program, bind);
  addResyncCommand(program, bind);
  addSubscribersCommand(program, bind);
}
