/**
 * The commented configuration that `init` writes, made from the JSON Schema: every key with its meaning, defaults as comments, so that a new
 * key is in it by itself. Writes no file and decides no value; a name that comes from a database cannot end its comment.
 */
import { entryLines, type TableEntry } from './edit.ts';
import { configJsonSchema } from './json-schema.ts';
import { KEY_MEANINGS } from './key-meanings.ts';

/** A table of the template. */
export interface TemplateTable {
  readonly entry: TableEntry;
  /** Comment lines above it. */
  readonly notes: readonly string[];
  /** False: the entry stands in a comment, too. */
  readonly active: boolean;
}

export interface Template {
  /** The `$schema` that the first line names; null: no such line. */
  readonly schema: string | null;
  readonly source: { readonly name: string; readonly fields: Readonly<Record<string, unknown>> };
  readonly redisUrl: string;
  readonly partition: string;
  /** Null: an example in a comment. */
  readonly tables: readonly TemplateTable[] | null;
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly default?: unknown;
}

const HEAD = `# The configuration of patchwire. What stands in a comment has the value shown as its default, where it has one.
#
# Durations carry their unit (50ms, 5s, 1h), sizes too (256KiB). \${env:NAME} is an environment variable, \${file:PATH} the content of a
# file. PATCHWIRE_LOG__LEVEL=debug sets log.level (a double underscore is one level), --set log.level=debug goes before both.
# Unknown keys are refused. \`patchwire config check\` tells every problem, with --online also those that only the servers know.
`;

/** The file's text. */
export function configTemplate({ schema, source, redisUrl, partition, tables }: Template): string {
  const root = configJsonSchema() as Node;
  const given = { sources: { [source.name]: source.fields }, manager: { redis: { url: redisUrl }, partition } };
  const parts = Object.entries(root.properties ?? {}).map(([key, node]) =>
    key === 'tables'
      ? tablesBlock(node, tables)
      : block({ key, node, path: key, value: (given as Readonly<Record<string, unknown>>)[key] }),
  );
  const first = schema === null ? '' : `# yaml-language-server: $schema=${schema}\n`;
  return `${first}${HEAD}\n${parts.map((lines) => `${lines.join('\n')}\n`).join('\n')}`;
}

interface Key {
  readonly key: string;
  readonly node: Node;
  readonly path: string;
  /** What it is set to; undefined: nothing, so that it stands in a comment. */
  readonly value: unknown;
}

/** A key with everything below it; in a comment where nothing of it is given. */
function block({ key, node, path, value }: Key): string[] {
  const inner = node.properties;
  const any = typeof node.additionalProperties === 'object' ? node.additionalProperties : null;
  const meaning = KEY_MEANINGS[path];
  const behind = meaning === undefined ? '' : ` # ${meaning}`;
  if (inner === undefined && any === null) {
    const written = value ?? node.default;
    const line = `${key}:${written === undefined ? '' : ` ${scalar(written)}`}${behind}`;
    return [value === undefined ? `# ${line}` : line];
  }
  const below =
    inner === undefined
      ? Object.entries(isMap(value) ? value : {}).map(([name, each]) =>
          block({ key: name, node: any ?? {}, path: `${path}.<name>`, value: each }),
        )
      : Object.entries(inner).map(([name, each]) =>
          block({ key: name, node: each, path: `${path}.${name}`, value: isMap(value) ? value[name] : undefined }),
        );
  const lines = [`${key}:${behind}`, ...below.flat().map((line) => `  ${line}`)];
  return value === undefined ? lines.map(commented) : lines;
}

function tablesBlock(node: Node, tables: readonly TemplateTable[] | null): string[] {
  const head = `tables: # ${KEY_MEANINGS['tables'] ?? ''}`;
  if (tables === null) {
    const [first = '', ...rest] = block({ key: 'entry', node: node.items ?? {}, path: 'tables[]', value: {} })
      .slice(1)
      .map((line) => line.trimStart().replace(/^# table:/u, '# table: dbo.Orders'));
    return [head, `  # - ${first.replace(/^# /u, '')}`, ...rest.map((line) => `  #   ${line.replace(/^# /u, '')}`)];
  }
  return [head, ...tables.flatMap(tableLines)];
}

function tableLines({ entry, notes, active }: TemplateTable): string[] {
  const lines = entryLines(entry, '', '\n').trimEnd().split('\n');
  return [
    ...notes.map((note) => `  # ${note.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}`),
    ...lines.map((line) => (active ? `  ${line}` : `  # ${line}`)),
  ];
}

/** As it stands behind a colon: a reference and a plain word without quotes. */
function scalar(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(scalar).join(', ')}]`;
  }
  const plain = typeof value === 'string' && /^(?:\$\{[a-z]+:[\w./-]+\}|[A-Za-z0-9][A-Za-z0-9_. -]*[A-Za-z0-9]|[A-Za-z0-9])$/u.test(value);
  return plain && !/^(?:true|false|null|yes|no|on|off|[0-9.]+)$/iu.test(value) ? value : JSON.stringify(value);
}

function commented(line: string): string {
  const [, indent = '', text = ''] = /^( *)(?:# )?(.*)$/u.exec(line) ?? [];
  return `# ${indent}${text}`;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
