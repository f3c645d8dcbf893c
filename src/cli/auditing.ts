/**
 * Writes what a command did into the audit of the partition: one entry, when the command knows what came of it. It never fails the command and
 * does not hold it up: what cannot be written is said on stderr. No secret of the configuration gets there.
 */
import { secretsOf } from '../config/print.ts';
import type { Config } from '../config/schema.ts';
import { createManager } from '../daemon/parts.ts';
import { systemClock } from '../lib/clock.ts';
import type { AuditEntry, AuditTrail } from '../manager/audit-trail.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { hideSecrets } from '../observe/secrets.ts';
import { silentLog } from './opening.ts';
import { operatorName } from './operator-name.ts';

/** So long a command waits for its entry to be written. */
const PATIENCE_MS = 3000;
/** Of each text; keys of `resync --keys` may be many. */
const MOST_CHARACTERS = 1000;

/** What is done, before it is known what comes of it. */
export type Deed = Pick<AuditEntry, 'command' | 'section' | 'table' | 'args'>;

interface Auditing {
  readonly config: Config;
  readonly audit: AuditTrail;
  /** Told when nothing could be written. */
  readonly note: (text: string) => void;
}

/**
 * Does it and writes it down, also when it fails.
 * @param told what the result is in a line
 * @param signal what ends the command before there is a result
 * @returns what `work` returned. @throws what it threw
 */
export async function audited<T>(
  auditing: Auditing,
  deed: Deed,
  { work, told, signal }: { readonly work: () => T | Promise<T>; readonly told: (result: T) => string; readonly signal: AbortSignal },
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await writeDown(auditing, deed, failureOf(error, signal));
    throw error;
  }
  await writeDown(auditing, deed, { outcome: 'done', code: null, message: told(result) });
  return result;
}

/** The audit for a command that needs no Redis otherwise: it goes on without one. */
export async function withAudit<T>(config: Config, use: (audit: AuditTrail) => Promise<T>): Promise<T> {
  await using manager = createManager(config, { clock: systemClock, log: silentLog() });
  return await use(manager.audit);
}

export async function writeDown(
  { config, audit, note }: Auditing,
  { command, section, table, args }: Deed,
  { outcome, code, message }: Pick<AuditEntry, 'outcome' | 'code' | 'message'>,
): Promise<void> {
  const secrets = secretsOf(config);
  const short = (text: string): string => {
    const shown = hideSecrets(text, secrets);
    return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)}…` : shown;
  };
  const entry: AuditEntry = {
    ...{ who: operatorName(), command, section, outcome, code },
    ...{ table: table === null ? null : short(table), message: short(message) },
    args: Object.fromEntries(Object.entries(args).map(([name, value]) => [name, short(value)])),
  };
  const late = new AbortController();
  try {
    const overdue = systemClock.sleep(PATIENCE_MS, { signal: late.signal }).then(() => {
      throw new PatchwireError('PW-M301', 'Redis has not answered in time');
    });
    await Promise.race([audit.append(entry), overdue]);
  } catch (error) {
    const problem = asPatchwireError(error);
    note(`not written to the audit: ${problem.code} ${problem.message}`);
  } finally {
    late.abort(new Error('the entry is written, or not'));
  }
}

function failureOf(error: unknown, signal: AbortSignal): Pick<AuditEntry, 'outcome' | 'code' | 'message'> {
  if (signal.aborted && error === signal.reason) {
    return { outcome: 'asked', code: null, message: 'interrupted before there was a result' };
  }
  const { code, message, details } = asPatchwireError(error);
  return { outcome: details['requestStays'] === true ? 'asked' : 'failed', code, message };
}
