/**
 * The text that catalog views show for a default, a check, a computed column or a filter. SQL Server does not keep what was written: it shows
 * `DEFAULT 0` as ((0)) and `CHECK (a > 0)` as ([a]>(0)). Tools take such texts apart. What has no known form here is shown as it was written.
 */
import type { Expression, TypeName } from '../sql/ast-expression.ts';

/** @param text what was written */
export function formatDefinition(expression: Expression, text: string): string {
  const formatted = format(expression, 0);
  if (formatted === null) {
    return /^\(.*\)$/s.test(text.trim()) ? text.trim() : `(${text.trim()})`;
  }
  return `(${formatted})`;
}

const STRENGTH: Record<string, number> = { or: 1, and: 2, not: 3, '+': 5, '-': 5, '&': 5, '|': 5, '^': 5, '*': 6, '/': 6, '%': 6 };

/** @param around how strongly the operator around it binds: a weaker one gets brackets */
function format(expression: Expression, around: number): string | null {
  switch (expression.kind) {
    case 'literal':
      return literal(expression.literal, expression.text);
    case 'column':
      return [...expression.qualifier, expression.name].map((part) => `[${part}]`).join('.');
    case 'unary': {
      const { operand } = expression;
      if (operand.kind === 'literal' && expression.operator !== '~') {
        return `(${expression.operator}${operand.text})`;
      }
      const inner = format(operand, 7);
      return inner === null ? null : `${expression.operator}${inner}`;
    }
    case 'binary':
      return joined(expression.left, expression.operator, expression.right, STRENGTH[expression.operator] ?? 5, around);
    case 'comparison':
      return joined(expression.left, expression.operator, expression.right, 4, around);
    case 'logical':
      return joined(
        expression.left,
        ` ${expression.operator.toUpperCase()} `,
        expression.right,
        STRENGTH[expression.operator] ?? 1,
        around,
      );
    case 'not':
      return prefixed('NOT ', format(expression.operand, 3));
    case 'isNull': {
      const operand = format(expression.operand, 5);
      return operand === null ? null : `${operand} IS ${expression.not ? 'NOT ' : ''}NULL`;
    }
    case 'like': {
      const [operand, pattern] = [format(expression.operand, 5), format(expression.pattern, 5)];
      return operand === null || pattern === null || expression.escape !== null
        ? null
        : `${expression.not ? 'NOT ' : ''}${operand} like ${pattern}`;
    }
    case 'between': {
      const parts = [expression.operand, expression.low, expression.high].map((each) => format(each, 5));
      const [operand, low, high] = parts;
      return parts.includes(null) || expression.not ? null : `${operand}>=${low} AND ${operand}<=${high}`;
    }
    case 'inList': {
      const operand = format(expression.operand, 5);
      const items = expression.items.map((item) => format(item, 5));
      return operand === null || items.includes(null) || expression.not
        ? null
        : items
            .toReversed()
            .map((item) => `${operand}=${item}`)
            .join(' OR ');
    }
    case 'call': {
      const args = expression.args.map((arg) => format(arg, 0));
      return args.includes(null) || expression.over !== null || expression.star || expression.distinct
        ? null
        : `${expression.name.schema === null ? expression.name.name.toLowerCase() : `[${expression.name.schema}].[${expression.name.name}]`}(${args.join(',')})`;
    }
    case 'cast': {
      const operand = format(expression.operand, 0);
      const style = expression.style === null ? '' : format(expression.style, 0);
      return operand === null || style === null || expression.attempt
        ? null
        : `CONVERT(${typeText(expression.type)},${operand}${style === '' ? '' : `,${style}`})`;
    }
    case 'default':
    case 'variable':
    case 'global':
    case 'quantified':
    case 'distinctFrom':
    case 'inQuery':
    case 'exists':
    case 'subquery':
    case 'case':
    case 'collate':
    case 'atTimeZone':
      return null;
  }
}

function literal(kind: string, text: string): string {
  switch (kind) {
    case 'string':
      return `'${text.replaceAll("'", "''")}'`;
    case 'nationalString':
      return `N'${text.replaceAll("'", "''")}'`;
    case 'binary':
      return `0x${text}`;
    case 'null':
      return 'NULL';
    case 'money':
      return `($${text})`;
    default:
      return `(${text})`;
  }
}

function joined(left: Expression, operator: string, right: Expression, strength: number, around: number): string | null {
  const a = format(left, strength);
  const b = format(right, strength + 1);
  if (a === null || b === null) {
    return null;
  }
  return strength < around ? `(${a}${operator}${b})` : `${a}${operator}${b}`;
}

function prefixed(prefix: string, text: string | null): string | null {
  return text === null ? null : `${prefix}${text}`;
}

function typeText(type: TypeName): string {
  return `[${type.name}]${type.args.length === 0 ? '' : `(${type.args.join(',')})`}`;
}
