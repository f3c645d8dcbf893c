/**
 * sp_getapplock and sp_releaseapplock: locks on names, which sessions or their transactions hold. Each held lock is a small transaction of its
 * own, so that whoever waits for it wakes when it goes, and deadlocks are found through whoever holds it.
 * Source: learn.microsoft.com, sp_getapplock and sp_releaseapplock; errors 1223 and 1227.
 */
import { SqlError } from '../session.ts';
import type { Database } from './catalog.ts';
import type { ProcedureCall } from './procedure-call.ts';
import { principalId } from './permissions.ts';
import type { SessionState } from './session-state.ts';
import type { LockMode } from './table-locks.ts';
import { TableLocks } from './table-locks.ts';
import type { Transaction } from './transaction.ts';

/** A lock that a session or its transaction holds, as often as it was asked for. */
export interface HeldLock {
  readonly holder: Transaction;
  count: number;
}

const MODES: ReadonlyMap<string, LockMode> = new Map([
  ['shared', 'shared'],
  ['update', 'update'],
  ['intentshared', 'intent shared'],
  ['intentexclusive', 'intent exclusive'],
  ['exclusive', 'exclusive'],
]);

const GRANTED = 0;
const GRANTED_AFTER_WAITING = 1;
const TIMED_OUT = -1;
const DEADLOCK_VICTIM = -3;
const WRONG_CALL = -999;

const resources = new WeakMap<Database, Map<string, TableLocks>>();

function locksOf(database: Database, key: string): TableLocks {
  const locks = resources.get(database) ?? new Map<string, TableLocks>();
  resources.set(database, locks);
  const found = locks.get(key) ?? new TableLocks();
  locks.set(key, found);
  return found;
}

interface Named {
  readonly resource: string;
  readonly principal: string;
  readonly owner: 'session' | 'transaction';
  /** Of the lock, whoever holds it. */
  readonly key: string;
  /** Of this session's hold on it. */
  readonly own: string;
}

function text(call: ProcedureCall, name: string, position: number): string | null {
  const value = call.get(name, position)?.value;
  return typeof value === 'string' ? value : null;
}

/** What both procedures are told; null when it makes no sense. Resource names have letter case. */
function named(call: ProcedureCall, positions: { readonly owner: number; readonly principal: number }): Named | null {
  const { session } = call.runner;
  const resource = text(call, '@resource', 0);
  const owner = (text(call, '@lockowner', positions.owner) ?? 'Transaction').toLowerCase();
  const principal = text(call, '@dbprincipal', positions.principal) ?? 'public';
  if (resource === null || (owner !== 'session' && owner !== 'transaction') || principalId(session.database, principal) === null) {
    return null;
  }
  const key = `${principal.toLowerCase()}\n${resource.slice(0, 255)}`;
  return { resource, principal, owner, key, own: `${session.database.id}\n${owner}\n${key}` };
}

export async function getApplicationLock(call: ProcedureCall): Promise<void> {
  const { runner } = call;
  runner.status = await request(call);
  runner.done();
}

async function request(call: ProcedureCall): Promise<number> {
  const { runner } = call;
  const { session } = runner;
  const lock = named(call, { owner: 2, principal: 4 });
  const mode = MODES.get((text(call, '@lockmode', 1) ?? '').toLowerCase());
  const timeout = call.get('@locktimeout', 3)?.value ?? session.options.lockTimeoutMs;
  if (lock === null || mode === undefined || typeof timeout !== 'number') {
    return WRONG_CALL;
  }
  if (lock.owner === 'transaction' && session.transaction === null) {
    runner.tell(new SqlError(1227, 'You attempted to acquire a transactional application lock without an active transaction.'));
    return WRONG_CALL;
  }
  const known = session.applicationLocks.get(lock.own);
  const holder = known?.holder ?? newHolder(session);
  const locks = locksOf(session.database, lock.key);
  const { options } = session;
  session.options = { ...options, lockTimeoutMs: timeout };
  let tries = 0;
  try {
    await runner.atomic(() => {
      tries += 1;
      locks.hold(holder, mode);
    });
  } catch (error) {
    if (known === undefined) {
      session.instance.manager.rollback(holder);
    }
    if (error instanceof SqlError && (error.number === 1222 || error.number === 1205)) {
      return error.number === 1222 ? TIMED_OUT : DEADLOCK_VICTIM;
    }
    throw error;
  } finally {
    session.options = options;
  }
  if (known === undefined) {
    keep(session, lock, holder);
  } else {
    known.count += 1;
  }
  return tries === 1 ? GRANTED : GRANTED_AFTER_WAITING;
}

function newHolder(session: SessionState): Transaction {
  const holder = session.instance.manager.begin({ priority: () => session.options.deadlockPriority, snapshot: false });
  holder.heldFor = () => session.current;
  return holder;
}

function keep(session: SessionState, lock: Named, holder: Transaction): void {
  session.applicationLocks.set(lock.own, { holder, count: 1 });
  if (lock.owner === 'transaction') {
    session.transaction?.onEnd(() => {
      release(session, lock.own);
    });
  }
}

function release(session: SessionState, own: string): void {
  const held = session.applicationLocks.get(own);
  if (held !== undefined) {
    session.applicationLocks.delete(own);
    session.instance.manager.rollback(held.holder);
  }
}

/** Called when the session ends or begins anew. */
export function releaseApplicationLocks(session: SessionState): void {
  for (const own of [...session.applicationLocks.keys()]) {
    release(session, own);
  }
}

export function releaseApplicationLock(call: ProcedureCall): void {
  const { runner } = call;
  const { session } = runner;
  const lock = named(call, { owner: 1, principal: 2 });
  const held = lock === null ? undefined : session.applicationLocks.get(lock.own);
  if (lock === null || held === undefined) {
    runner.status = WRONG_CALL;
    if (lock !== null) {
      const who = `(Database Principal: '${lock.principal}', Resource: '${lock.resource}')`;
      runner.tell(new SqlError(1223, `Cannot release the application lock ${who} because it is not currently held.`));
    }
    runner.done({ error: true });
    return;
  }
  held.count -= 1;
  if (held.count === 0) {
    release(session, lock.own);
  }
  runner.status = GRANTED;
  runner.done();
}
