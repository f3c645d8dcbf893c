/**
 * Asks a section's leader for something and follows it to its result (L6). When nobody takes the request, this process takes the lease and
 * serves it with the daemon's own code, then gives the lease up: nothing but a leader ever writes a section.
 */
import { randomUUID } from 'node:crypto';
import type { Config, TableConfig } from '../config/schema.ts';
import { createCheckpoints, createTracker, sectionOptions } from '../daemon/parts.ts';
import { systemClock } from '../lib/clock.ts';
import { seededRandom } from '../lib/random.ts';
import type { DistributedDataManager, OperationProgress } from '../manager/distributed-data-manager.ts';
import { CATALOGUE, type ErrorCode } from '../model/error-catalogue.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { silentObserver } from '../observe/section-observer.ts';
import type { SectionTrouble } from '../observe/section-record.ts';
import { runSection } from '../pipeline/section.ts';
import { audited } from './auditing.ts';
import { silentLog } from './opening.ts';
import { operatorName } from './operator-name.ts';

/** A leader takes a request within a second; one that has not done so within this time is not there. */
const TAKEN_WITHIN_MS = 3000;
const LOOK_EVERY_MS = 100;
/** What is done without reading the source. */
const SOURCELESS: ReadonlySet<Ask['verb']> = new Set(['purge', 'pause', 'resume']);
/** How long a leader is waited for when this process cannot reach the source itself. */
const SOURCE_DOWN_PATIENCE_MS = 15_000;

export interface Ask {
  readonly config: Config;
  readonly manager: DistributedDataManager;
  readonly table: TableConfig;
  readonly verb: 'reset' | 'set' | 'purge' | 'poll' | 'pause' | 'resume' | 'resync' | 'retry' | 'drop';
  readonly args: Readonly<Record<string, string>>;
  /** The command's name in the audit; null: it changes nothing, or writes its own entry. */
  readonly audit: string | null;
  /** Told of every new message of the operation, and of what this process does itself. */
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
  /** How long this process tries without any word of progress, once it serves the request itself, before it gives up. */
  readonly patienceMs: number;
}

export interface Answer {
  readonly message: string;
  /** leader: a daemon that leads the section did it; self: there was none, and this process led it. */
  readonly by: 'leader' | 'self';
}

/**
 * Asks, follows, and writes into the audit what came of it.
 * @throws PatchwireError PW-M317 (or the leader's code) when the operation failed, or what kept this process from serving it
 */
export async function ask(options: Ask): Promise<Answer> {
  const { config, manager, table, args, audit: command, note, signal } = options;
  if (command === null) {
    return await answered(options);
  }
  return await audited(
    { config, audit: manager.audit, note },
    { command, section: table.section, table: table.table, args },
    { work: () => answered(options), told: ({ message }) => message, signal },
  );
}

async function answered(options: Ask): Promise<Answer> {
  const { manager, table, verb, args, signal } = options;
  const id = randomUUID();
  await manager.request(table.section, { id, verb, args, who: operatorName() });
  const taken = await follow(options, id, TAKEN_WITHIN_MS, true);
  if (taken !== null) {
    const message = await follow(options, id, Number.POSITIVE_INFINITY, false, taken);
    return { message: message ?? taken, by: 'leader' };
  }
  signal.throwIfAborted();
  options.note('no daemon took the request: taking the lead here');
  return await serve(options, id);
}

/**
 * Looks at the operation until it is done (or with `taking`, until somebody has begun it) or the time is over.
 * @returns its message; null when the time is over
 */
async function follow(options: Ask, id: string, withinMs: number, taking: boolean, told = ''): Promise<string | null> {
  const { manager, table, verb, note, signal } = options;
  let until = systemClock.now() + withinMs;
  let shown = told;
  do {
    const operation = await manager.operation(table.section, id);
    if (operation !== null && operation.message !== shown && operation.state === 'running') {
      shown = operation.message;
      until = systemClock.now() + withinMs;
      note(operation.message);
    }
    const result = operation === null ? await vanished(manager, table, verb) : resultOf(operation);
    if (result !== null || (taking && operation !== null)) {
      return result ?? shown;
    }
    await systemClock.sleep(LOOK_EVERY_MS, { signal });
  } while (systemClock.now() < until);
  return null;
}

