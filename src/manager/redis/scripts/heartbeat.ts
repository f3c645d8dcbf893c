/**
 * A sign of life, composed from meta and never from memory (C7). Renews the lease; an idle advance rides on it. Moves neither tip nor seq
 * nor last.
 *
 * KEYS 1 meta, 2 index, 3 quarantine, 4 lease.
 * ARGV 1 token, 2 expected tip, 3 format, 4 manager id, 5 lease ms, 6 believed checkpoint, 7 believed confirmed, 8 channels, 9 partition,
 * 10 section, 11 interval ms, 12 now ms, 13 now as ISO 8601, 14 message version, 15 expected upTo; from 16: advance (field,
 * value …).
 */
import { CHECKS, GUARD, TELL } from './prelude.ts';

export const HEARTBEAT = `${CHECKS}${GUARD}${TELL}
local meta, index, quarantine, lease = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local refused = wrongType(meta, 'hash', index, 'hash', quarantine, 'hash', lease, 'string')
if refused then return refused end
local m = redis.call('HMGET', meta, 'leader', 'tip', 'format', 'pending', 'checkpoint', 'confirmed', 'upTo')
refused = guard(m)
if refused then return refused end
if m[5] ~= ARGV[6] or m[6] ~= ARGV[7] or m[7] ~= ARGV[15] then
  return refuse('PWPOSITION', 'the stored checkpoint is ' .. tostring(m[5]) .. ', confirmed ' .. tostring(m[6]) .. ', upTo ' .. tostring(m[7]))
end

local fields = {'heartbeatAt', ARGV[12]}
for i = 16, #ARGV do fields[#fields + 1] = ARGV[i] end
local reply = redis.pcall('HSET', meta, unpack(fields))
if type(reply) == 'table' and reply.err then return reply end
redis.call('SET', lease, ARGV[4], 'PX', ARGV[5])

local now = redis.call('HMGET', meta, 'epoch', 'seq', 'last', 'tip', 'checkpoint', 'upTo', 'state', 'digest', 'sourceReadAt',
  'incomplete', 'paused', 'source', 'cursor')
local function inside(value)
  local ok, decoded = pcall(cjson.decode, value or '')
  return ok and type(decoded) == 'table' and decoded or {}
end
local held = inside(now[13]).held
local missing = type(held) == 'table' and tonumber(held.missing) or nil
local function text(value)
  if not value or value == '' then return 'null' end
  return cjson.encode(value)
end
local message = '{"v":' .. ARGV[14] .. ',"type":"heartbeat","partitionKey":' .. cjson.encode(ARGV[9]) .. ',"section":' .. cjson.encode(ARGV[10])
  .. ',"managerId":' .. cjson.encode(ARGV[4]) .. ',"epoch":' .. cjson.encode(now[1]) .. ',"intervalMs":' .. ARGV[11] .. ',"seq":' .. now[2]
  .. ',"last":' .. cjson.encode(now[3]) .. ',"tip":' .. cjson.encode(now[4]) .. ',"checkpoint":' .. cjson.encode(now[5])
  .. ',"upTo":' .. text(now[6]) .. ',"state":' .. cjson.encode(now[7]) .. ',"digest":' .. cjson.encode(now[8])
  .. ',"count":' .. redis.call('HLEN', index) .. ',"quarantined":' .. redis.call('HLEN', quarantine)
  .. ',"sourceReadAt":' .. text(now[9]) .. ',"time":' .. cjson.encode(ARGV[13])
  .. ',"incomplete":' .. text(now[10]) .. ',"paused":' .. text(now[11]) .. ',"fingerprint":' .. text(inside(now[12]).fingerprint)
  .. ',"sweepHeld":' .. (missing and string.format('%.0f', missing) or 'null') .. '}'
tell(ARGV[8], message)
return 1
`;
