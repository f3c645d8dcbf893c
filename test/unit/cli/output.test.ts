import { afterEach, describe, expect, it, vi } from 'vitest';
import { findTable, parseCount, parseList, parsePatternArguments, parseVersionArgument } from '../../../src/cli/arguments.ts';
import { enablingStatements } from '../../../src/cli/enabling.ts';
import { EXIT_CODE_TABLE, exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { formatRows, Output } from '../../../src/cli/output.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { PatchwireError } from '../../../src/model/errors.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function printed(options: { json?: boolean; debug?: boolean }, use: (output: Output) => void): { out: string; err: string } {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void out.push(line));
  vi.spyOn(console, 'error').mockImplementation((line: string) => void err.push(line));
  use(new Output({ json: options.json ?? false, debug: options.debug ?? false }));
  return { out: out.join('\n'), err: err.join('\n') };
}

describe('Output', () => {
  const error = new PatchwireError('PW-S201', 'cannot reach db', { details: { port: 1 } });

  it('prints an error as code, message and hint, without a stack trace', () => {
    const { out, err } = printed({}, (output) => output.error(error));
    expect(out).toBe('');
    expect(err).toBe(`PW-S201 cannot reach db\n  hint: ${error.hint}`);
  });

  it('prints a stack trace, causes included, only with --debug', () => {
    const cause = new PatchwireError('PW-S201', 'outer', { cause: new Error('inner') });
    expect(printed({ debug: true }, (output) => output.error(cause)).err).toMatch(/output\.test\.ts[^]*caused by: Error: inner/u);
    expect(printed({}, (output) => output.error(new TypeError('bug'))).err).toMatch(/^PW-I901 bug\n {2}hint: [^\n]+$/u);
  });

  it('prints results and errors as JSON with --json, versions as decimal texts', () => {
    const { out, err } = printed({ json: true }, (output) => {
      output.result({ version: 9_007_199_254_740_993n }, 'text');
      output.error(error);
    });
    expect(out).toBe('{"version":"9007199254740993"}');
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'PW-S201', details: { port: 1 } } });
  });

  it('prints no secret', () => {
    const { out, err } = printed({ debug: true }, (output) => {
      output.keepSecret(['hush!']);
      output.line('a hush! b');
      output.error(new PatchwireError('PW-M301', 'redis://x:hush!@h', { cause: new Error(`also ${encodeURIComponent('hush!')} hush!`) }));
    });
    expect(out + err).not.toContain('hush!');
  });

  it('refuses to ask without a terminal', async () => {
    const terminal = process.stdin.isTTY;
    process.stdin.isTTY = false;
    await expect(new Output({ json: false, debug: false }).confirm('Go on?')).rejects.toMatchObject({ code: 'PW-C110' });
    process.stdin.isTTY = terminal;
  });

  it('lays rows out in columns', () => {
    expect(
      formatRows(
        ['A', 'LONG', 'C'],
        [
          ['xyz', 'b', 'c'],
          ['1', '2', ''],
        ],
      ),
    ).toBe('A    LONG  C\nxyz  b     c\n1    2     ');
  });
});

describe('exit codes', () => {
  it.each([
    ['PW-C103', 78],
    ['PW-C101', 78],
    ['PW-C109', 2],
    ['PW-C110', 2],
    ['PW-C108', 69],
    ['PW-S201', 69],
    ['PW-M301', 69],
    ['PW-S211', 1],
    ['PW-I901', 1],
  ] as const)('ends with %s as %d', (code, exit) => {
    expect(exitCodeOf(new PatchwireError(code, 'x'))).toBe(exit);
    expect(EXIT_CODE_TABLE.map((row) => row.code)).toContain(exit);
  });

  it('ends with 1 for what is no error of ours', () => {
    expect(exitCodeOf(new Error('x'))).toBe(1);
  });
});

describe('arguments', () => {
  const config = parseConfig(
    `sources: { a: { connection: x }, b: { connection: y } }
manager: { redis: { url: "redis://h" }, partition: p }
tables:
  - { table: dbo.Orders, source: a, section: orders }
  - { table: dbo.Orders, source: b, section: orders-b }
  - { table: "[dbo].[Order Details]", source: a, section: details }
`,
    { origin: 'x', env: {}, folder: '/' },
  );

  it('finds a table by its section or its name', () => {
    expect(findTable(config, 'orders-b').source).toBe('b');
    expect(findTable(config, '[DBO].[order details]').section).toBe('details');
  });

  it.each(['nope', 'dbo.Nope', 'dbo.Orders'])('refuses %s with PW-C106', (name) => {
    expect(() => findTable(config, name)).toThrow(expect.objectContaining({ code: 'PW-C106' }));
  });

  it('reads numbers, lists, tables and versions, and refuses what is none', () => {
    const port = parseCount({ name: '--port', min: 0, max: 65_535 });
    expect(port('0')).toBe(0);
    expect(parseList('a, b')).toEqual(['a', 'b']);
    expect(parsePatternArguments('dbo.A', undefined)[0]?.name).toEqual({ schema: 'dbo', name: 'A' });
    expect(parseVersionArgument('9223372036854775807')).toBe(9_223_372_036_854_775_807n);
    for (const wrong of [
      () => port('65536'),
      () => port('1x'),
      () => parseList('a,,b'),
      () => parsePatternArguments('A', undefined),
      () => parseVersionArgument('-1'),
    ]) {
      expect(wrong).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
    }
  });

  it('proposes T-SQL for what an administrator can mend, names quoted', () => {
    const table = { schema: 'dbo', name: 'a]b' };
    expect(enablingStatements('PW-S205', table)).toEqual([
      'ALTER TABLE [dbo].[a]]b] ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF);',
    ]);
    expect(enablingStatements('PW-S204', table)).toHaveLength(3);
    expect(enablingStatements('PW-S207', table)).toEqual([]);
  });
});
