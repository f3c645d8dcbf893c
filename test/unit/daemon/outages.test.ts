import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../../src/daemon/daemon.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { MemoryDataManager } from '../../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../../src/manager/memory/memory-store.ts';
import type { ErrorCode } from '../../../src/model/error-catalogue.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedTracker } from '../../support/scripted-tracker.ts';

const HOUR_MS = 3_600_000;

interface Down {
  readonly code: ErrorCode;
}

/** Whatever is asked of a server: counted with its time; fails while it is down. */
class Line {
  readonly attempts: number[] = [];
  down: Down | null = null;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  asked(): void {
    if (this.down !== null) {
      this.attempts.push(this.#clock.now());
      throw new PatchwireError(this.down.code, 'the server is down');
    }
  }

  get gaps(): number[] {
    return this.attempts.slice(1).map((at, i) => at - this.attempts[i]!);
  }
}

async function get(daemon: Daemon, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const { host, port } = daemon.status().http!;
  const response = await fetch(`http://${host}:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

/** Source `many` with so many tables, source `other` with one. */
function world(tables: number) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'info',
    pretty: false,
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const sql = new Line(clock);
  const redis = new Line(clock);
  const many = new ScriptedTracker({ clock });
  many.before = () => sql.asked();
  many.open = async () => sql.asked();
  const other = new ScriptedTracker({ clock });
  const inner = new MemoryDataManager({ store, partition: 'p', leaseMs: 10_000, replay: { maxBytes: 1e6, maxAgeMs: HOUR_MS }, clock });
  const asking = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value !== 'function'
          ? value
          : (...args: unknown[]) => {
              try {
                if (name !== 'resign') {
                  redis.asked();
                }
              } catch (error) {
                return Promise.reject(error as Error);
              }
              return Reflect.apply(value, target, args) as unknown;
            };
      },
    });
  const registry = asking(inner.daemons);
  const manager = new Proxy(asking(inner), {
    get: (target, name) => (name === 'daemons' ? registry : (Reflect.get(target, name) as unknown)),
  });
  const names = Array.from({ length: tables }, (_, i) => `t${i}`);
  const text = [
    'sources: { many: { connection: "Server=a" }, other: { connection: "Server=b" } }',
    'manager: { redis: { url: "redis://nowhere" }, partition: p }',
    'http: { port: 0 }',
    'tables:',
    ...names.map((name, i) => `  - { table: dbo.T${i}, source: many, section: ${name} }`),
    '  - { table: dbo.Other, source: other, section: other }',
  ].join('\n');
  const daemon = createDaemon(parseConfig(text, { origin: 'test', env: {}, folder: '/' }), {
    clock,
    random: seededRandom(1),
    log,
    tracker: (source) => (source === 'many' ? many : other),
    manager: () => manager,
  });
  daemons.push({ daemon, clock });
  const section = (name: string) => daemon.status().sections.find((each) => each.section === name)!;
  const phases = (phase: string): number =>
    daemon.status().sections.filter((each) => each.source === 'many' && each.phase === phase).length;
  const pass = (ms: number): Promise<void> => {
    const until = clock.now() + ms;
    return clock.until(() => clock.now() >= until, ms + 60_000);
  };
  return { clock, daemon, inner, lines, many, other, names, pass, phases, redis, section, sql, store };
}

const daemons: { daemon: Daemon; clock: ManualClock }[] = [];

afterEach(async () => {
  for (const { daemon, clock } of daemons.splice(0)) {
    let over = false;
    void daemon.stop().then(() => (over = true));
    await clock.until(() => over);
  }
});

const warnings = (lines: readonly Record<string, unknown>[], what: string) =>
  lines.filter((line) => line['level'] === 'warn' && String(line['what']).includes(what));

describe('servers that do not serve', { timeout: 180_000 }, () => {
  it.each([
    { tables: 1, ms: HOUR_MS },
    { tables: 100, ms: 62_000 },
  ])('$tables tables try a login that is refused from the start every 15 to 60 s, by one probe: $ms ms', async ({ tables, ms }) => {
    const { daemon, sql, pass, phases, section, clock, lines, other } = world(tables);
    sql.down = { code: 'PW-S202' };
    await daemon.start();
    await pass(ms);
    // At most 241 an hour.
    expect(sql.attempts.length).toBeLessThanOrEqual(ms / 15_000 + 1);
    expect(sql.attempts.length).toBeGreaterThanOrEqual(ms / 60_000);
    expect(Math.min(...sql.gaps)).toBeGreaterThanOrEqual(15_000);
    expect(phases('retrying')).toBe(tables);
    expect(section('t0').trouble).toMatchObject({ code: 'PW-S202' });
    expect(warnings(lines, 'source many')).toHaveLength(1);
    const why = expect.objectContaining({
      code: 'PW-S202',
      reason: expect.stringMatching(/^waiting for SQL Server \(source many/) as string,
    }) as unknown;
    const ready = await get(daemon, '/ready');
    expect(JSON.parse(ready.text)).toMatchObject({ reasons: expect.arrayContaining([why]) as unknown });
    expect((await get(daemon, '/live')).status).toBe(200);
    expect((await get(daemon, '/metrics')).text).toMatch(/patchwire_breaker_state\{server="source\/many"\} [12]\n/);
    // The other source's table never noticed.
    expect(section('other').phase).toBe('live');
    other.commit({ 1: { n: 1 } });
    await pass(6000);
    expect(section('other').totals.rowsDelivered).toBe(1);
    sql.down = null;
    await clock.until(() => phases('live') === tables, 120_000);
    expect(lines.filter(({ msg, what }) => msg === 'reached' && String(what).includes('source many'))).toMatchObject([
      { attempts: expect.any(Number) as number, durationMs: expect.any(Number) as number },
    ]);
    expect(daemon.status().servers.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
  });

  it('C7: a server that goes away under thirty tables is asked by one probe at a time, and heartbeats go on', async () => {
    const { daemon, sql, pass, phases, section, clock, lines, many, store } = world(30);
    await daemon.start();
    await clock.until(() => phases('live') === 30);
    await pass(10_000);
    const beats = section('t7').totals.heartbeats;
    const downAt = clock.now();
    sql.down = { code: 'PW-S201' };
    await pass(60_000);
    // Three open it; then probes alone, after ever longer waits.
    const tenSeconds = sql.attempts.filter((at) => at - downAt > 10_000);
    expect(sql.attempts.length).toBeLessThan(40);
    expect(tenSeconds.length).toBeGreaterThan(3);
    expect(phases('retrying')).toBe(30);
    expect(section('t7').totals.heartbeats - beats).toBeGreaterThanOrEqual(10);
    expect(warnings(lines, 'source many')).toHaveLength(1);
    // Nobody became faulted by it: it is the server's trouble.
    expect(Math.max(...daemon.status().sections.map(({ trouble }) => trouble?.failures ?? 0))).toBeLessThan(10);
    sql.down = null;
    many.commit({ 1: { n: 1 } });
    await clock.until(() => phases('live') === 30 && store.section('p', 't29').documents.size === 1);
    expect(lines.filter(({ msg }) => msg === 'trying again').length).toBeLessThanOrEqual(3);
  });

  it.each([
    { code: 'PW-M302' as const, most: 241, ms: HOUR_MS },
    { code: 'PW-M301' as const, most: 200, ms: 600_000 },
  ])('C8: a Redis that answers $code is asked at most $most times in $ms ms, and SQL Server not at all', async ({ code, most, ms }) => {
    const { daemon, redis, pass, phases, clock, lines, many, store } = world(2);
    await daemon.start();
    await clock.until(() => phases('live') === 2);
    redis.down = { code };
    await pass(2000);
    const calls = many.calls.length;
    await pass(ms);
    // Two tables, the registry of daemons and each heartbeat may have been under way when it went.
    expect(redis.attempts.length).toBeLessThanOrEqual(most + 8);
    expect(many.calls).toHaveLength(calls);
    expect(phases('retrying')).toBe(2);
    expect(warnings(lines, 'Redis')).toHaveLength(1);
    redis.down = null;
    many.commit({ 1: { n: 1 } });
    await clock.until(() => store.section('p', 't1').documents.size === 1);
  });
});

describe('one table in trouble', { timeout: 180_000 }, () => {
  it.each([
    { code: 'PW-S215' as const, retry: 'now' as const, most: 10 + 40 },
    { code: 'PW-S216' as const, retry: 'reconnect' as const, most: 10 + 40 },
    { code: 'PW-I901' as const, retry: 'backoff' as const, most: 10 + 40 },
    { code: 'PW-S208' as const, retry: 'never' as const, most: 41 },
  ])('is faulted after ten failures of class $retry, tried again slowly, and slows nobody down', async ({ code, retry, most }) => {
    const { daemon, many, pass, section, clock, lines, store, inner } = world(2);
    const describing = many.describe.bind(many);
    const tries: number[] = [];
    let broken = true;
    many.describe = (selection, options) => {
      if (selection.name !== 'T0' || !broken) {
        return describing(selection, options);
      }
      tries.push(clock.now());
      return Promise.reject(new PatchwireError(code, 'in the way', { retry }));
    };
    await daemon.start();
    await pass(HOUR_MS / 3);
    expect(tries.length).toBeLessThanOrEqual(most);
    expect(tries.length).toBeGreaterThanOrEqual(20);
    expect(tries.slice(1).every((at, i) => at > tries[i]!)).toBe(true);
    expect(section('t0')).toMatchObject({ phase: 'stopped', trouble: { code, failures: tries.length } });
    expect(lines.filter(({ msg }) => msg === 'section stopped')).toMatchObject([{ level: 'error', code, section: 't0' }]);
    expect((await get(daemon, '/ready')).text).toContain('stopped: in the way');
    expect((await get(daemon, '/metrics')).text).toContain(`patchwire_failures_in_a_row{section="t0",table="dbo.T0"} ${tries.length}\n`);
    expect(daemon.status().servers.map(({ state, openings }) => ({ state, openings }))).toEqual(
      Array(3).fill({ state: 'closed', openings: 0 }),
    );
    many.commit({ 1: { n: 1 } });
    await clock.until(() => store.section('p', 't1').documents.size === 1, 6000);
    // An operator's poll is a try at once, and one only.
    const before = tries.length;
    const asked = clock.now();
    await inner.request('t0', { id: 'a', verb: 'poll', args: {}, who: 'tester' });
    await clock.until(() => tries.length > before);
    expect(clock.now() - asked).toBeLessThan(1500);
    await pass(10_000);
    expect(tries.length).toBeLessThanOrEqual(before + 2);
    broken = false;
    await clock.until(() => section('t0').phase === 'live');
    expect(section('t0').trouble).toBeNull();
  });
});
