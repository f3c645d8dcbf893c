/** The JSON Schema (draft 7) of the configuration file, made from the zod schema: for editors. What is read is decided by load.ts alone. */
import { z } from 'zod';
import { KEY_MEANINGS } from './key-meanings.ts';
import { configSchema } from './schema.ts';

/** A part of a JSON Schema, as far as it is rewritten here. */
interface SchemaNode {
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: unknown;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly [key: string]: unknown;
}

/** A text with a reference may stand wherever a text may: what it becomes is not known to an editor. */
const REFERENCE = { type: 'string', pattern: String.raw`\$\{` } as const;

/** The schema, as a value for JSON. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const made = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
  const { $schema, ...rest } = made as SchemaNode;
  return { $schema, title: 'patchwire configuration', ...described(rest, '') };
}

function described(node: SchemaNode, path: string): SchemaNode {
  const meaning = KEY_MEANINGS[path];
  const inner: Record<string, unknown> = {};
  if (node.properties !== undefined) {
    inner['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([key, each]) => [key, described(each, path === '' ? key : `${path}.${key}`)]),
    );
  }
  if (typeof node.additionalProperties === 'object' && node.additionalProperties !== null) {
    inner['additionalProperties'] = described(node.additionalProperties as SchemaNode, `${path}.<name>`);
  }
  if (node.items !== undefined) {
    inner['items'] = described(node.items, `${path}[]`);
  }
  if (node.anyOf !== undefined) {
    inner['anyOf'] = node.anyOf.map((each) => described(each, path));
  }
  return referable({ ...node, ...inner, ...(meaning === undefined ? {} : { description: withRule(meaning, node) }) });
}

/** The meaning, and the rule that the schema gave as its description. */
function withRule(meaning: string, node: SchemaNode): string {
  const rule = node['description'];
  return typeof rule === 'string' && node.pattern !== undefined ? `${meaning} It is ${rule}.` : meaning;
}

/** A choice or a text with a form, or a reference instead of it. */
function referable(node: SchemaNode): SchemaNode {
  const limited = node.type === 'string' && (node.enum !== undefined || node.pattern !== undefined);
  if (!limited) {
    return node;
  }
  const { description, default: standard, type, enum: values, pattern, ...rest } = node;
  const form = { type, ...(values === undefined ? {} : { enum: values }), ...(pattern === undefined ? {} : { pattern }), ...rest };
  return {
    ...(description === undefined ? {} : { description }),
    ...(standard === undefined ? {} : { default: standard }),
    anyOf: [form, REFERENCE],
  };
}