/** A purge takes its own operation with it: the section's absence is its result. */
async function vanished(manager: DistributedDataManager, { section }: TableConfig, verb: string): Promise<string | null> {
  return verb === 'purge' && (await manager.readMeta(section)) === null ? 'Purged.' : null;
}

function resultOf({ state, message, code, verb }: OperationProgress): string | null {
  if (state === 'failed') {
    const known = code !== undefined && Object.hasOwn(CATALOGUE, code) ? CATALOGUE[code as ErrorCode] : null;
    throw new PatchwireError('PW-M317', `${verb} failed: ${code === undefined ? '' : `${code} `}${message}`, {
      details: { code: code ?? null },
      ...(known === null ? {} : { hint: known.action }),
    });
  }
  return state === 'done' ? message : null;
}

/** Runs the section here until the request has its result. */
async function serve(options: Ask, id: string): Promise<Answer> {
  const { config, manager, table, signal, patienceMs, note } = options;
  const random = seededRandom(systemClock.now());
  const log = silentLog();
  await using tracker = createTracker(config, table.source, { clock: systemClock, log });
  await using checkpoints = createCheckpoints(config, table.source, { clock: systemClock, log });
  if (!SOURCELESS.has(options.verb)) {
    try {
      await tracker.open({ signal });
    } catch (error) {
      signal.throwIfAborted();
      const { code, message, hint } = asPatchwireError(error);
      // A busy leader may still take it: from there the source may be within reach.
      note(`${message}; waiting for a daemon to take the request`);
      const served = await follow(options, id, SOURCE_DOWN_PATIENCE_MS, false);
      if (served === null) {
        throw unserved({ code, message, hint });
      }
      return { message: served, by: 'leader' };
    }
  }
  let trouble: SectionTrouble | null = null;
  let led = false;
  const observer: SectionObserver = {
    ...silentObserver,
    phase(phase, detail) {
      trouble = detail ?? null;
      if (phase === 'standby') {
        note('another daemon leads the section: waiting for it');
      }
    },
    leading(meta) {
      led ||= meta !== null;
    },
  };
  const [stop, kill, over] = [new AbortController(), new AbortController(), new AbortController()];
  const interrupt = (): void => {
    stop.abort(signal.reason);
    over.abort(signal.reason);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  const running = runSection({
    ...sectionOptions(config, table),
    manager,
    tracker,
    checkpoints: checkpoints ?? undefined,
    observer,
    logger: log,
    clock: systemClock,
    random,
    stop: stop.signal,
    kill: kill.signal,
  });
  try {
    const ended = running.then((end) => (end === 'purged' ? 'Purged.' : null));
    const followed = follow({ ...options, signal: over.signal }, id, patienceMs, false);
    const message = await Promise.race([followed, ended.then((purged) => purged ?? followed)]);
    followed.catch(() => undefined);
    if (message === null) {
      throw unserved(trouble);
    }
    // A leader that was late may have done it while this process waited for the lead.
    return { message, by: led ? 'self' : 'leader' };
  } finally {
    signal.removeEventListener('abort', interrupt);
    stop.abort(new Error('the request is served'));
    over.abort(new Error('the request is served'));
    const killTimer = setTimeout(() => kill.abort(new Error('giving up')), config.daemon.shutdown);
    await running.catch(() => undefined);
    clearTimeout(killTimer);
  }
}

function unserved(trouble: SectionTrouble | null): PatchwireError {
  return trouble === null
    ? new PatchwireError('PW-M314', 'the request was not served in time; it stays for whoever leads', {
        hint: 'See where the section stands with `patchwire checkpoint show`, and who leads it with `patchwire leases`.',
        details: { requestStays: true },
      })
    : new PatchwireError(trouble.code, `${trouble.message} (the request stays for the next leader)`, {
        hint: trouble.hint,
        details: { requestStays: true },
      });
}
