import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { createDaemon, type Daemon, type DaemonDependencies } from '../../../src/daemon/daemon.ts';
import { runDaemon, type SignalSource } from '../../../src/daemon/life-cycle.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { MemoryDataManager } from '../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../../src/manager/memory/memory-store.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedTracker } from '../../support/scripted-tracker.ts';

const TEXT = `
sources:
  a: { connection: "Server=a" }
  b: { connection: "Server=b" }
manager: { redis: { url: "redis://nowhere" }, partition: p }
tables:
  - { table: dbo.A, source: a, section: one }
  - { table: dbo.B, source: b, section: two }
http: { port: 0 }
`;

const config = (text = TEXT) => parseConfig(text, { origin: 'test', env: {}, folder: '/' });

function world(
  dependencies: Partial<DaemonDependencies> = {},
  text = TEXT,
  { clock = new ManualClock(), store = new MemoryStore() }: { clock?: ManualClock; store?: MemoryStore } = {},
) {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'debug',
    pretty: false,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const trackers = { a: new ScriptedTracker({ clock }), b: new ScriptedTracker({ clock }) };
  const manager = new MemoryDataManager({ store, partition: 'p', leaseMs: 10_000, replay: { maxBytes: 1e6, maxAgeMs: 3_600_000 }, clock });
  const daemon = createDaemon(config(text), {
    clock,
    random: seededRandom(1),
    log,
    tracker: (source) => trackers[source as 'a' | 'b'],
    manager: () => manager,
    ...dependencies,
  });
  daemons.push({ daemon, clock });
  const phases = () => Object.fromEntries(daemon.status().sections.map(({ section, phase }) => [section, phase]));
  return { clock, store, lines, log, trackers, manager, daemon, phases, ended: () => stopped(daemon, clock) };
}

const daemons: { daemon: Daemon; clock: ManualClock }[] = [];

async function stopped(daemon: Daemon, clock: ManualClock): Promise<void> {
  let over = false;
  void daemon.stop().then(() => {
    over = true;
  });
  await clock.until(() => over);
}

afterEach(async () => {
  for (const { daemon, clock } of daemons.splice(0)) {
    await stopped(daemon, clock);
  }
});

