import { expect, it } from 'vitest';
import { untilSignal } from '../../../src/cli/signals.ts';
import { systemClock } from '../../../src/lib/clock.ts';

it('many may wait for the signal of a command, as `poll` of many tables does: Node warns of no leak', async () => {
  const warnings: string[] = [];
  const warned = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', warned);
  try {
    const code = await untilSignal(async (signal) => {
      await Promise.all(Array.from({ length: 30 }, () => systemClock.sleep(1, { signal })));
      return 7;
    });
    expect(code).toBe(7);
    // Warnings are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', warned);
  }
});
