/** `patchwire leases`: who leads each section and for how long yet, and which daemons are alive. Looks only: it takes no lease. */
import type { Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import type { DaemonEntry, DaemonsView, LeaseHeld } from '../../manager/daemon-registry.ts';
import { EXIT } from '../exit-codes.ts';
import { formatRows } from '../output.ts';
import type { Bind } from '../program.ts';
import { untilSignal } from '../signals.ts';

export function addLeasesCommand(parent: Command, bind: Bind): void {
  const command = parent
    .command('leases')
    .description('Show who leads each section, and which daemons are alive.')
    .addHelpText(
      'after',
      `
Sections of the configuration and those that a living daemon knows. LEADER '-': nobody leads it now. A leader that is no living daemon of the
list is shown by its id alone: a command that serves a request, a daemon with --once, or one that died and whose lease still runs.
Exits with 0 also when a section has no leader: look at "leader" of --json.

Examples:
  $ patchwire leases
  $ patchwire leases --json | jq '.sections[] | select(.leader == null)'`,
    );
  bind(command, ({ config: load, output }) =>
    untilSignal(async () => {
      const config = load();
      const { readingManager } = await import('../opening.ts');
      await using manager = readingManager(config);
      const view = await manager.daemons.view();
      const sections = new Set([...config.tables.map(({ section }) => section), ...view.daemons.flatMap((daemon) => daemon.sections)]);
      const shown = leasesJson(config, view, await manager.daemons.leases([...sections]));
      output.result(shown, leasesText(shown));
      return EXIT.ok;
    }),
  );
}

/** As --json prints it: the fields are a contract, added to and never changed. */
export function leasesJson(config: Config, view: DaemonsView, leases: ReadonlyMap<string, LeaseHeld | null>) {
  const tables = new Map(config.tables.map(({ section, table }) => [section, table]));
  const daemons = new Map(view.daemons.map((daemon) => [daemon.id, daemon]));
  const instant = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
  const standsByFor = ({ sections, led }: DaemonEntry): number => sections.filter((section) => !Object.hasOwn(led, section)).length;
  return {
    partition: config.manager.partition,
    sections: [...leases]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([section, lease]) => {
        const daemon = lease === null ? undefined : daemons.get(lease.by);
        return {
          section,
          table: tables.get(section) ?? null,
          leader: lease === null ? null : { id: lease.by, host: daemon?.host ?? null, pid: daemon?.pid ?? null },
          since: instant(daemon?.led[section]),
          leaseLeftMs: lease?.expiresInMs ?? null,
        };
      }),
    daemons: view.daemons.map((daemon) => ({
      id: daemon.id,
      host: daemon.host,
      pid: daemon.pid,
      version: daemon.version,
      format: daemon.format,
      startedAt: instant(daemon.startedAtMs),
      seenMsAgo: Math.max(0, view.nowMs - daemon.seenAtMs),
      sections: daemon.sections.length,
      led: Object.keys(daemon.led).length,
      standby: standsByFor(daemon),
      unable: daemon.unable,
    })),
  };
}

/** The same in two tables. */
export function leasesText({ sections, daemons }: ReturnType<typeof leasesJson>): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const leader = (shown: { readonly id: string; readonly host: string | null; readonly pid: number | null } | null): string =>
    shown === null ? '-' : shown.host === null ? shown.id : `${shown.host}/${shown.pid}`;
  const sectionRows = sections.map((shown) => [
    shown.section,
    shown.table ?? '-',
    leader(shown.leader),
    shown.since ?? '-',
    shown.leaseLeftMs === null ? '-' : seconds(shown.leaseLeftMs),
  ]);
  const daemonRows = daemons.map((shown) => [
    `${shown.host}/${shown.pid}`,
    shown.version,
    shown.startedAt ?? '-',
    String(shown.led),
    String(shown.standby),
    shown.unable.length === 0 ? '-' : shown.unable.join(', '),
    `${seconds(shown.seenMsAgo)} ago`,
    shown.id,
  ]);
  return [
    formatRows(['SECTION', 'TABLE', 'LEADER', 'SINCE', 'LEASE LEFT'], sectionRows),
    '',
    daemons.length === 0
      ? 'No daemon is alive.'
      : formatRows(['DAEMON', 'VERSION', 'STARTED', 'LEADS', 'STANDS BY', 'UNABLE', 'SEEN', 'ID'], daemonRows),
  ].join('\n');
}
