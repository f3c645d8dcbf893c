import { describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { AuditEntry, AuditTrail } from '../../../src/manager/audit-trail.ts';
import { audited, type Deed } from '../../../src/cli/auditing.ts';
import { auditText } from '../../../src/cli/commands/audit.ts';
import { operatorName } from '../../../src/cli/operator-name.ts';
import { PatchwireError } from '../../../src/model/errors.ts';

const config = parseConfig(
  `sources: { shop: { connection: "Server=127.0.0.1;Database=x;User Id=sa;Password=hush-hush;Encrypt=false" } }
manager: { redis: { url: "redis://:whisper@127.0.0.1:1" }, partition: shop }
tables: [{ table: dbo.Items, section: items }]
`,
  { origin: 'test', env: {}, folder: '.' },
);

const deed: Deed = { command: 'resync', section: 'items', table: 'dbo.Items', args: { where: "Note = 'hush-hush'" } };

function trail(append: (entry: AuditEntry) => Promise<void>): AuditTrail {
  return { append, last: async () => [] };
}

async function outcome(
  work: () => string | Promise<string>,
  { append, signal = new AbortController().signal }: { append?: AuditTrail['append']; signal?: AbortSignal } = {},
): Promise<{ readonly entries: readonly AuditEntry[]; readonly notes: readonly string[]; readonly result: string }> {
  const entries: AuditEntry[] = [];
  const notes: string[] = [];
  const audit = trail(append ?? (async (entry) => void entries.push(entry)));
  const result = await audited({ config, audit, note: (text) => notes.push(text) }, deed, { work, told: (text) => text, signal }).catch(
    (error: unknown) => `threw ${(error as Error).message}`,
  );
  return { entries, notes, result };
}

describe('the audit of a command', () => {
  it('has who did what with which result, and no secret of the configuration', async () => {
    const { entries, notes, result } = await outcome(() => 'read with whisper');
    expect(result).toBe('read with whisper');
    expect(notes).toEqual([]);
    const who = expect.stringMatching(/^.+@.+$/u) as string;
    expect(entries).toEqual([{ ...deed, who, args: { where: "Note = '***'" }, outcome: 'done', code: null, message: 'read with ***' }]);
  });

  it('has a failure by its code, and the command fails with it all the same', async () => {
    const failing = (): never => {
      throw new PatchwireError('PW-C107', 'the file is read-only');
    };
    const { entries, result } = await outcome(failing);
    expect(result).toBe('threw the file is read-only');
    expect(entries).toMatchObject([{ outcome: 'failed', code: 'PW-C107', message: 'the file is read-only' }]);
  });

  it('says asked where nobody knows yet what comes of it: interrupted, or a request that stays for the next leader', async () => {
    const reason = new Error('interrupted');
    const interrupted = await outcome(() => Promise.reject(reason), { signal: AbortSignal.abort(reason) });
    expect(interrupted.entries).toMatchObject([{ outcome: 'asked', code: null }]);
    const stays = new PatchwireError('PW-S201', 'it stays', { details: { requestStays: true } });
    expect((await outcome(() => Promise.reject(stays))).entries).toMatchObject([{ outcome: 'asked', code: 'PW-S201' }]);
  });

  it('that cannot be written is a note, and nothing more', async () => {
    const append = (): Promise<void> => Promise.reject(new PatchwireError('PW-M310', 'OOM at whisper'));
    const { result, notes } = await outcome(() => 'done', { append });
    expect(result).toBe('done');
    expect(notes).toEqual(['not written to the audit: PW-M310 OOM at whisper']);
  });

  it('is not waited for longer than a few seconds', async () => {
    vi.useFakeTimers();
    try {
      const waiting = outcome(() => 'done', { append: () => new Promise(() => undefined) });
      await vi.advanceTimersByTimeAsync(3000);
      const { result, notes } = await waiting;
      expect(result).toBe('done');
      expect(notes).toEqual([expect.stringContaining('PW-M301')]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is cut where a text is long', async () => {
    const { entries } = await outcome(() => 'x'.repeat(5000));
    expect(entries[0]?.message).toHaveLength(1001);
  });
});

describe('patchwire audit', () => {
  it('shows one line an entry, without control characters', () => {
    const entry = {
      ...{ atMs: Date.UTC(2026, 10, 22), who: 'ann@h', command: 'pause', section: 's', table: 't', args: { what: 'all', n: '1' } },
      ...({ outcome: 'failed', code: 'PW-M317', message: 'a\nb\u001B[31m' } as const),
    } as const;
    expect(auditText([entry, { ...entry, section: null, args: {}, code: null, outcome: 'done' }]).split('\n')).toEqual([
      'WHEN                      WHO    COMMAND  SECTION  ARGUMENTS     OUTCOME',
      '2026-11-22T00:00:00.000Z  ann@h  pause    s        what=all n=1  failed: PW-M317 a b [31m',
      '2026-11-22T00:00:00.000Z  ann@h  pause    t        -             done: a b [31m',
    ]);
    expect(auditText([])).toBe('Nothing is written in the audit.');
  });
});

describe('whoever runs a command', () => {
  it('has a name also where the system knows none, as in a container', () => {
    expect(operatorName(() => 'ann')).toMatch(/^ann@.+/u);
    const unknown = (): never => {
      throw new Error('uv_os_get_passwd returned ENOENT');
    };
    expect(operatorName(unknown)).toMatch(/^uid-\d+@.+/u);
  });
});
