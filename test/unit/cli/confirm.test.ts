import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Output } from '../../../src/cli/output.ts';

/** What the terminal does with the question. */
let answer: () => Promise<string> = () => Promise.resolve('');
vi.mock('node:readline/promises', () => ({ createInterface: () => ({ question: () => answer(), close: () => undefined }) }));

const terminal = process.stdin.isTTY;
beforeAll(() => {
  process.stdin.isTTY = true;
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterAll(() => {
  process.stdin.isTTY = terminal;
  vi.restoreAllMocks();
});

const aborted = (message: string): Error => Object.assign(new Error(message), { name: 'AbortError', code: 'ABORT_ERR' });

describe('a question', () => {
  it.each([
    ['y', true],
    [' YES ', true],
    ['', false],
    ['n', false],
    ['yep', false],
  ])('%j is %s', async (text, yes) => {
    answer = () => Promise.resolve(text);
    await expect(new Output({ json: false, debug: false }).confirm('Go on?')).resolves.toBe(yes);
  });

  it.each(['Aborted with Ctrl+C', 'Aborted with Ctrl+D'])('%s is a no, and no error of ours', async (message) => {
    answer = () => Promise.reject(aborted(message));
    await expect(new Output({ json: false, debug: false }).confirm('Go on?')).resolves.toBe(false);
  });

  it('a signal ends it with its own reason', async () => {
    const reason = new Error('SIGTERM');
    answer = () => Promise.reject(aborted('The operation was aborted'));
    await expect(new Output({ json: false, debug: false }).confirm('Go on?', AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
