/** The README's quick start of the subscriber library: run as it is written, beside a section that is written to. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { SectionWriter } from './subscriber-writer.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [, section = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('## Subscribing\n');
// The first two blocks: what is typed, and what it prints.
const [, typed = '', , printedThere = ''] = section.split('```');
const program = typed.replace(/^js\n/u, '');
const output = printedThere.slice(1);
const LIMIT = { timeout: 30_000, interval: 20 };

let redis: PrivateTestRedis;
let folder: string;
beforeAll(async () => {
  redis = await privateTestRedis();
  folder = await mkdtemp(join(tmpdir(), 'patchwire-quick-start-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await redis[Symbol.asyncDispose]();
});

describe('the quick start', () => {
  it('has at most 15 lines, and prints what the README says', async () => {
    expect(program.trim().split('\n').length).toBeLessThanOrEqual(15);
    expect(program).toContain(`from 'patchwire/subscriber'`);
    await using writer = new SectionWriter(redis.url, 'shop');
    Object.assign(writer, { section: 'coupons' });
    writer.key = [{ type: 'nvarchar', collation: 'Latin1_General_CI_AS' }];
    await writer.lead();
    const coupon = { Code: 'Welcome10', PercentOff: 18, ValidTo: '2027-07-01T00:00:00+05:30', Note: null };
    await writer.load([['Welcome10', coupon, 'welcome10'], ...Array.from({ length: 6 }, (_, i) => [`other${i}`, { i }] as const)]);
    await writer.write([['other0', { i: 7 }]]);

    // As it is written, from the sources instead of the package.
    const file = join(folder, 'coupons.mjs');
    await writeFile(file, program.replace('patchwire/subscriber', `${root}src/subscriber/index.ts`));
    const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, env: { ...process.env, PATCHWIRE_REDIS: redis.url } });
    let printed = '';
    child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
    try {
      await vi.waitFor(() => expect(printed).toContain('true\n'), LIMIT);
      await writer.write([['Welcome10', { ...coupon, PercentOff: 25 }, 'welcome10']]);
      await vi.waitFor(() => expect(printed).toContain('upsert'), LIMIT);
      // Which version it is depends on who wrote before.
      const plain = (text: string): string => text.replace(/\} \d+ true/u, '} N true');
      expect(plain(printed)).toBe(plain(output));
    } finally {
      child.kill();
    }
  });
});
