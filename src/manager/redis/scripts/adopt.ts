/**
 * Gives documents and index that are there, without a leader, a position that was exported with them: meta whole, under a new epoch, with the
 * message that tells subscribers to load. Refuses before its first write where anybody leads, or the index is not as long as it was.
 *
 * KEYS 1 meta, 2 index, 3 changes, 4 lease, 5 quarantine.
 * ARGV 1 '1': replace a section that is there, 2 the tip that it then has ('': none is there), 3 format known here, 4 documents, 5 channels, 6 now
 * ms, 7 entry of the change log, 8 message; from 9: fields of meta (field, value …).
 *
 * Returns {'held', by, expires in ms} | {'living'} | {'differs', documents} | {'adopted', description}.
 */
import { CHECKS, DESCRIBE, MARK, TELL } from './prelude.ts';

export const ADOPT = `${CHECKS}${MARK}${DESCRIBE}${TELL}
local meta, index, changes, lease, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local refused = wrongType(meta, 'hash', index, 'hash', changes, 'stream', lease, 'string', quarantine, 'hash')
if refused then return refused end
local holder = redis.call('GET', lease)
if holder then return {'held', holder, redis.call('PTTL', lease)} end
local m = redis.call('HMGET', meta, 'format', 'tip', 'pending')
if m[1] then
  if (tonumber(m[1]) or 0) > tonumber(ARGV[3]) then return refuse('PWFORMAT', m[1]) end
  if m[3] == 'purge' then return refuse('PWPENDING', m[3]) end
  if ARGV[1] ~= '1' or m[2] ~= ARGV[2] then return {'living'} end
elseif ARGV[2] ~= '' then
  return {'living'}
end
local documents = redis.call('HLEN', index)
if documents ~= tonumber(ARGV[4]) then return {'differs', documents} end

refused = mark(meta, 'adopt')
if refused then return refused end
redis.call('DEL', changes)
redis.call('XADD', changes, ARGV[7], 'message', ARGV[8], 'time', ARGV[6])
local fields = {'publish', PUBLISH, 'keys', tellsKeys(ARGV[5]), 'bytes', string.format('%d', #ARGV[8]), 'oldestAt', ARGV[6], 'leader', '', 'cursor', '', 'heartbeatAt', '', 'sourceReadAt', ''}
for i = 9, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', meta, unpack(fields))
redis.call('HSET', meta, 'pending', '')
tell(ARGV[5], ARGV[8])
return {'adopted', describe(meta, index, quarantine)}
`;
