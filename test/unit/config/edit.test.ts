import { readdirSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withTable, withoutTable } from '../../../src/config/edit.ts';
import { editFile } from '../../../src/config/replace-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const TEXT = `# What this daemon follows
manager:
  partition: shop   # the tenant
  redis: { url: "redis://x" }

tables:
  # the order desk
  - table: dbo.Orders # the busy one
    section: orders
    columns: [a, b]

  # second
  - table: dbo.Customers
# the end
http: { port: 1 }
`;

describe('editing the configuration', () => {
  it('writes what looks like a reference so that it is none', () => {
    const after = withTable('tables: []\n', { table: 'dbo.[a${env:X}]', filter: "Name = '${file:x}'" });
    expect(after).toContain('$${env:X}');
    expect(after).toContain('$${file:x}');
    expect(withoutTable(after, { schema: 'dbo', name: 'a${env:X}' })).toBe('tables: []\n');
  });

  it('adds a table behind the others and keeps every other byte', () => {
    const after = withTable(TEXT, {
      table: 'dbo.Lines',
      section: 'lines',
      columns: { exclude: ['Blob'] },
      json: ['Attributes'],
      filter: "x <> 'y'",
    });
    const added = `  - table: dbo.Lines
    section: lines
    columns:
      exclude: [Blob]
    json: [Attributes]
    filter: x <> 'y'
`;
    expect(after).toContain(added);
    expect(after.replace(added, '')).toBe(TEXT);
  });

  it('removes a table, whatever its spelling, and keeps the comments of the others', () => {
    expect(withoutTable(TEXT, { schema: 'DBO', name: 'customers' })).toBe(TEXT.replace('  - table: dbo.Customers\n', ''));
    const first = '  - table: dbo.Orders # the busy one\n    section: orders\n    columns: [a, b]\n';
    expect(withoutTable(TEXT, { schema: 'dbo', name: 'Orders' })).toBe(TEXT.replace(first, ''));
  });

  it('adds to and removes from a list in flow style, behind a file without a last line break, and with long filters', () => {
    expect(withTable('tables: [{ table: dbo.A }]\n', { table: 'dbo.B' })).toMatch(/dbo\.A.*\n?.*dbo\.B/u);
    expect(withTable('tables:\n- table: dbo.A', { table: 'dbo.B' })).toBe('tables:\n- table: dbo.A\n- table: dbo.B\n');
    const filter = Array.from({ length: 40 }, (_, i) => `Column${i} <> 'value ${i}'`).join(' AND ');
    const after = withTable('tables:\n  - table: dbo.A\n    filter: |\n      x = 1\n', { table: 'dbo.B', filter });
    expect(after).toBe(`tables:\n  - table: dbo.A\n    filter: |\n      x = 1\n  - table: dbo.B\n    filter: ${filter}\n`);
  });

  it.each(['', 'tables:\n', 'tables: []\n', '# only a comment\n', 'http: { port: 1 }\n'])('begins the list in %j', (text) => {
    expect(withTable(text, { table: 'dbo.A' })).toContain('tables:\n  - table: dbo.A\n');
  });

  it('begins and ends the list without touching any other byte', () => {
    const other = 'a:   { b: [1,2] }   # odd spacing\n';
    const entry = { table: 'dbo.A', columns: ['x'] };
    const list = 'tables:\n  - table: dbo.A\n    columns: [x]\n';
    expect(withTable(other, entry)).toBe(other + list);
    expect(withTable(other.trimEnd(), entry)).toBe(other + list);
    expect(withTable(`tables: [] # none\n${other}`, entry)).toBe(list.replace(':', ': # none') + other);
    expect(withTable(`tables:\n${other}`, entry)).toBe(list + other);
    expect(withoutTable(`tables: # all\n  - table: dbo.A\n    section: a\n${other}`, { schema: 'dbo', name: 'A' })).toBe(
      `tables: [] # all\n${other}`,
    );
  });

  it('leaves an empty list behind the last removal, to which a table can be added', () => {
    const empty = withoutTable('tables:\n  - table: dbo.A\n', { schema: 'dbo', name: 'A' });
    expect(empty).toBe('tables: []\n');
    expect(withTable(empty, { table: 'dbo.B' })).toBe('tables:\n  - table: dbo.B\n');
  });

  it('keeps CRLF', () => {
    expect(withTable('a: 1\r\ntables:\r\n  - table: dbo.A\r\n', { table: 'dbo.B' })).toBe(
      'a: 1\r\ntables:\r\n  - table: dbo.A\r\n  - table: dbo.B\r\n',
    );
  });

  it('names a table that is not there', () => {
    expect(() => withoutTable(TEXT, { schema: 'dbo', name: 'Nope' })).toThrow(expect.objectContaining({ code: 'PW-C106' }));
  });

  it('replaces the file whole, with its mode, and leaves nothing beside it', () => {
    const folder = temporaryFolder('edit');
    const path = join(folder, 'cdc.config.yaml');
    writeFileSync(path, TEXT);
    chmodSync(path, 0o640);
    editFile(path, (text) => withTable(text, { table: 'dbo.Lines' }));
    expect(readFileSync(path, 'utf8')).toContain('dbo.Lines');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['cdc.config.yaml']);
  });

  it('leaves the file as it was when the change is refused', () => {
    const path = join(temporaryFolder('edit'), 'cdc.config.yaml');
    writeFileSync(path, TEXT);
    expect(() => editFile(path, (text) => withoutTable(text, { schema: 'x', name: 'y' }))).toThrow(
      expect.objectContaining({ code: 'PW-C106' }),
    );
    expect(readFileSync(path, 'utf8')).toBe(TEXT);
  });

  it('names a file that cannot be read', () => {
    expect(() => editFile('/nowhere/x.yaml', (text) => text)).toThrow(expect.objectContaining({ code: 'PW-C101' }));
  });
});
