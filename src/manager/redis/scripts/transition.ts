/**
 * A change of state, epoch or source. Moves tip, seq and last, without a message the tip only; a new epoch deletes the change log first (C4).
 *
 * KEYS 1 meta, 2 index, 3 changes, 4 lease, 5 quarantine.
 * ARGV 1 token, 2 expected tip, 3 format, 4 new tip, 5 manager id, 6 lease ms, 7 seq and 8 last as they will be, 9 channels, 10 now ms, 11 max bytes,
 * 12 cut-off ms, 13 message ('': none), 14 new epoch ('': the old one), 15 '*': a torn script may have come before (repair);
 * from 16: fields of meta to set (field, value …).
 */
import { CHANGE_LOG, CHECKS, DESCRIBE, GUARD, MARK, TELL } from './prelude.ts';

export const TRANSITION = `${CHECKS}${GUARD}${MARK}${CHANGE_LOG}${DESCRIBE}${TELL}
local meta, index, changes, lease, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local refused = wrongType(meta, 'hash', index, 'hash', changes, 'stream', lease, 'string', quarantine, 'hash')
if refused then return refused end
local m = redis.call('HMGET', meta, 'leader', 'tip', 'format', 'pending', 'bytes', 'oldestAt')
refused = guard(m, ARGV[15])
if refused then return refused end
local epoch, message, entry = ARGV[14], ARGV[13], '0-' .. ARGV[7]
if message ~= '' and epoch == '' then
  refused = logTaken(changes, entry)
  if refused then return refused end
end

refused = mark(meta, ARGV[4])
if refused then return refused end

local bytes, oldest = tonumber(m[5]) or 0, tonumber(m[6]) or 0
if epoch ~= '' then
  redis.call('DEL', changes)
  bytes, oldest = 0, 0
end
if message ~= '' then
  refused = append(changes, entry, message, ARGV[10])
  if refused then
    redis.call('HSET', meta, 'pending', m[4] or '')
    return refuse('PWSTREAM', refused.err)
  end
  if bytes == 0 then oldest = tonumber(ARGV[10]) end
  bytes, oldest = trim(changes, bytes + #message, oldest, tonumber(ARGV[11]), tonumber(ARGV[12]))
end
redis.call('SET', lease, ARGV[5], 'PX', ARGV[6])
local last = {'tip', ARGV[4], 'seq', ARGV[7], 'last', ARGV[8], 'bytes', whole(bytes), 'oldestAt', whole(oldest), 'pending', ''}
if epoch ~= '' then
  last[#last + 1] = 'epoch'
  last[#last + 1] = epoch
end
for i = 16, #ARGV do last[#last + 1] = ARGV[i] end
redis.call('HSET', meta, unpack(last))
if message ~= '' then tell(ARGV[9], message) end
return describe(meta, index, quarantine)
`;
