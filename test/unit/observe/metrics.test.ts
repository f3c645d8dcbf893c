import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import { createLogger } from '../../../src/observe/create-logger.ts';
import { countersOf, writeCounterLines } from '../../../src/observe/counter-line.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { hideSecrets } from '../../../src/observe/secrets.ts';
import { combineObservers, SectionRecord } from '../../../src/observe/section-record.ts';
import type { SectionObserver } from '../../../src/observe/section-observer.ts';
import type { SectionMeta } from '../../../src/manager/distributed-data-manager.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const meta = { epoch: 'e1' } as SectionMeta;

/** One of everything that a pipeline tells. */
function tellAll(observer: SectionObserver, readAtMs: number = 1): void {
  observer.phase('loading');
  observer.leading(meta);
  observer.loadProgress({ phase: 'load', rows: 10, estimate: 100, percent: 10, rowsPerSecond: 5, secondsLeft: 18 });
  observer.phase('live');
  observer.polled({ read: true, rows: 3, full: false, durationMs: 20, to: 9n, readAtMs });
  observer.polled({ read: false, rows: 0, full: false, durationMs: 1, to: 9n, readAtMs });
  observer.delivered({ rows: 2, patches: 2, bytes: 500, durationMs: 4, message: true });
  observer.unchanged(1);
  observer.position({ checkpoint: 9n, confirmed: 7n, upTo: 9n, current: 9n });
  observer.position({ checkpoint: 9n, confirmed: 7n, upTo: 9n, current: 12n });
  observer.heartbeat();
  observer.error('PW-S201');
  observer.reset('load ended');
}

