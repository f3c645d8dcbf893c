/**
 * patchwire/subscriber/adapters: keeps a cache that a program already has in step with a section, and out of the one trap that there is: a value
 * that was read before a change and stored after it. Loads no cache and no Redis client: types are structural.
 */
export { type Fill, FillGuard, fillGuard } from './fill-guard.ts';
export { type AsyncCache, type FreshCache, type FreshCacheOptions, freshCache, type SyncCache } from './fresh-cache.ts';
export { ReadAt, readAt } from './read-at.ts';
