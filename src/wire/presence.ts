/**
 * Who listens to a section: what a subscriber may write of itself into `{p:s}/subscribers`, a hash by its id. A hint for people, no part of the
 * protocol: nothing depends on it, and a reader that may write nothing writes nothing.
 */
import { z } from 'zod';

export const presenceEntry = z.object({
  /** What its program calls itself. */
  name: z.string().nullable(),
  mode: z.string(),
  status: z.string(),
  equal: z.boolean(),
  reasons: z.array(z.string()),
  epoch: z.string().nullable(),
  seq: z.int().nullable(),
  upTo: z.string().nullable(),
  /** When it began, and when it wrote this, ms since 1970 by its own clock. */
  sinceMs: z.number(),
  atMs: z.number(),
  /** How often it writes. */
  everyMs: z.number(),
});

export type PresenceEntry = z.infer<typeof presenceEntry>;

/** null: it is no entry. */
export function decodePresence(text: string): PresenceEntry | null {
  try {
    return presenceEntry.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
