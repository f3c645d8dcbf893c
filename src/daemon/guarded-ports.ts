/**
 * The ports behind their breakers: every call asks the breaker first and tells it its outcome, so that nobody else has to. While a breaker is
 * open a call is rejected without asking the server, and calls to a source that are under way or wait for their turn end at once. What is
 * needed to let go (forget, resign, close) always passes.
 */
import { joinedSignal } from '../lib/joined-signal.ts';
import type { AuditTrail } from '../manager/audit-trail.ts';
import type { DaemonRegistry } from '../manager/daemon-registry.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { ChangePage } from '../model/change.ts';
import type { ChangeTracker, TrackChangesOptions } from '../source/change-tracker.ts';
import type { CheckpointStore } from '../source/checkpoint-store.ts';
import type { ServerBreaker } from './server-breaker.ts';

type Method = (...args: unknown[]) => unknown;

/** Neither of them asks the server for anything that it would have to be up for. */
const LETTING_GO: ReadonlySet<PropertyKey> = new Set<PropertyKey>(['resign', 'depart', 'forget', Symbol.asyncDispose]);

/** Of a source: the probe is `open`, which the breaker calls on the tracker itself. */
export function guardedTracker(tracker: ChangeTracker, breaker: ServerBreaker): ChangeTracker {
  return guarded(tracker, (name, method) => {
    if (name === 'trackChanges') {
      return (options) => guardedPages(tracker, breaker, options as TrackChangesOptions);
    }
    return abortedCall(breaker, method);
  });
}

/** Of the same server: what a source's own database keeps. */
export function guardedCheckpoints(store: CheckpointStore, breaker: ServerBreaker): CheckpointStore {
  return guarded(store, (_, method) => abortedCall(breaker, method));
}

/** Of a call whose last argument has a signal. */
function abortedCall(breaker: ServerBreaker, method: Method): Method {
  return async (...args) => {
    await breaker.pass();
    const last = args.at(-1) as { readonly signal: AbortSignal };
    const { signal, release } = joinedSignal(last.signal, breaker.outage);
    try {
      return await breaker.run(async () => method(...args.slice(0, -1), { ...last, signal }));
    } finally {
      release();
    }
  };
}

async function* guardedPages(tracker: ChangeTracker, breaker: ServerBreaker, options: TrackChangesOptions): AsyncGenerator<ChangePage> {
  await breaker.pass();
  const { signal, release } = joinedSignal(options.signal, breaker.outage);
  try {
    for await (const page of tracker.trackChanges({ ...options, signal })) {
      breaker.succeeded();
      yield page;
    }
  } catch (error) {
    breaker.failed(error);
    throw error;
  } finally {
    release();
  }
}

/** Of Redis, its registry of daemons and its audit included. */
export function guardedManager(manager: DistributedDataManager, breaker: ServerBreaker): DistributedDataManager {
  const daemons = guarded<DaemonRegistry>(manager.daemons, (_, method) => guardedCall(breaker, method));
  const audit = guarded<AuditTrail>(manager.audit, (_, method) => guardedCall(breaker, method));
  const calls = guarded(manager, (_, method) => guardedCall(breaker, method));
  return new Proxy(calls, {
    get: (target, name) => (name === 'daemons' ? daemons : name === 'audit' ? audit : (Reflect.get(target, name) as unknown)),
  });
}

/** Not async before the call is made: writing calls keep their order. */
function guardedCall(breaker: ServerBreaker, method: Method): Method {
  return (...args) => breaker.run(() => method(...args) as Promise<unknown>);
}

function guarded<T extends object>(port: T, guard: (name: PropertyKey, method: Method) => Method): T {
  const made = new Map<PropertyKey, Method>();
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') {
        return value;
      }
      let method = made.get(name);
      if (method === undefined) {
        const call: Method = (...args) => Reflect.apply(Reflect.get(target, name, target) as Method, target, args);
        method = LETTING_GO.has(name) ? call : guard(name, call);
        made.set(name, method);
      }
      return method;
    },
  });
}
