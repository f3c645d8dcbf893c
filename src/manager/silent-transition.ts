/**
 * Which transition may go without a `reset` (C1): one that changes neither state nor epoch, of which nobody hears; and the way into a resync and
 * out of it, whose documents stay good: told by a change message that has no changes.
 */
import { PatchwireError } from '../model/errors.ts';
import type { SectionState } from '../wire/messages.ts';
import type { Transition } from './distributed-data-manager.ts';

/** @throws PW-I901 when a change of state or epoch would be told to nobody; nothing was sent then */
export function checkSilence({ state, newEpoch, reset }: Transition, stored: SectionState): void {
  if (reset === null && (newEpoch || (state !== stored && !resyncs(state, stored)))) {
    throw new PatchwireError('PW-I901', `a transition from ${stored} to ${newEpoch ? 'a new epoch' : state} needs a reset message`);
  }
}

/** Whether a transition without a `reset` is told by a change message: into a resync, or out of it. */
export function resyncs(state: SectionState, stored: SectionState): boolean {
  return state !== stored && state !== 'loading' && stored !== 'loading';
}
