/** Everything that can happen. */
import type { Action } from './action.ts';
import { NETWORK_ACTIONS } from './network-actions.ts';
import { PROCESS_ACTIONS } from './process-actions.ts';
import { REDIS_ACTIONS } from './redis-actions.ts';
import { SQL_ACTIONS } from './sql-actions.ts';

export const ACTIONS: readonly Action[] = [...PROCESS_ACTIONS, ...REDIS_ACTIONS, ...NETWORK_ACTIONS, ...SQL_ACTIONS];
