/**
 * Changes the list of tables in the text of a configuration and nothing else: comments, order and spelling of the rest stay. Knows texts,
 * no files: those are replaced by replace-file.ts.
 */
import { isDeepStrictEqual } from 'node:util';
import { Document, isMap, isScalar, isSeq, parseDocument, visit, YAMLSeq } from 'yaml';
import { PatchwireError } from '../model/errors.ts';
import { escapeReferences, unescapeReferences } from './references.ts';
import { formatTableName, parseTableName, sameTableName, type TableName } from './table-name.ts';

/** A table's entry as it is written: only what differs from the defaults. */
export interface TableEntry {
  readonly table: string;
  readonly source?: string;
  readonly section?: string;
  readonly columns?: readonly string[] | { readonly exclude: readonly string[] };
  readonly json?: readonly string[];
  readonly filter?: string;
}

/** The text with the entry behind the last table. @throws PatchwireError PW-C102 when the text is no YAML, PW-C103 when `tables` is no list */
export function withTable(text: string, entry: TableEntry): string {
  const document = parse(text);
  const last: unknown = listNode(document)?.items.at(-1);
  const span = lineSpan(text, last);
  const newline = lineBreak(text);
  let spliced: string;
  if (span === null) {
    const { before, rest, after } = tablesLine(document, text);
    spliced = `${before}tables:${rest}${newline}${entryLines(entry, '  ', newline)}${after}`;
  } else {
    const missing = text[span.end - 1] === '\n' ? '' : newline;
    spliced = text.slice(0, span.end) + missing + entryLines(entry, span.indent, newline) + text.slice(span.end);
  }
  tableList(document).add(document.createNode(literal(entry)));
  return sameValue(spliced, document) ? spliced : print(document, text);
}

/**
 * The text without the table's entry; comments above it stay.
 * @param source the entry's source where the table may be there more than once; an entry without one is any source's
 * @throws PatchwireError PW-C106 when it has none, PW-C102, PW-C103
 */
export function withoutTable(text: string, table: TableName, source?: string): string {
  const document = parse(text);
  const list = tableList(document);
  const index = list.items.findIndex((item) => {
    const name: unknown = isMap(item) ? item.get('table') : null;
    const named: unknown = isMap(item) ? (item.get('source') ?? source) : null;
    const parsed = typeof name === 'string' ? parseTableName(unescapeReferences(name)) : null;
    return parsed !== null && sameTableName(parsed, table) && (source === undefined || named === source);
  });
  if (index < 0) {
    throw new PatchwireError('PW-C106', `the table ${formatTableName(table)} is not in the configuration`);
  }
  const span = lineSpan(text, list.items[index]);
  list.delete(index);
  list.flow = list.items.length === 0 ? true : (list.flow ?? false);
  if (span === null) {
    return print(document, text);
  }
  const head = text.slice(0, span.start);
  const emptied = head.replace(/^tables:([^\S\n]*(?:#.*)?)$/mu, 'tables: []$1');
  const spliced = (list.items.length === 0 ? emptied : head) + text.slice(span.end);
  return sameValue(spliced, document) ? spliced : print(document, text);
}

/** The list of tables, when it is there. */
function listNode(document: Document): YAMLSeq | null {
  const list: unknown = document.get('tables', true);
  return isSeq(list) ? (list as YAMLSeq) : null;
}

/** The text around a `tables:` whose value is nothing or an empty list, `rest` being the comment behind it; at the end where there is none. */
function tablesLine(document: Document, text: string): { readonly before: string; readonly rest: string; readonly after: string } {
  const match = document.has('tables') ? /^tables:[^\S\n]*(?:\[[^\S\n]*\]|null|~)?([^\S\n]*(?:#[^\n]*?)?)(?:\r?\n|$)/mu.exec(text) : null;
  if (match === null) {
    return { before: text === '' || text.endsWith('\n') ? text : text + lineBreak(text), rest: '', after: '' };
  }
  return { before: text.slice(0, match.index), rest: (match[1] ?? '').trimEnd(), after: text.slice(match.index + match[0].length) };
}

/** The lines of a block-style list item, its dash on the first of them; null for any other style. */
function lineSpan(text: string, item: unknown): { readonly start: number; readonly end: number; readonly indent: string } | null {
  if (!isMap(item) || item.flow === true || !item.range) {
    return null;
  }
  const [from, to] = item.range;
  const start = text.lastIndexOf('\n', from - 1) + 1;
  const [, indent] = /^( *)-\s+$/u.exec(text.slice(start, from)) ?? [];
  const next = text[to - 1] === '\n' ? to : text.indexOf('\n', to) + 1;
  return indent === undefined ? null : { start, end: next === 0 ? text.length : next, indent };
}

/** An entry as the lines of a block-style list item, references in it escaped: it is taken as it is. */
export function entryLines(entry: TableEntry, indent: string, newline: string): string {
  const document = new Document([literal(entry)]);
  visit(document, {
    Seq: (_key, list) => {
      list.flow = list !== document.contents;
    },
  });
  const lines = document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd().split('\n');
  return lines.map((line) => indent + line + newline).join('');
}

function literal(entry: TableEntry): TableEntry {
  return JSON.parse(JSON.stringify(entry), (_key, value: unknown) =>
    typeof value === 'string' ? escapeReferences(value) : value,
  ) as TableEntry;
}

/** Whether a text means what a document says: a splice that does not is never written. */
function sameValue(text: string, document: Document): boolean {
  const other = parseDocument(text);
  return other.errors.length === 0 && isDeepStrictEqual(other.toJS(), document.toJS());
}

function lineBreak(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

/** Whether the text has a key `tables`, whatever stands behind it. @throws PatchwireError PW-C102 */
export function hasTables(text: string): boolean {
  const document = parse(text);
  return isMap(document.contents) && document.has('tables');
}

function parse(text: string): Document.Parsed {
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw new PatchwireError('PW-C102', syntax.message.split('\n')[0] ?? 'not YAML');
  }
  return document;
}

function tableList(document: Document): YAMLSeq {
  const list: unknown = document.get('tables', true);
  const found = listNode(document);
  if (found !== null) {
    found.flow = found.items.length === 0 ? false : (found.flow ?? false);
    return found;
  }
  const empty = list === undefined || (isScalar(list) && list.value === null);
  if (!empty || (document.contents !== null && !isMap(document.contents))) {
    throw new PatchwireError('PW-C103', 'tables is no list');
  }
  const created = new YAMLSeq();
  document.set('tables', created);
  return created;
}

/** Keeps comments, order and the line ends of the file, but may respace it. */
function print(document: Document, before: string): string {
  const after = document.toString({ lineWidth: 0, flowCollectionPadding: /\{ |\[ /u.test(before) });
  return after.replaceAll(/\r?\n/gu, lineBreak(before));
}
