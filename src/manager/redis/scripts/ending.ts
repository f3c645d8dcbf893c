/** The scripts that end something: a lead, a section. Each is guarded by the leader token; purging is resumable. */
import { CHECKS, TELL } from './prelude.ts';

/** Gives the lead up if it is held: with our token in meta the lease is ours too. KEYS 1 meta, 2 lease. ARGV 1 token. Returns 1 if it was held. */
export const RESIGN = `${CHECKS}
local refused = wrongType(KEYS[1], 'hash', KEYS[2], 'string')
if refused then return refused end
if redis.call('HGET', KEYS[1], 'leader') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'leader', '')
redis.call('UNLINK', KEYS[2])
return 1
`;

const PURGE_GUARD = `${CHECKS}
local meta, index, lease = KEYS[1], KEYS[2], KEYS[3]
local refused = wrongType(meta, 'hash', index, 'hash', lease, 'string')
if refused then return refused end
local m = redis.call('HMGET', meta, 'leader', 'format')
if not m[1] or m[1] ~= ARGV[1] then return refuse('PWLEADER', 'another leader holds the section') end
if (tonumber(m[2]) or 0) > tonumber(ARGV[2]) then return refuse('PWFORMAT', m[2]) end
`;

/**
 * One chunk of a purge; the first sets the pending marker to 'purge', so that nothing but a purge can follow.
 * KEYS 1 meta, 2 index, 3 lease, then document keys. ARGV 1 token, 2 format, 3 manager id, 4 lease ms, then the identities to remove.
 * Returns how many entries it removed.
 */
export const PURGE_STEP = `${PURGE_GUARD}
local reply = redis.pcall('HSET', meta, 'pending', 'purge')
if type(reply) == 'table' and reply.err then return reply end
redis.call('SET', lease, ARGV[3], 'PX', ARGV[4])
if #ARGV == 4 then return 0 end
redis.call('UNLINK', unpack(KEYS, 4))
return redis.call('HDEL', index, unpack(ARGV, 5))
`;

/**
 * The end of a purge: every key goes, meta last, and subscribers are told.
 * KEYS 1 meta, 2 index, 3 lease, then the section's other keys. ARGV 1 token, 2 format, 3 channels, 4 message.
 * Returns 0 while the index still has entries.
 */
export const PURGE_END = `${PURGE_GUARD}${TELL}
if redis.call('HLEN', index) > 0 then return 0 end
local rest = {index}
for i = 4, #KEYS do rest[#rest + 1] = KEYS[i] end
redis.call('UNLINK', unpack(rest))
redis.call('UNLINK', lease)
redis.call('UNLINK', meta)
tell(ARGV[3], ARGV[4])
return 1
`;
