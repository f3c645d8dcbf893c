/**
 * The way of a call from a memory manager to its store. Without a line a writing call takes effect when it is made; a simulation puts one in
 * between that takes time, loses answers, or breaks. Order, effect and answer of a call are its own to decide; what a call does is not.
 */
import type { WritingCall } from './memory-store.ts';

/** What is carried: a writing call, or one that only reads or asks. */
export interface CarriedCall {
  readonly method:
    | WritingCall['method']
    | 'readMeta'
    | 'bases'
    | 'scan'
    | 'missing'
    | 'scanQuarantine'
    | 'quarantined'
    | 'room'
    | 'request'
    | 'pendingRequests'
    | 'progress'
    | 'operation';
  readonly section: string;
  readonly managerId: string;
}

export interface Line {
  /** Runs `execute`, once or never, now or later; answers with what it returned, throws what it threw, or a PatchwireError of its own. */
  carry<T>(call: CarriedCall, execute: () => T): Promise<T>;
}
