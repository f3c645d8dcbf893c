/** What is known of a server that many sections use: the read model of its circuit breaker. */
import type { ErrorCode } from '../model/error-catalogue.ts';

export interface ServerStatus {
  /** `redis`, or `source/` and the source's name: the label of its metrics. */
  readonly server: string;
  /** Where it is, for people; without user and password. */
  readonly what: string;
  /** closed: it serves; open: nobody asks it; halfOpen: it is being asked whether it serves, at the start too. */
  readonly state: 'closed' | 'open' | 'halfOpen';
  /** Why it does not serve; null while it does, and before the first answer. */
  readonly trouble: { readonly code: ErrorCode; readonly message: string; readonly hint: string } | null;
  /** Since when it has not served, ms since 1970; null: it serves. */
  readonly downSinceMs: number | null;
  /** How often the breaker has opened. */
  readonly openings: number;
}
