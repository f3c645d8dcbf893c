/** FOR JSON. */
import type { ForJson } from '../sql/ast.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { QueryPlan } from './plan.ts';
import type { StatementContext } from './statement-context.ts';

/** @throws UnsupportedError always: nothing that the sandbox serves needs it yet. */
export function forJsonPlan(_plan: QueryPlan, forJson: ForJson, _context: StatementContext): QueryPlan {
  throw new UnsupportedError(`FOR JSON ${forJson.mode.toUpperCase()}`);
}
