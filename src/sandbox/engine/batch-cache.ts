/** Parsed batches by their text, what has to be known of a batch before its first statement runs, and against what it was bound last. */
import type { Statement } from '../sql/ast.ts';
import { runOverflow } from '../sql/nesting.ts';
import { parse } from '../sql/parser.ts';
import type { BatchSurvey } from './batch-survey.ts';
import { surveyBatch } from './batch-survey.ts';
import type { Database } from './catalog.ts';

export interface PreparedBatch extends BatchSurvey {
  readonly text: string;
  readonly statements: readonly Statement[];
  /** What was bound without an error, by the database that it ran in. */
  readonly bound: WeakMap<Database, BoundBatch>;
}

/** A batch whose names were found, but for those of some statements, which are bound when they are reached. */
export interface BoundBatch {
  /** definitionStamp() of that moment: it holds as long as that does. */
  readonly stamp: number;
  /** Names and types of the parameters. */
  readonly parameters: string;
  readonly deferred: ReadonlySet<Statement>;
}

const LIMIT = 500;
/** Longer texts are one-off scripts and inserts. */
const LONGEST = 50_000;

export class BatchCache {
  readonly #batches = new Map<string, PreparedBatch>();

  /** @throws SqlError of the parser, 8631 */
  get(text: string): PreparedBatch {
    const known = this.#batches.get(text);
    if (known !== undefined) {
      return known;
    }
    const { statements } = parse(text);
    const prepared = { text, statements, bound: new WeakMap<Database, BoundBatch>(), ...surveyed(text, statements) };
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

function surveyed(text: string, statements: readonly Statement[]): BatchSurvey {
  try {
    return surveyBatch(text, statements);
  } catch (error) {
    throw runOverflow(error);
  }
}
