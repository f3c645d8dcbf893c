/** How much may still be written before Redis is full, as far as its user may know. */
import { PatchwireError } from '../../model/errors.ts';
import type { Link } from './connection.ts';

/** maxmemory less used_memory, in bytes; null: no limit is set, or INFO is not allowed. @throws what the connection throws */
export async function roomOf(link: Link): Promise<number | null> {
  let text: string;
  try {
    text = (await link.call('INFO', ['memory'], 'read', 'INFO memory')) as string;
  } catch (error) {
    // Not allowed, or not there: managed services hide it.
    if (error instanceof PatchwireError && (error.code === 'PW-M303' || error.code === 'PW-M316')) {
      return null;
    }
    throw error;
  }
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)\\r?$`, 'm').exec(text)?.[1] ?? 0);
  const limit = field('maxmemory');
  return limit === 0 ? null : Math.max(0, limit - field('used_memory'));
}