describe('metrics', () => {
  const series = (body: string, name: string): string | undefined =>
    body
      .split('\n')
      .find((line) => line.startsWith(`${name}{`))
      ?.split(' ')
      .at(-1);

  it('counts what the pipeline tells, by section and table', async () => {
    const clock = new ManualClock();
    const metrics = createMetrics({ version: '1.2.3', clock, process: false });
    tellAll(metrics.observer('orders', 'dbo.Orders'), clock.now());
    await clock.advance(4000);
    const { body, contentType } = await metrics.page();
    expect(contentType).toContain('text/plain');
    expect(body).toContain('patchwire_build_info{version="1.2.3"} 1');
    const labels = 'section="orders",table="dbo.Orders"';
    for (const [name, value] of [
      ['polls_total', 2],
      ['windows_total', 1],
      ['rows_read_total', 3],
      ['rows_delivered_total', 2],
      ['rows_unchanged_total', 1],
      ['patches_total', 2],
      ['delivered_bytes_total', 500],
      ['heartbeats_total', 1],
      ['resets_total', 1],
      ['leader', 1],
      ['checkpoint_version', 9],
      ['up_to_version', 9],
      ['source_version', 12],
      ['lag_versions', 3],
      ['lag_seconds', 4],
      ['batch_duration_seconds_count', 1],
      ['poll_duration_seconds_count', 2],
    ] as const) {
      expect(body).toContain(`patchwire_${name}{${labels}} ${value}\n`);
    }
    expect(body).toContain(`patchwire_errors_total{${labels},code="PW-S201"} 1`);
    expect(body).toContain(`patchwire_phase{${labels},phase="live"} 1`);
    expect(body).toContain(`patchwire_phase{${labels},phase="loading"} 0`);
    expect(series(body, 'patchwire_load_rows')).toBeUndefined();
  });

  it('a standby and a purged section have no position that could look like a lag', async () => {
    const metrics = createMetrics({ version: '1', clock: new ManualClock(), process: false });
    const positions = /^patchwire_(lag_seconds|lag_versions|checkpoint_version|up_to_version|source_version)\{/gmu;
    const observer = metrics.observer('s', 't');
    tellAll(observer);
    expect((await metrics.page()).body.match(positions)).toHaveLength(5);
    observer.phase('standby');
    const standby = (await metrics.page()).body;
    expect(standby.match(positions)).toBeNull();
    expect(standby).toContain('patchwire_phase{section="s",table="t",phase="standby"} 1');
    tellAll(observer);
    metrics.forget('s', 't');
    const purged = (await metrics.page()).body;
    expect(purged.match(positions)).toBeNull();
    expect(purged).not.toMatch(/^patchwire_(phase|leader)\{/mu);
    expect(purged).toContain('patchwire_patches_total{section="s",table="t"} 4');
  });

  it('counts the lag from the last look at the source that is contained, whatever heartbeats say while it does not answer', async () => {
    const clock = new ManualClock();
    const metrics = createMetrics({ version: '1', clock, process: false });
    const observer = metrics.observer('s', 't');
    const lag = async (): Promise<string | undefined> => series((await metrics.page()).body, 'patchwire_lag_seconds');
    const polled = (to: bigint): void => observer.polled({ read: true, rows: 0, full: false, durationMs: 1, to, readAtMs: clock.now() });
    const heartbeat = (upTo: bigint): void => observer.position({ checkpoint: upTo, confirmed: upTo, upTo, current: upTo });
    observer.phase('live');
    heartbeat(5n);
    expect(await lag()).toBeUndefined();
    polled(5n);
    for (let i = 0; i < 4; i += 1) {
      await clock.advance(5000);
      heartbeat(5n);
    }
    expect(await lag()).toBe('20');
    // It answers: there is something newer.
    polled(6n);
    expect(await lag()).toBe('20');
    await clock.advance(1000);
    heartbeat(6n);
    expect(await lag()).toBe('1');
    // The first that is contained again after trouble is not what was seen before.
    observer.phase('retrying');
    await clock.advance(1000);
    observer.phase('live');
    polled(7n);
    heartbeat(6n);
    expect(await lag()).toBe('2');
  });

  it('leads as many sections as have a leader here: none while Redis is out of reach', async () => {
    const metrics = createMetrics({ version: '1', clock: new ManualClock(), process: false });
    const observers = ['a', 'b'].map((section) => metrics.observer(section, 't'));
    observers.forEach((observer) => observer.leading(meta));
    metrics.sharing({ daemons: [{}], standby: 0 });
    expect((await metrics.page()).body).toContain('patchwire_sections_led 2\n');
    observers[0]?.leading(null);
    expect((await metrics.page()).body).toContain('patchwire_sections_led 1\n');
    metrics.forget('b', 't');
    expect((await metrics.page()).body).toContain('patchwire_sections_led 0\n');
  });

  it('says no upTo and no lag in seconds before they are known', async () => {
    const metrics = createMetrics({ version: '1', clock: new ManualClock(), process: false });
    metrics.observer('s', 't').position({ checkpoint: 1n, confirmed: 1n, upTo: null, current: 1n });
    const { body } = await metrics.page();
    expect(series(body, 'patchwire_up_to_version')).toBeUndefined();
    expect(series(body, 'patchwire_lag_seconds')).toBeUndefined();
    expect(series(body, 'patchwire_leader')).toBe('0');
  });

  it('gives every metric a help text, a legal name and a base unit', async () => {
    const metrics = createMetrics({ version: '1', clock: new ManualClock(), process: false });
    tellAll(metrics.observer('s', 't'));
    const { body } = await metrics.page();
    for (const line of body.split('\n').filter((text) => text.startsWith('# TYPE'))) {
      const [, , name = '', type] = line.split(' ');
      expect(name).toMatch(/^patchwire_[a-z_]+$/u);
      expect(name).not.toMatch(/_ms$|milliseconds|kilobytes/u);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(body).toMatch(new RegExp(`# HELP ${name} \\S`, 'u'));
    }
  });
});

describe('SectionRecord', () => {
  it('keeps the present and the totals', async () => {
    const clock = new ManualClock();
    const record = new SectionRecord({ section: 'orders', table: 'dbo.Orders', source: 'shop', clock });
    const began = clock.now();
    await clock.advance(1000);
    tellAll(record, clock.now());
    expect(record.status()).toMatchObject({
      phase: 'live',
      leading: true,
      epoch: 'e1',
      checkpoint: '9',
      upTo: '9',
      current: '12',
      lagVersions: 3,
      caughtUpAtMs: began + 1000,
      progressAtMs: began + 1000,
      load: null,
      totals: { windows: 1, rowsRead: 3, rowsDelivered: 2, patches: 2, errors: 1, resets: 1 },
    });
    record.phase('stopped', { code: 'PW-S211', message: 'm', hint: 'h' });
    expect(record.status().trouble).toEqual({ code: 'PW-S211', message: 'm', hint: 'h' });
    record.phase('live');
    expect(record.status().trouble).toBeNull();
  });

  it('takes no heartbeat for progress', async () => {
    const clock = new ManualClock();
    const record = new SectionRecord({ section: 's', table: 't', source: 'x', clock });
    const began = clock.now();
    await clock.advance(1000);
    record.heartbeat();
    expect(record.status().progressAtMs).toBe(began);
  });

  it('tells every combined observer', () => {
    const clock = new ManualClock();
    const records = [1, 2].map(() => new SectionRecord({ section: 's', table: 't', source: 'x', clock }));
    tellAll(combineObservers(...records));
    expect(records[0]?.status()).toEqual(records[1]?.status());
    expect(records[0]?.status().totals.batches).toBe(1);
  });
});

describe('the log', () => {
  function capture(options: { level?: string; secrets?: string[] } = {}) {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    return { lines, log: createLogger({ level: 'info', pretty: false, destination, ...options }) };
  }

  it('writes one JSON line a message, at the level and above', () => {
    const { lines, log } = capture({ level: 'warn' });
    log.info('no');
    log.warn({ section: 'orders' }, 'yes');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: 'warn', time: expect.any(String) as string, section: 'orders', msg: 'yes' },
    ]);
  });

  it('writes no secret, wherever it stands and however it is spelled', () => {
    const { lines, log } = capture({ secrets: ['p"w/1'] });
    log.info({ password: 'x', nested: { url: 'y' }, text: 'has p"w/1', encoded: `redis://u:${encodeURIComponent('p"w/1')}@h` }, 'p"w/1');
    expect(lines.join()).not.toMatch(/p\\"w\/1|p%22w|"x"|"y"/u);
    expect(hideSecrets('a p"w/1 b', ['p"w/1'])).toBe('a *** b');
  });

  it('shows a stack trace only of a bug, or at debug', () => {
    const known = new PatchwireError('PW-S201', 'out of reach', { cause: new Error('ECONNREFUSED'), details: { source: 's' } });
    const { lines, log } = capture();
    log.warn({ err: known }, 'x');
    const { hint } = known;
    const told = { code: 'PW-S201', reason: 'out of reach', hint, details: { source: 's' }, cause: 'ECONNREFUSED' };
    expect(JSON.parse(lines[0]!)).toEqual({ level: 'warn', time: expect.any(String) as string, ...told, msg: 'x' });
    log.warn({ err: new PatchwireError('PW-I901', 'a bug') }, 'x');
    const verbose = capture({ level: 'debug' });
    verbose.log.warn({ err: known }, 'x');
    expect([lines[0], lines[1], verbose.lines[0]].map((line) => line!.includes('metrics.test.ts'))).toEqual([false, true, true]);
  });

  it('says nothing of a known trouble twice', () => {
    const { lines, log } = capture();
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:6379');
    const err = new PatchwireError('PW-M301', `connecting to Redis: ${cause.message}`, { cause, hint: 'Start it.' });
    log.warn({ code: err.code, hint: err.hint, attempt: 1, err }, 'trying again');
    const { time: _, ...line } = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(line).toEqual({ level: 'warn', code: 'PW-M301', reason: err.message, hint: 'Start it.', attempt: 1, msg: 'trying again' });
  });

  it('has a line of counters every ten seconds and one at stop', async () => {
    const { lines, log } = capture();
    const clock = new ManualClock();
    const record = new SectionRecord({ section: 's', table: 't', source: 'x', clock });
    tellAll(record);
    const stop = new AbortController();
    const written = writeCounterLines({ log, clock, status: () => [record.status()], signal: stop.signal });
    await clock.advance(10_000);
    await clock.advance(10_000);
    stop.abort(new Error('stop'));
    await written;
    const messages = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(messages.map(({ msg }) => msg)).toEqual(['counters', 'counters', 'counters at stop']);
    expect(messages[0]).toMatchObject({ sections: 1, phases: { live: 1 }, patches: 2, rowsDelivered: 2, lagVersions: 3, errors: 1 });
    expect(countersOf([])).toEqual({ sections: 0, phases: {}, lagVersions: 0 });
  });
});
