/**
 * What the machine does with what Redis says, by the names that the table in state.ts has for it. They are loaded with what speaks to Redis, since
 * there is nothing to react to before.
 */
import { onFetchFailed, onFound, onWant } from './on-keys.ts';
import { onLoadFailed, onMeta, onPage, onScanned } from './on-load.ts';
import { onMessage, onMessageBehind, onMessageLater, onMessageWaiting } from './on-messages.ts';
import { onReplayed, onReplayFailed } from './on-replay.ts';

export const REACTIONS = {
  apply: onMessage,
  keep: onMessageLater,
  look: onMessageWaiting,
  skim: onMessageBehind,
  begin: onMeta,
  add: onPage,
  settle: onScanned,
  retryLoad: onLoadFailed,
  fetch: onWant,
  fill: onFound,
  retryFetch: onFetchFailed,
  catchUp: onReplayed,
  retryReplay: onReplayFailed,
};

export type Reactions = typeof REACTIONS;
