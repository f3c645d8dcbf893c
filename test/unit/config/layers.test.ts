import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig, readLayers } from '../../../src/config/load.ts';
import { flagOverride } from '../../../src/config/overrides.ts';
import type { ConfigProblem } from '../../../src/config/problems.ts';
import type { PatchwireError } from '../../../src/model/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const BASE = `sources:
  shop: { connection: Server=db }
manager:
  redis: { url: "redis://127.0.0.1" }
  partition: shop
batch: { rows: 100, bytes: 64KiB }
tables:
  - table: dbo.Orders
    section: orders
    json: [Attributes]
    filter: Total > 1
  - table: dbo.Lines
`;

const read = (texts: readonly string[], env: Record<string, string> = {}, flags: readonly string[] = []) =>
  readLayers(
    texts.map((text, i) => ({ name: `${'abc'[i]}.yaml`, folder: '/', text })),
    { env, flags: flags.map((flag) => flagOverride(flag)!) },
  );

function problemsOf(run: () => unknown): readonly ConfigProblem[] {
  try {
    run();
  } catch (error) {
    return (error as PatchwireError).details['problems'] as ConfigProblem[];
  }
  throw new Error('expected a refusal');
}

describe('an override', () => {
  it.each([
    ['__proto__.rows=3', '__proto__'],
    ['constructor.prototype.rows=3', 'constructor'],
    ['batch.__proto__.rows=3', 'batch.__proto__'],
  ])('%s is an unknown key, and touches no other object', (flag, path) => {
    expect(problemsOf(() => read([BASE], {}, [flag]))).toMatchObject([{ path, rule: 'unknown key' }]);
    expect(({} as { rows?: unknown }).rows).toBeUndefined();
  });

  it('from the environment neither', () => {
    expect(problemsOf(() => read([BASE], { PATCHWIRE_CONSTRUCTOR__PROTOTYPE__ROWS: '3' }))).toHaveLength(1);
    expect(({} as { rows?: unknown }).rows).toBeUndefined();
  });

  it.each(['tables[3].section=x', 'tables[4294967294].section=x', 'tables[0].json[7]=x'])(
    '%s, which would leave a gap, is refused at once; the next place is none',
    (flag) => {
      expect(() => read([BASE], {}, [flag])).toThrow(/entries, counted from 0/u);
      expect(read([BASE], {}, ['tables[2].table=dbo.New']).config.tables).toHaveLength(3);
    },
  );
});

describe('several configuration files', () => {
  it('go over each other: maps merge, scalars and lists replace', () => {
    const { config } = read([BASE, 'batch: { rows: 7 }\nlog: { level: debug }\n']);
    expect(config).toMatchObject({ batch: { rows: 7, bytes: 65_536 }, log: { level: 'debug' } });
    const ladder = read([BASE, 'sources: { shop: { polling: { ladder: [2s] } } }\n']).config.sources['shop']?.polling.ladder;
    expect(ladder).toEqual([{ delayMs: 2000, count: Number.POSITIVE_INFINITY }]);
  });

  it('merge tables by table and source, in any spelling of the name; others are added behind', () => {
    const { config } = read([BASE, 'tables:\n  - table: DBO.[orders]\n    json: [B]\n  - table: dbo.New\n']);
    expect(config.tables).toMatchObject([
      { table: 'DBO.[orders]', section: 'orders', json: ['B'], filter: 'Total > 1' },
      { table: 'dbo.Lines' },
      { table: 'dbo.New' },
    ]);
    const two = BASE.replace('  shop: { connection: Server=db }', '  a: { connection: Server=a }\n  b: { connection: Server=b }');
    const sourced = two
      .replace('- table: dbo.Orders', '- table: dbo.Orders\n    source: a')
      .replace('- table: dbo.Lines', '- table: dbo.Lines\n    source: a');
    expect(read([sourced, 'tables: [{ table: dbo.Lines, source: b, section: l }]\n']).config.tables).toHaveLength(3);
  });

  it('take away with null what a file before said, so that the default holds; an empty value says nothing', () => {
    const { config } = read([BASE, 'batch: { rows: null }\ntables:\n  - { table: dbo.Orders, filter: null }\nlog:\n']);
    expect(config.batch).toMatchObject({ rows: 500, bytes: 65_536 });
    expect(config.tables[0]).not.toHaveProperty('filter');
    expect(config.tables).toHaveLength(2);
    expect(read([BASE, 'tables:\n  # - table: dbo.New\n']).config.tables).toHaveLength(2);
    expect(read([BASE, 'tables: null\n']).config.tables).toEqual([]);
    expect(read([`${BASE}log: { level: warn }\n`, 'log: null\n', 'log: { level: error }\n']).config.log.level).toBe('error');
    expect(
      Object.keys(read([BASE.replace('manager', '  old: { connection: Server=x }\nmanager'), 'sources: { old: ~ }\n']).config.sources),
    ).toEqual(['shop']);
  });

  it('each have their own place in every problem: the file and the line that the value stands in', () => {
    const found = problemsOf(() => read([BASE, '# more\nbatch: { rows: many }\ntables:\n  - table: dbo.Lines\n    colums: [a]\n']));
    expect(found).toMatchObject([
      { origin: 'b.yaml', line: 2, path: 'batch.rows', value: '"many"' },
      { origin: 'b.yaml', line: 5, path: 'tables[1].colums', nearest: 'columns' },
    ]);
    const first = problemsOf(() => read([BASE.replace('64KiB', '64'), 'log: { level: loud }\n']));
    expect(first.map(({ origin, line }) => [origin, line])).toEqual([
      ['a.yaml', 6],
      ['b.yaml', 1],
    ]);
  });

  it('are refused with every syntax error of every file', () => {
    expect(() => read([`${BASE}a: [1\n`, 'b: "x\n'])).toThrow(
      expect.objectContaining({ code: 'PW-C102', message: expect.stringMatching(/a\.yaml:\d+ [^]*b\.yaml:\d+ /u) as string }),
    );
  });

  it('say where each value comes from', () => {
    const { originOf } = read([BASE, 'batch: { rows: 7 }\n'], { PATCHWIRE_LOG__LEVEL: 'warn', PATCHWIRE_BATCH__IN_FLIGHT: '2' }, [
      'log.level=error',
    ]);
    expect(originOf(['batch', 'rows'])).toBe('b.yaml:1');
    expect(originOf(['batch', 'bytes'])).toBe('a.yaml:6');
    expect(originOf(['batch', 'inFlight'])).toBe('environment PATCHWIRE_BATCH__IN_FLIGHT');
    expect(originOf(['log', 'level'])).toBe('flag --set log.level');
    expect(originOf(['tables', 0, 'filter'])).toBe('a.yaml:11');
    expect(originOf(['tables', 1, 'filter'])).toBe('default');
    expect(originOf(['daemon', 'shutdown'])).toBe('default');
  });

  it('begin the relative path of ${file:…} each at its own folder', () => {
    const root = temporaryFolder('layers');
    for (const [name, level] of [
      ['one', 'warn'],
      ['two', 'error'],
    ] as const) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'level'), `${level}\n`);
    }
    writeFileSync(join(root, 'one/a.yaml'), `${BASE}log: { level: "\${file:level}" }\n`);
    writeFileSync(join(root, 'two/b.yaml'), 'http: { host: "${file:level}" }\n');
    const { config } = readConfig({ path: [join(root, 'one/a.yaml'), join(root, 'two/b.yaml')], env: {} });
    expect(config).toMatchObject({ log: { level: 'warn' }, http: { host: 'error' } });
  });
});

describe('one file', () => {
  it('is read with a byte order mark and the line ends of Windows', () => {
    const file = join(temporaryFolder('layers'), 'c.yaml');
    writeFileSync(file, `\uFEFF${BASE.replaceAll('\n', '\r\n')}`);
    expect(readConfig({ path: file, env: {} }).config.tables).toHaveLength(2);
  });

  it.each([
    ['UTF-16 (little endian)', Buffer.from(`\uFEFF${BASE}`, 'utf16le')],
    ['UTF-16 (big endian)', Buffer.from(`\uFEFF${BASE}`, 'utf16le').swap16()],
    ['UTF-16 (little endian) or no text', Buffer.from(BASE, 'utf16le')],
    ['bytes that are not UTF-8', Buffer.from(`${BASE}# caf\xe9\n`, 'latin1')],
  ])('in %s is refused by that name', (name, bytes) => {
    const file = join(temporaryFolder('layers'), 'c.yaml');
    writeFileSync(file, bytes);
    expect(() => readConfig({ path: file, env: {} })).toThrow(
      expect.objectContaining({ code: 'PW-C102', message: expect.stringContaining(name) as string }),
    );
  });

  it('tells the line that is not UTF-8', () => {
    const file = join(temporaryFolder('layers'), 'c.yaml');
    writeFileSync(file, Buffer.concat([Buffer.from('a: 1\nb: '), Buffer.from([0xe9]), Buffer.from('\nc: 1\n')]));
    expect(() => readConfig({ path: file, env: {} })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('c.yaml:2 ') as string }),
    );
  });
});
