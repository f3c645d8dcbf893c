/** A memory manager's side of a lead: the chain as it was sent last, answered or not. Sends nothing. */
import { PatchwireError } from '../../model/errors.ts';
import type { SectionState } from '../../wire/messages.ts';
import type { Advance } from '../distributed-data-manager.ts';

export interface Lead {
  readonly token: string;
  tip: string;
  seq: number;
  last: string;
  epoch: string;
  state: SectionState;
  fingerprint: string | undefined;
  checkpoint: bigint;
  upTo: bigint | null;
  tornDigest: string | null;
  failure: PatchwireError | null;
}

interface Position {
  readonly checkpoint: bigint;
  readonly upTo: bigint | null;
}

/** Where the position stands after an advance. */
export function moved(position: Position, advance: Advance): Position {
  return { checkpoint: advance.checkpoint ?? position.checkpoint, upTo: advance.upTo ?? position.upTo };
}

/** The answer was lost, and with it the connection. */
export function lost(section: string): PatchwireError {
  return new PatchwireError('PW-M311', `section ${section}: the connection was lost`);
}
