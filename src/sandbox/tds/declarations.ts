/**
 * The parameter list that comes as text with sp_executesql and sp_prepare, `@id int, @name nvarchar(40) output`: names in order, and types
 * where they are SQL Server's own. A type that it cannot read is null, and the type of the sent value counts.
 */
import type { SqlType } from '../sql-types.ts';

export interface Declaration {
  /** With its @. */
  readonly name: string;
  readonly type: SqlType | null;
  /** The type as written, without what follows it. */
  readonly typeName: string;
  readonly readOnly: boolean;
}

/** Reads a parameter list; an empty one has no parameters. */
export function readDeclarations(text: string, collation: string): Declaration[] {
  return splitAtCommas(text)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => readDeclaration(part, collation));
}

function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "'") {
      quoted = !quoted;
    } else if (!quoted && char === '(') {
      depth++;
    } else if (!quoted && char === ')') {
      depth--;
    } else if (!quoted && depth === 0 && char === ',') {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

const DECLARATION = /^(@[^\s]+)\s+(?:as\s+)?(.+)$/isu;
const AFTER_TYPE = /\s*(=.*|\s(?:output|out|readonly))\s*$/isu;
const TYPE = /^(?:\[?sys\]?\s*\.\s*)?\[?(\w+)\]?\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?$/iu;

function readDeclaration(text: string, collation: string): Declaration {
  const match = DECLARATION.exec(text);
  if (match === null) {
    return { name: text.split(/\s/u)[0] ?? text, type: null, typeName: '', readOnly: false };
  }
  const [, name = '', rest = ''] = match;
  const typeName = rest.replace(AFTER_TYPE, '').replace(AFTER_TYPE, '').trim();
  return { name, type: readTypeName(typeName, collation), typeName, readOnly: /\sreadonly\s*$/iu.test(rest) };
}

const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['dec', 'decimal'],
  ['integer', 'int'],
  ['timestamp', 'rowversion'],
  ['character', 'char'],
]);

function readTypeName(text: string, collation: string): SqlType | null {
  const match = TYPE.exec(text);
  if (match === null) {
    return null;
  }
  const written = (match[1] ?? '').toLowerCase();
  const name = SYNONYMS.get(written) ?? written;
  const first = match[2]?.toLowerCase();
  const number = (fallback: number): number => (first === undefined || first === 'max' ? fallback : Number(first));
  switch (name) {
    case 'bit':
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'money':
    case 'smallmoney':
    case 'real':
    case 'date':
    case 'datetime':
    case 'smalldatetime':
    case 'uniqueidentifier':
    case 'xml':
    case 'image':
    case 'rowversion':
    case 'sql_variant':
      return { name };
    case 'float':
      return { name: number(53) <= 24 ? 'real' : 'float' };
    case 'decimal':
    case 'numeric':
      return { name, precision: number(18), scale: Number(match[3] ?? 0) };
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return { name, scale: number(7) };
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
      return { name, length: first === 'max' ? 'max' : number(1), collation };
    case 'binary':
    case 'varbinary':
      return { name, length: first === 'max' ? 'max' : number(1) };
    case 'text':
    case 'ntext':
      return { name, collation };
    case 'sysname':
      return { name: 'nvarchar', length: 128, collation };
    default:
      return null;
  }
}
