/** Whether every GOTO of a batch has its label, and BREAK and CONTINUE their loop. Source: learn.microsoft.com "GOTO (Transact-SQL)". */
import { SqlError } from '../session.ts';
import type { Statement } from './ast.ts';
import { UnsupportedError } from './unsupported.ts';

/** The statements directly inside of a statement, sequence by sequence. */
function inside(statement: Statement): readonly (readonly Statement[])[] {
  if (statement.kind === 'block') {
    return [statement.statements];
  }
  if (statement.kind === 'if') {
    return statement.otherwise === null ? [[statement.then]] : [[statement.then], [statement.otherwise]];
  }
  if (statement.kind === 'while') {
    return [[statement.body]];
  }
  return statement.kind === 'try' ? [statement.body, statement.handler] : [];
}

function labelsOf(statements: readonly Statement[]): string[] {
  return statements.flatMap((statement) =>
    statement.kind === 'label' ? [statement.label.toLowerCase()] : inside(statement).flatMap((inner) => labelsOf(inner)),
  );
}

/** @throws SqlError 132 (declared twice), 133 (not declared), 135 and 136 (no loop); UnsupportedError for a jump into a block */
export function checkLabels(statements: readonly Statement[]): void {
  const all = labelsOf(statements);
  const twice = all.find((label, index) => all.indexOf(label) !== index);
  if (twice !== undefined) {
    throw new SqlError(
      132,
      `The label '${twice}' has already been declared. Label names must be unique within a query batch or stored procedure.`,
      {
        class: 15,
      },
    );
  }
  check(statements, new Set(), new Set(all));
  checkLoops(statements);
}

function checkLoops(statements: readonly Statement[]): void {
  for (const statement of statements) {
    if (statement.kind === 'break' || statement.kind === 'continue') {
      const word = statement.kind.toUpperCase();
      throw new SqlError(statement.kind === 'break' ? 135 : 136, `Cannot use a ${word} statement outside the scope of a WHILE statement.`, {
        class: 15,
        line: statement.line,
      });
    }
    if (statement.kind !== 'while') {
      for (const inner of inside(statement)) {
        checkLoops(inner);
      }
    }
  }
}

function check(statements: readonly Statement[], outer: ReadonlySet<string>, all: ReadonlySet<string>): void {
  const own = statements.flatMap((statement) => (statement.kind === 'label' ? [statement.label.toLowerCase()] : []));
  const visible = own.length === 0 ? outer : new Set([...outer, ...own]);
  for (const statement of statements) {
    if (statement.kind === 'goto' && !visible.has(statement.label.toLowerCase())) {
      if (all.has(statement.label.toLowerCase())) {
        throw new UnsupportedError('GOTO into a block', statement.line);
      }
      throw new SqlError(133, `A GOTO statement references the label '${statement.label}' but the label has not been declared.`, {
        class: 15,
        line: statement.line,
      });
    }
    for (const inner of inside(statement)) {
      check(inner, visible, all);
    }
  }
}