async function get(daemon: Daemon, path: string) {
  const { host, port } = daemon.status().http!;
  const response = await fetch(`http://${host}:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

describe('createDaemon', () => {
  it('follows every table, answers on HTTP, and stops with its leases handed over', async () => {
    const { daemon, trackers, clock, phases, store, lines } = world();
    trackers.a.commit({ 1: { n: 1 } });
    await daemon.start();
    expect((await get(daemon, '/ready')).status).toBe(503);
    await clock.until(() => phases()['one'] === 'live' && phases()['two'] === 'live');
    expect(await get(daemon, '/ready')).toEqual({ status: 200, text: '{"status":"ok","reasons":[]}' });
    expect((await get(daemon, '/live')).status).toBe(200);
    trackers.a.commit({ 2: { n: 2 } });
    await clock.until(() => daemon.status().sections[0]?.totals.patches === 1);
    const metrics = await get(daemon, '/metrics');
    expect(metrics.text).toContain('patchwire_patches_total{section="one",table="dbo.A"} 1\n');
    expect([...store.section('p', 'one').documents]).toHaveLength(2);
    await stopped(daemon, clock);
    expect(await daemon.done).toEqual({ kind: 'stopped' });
    expect(store.section('p', 'one').lease).toBeNull();
    expect(daemon.status().http).toBeNull();
    expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['daemon starts', 'counters at stop', 'daemon stopped']));
  });

  it('waits for a server at start and says for what, in the log and in /ready', async () => {
    const { daemon, clock, phases, manager, lines } = world();
    const open = manager.open.bind(manager);
    let down = 3;
    manager.open = (options) => (down-- > 0 ? Promise.reject(new PatchwireError('PW-M301', 'refused')) : open(options));
    await daemon.start();
    await clock.until(() => lines.some(({ what }) => what === 'Redis at nowhere:6379'));
    const ready = await get(daemon, '/ready');
    expect(ready.status).toBe(503);
    expect(ready.text).toContain('waiting for Redis at nowhere:6379');
    expect((await get(daemon, '/live')).status).toBe(200);
    await clock.until(() => phases()['one'] === 'live');
    expect(lines.filter(({ msg, what }) => msg === 'waiting for a server' && what === 'Redis at nowhere:6379')).toHaveLength(3);
    expect(lines.some(({ msg }) => msg === 'reached')).toBe(true);
    expect((await get(daemon, '/ready')).text).not.toContain('waiting');
  });

  it('goes on with one table while the other one stops', async () => {
    const { daemon, trackers, clock, phases } = world();
    trackers.a.before = (call) => {
      if (call === 'describe') {
        throw new PatchwireError('PW-S205', 'tracking is off for dbo.A');
      }
    };
    await daemon.start();
    await clock.until(() => phases()['two'] === 'live' && phases()['one'] === 'stopped');
    const ready = await get(daemon, '/ready');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.text)).toMatchObject({ reasons: [{ section: 'one', code: 'PW-S205', hint: expect.any(String) as string }] });
    trackers.a.before = null;
    await clock.until(() => phases()['one'] === 'live');
  });

  it('stops the tables of a source that will never open, and follows those of the other', async () => {
    const { daemon, trackers, clock, phases } = world();
    trackers.a.open = () => Promise.reject(new PatchwireError('PW-S204', 'off'));
    await daemon.start();
    await clock.until(() => phases()['two'] === 'live' && phases()['one'] === 'stopped');
    trackers.a.open = () => Promise.resolve();
    await clock.until(() => phases()['one'] === 'live');
  });

  it('ends by itself with `once` when every table is caught up', async () => {
    const { daemon, trackers, clock, store } = world({ once: true });
    trackers.a.commit({ 1: { n: 1 } });
    await daemon.start();
    let outcome: unknown = null;
    void daemon.done.then((value) => {
      outcome = value;
    });
    await clock.until(() => outcome !== null);
    expect(outcome).toEqual({ kind: 'caughtUp' });
    expect(store.section('p', 'one').meta?.state).toBe('live');
    expect(store.section('p', 'two').meta?.state).toBe('live');
  });

  it('ends with the error with `once` when a table can never be caught up', async () => {
    const { daemon, trackers, clock } = world({ once: true });
    trackers.b.open = () => Promise.reject(new PatchwireError('PW-S204', 'off'));
    await daemon.start();
    let outcome: unknown = null;
    void daemon.done.then((value) => {
      outcome = value;
    });
    await clock.until(() => outcome !== null);
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'PW-S204' } });
  });

  it('stands by while another daemon leads, ready and live, and takes over when that one stops', async () => {
    const first = world();
    await first.daemon.start();
    await first.clock.until(() => first.phases()['one'] === 'live' && first.phases()['two'] === 'live');
    const { clock, store } = first;
    const second = world({}, TEXT, { clock, store });
    await second.daemon.start();
    await clock.until(() => second.phases()['one'] === 'standby' && second.phases()['two'] === 'standby');
    await clock.advance(600_000);
    expect((await get(second.daemon, '/ready')).status).toBe(200);
    expect((await get(second.daemon, '/live')).status).toBe(200);
    await stopped(first.daemon, clock);
    await clock.until(() => second.phases()['one'] === 'live' && second.phases()['two'] === 'live');
  });

  it('ends a section that an operator purged, and goes on with the others', async () => {
    const { daemon, clock, phases, manager, store } = world();
    await daemon.start();
    await clock.until(() => phases()['one'] === 'live' && phases()['two'] === 'live');
    await manager.request('one', { id: 'r1', verb: 'purge', args: {}, who: 'test' });
    await clock.until(() => !('one' in phases()));
    expect(store.section('p', 'one').meta).toBeNull();
    expect(phases()).toEqual({ two: 'live' });
    expect((await get(daemon, '/ready')).status).toBe(200);
  });

  it('can be stopped while it starts, and leaves nothing listening', async () => {
    const { daemon, clock, phases } = world();
    const starting = daemon.start();
    await stopped(daemon, clock);
    await starting;
    expect(await daemon.done).toEqual({ kind: 'stopped' });
    expect(daemon.status().http).toBeNull();
    expect(phases()).toEqual({ one: 'starting', two: 'starting' });
  });

  it('is not started without tables, nor on a port that is taken, and leaves nothing behind', async () => {
    await expect(world({}, TEXT.replace(/tables:[^]*http/u, 'http')).daemon.start()).rejects.toMatchObject({ code: 'PW-C103' });
    const squatter = createServer();
    const port = await new Promise<number>((resolve) => {
      squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port));
    });
    const { daemon, lines } = world({}, TEXT.replace('port: 0', `port: ${port}`));
    await expect(daemon.start()).rejects.toMatchObject({ code: 'PW-C108', message: expect.stringContaining(String(port)) as string });
    expect(lines).toEqual([]);
    squatter.close();
  });
});

describe('runDaemon', () => {
  function signals() {
    const listeners = new Map<string, Set<() => void>>();
    const source: SignalSource = {
      on: (name, listener) => listeners.set(name, (listeners.get(name) ?? new Set()).add(listener)),
      off: (name, listener) => listeners.get(name)?.delete(listener),
    };
    return { source, send: (name: string) => listeners.get(name)?.forEach((listener) => listener()), listeners };
  }

  it('stops in order at the first signal and listens to none afterwards', async () => {
    const { daemon, clock, log, phases } = world();
    const { source, send, listeners } = signals();
    const exits: number[] = [];
    let outcome: unknown = null;
    void runDaemon(daemon, { shutdownMs: 60_000, log, signals: source, exitNow: (code) => void exits.push(code) }).then((value) => {
      outcome = value;
    });
    await clock.until(() => phases()['one'] === 'live');
    send('SIGTERM');
    await clock.until(() => outcome !== null);
    expect(outcome).toEqual({ kind: 'stopped' });
    expect(exits).toEqual([]);
    expect([...listeners.values()].every((set) => set.size === 0)).toBe(true);
  });

  it('exits at once at a second signal, with the code of that signal', async () => {
    const { daemon, clock, log, trackers, phases } = world();
    const { source, send } = signals();
    const exits: number[] = [];
    void runDaemon(daemon, { shutdownMs: 60_000, log, signals: source, exitNow: (code) => void exits.push(code) });
    await clock.until(() => phases()['one'] === 'live');
    trackers.a.after = () => new Promise(() => undefined);
    send('SIGTERM');
    expect(exits).toEqual([]);
    send('SIGINT');
    expect(exits).toEqual([130]);
    trackers.a.after = null;
  });

  it('exits when the stop takes longer than it may', async () => {
    const { daemon, clock, log, phases } = world();
    const { source, send } = signals();
    const exits: number[] = [];
    void runDaemon(daemon, { shutdownMs: 20, log, signals: source, exitNow: (code) => void exits.push(code) });
    await clock.until(() => phases()['one'] === 'live');
    daemon.stop = () => new Promise(() => undefined);
    send('SIGTERM');
    await expect.poll(() => exits, { timeout: 30_000 }).toEqual([143]);
    delete (daemon as Partial<Daemon>).stop;
  });
});
