/** Which calls are aggregates or window functions: they have no value for one row, so the executor computes them first. */
import type { CallExpression } from './ast-expression.ts';

const AGGREGATES = new Set(
  'COUNT COUNT_BIG SUM AVG MIN MAX STRING_AGG STDEV STDEVP VAR VARP CHECKSUM_AGG APPROX_COUNT_DISTINCT GROUPING GROUPING_ID'.split(' '),
);
const WINDOW_ONLY = new Set('ROW_NUMBER RANK DENSE_RANK NTILE LAG LEAD FIRST_VALUE LAST_VALUE PERCENT_RANK CUME_DIST'.split(' '));

/** The upper-case name of a call that has no schema; '' when it has one. */
function callName(call: CallExpression): string {
  return call.name.schema === null ? call.name.name.toUpperCase() : '';
}

/** Whether a function has no value but over a window. */
export function isWindowOnly(call: CallExpression): boolean {
  return WINDOW_ONLY.has(callName(call));
}

export function isAggregateCall(call: CallExpression): boolean {
  const name = callName(call);
  return call.over !== null || AGGREGATES.has(name) || WINDOW_ONLY.has(name);
}
