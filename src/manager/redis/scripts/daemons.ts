/**
 * Who is alive in a partition. The key is the partition's: no script touches it and a section's keys together, since in a cluster they are on
 * different nodes. Entries are JSON that begins with two numbers, which the script writes and reads without parsing the rest.
 */
import { CHECKS } from './prelude.ts';

/** The field beside the daemons' ids: bumped whenever somebody joins, leaves, dies, or says something new. An id is never so short. */
export const REVISION = 'revision';

const NOW = `
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function times(value)
  local seen, till = string.match(value, '^{"seenAt":(%d+),"aliveUntil":(%d+),')
  return tonumber(seen), tonumber(till)
end
local function alive(value, at)
  local seen, till = times(value)
  -- An entry from the future was written before the clock was set back: whoever lives says so again.
  return seen and at < till and seen <= at + 1000
end
local function living(key, at)
  local all = redis.call('HGETALL', key)
  local found, dead, revision = {}, {}, ''
  for i = 1, #all, 2 do
    if all[i] == '${REVISION}' then revision = all[i + 1]
    elseif alive(all[i + 1], at) then
      found[#found + 1] = all[i]
      found[#found + 1] = all[i + 1]
    else dead[#dead + 1] = all[i] end
  end
  return found, dead, revision
end
`;

/**
 * KEYS 1 daemons. ARGV 1 id, 2 ttl ms, 3 what it says, as JSON without its opening brace.
 * Returns {revision, now, {id, entry, id, entry, …}} of those alive, itself included. The dead are removed: it stays bounded.
 */
export const ANNOUNCE = `${CHECKS}${NOW}
local key = KEYS[1]
local refused = wrongType(key, 'hash')
if refused then return refused end
local at = now()
local before = redis.call('HGET', key, ARGV[1])
local known = before and alive(before, at) and string.match(before, '^{"seenAt":%d+,"aliveUntil":%d+,(.*)$') == ARGV[3]
local entry = '{"seenAt":' .. string.format('%.0f', at) .. ',"aliveUntil":' .. string.format('%.0f', at + tonumber(ARGV[2])) .. ',' .. ARGV[3]
local reply = redis.pcall('HSET', key, ARGV[1], entry)
if type(reply) == 'table' and reply.err then return reply end
local found, dead, revision = living(key, at)
for i = 1, #dead do redis.call('HDEL', key, dead[i]) end
if not known or #dead > 0 then
  revision = string.format('%.0f', (tonumber(revision) or 0) + 1)
  redis.call('HSET', key, '${REVISION}', revision)
end
return {revision, at, found}
`;

/** The last one takes the key with it. KEYS 1 daemons. ARGV 1 id. */
export const DEPART = `${CHECKS}
local refused = wrongType(KEYS[1], 'hash')
if refused then return refused end
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
if redis.call('HLEN', KEYS[1]) == 1 then
  redis.call('UNLINK', KEYS[1])
  return 1
end
local revision = tonumber(redis.call('HGET', KEYS[1], '${REVISION}') or '0') or 0
redis.call('HSET', KEYS[1], '${REVISION}', string.format('%.0f', revision + 1))
return 1
`;

/** KEYS 1 daemons. Returns as ANNOUNCE; writes nothing. */
export const READ_DAEMONS = `${CHECKS}${NOW}
local refused = wrongType(KEYS[1], 'hash')
if refused then return refused end
local at = now()
local found, _, revision = living(KEYS[1], at)
return {revision, at, found}
`;
