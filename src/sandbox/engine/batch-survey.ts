/**
 * What a batch's text says before any name is looked up: its variables and where they are used, temp tables that it creates twice, statements
 * that must stand alone. Tables, columns and types are the business of bind-batch.ts.
 */
import type { Statement } from '../sql/ast.ts';
import type { DeclareStatement, DeclareTableStatement } from '../sql/ast-control.ts';
import type { ObjectName } from '../sql/ast-expression.ts';
import { SqlError } from '../session.ts';

export interface VariableUse {
  readonly name: string;
  readonly table: boolean;
  readonly line: number;
}

export interface BatchSurvey {
  /** A variable is known in the whole batch after its DECLARE, whether that was reached or not. */
  readonly declarations: readonly DeclareStatement[];
  readonly tables: readonly DeclareTableStatement[];
  /** Uses of variables with no DECLARE before them: parameters, or errors. */
  readonly undeclared: readonly VariableUse[];
  /** What refuses the batch whatever exists: 111, 134, 2714. */
  readonly refusals: readonly SqlError[];
}

const NOTHING: BatchSurvey = { declarations: [], tables: [], undeclared: [], refusals: [] };

/** Statements that have a batch for themselves. Source: learn.microsoft.com, "Batches": rules for using batches. */
const ALONE: ReadonlyMap<string, string> = new Map([
  ['createSchema', 'CREATE SCHEMA'],
  ['createView', 'CREATE VIEW'],
  ['createTrigger', 'CREATE TRIGGER'],
]);

export function undeclaredVariable({ name, table, line }: VariableUse): SqlError {
  return table
    ? new SqlError(1087, `Must declare the table variable "${name}".`, { line, state: 1, class: 15 })
    : new SqlError(137, `Must declare the scalar variable "${name}".`, { line, state: 2, class: 15 });
}

export function declaredTwice(name: string, line: number): SqlError {
  return new SqlError(
    134,
    `The variable name '${name}' has already been declared. Variable names must be unique within a query batch or stored procedure.`,
    { line, class: 15 },
  );
}

/** Looking through the tree of a giant INSERT costs as much as running it: only texts that can hold what is looked for are. */
export function surveyBatch(text: string, statements: readonly Statement[]): BatchSurvey {
  return /[@#]|create/i.test(text) ? new Survey().of(statements) : NOTHING;
}

class Survey {
  readonly #declarations: DeclareStatement[] = [];
  readonly #tables: DeclareTableStatement[] = [];
  readonly #undeclared: VariableUse[] = [];
  readonly #refusals: SqlError[] = [];
  /** Variables in lower case; true for tables, null for those of a type that is still to be found. */
  readonly #known = new Map<string, boolean | null>();
  readonly #temps = new Set<string>();
  #first: unknown = null;

  of(statements: readonly Statement[]): BatchSurvey {
    [this.#first = null] = statements;
    this.#visit(statements);
    return { declarations: this.#declarations, tables: this.#tables, undeclared: this.#undeclared, refusals: this.#refusals };
  }

  /** Nodes hold their parts in the order of the text. */
  #visit(node: unknown): void {
    if (Array.isArray(node)) {
      for (const each of node) {
        if (each !== null && typeof each === 'object' && each.kind !== 'literal') {
          this.#visit(each);
        }
      }
      return;
    }
    if (typeof node !== 'object' || node === null) {
      return;
    }
    const kind: unknown = 'kind' in node ? node.kind : null;
    if (typeof kind === 'string' && this.#special(kind, node)) {
      return;
    }
    if ('variable' in node && typeof node.variable === 'string') {
      this.#use(node.variable, false, node);
    }
    for (const value of Object.values(node)) {
      if (typeof value === 'object' && value !== null) {
        this.#visit(value);
      }
    }
  }

  /** @returns whether nothing is left to look at in the node */
  #special(kind: string, node: object): boolean {
    switch (kind) {
      case 'literal':
        return true;
      case 'variable':
      case 'tableVariable':
        this.#use((node as { name: string }).name, kind === 'tableVariable', node);
        return true;
      case 'declare': {
        const statement = node as DeclareStatement;
        this.#declarations.push(statement);
        for (const variable of statement.variables) {
          this.#visit(variable.initial);
          this.#declare(variable.name, false, variable.line);
        }
        return true;
      }
      case 'declareTable': {
        const statement = node as DeclareTableStatement;
        this.#tables.push(statement);
        this.#declare(statement.name, statement.type === null ? true : null, statement.line);
        return true;
      }
      case 'createTable':
        this.#create((node as { name: ObjectName }).name);
        return true;
      case 'specification':
        this.#create((node as { into: ObjectName | null }).into);
        return false;
      default: {
        const alone = ALONE.get(kind);
        if (alone !== undefined && node !== this.#first) {
          const { line } = node as { line: number };
          this.#refusals.push(new SqlError(111, `'${alone}' must be the first statement in a query batch.`, { line, class: 15 }));
        }
        // What a procedure, view or trigger says inside is a text of its own.
        return kind.startsWith('create') || kind.startsWith('alter');
      }
    }
  }

  #declare(name: string, table: boolean | null, line: number): void {
    const key = name.toLowerCase();
    if (this.#known.has(key)) {
      this.#refusals.push(declaredTwice(name, line));
    }
    this.#known.set(key, table);
  }

  #use(name: string, table: boolean, node: object): void {
    const known = this.#known.get(name.toLowerCase());
    if (known !== null && known !== table) {
      this.#undeclared.push({ name, table, line: (node as { line?: number }).line ?? 0 });
    }
  }

  /** Temp tables of one batch have different names. Source: learn.microsoft.com, CREATE TABLE, "Temporary tables". */
  #create(name: ObjectName | null): void {
    if (name === null || !name.name.startsWith('#')) {
      return;
    }
    const key = name.name.toLowerCase();
    if (this.#temps.has(key)) {
      const text = `There is already an object named '${name.name}' in the database.`;
      this.#refusals.push(new SqlError(2714, text, { line: name.line, state: 1 }));
    }
    this.#temps.add(key);
  }
}
