/** Parsed batches by their text, and what has to be known of a batch before its first statement runs. */
import type { ChangesTable, Statement, VersionTable } from '../sql/ast.ts';
import type { DeclareStatement } from '../sql/ast-control.ts';
import { parse } from '../sql/parser.ts';

export interface PreparedBatch {
  readonly text: string;
  readonly statements: readonly Statement[];
  /** Every CHANGETABLE in it: an untracked table refuses the whole batch. */
  readonly changeTables: readonly (ChangesTable | VersionTable)[];
  /** A variable is known in the whole batch, whether its DECLARE was reached or not. */
  readonly declarations: readonly DeclareStatement[];
}

const LIMIT = 500;
/** Longer texts are one-off scripts and inserts. */
const LONGEST = 50_000;

export class BatchCache {
  readonly #batches = new Map<string, PreparedBatch>();

  /** @throws SqlError of the parser */
  get(text: string): PreparedBatch {
    const known = this.#batches.get(text);
    if (known !== undefined) {
      return known;
    }
    const { statements } = parse(text);
    // Looking through the tree of a giant INSERT costs as much as running it.
    const surveyed = /changetable|declare/i.test(text) ? survey(statements) : { changeTables: [], declarations: [] };
    const prepared = { text, statements, ...surveyed };
    if (text.length <= LONGEST) {
      if (this.#batches.size >= LIMIT) {
        const oldest = this.#batches.keys().next().value;
        if (oldest !== undefined) {
          this.#batches.delete(oldest);
        }
      }
      this.#batches.set(text, prepared);
    }
    return prepared;
  }
}

function survey(statements: readonly Statement[]): Pick<PreparedBatch, 'changeTables' | 'declarations'> {
  const changeTables: (ChangesTable | VersionTable)[] = [];
  const declarations: DeclareStatement[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const each of node) {
        visit(each);
      }
      return;
    }
    if (typeof node !== 'object' || node === null) {
      return;
    }
    const kind: unknown = 'kind' in node ? node.kind : null;
    if (kind === 'literal') {
      return;
    }
    if (kind === 'changes' || kind === 'version') {
      changeTables.push(node as ChangesTable | VersionTable);
    }
    if (kind === 'declare') {
      declarations.push(node as DeclareStatement);
    }
    for (const value of Object.values(node)) {
      if (typeof value === 'object') {
        visit(value);
      }
    }
  };
  visit(statements);
  return { changeTables, declarations };
}
