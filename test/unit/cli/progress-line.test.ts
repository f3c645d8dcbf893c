import { describe, expect, it } from 'vitest';
import { ProgressLine, progressText } from '../../../src/cli/progress-line.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { SectionRecord } from '../../../src/observe/section-record.ts';

function loading(progress: Partial<Parameters<SectionRecord['loadProgress']>[0]>) {
  const record = new SectionRecord({ section: 'orders', table: 'dbo.Orders', source: 'shop', clock: systemClock });
  record.phase('loading');
  record.loadProgress({
    phase: 'load',
    rows: 420_000,
    estimate: 1_000_000,
    percent: 42,
    rowsPerSecond: 52_000,
    secondsLeft: 75,
    ...progress,
  });
  return record.status();
}

describe('progressText', () => {
  it('tells rows, percent, rate and time left of each load', () => {
    expect(progressText([loading({})])).toBe('orders: 42 % of about 1,000,000 rows, 52,000 rows/s, 1 min 15 s left');
    expect(progressText([loading({ estimate: null, percent: null, rowsPerSecond: null, secondsLeft: null })])).toBe('orders: 420,000 rows');
    expect(progressText([loading({ secondsLeft: 7384 }), loading({ phase: 'sweep', rowsPerSecond: null, secondsLeft: null })])).toBe(
      'orders: 42 % of about 1,000,000 rows, 52,000 rows/s, 2 h 3 min left | orders: sweeping, 420,000 keys',
    );
    expect(progressText([{ ...loading({}), paused: 'load' }])).toBe('orders: 42 % of about 1,000,000 rows, paused');
  });

  it('is empty once nothing loads', () => {
    const record = new SectionRecord({ section: 'orders', table: 'dbo.Orders', source: 'shop', clock: systemClock });
    record.phase('live');
    expect(progressText([record.status()])).toBe('');
  });
});

describe('ProgressLine', () => {
  it('draws over itself, as wide as the terminal, and leaves nothing behind', () => {
    const written: string[] = [];
    const line = new ProgressLine({ terminal: { write: (text) => written.push(text), columns: 50 }, status: () => [loading({})] });
    line.draw();
    line.draw();
    expect(written).toEqual([`\r\u001B[K${'orders: 42 % of about 1,000,000 rows, 52,000 rows/s, 1 min 15 s left'.slice(0, 48)}…`]);
    line[Symbol.dispose]();
    expect(written.at(-1)).toBe('\r\u001B[K');
    expect(written.length).toBe(2);
  });
});
