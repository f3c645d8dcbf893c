import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEY_MEANINGS } from '../../../src/config/key-meanings.ts';
import { allPaths } from '../../../src/config/known-keys.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { formatTableName } from '../../../src/config/table-name.ts';
import { configTemplate, type Template } from '../../../src/config/template.ts';

const env = { PATCHWIRE_MSSQL: 'Server=db', PATCHWIRE_REDIS: 'redis://127.0.0.1' };
const draft: Template = {
  schema: './patchwire.schema.json',
  source: { name: 'shop', fields: { connection: '${env:PATCHWIRE_MSSQL}' } },
  redisUrl: '${env:PATCHWIRE_REDIS}',
  partition: 'shop',
  tables: null,
};
const load = (text: string) => parseConfig(text, { origin: 'new', env, folder: '/' });

/** Every comment that hides a key taken off; explanations stay comments. */
const uncommented = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/^( *)# ((?: *)(?:- )?[A-Za-z]+:(?: |$))/u, '$1$2'))
    .join('\n');

describe('the configuration that init writes', () => {
  it('loads, and has every key with its meaning', () => {
    const text = configTemplate(draft);
    expect(load(text)).toMatchObject({ tables: [], manager: { partition: 'shop' } });
    for (const path of allPaths().filter((each) => !/^tables\[\]\.(?:columns|shape)\./u.test(each))) {
      const key = path.split('.').at(-1)?.replace('[]', '') ?? '';
      expect([
        path,
        text
          .split('\n')
          .some((line) => new RegExp(String.raw`^[ #-]*${key}:`, 'u').test(line) && line.includes(KEY_MEANINGS[path] ?? 'no meaning')),
      ]).toEqual([path, true]);
    }
  });

  it('shows as defaults what the defaults are: taken out of their comments they change nothing', () => {
    const text = configTemplate(draft);
    const [head, tables = ''] = text.split(/^tables:/mu);
    expect(load(uncommented(head ?? ''))).toEqual(load(text));
    const rest = tables
      .split('\n')
      .slice(1)
      .filter((line) => !line.startsWith('  '));
    expect(load(`${head}${uncommented(rest.join('\n'))}`)).toEqual(load(text));
  });

  it('holds the tables that are proposed, whatever their names and notes are', () => {
    const text = fc.string({
      minLength: 1,
      maxLength: 12,
      unit: fc.constantFrom('a', '#', '\n', '\r', ':', ' ', '"', "'", '-', ']', '\u2028', '${', '*', '&'),
    });
    fc.assert(
      fc.property(fc.array(fc.record({ name: text, note: text, active: fc.boolean() }), { maxLength: 4 }), (proposed) => {
        const tables = proposed.map(({ name, note, active }, i) => ({
          entry: { table: formatTableName({ schema: 'dbo', name: `${name}${i}` }), section: `s${i}` },
          notes: [note],
          active,
        }));
        const expected = tables.filter(({ active }) => active).map(({ entry }) => entry.table);
        expect(load(configTemplate({ ...draft, tables })).tables.map(({ table }) => table)).toEqual(expected);
      }),
    );
  });
});

describe('the meanings of keys', () => {
  it('are there for every key, and for no other', () => {
    expect(Object.keys(KEY_MEANINGS).toSorted()).toEqual([...new Set(allPaths())].toSorted());
  });
});
