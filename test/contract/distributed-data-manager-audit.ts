/** The part of the contract of DistributedDataManager that is about the partition's audit: what operators did. */
import { expect, it } from 'vitest';
import { type AuditEntry, MOST_AUDITED } from '../../src/manager/audit-trail.ts';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { live, type ManagerBench, S } from './distributed-data-manager-rows.ts';

const DONE: AuditEntry = {
  ...{ who: 'ann@host', command: 'checkpoint reset', section: S, table: 'dbo.Orders', args: { to: '5' } },
  ...{ outcome: 'done', code: null, message: 'Read again from 5.' },
};
const FAILED: AuditEntry = {
  ...{ who: 'bob@"host', command: 'table add', section: null, table: null, args: {} },
  ...{ outcome: 'failed', code: 'PW-C107', message: 'größer ≠ " \n' },
};

export function auditContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  it('the audit is empty at first, and then tells every manager what was done, newest first, without a lead', async () => {
    const { bench, manager } = given();
    expect(await manager.audit.last(10)).toEqual([]);
    const before = Date.now() - 60_000;
    await manager.audit.append(DONE);
    await manager.audit.append(FAILED);
    await manager.audit.append({ ...DONE, outcome: 'asked' });
    const told = await bench.manager().audit.last(10);
    const atMs: unknown = expect.any(Number);
    expect(told).toEqual([
      { ...DONE, outcome: 'asked', atMs },
      { ...FAILED, atMs },
      { ...DONE, atMs },
    ]);
    expect(told.every(({ atMs }) => atMs > before && atMs < Date.now() + 60_000)).toBe(true);
    expect(await manager.audit.last(1)).toEqual(told.slice(0, 1));
  });

  it('the audit outlives the section that it tells of', async () => {
    const { manager } = given();
    await live(manager);
    await manager.audit.append(DONE);
    await manager.purge(S, 'for the test');
    expect(await manager.audit.last(10)).toHaveLength(1);
  });

  it(`the audit keeps the last ${MOST_AUDITED} entries`, async () => {
    const { manager } = given();
    for (let i = 0; i < MOST_AUDITED + 5; i += 1) {
      await manager.audit.append({ ...DONE, message: String(i) });
    }
    const told = await manager.audit.last(MOST_AUDITED + 5);
    expect(told).toHaveLength(MOST_AUDITED);
    expect(told.at(0)?.message).toBe(String(MOST_AUDITED + 4));
    expect(told.at(-1)?.message).toBe('5');
  });
}
