/** Which transition may go without a message (C1): one that changes neither state nor epoch, so that nobody has to hear of it. */
import { PatchwireError } from '../model/errors.ts';
import type { SectionState } from '../wire/messages.ts';
import type { Transition } from './distributed-data-manager.ts';

/** @throws PW-I901 when a change of state or epoch would be told to nobody; nothing was sent then */
export function checkSilence({ state, newEpoch, reset }: Transition, stored: SectionState): void {
  if (reset === null && (newEpoch || state !== stored)) {
    throw new PatchwireError('PW-I901', `a transition from ${stored} to ${newEpoch ? 'a new epoch' : state} needs a reset message`);
  }
}
