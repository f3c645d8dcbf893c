/** What operators did, over Redis: the stream `{p}/audit`. Plain commands on one key; the time of an entry is that of its id, which Redis gives. */
import { partitionKeys } from '../../wire/keys.ts';
import { type AuditEntry, type AuditRecord, type AuditTrail, MOST_AUDITED } from '../audit-trail.ts';
import type { Link } from './connection.ts';

export interface RedisAuditOptions {
  readonly partition: string;
  /** Leads to a key. */
  readonly connect: (key: string) => Promise<Link>;
}

export class RedisAudit implements AuditTrail {
  readonly #options: RedisAuditOptions;
  readonly #key: string;

  constructor(options: RedisAuditOptions) {
    this.#options = options;
    this.#key = partitionKeys(options.partition).audit;
  }

  async append({ who, command, section, table, args, outcome, code, message }: AuditEntry): Promise<void> {
    const named = { section, table, code };
    const fields = ['who', who, 'command', command, 'args', JSON.stringify(args), 'outcome', outcome, 'message', message];
    for (const [name, value] of Object.entries(named)) {
      fields.push(...(value === null ? [] : [name, value]));
    }
    const link = await this.#options.connect(this.#key);
    await link.call('XADD', [this.#key, 'MAXLEN', '=', String(MOST_AUDITED), '*', ...fields], 'write', 'writing the audit');
  }

  async last(limit: number): Promise<readonly AuditRecord[]> {
    const link = await this.#options.connect(this.#key);
    const reply = await link.call('XREVRANGE', [this.#key, '+', '-', 'COUNT', String(limit)], 'read', 'reading the audit');
    return (reply as readonly [string, readonly string[]][]).flatMap(([id, fields]) => decodeRecord(id, fields) ?? []);
  }
}

/** null for an entry that is none: somebody else's. Fields that a later version adds are ignored. */
function decodeRecord(id: string, fields: readonly string[]): AuditRecord | null {
  const named = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    named.set(fields[i] ?? '', fields[i + 1] ?? '');
  }
  const [who, command, outcome] = [named.get('who'), named.get('command'), named.get('outcome')];
  if (who === undefined || command === undefined || (outcome !== 'done' && outcome !== 'failed' && outcome !== 'asked')) {
    return null;
  }
  return {
    atMs: Number(id.split('-')[0]),
    ...{ who, command, outcome, args: decodeArgs(named.get('args') ?? '{}'), message: named.get('message') ?? '' },
    ...{ section: named.get('section') ?? null, table: named.get('table') ?? null, code: named.get('code') ?? null },
  };
}

function decodeArgs(text: string): AuditEntry['args'] {
  try {
    return Object.fromEntries(Object.entries(JSON.parse(text) as object).map(([name, value]) => [name, String(value)]));
  } catch {
    return {};
  }
}
