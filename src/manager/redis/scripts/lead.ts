/**
 * Takes or keeps the lead: lease, token and state in one script (C3), and tells a rewound Redis from another leader (C4).
 *
 * KEYS 1 meta, 2 index, 3 changes, 4 lease, 5 quarantine.
 * ARGV 1 manager id, 2 new token, 3 format, 4 lease ms, 5 fresh epoch, 6 fresh tip, 7 fresh message id, 8 empty digest, 9 channels, 10 partition,
 * 11 section, 12 now ms, 13 message version, 14 '1': lead although a script stopped half-way (repair), 15 how many
 * leads we had; from 16: their tokens, then the tips of the last one that were acknowledged last or are outstanding.
 *
 * Returns {'held', by, expires in ms} | {'purging'} | {'leading', created, rewound, description}.
 */
import { WHOLE_FORMAT } from '../../../wire/messages.ts';
import { CHANGE_LOG, CHECKS, DESCRIBE, MARK, TELL } from './prelude.ts';

export const LEAD = `${CHECKS}${MARK}${CHANGE_LOG}${DESCRIBE}${TELL}
local meta, index, changes, lease, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local refused = wrongType(meta, 'hash', index, 'hash', changes, 'stream', lease, 'string', quarantine, 'hash')
if refused then return refused end
local holder = redis.call('GET', lease)
if holder and holder ~= ARGV[1] then
  local left = redis.call('PTTL', lease)
  if left < 0 then
    redis.call('PEXPIRE', lease, ARGV[4])
    left = tonumber(ARGV[4])
  end
  return {'held', holder, left}
end

local function take()
  local reply = redis.pcall('SET', lease, ARGV[1], 'PX', ARGV[4])
  if type(reply) == 'table' and reply.err then return reply end
end

local m = redis.call('HMGET', meta, 'format', 'leader', 'tip', 'pending', 'seq', 'last', 'state')
if not m[1] then
  refused = take()
  if refused then return refused end
  local leftovers = redis.call('HLEN', index) > 0 or redis.call('EXISTS', changes) == 1
  redis.call('HSET', meta, 'format', '${WHOLE_FORMAT}', 'epoch', ARGV[5], 'leader', ARGV[2], 'seq', '0', 'last', ARGV[6], 'tip', ARGV[6],
    'checkpoint', '0', 'upTo', '', 'confirmed', '0', 'high', '0', 'state', 'loading', 'cursor', '', 'source', '', 'digest', ARGV[8],
    'pending', leftovers and 'purge' or '', 'heartbeatAt', '', 'sourceReadAt', '', 'bytes', '0', 'oldestAt', '0', 'publish', PUBLISH,
    'keys', tellsKeys(ARGV[9]))
  if leftovers then return {'purging'} end
  return {'leading', 1, 0, describe(meta, index, quarantine)}
end

if tonumber(m[1]) > tonumber(ARGV[3]) then return refuse('PWFORMAT', m[1]) end
if m[4] == 'purge' then
  refused = take()
  if refused then return refused end
  redis.call('HSET', meta, 'leader', ARGV[2])
  return {'purging'}
end
if m[4] and m[4] ~= '' and ARGV[14] ~= '1' then return refuse('PWPENDING', m[4]) end

local own, known, tipsAt = false, false, 16 + tonumber(ARGV[15])
for i = 16, #ARGV do
  if i < tipsAt and ARGV[i] == m[2] then own = true end
  if i >= tipsAt and ARGV[i] == m[3] then known = true end
end

if not own or known or (m[4] and m[4] ~= '') then
  refused = take()
  if refused then return refused end
  redis.call('HSET', meta, 'leader', ARGV[2], 'publish', PUBLISH, 'keys', tellsKeys(ARGV[9]))
  return {'leading', 0, 0, describe(meta, index, quarantine)}
end

refused = mark(meta, ARGV[6])
if refused then return refused end
local seq = whole(tonumber(m[5]) + 1)
local message = '{"v":' .. ARGV[13] .. ',"type":"reset","partitionKey":' .. cjson.encode(ARGV[10]) .. ',"section":' .. cjson.encode(ARGV[11])
  .. ',"managerId":' .. cjson.encode(ARGV[1]) .. ',"epoch":' .. cjson.encode(ARGV[5]) .. ',"seq":' .. seq .. ',"id":' .. cjson.encode(ARGV[7])
  .. ',"prevId":' .. cjson.encode(m[6]) .. ',"phase":' .. (m[7] == 'loading' and '"begin"' or '"end"')
  .. ',"reason":"rewound","state":' .. cjson.encode(m[7]) .. '}'
redis.call('DEL', changes)
redis.call('XADD', changes, '0-' .. seq, 'message', message, 'time', ARGV[12])
redis.call('SET', lease, ARGV[1], 'PX', ARGV[4])
redis.call('HSET', meta, 'epoch', ARGV[5], 'leader', ARGV[2], 'tip', ARGV[6], 'seq', seq, 'last', ARGV[7],
  'bytes', whole(#message), 'oldestAt', ARGV[12], 'pending', '', 'publish', PUBLISH, 'keys', tellsKeys(ARGV[9]))
tell(ARGV[9], message)
return {'leading', 0, 1, describe(meta, index, quarantine)}
`;
