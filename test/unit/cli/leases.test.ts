import { describe, expect, it } from 'vitest';
import { leasesJson, leasesText } from '../../../src/cli/commands/leases.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { DaemonsView } from '../../../src/manager/daemon-registry.ts';

const config = parseConfig(
  `
sources: { a: { connection: "Server=a" } }
manager: { redis: { url: "redis://nowhere" }, partition: p }
tables: [{ table: dbo.A, section: one }, { table: dbo.B, section: two }]`,
  { origin: 'test', env: {}, folder: '/' },
);

const view: DaemonsView = {
  revision: '7',
  nowMs: Date.UTC(2026, 0, 1, 0, 0, 5),
  daemons: [
    {
      id: 'm1',
      host: 'db1',
      pid: 71,
      version: '1.2.3',
      format: 2,
      startedAtMs: Date.UTC(2026, 0, 1),
      seenAtMs: Date.UTC(2026, 0, 1, 0, 0, 4),
      sections: ['one', 'three'],
      led: { one: Date.UTC(2026, 0, 1, 0, 0, 1) },
      busy: [],
      unable: ['three'],
    },
  ],
};
const leases = new Map([
  ['two', { by: 'gone', expiresInMs: 4200 }],
  ['one', { by: 'm1', expiresInMs: 9876 }],
  ['three', null],
]);

describe('patchwire leases', () => {
  it('tells the leader of every section, of those too that nobody leads or that only another daemon knows', () => {
    const shown = leasesJson(config, view, leases);
    expect(shown.sections).toEqual([
      { section: 'one', table: 'dbo.A', leader: { id: 'm1', host: 'db1', pid: 71 }, since: '2026-01-01T00:00:01.000Z', leaseLeftMs: 9876 },
      { section: 'three', table: null, leader: null, since: null, leaseLeftMs: null },
      { section: 'two', table: 'dbo.B', leader: { id: 'gone', host: null, pid: null }, since: null, leaseLeftMs: 4200 },
    ]);
    expect(shown.daemons).toMatchObject([{ id: 'm1', seenMsAgo: 1000, sections: 2, led: 1, standby: 1, unable: ['three'] }]);
  });

  it('prints two tables', () => {
    expect(leasesText(leasesJson(config, view, leases)).split('\n')).toEqual([
      'SECTION  TABLE  LEADER  SINCE                     LEASE LEFT',
      'one      dbo.A  db1/71  2026-01-01T00:00:01.000Z  9.9 s',
      'three    -      -       -                         -',
      'two      dbo.B  gone    -                         4.2 s',
      '',
      'DAEMON  VERSION  STARTED                   LEADS  STANDS BY  UNABLE  SEEN       ID',
      'db1/71  1.2.3    2026-01-01T00:00:00.000Z  1      1          three   1.0 s ago  m1',
    ]);
    const nobody = leasesText(leasesJson(config, { ...view, daemons: [] }, leases));
    expect(nobody).toContain('No daemon is alive.');
  });
});
