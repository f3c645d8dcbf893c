/**
 * publish and store: one batch of rows, whole or not at all.
 *
 * KEYS 1 meta, 2 index, 3 changes, 4 lease, 5 quarantine, then the document keys to set, then the document keys to delete.
 * ARGV 1 token, 2 expected tip, 3 format, 4 new tip, 5 manager id, 6 lease ms, 7 expected checkpoint, 8 expected upTo, 9 digest delta,
 * 10 new seq, 11 id of the message, 12 channels, 13 now ms, 14 max bytes of the log, 15 cut-off ms of the log, 16 message ('': store),
 * then the counts 17 values of advance, 18 guarded rows, 19 index values, 20 index removals, 21 documents to set, 22 documents to delete,
 * 23 quarantine values, 24 quarantine removals; from 25: advance (field, value …), guarded identities, their expected index entries ('': absent),
 * index (identity, entry …), identities to remove, documents in the order of KEYS, quarantine (identity, entry …), identities to take out of it;
 * last: the message without bodies.
 *
 * A row enters the quarantine before its document goes, and leaves it after its document came: at no moment it is in neither.
 *
 * The digest delta is the exclusive or of what goes and what comes, computed by the client.
 */
import { CHANGE_LOG, CHECKS, GUARD, MARK, TELL } from './prelude.ts';

export const BATCH = `${CHECKS}${GUARD}${MARK}${CHANGE_LOG}${TELL}
local meta, index, changes, lease, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local CHUNK = 4000

local refused = wrongType(meta, 'hash', index, 'hash', changes, 'stream', lease, 'string', quarantine, 'hash')
if refused then return refused end
local m = redis.call('HMGET', meta, 'leader', 'tip', 'format', 'pending', 'checkpoint', 'upTo', 'digest', 'bytes', 'oldestAt')
refused = guard(m)
if refused then return refused end
if m[5] ~= ARGV[7] or m[6] ~= ARGV[8] then
  return refuse('PWPOSITION', 'the stored checkpoint is ' .. tostring(m[5]) .. ', upTo ' .. tostring(m[6]))
end

local nAdvance, nGuard, nIndex = tonumber(ARGV[17]), tonumber(ARGV[18]), tonumber(ARGV[19])
local nGone, nSet, nDelete = tonumber(ARGV[20]), tonumber(ARGV[21]), tonumber(ARGV[22])
local nAside, nBack = tonumber(ARGV[23]), tonumber(ARGV[24])
local advanceAt = 25
local guardAt = advanceAt + nAdvance
local expectedAt = guardAt + nGuard
local indexAt = expectedAt + nGuard
local goneAt = indexAt + nIndex
local documentsAt = goneAt + nGone
local asideAt = documentsAt + nSet
local backAt = asideAt + nAside

local different = 0
for at = 0, nGuard - 1, CHUNK do
  local size = math.min(CHUNK, nGuard - at)
  local stored = redis.call('HMGET', index, unpack(ARGV, guardAt + at, guardAt + at + size - 1))
  for i = 1, size do
    if (stored[i] or '') ~= ARGV[expectedAt + at + i - 1] then different = different + 1 end
  end
end
if different > 0 then return refuse('PWBASE', tostring(different)) end

local message, entry = ARGV[16], '0-' .. ARGV[10]
if message ~= '' then
  refused = logTaken(changes, entry)
  if refused then return refused end
end

refused = mark(meta, ARGV[4])
if refused then return refused end

local bytes, oldest = tonumber(m[8]) or 0, tonumber(m[9]) or 0
if message ~= '' then
  refused = append(changes, entry, message, ARGV[13])
  if refused then
    redis.call('HSET', meta, 'pending', '')
    return refuse('PWSTREAM', refused.err)
  end
  if bytes == 0 then oldest = tonumber(ARGV[13]) end
  bytes, oldest = trim(changes, bytes + #message, oldest, tonumber(ARGV[14]), tonumber(ARGV[15]))
end

for at = 0, nAside - 1, CHUNK do
  redis.call('HSET', quarantine, unpack(ARGV, asideAt + at, asideAt + math.min(at + CHUNK, nAside) - 1))
end
local deleteAt = 6 + nSet
for at = 0, nDelete - 1, CHUNK do
  redis.call('UNLINK', unpack(KEYS, deleteAt + at, deleteAt + math.min(at + CHUNK, nDelete) - 1))
end
for at = 0, nGone - 1, CHUNK do
  redis.call('HDEL', index, unpack(ARGV, goneAt + at, goneAt + math.min(at + CHUNK, nGone) - 1))
end
for at = 0, nIndex - 1, CHUNK do
  redis.call('HSET', index, unpack(ARGV, indexAt + at, indexAt + math.min(at + CHUNK, nIndex) - 1))
end
for at = 0, nSet - 1, CHUNK / 2 do
  local pairs, n = {}, 0
  for i = at, math.min(at + CHUNK / 2, nSet) - 1 do
    pairs[n + 1], pairs[n + 2] = KEYS[6 + i], ARGV[documentsAt + i]
    n = n + 2
  end
  redis.call('MSET', unpack(pairs, 1, n))
end
for at = 0, nBack - 1, CHUNK do
  redis.call('HDEL', quarantine, unpack(ARGV, backAt + at, backAt + math.min(at + CHUNK, nBack) - 1))
end

local function half(text, from)
  return tonumber(string.sub(text, from, from + 7), 16) or 0
end
local digest = m[7] or ''
digest = bit.tohex(bit.bxor(half(digest, 1), half(ARGV[9], 1))) .. bit.tohex(bit.bxor(half(digest, 9), half(ARGV[9], 9)))

redis.call('SET', lease, ARGV[5], 'PX', ARGV[6])
local last = {'digest', digest, 'tip', ARGV[4], 'pending', ''}
if message ~= '' then
  last[7], last[8], last[9], last[10] = 'seq', ARGV[10], 'last', ARGV[11]
  last[11], last[12], last[13], last[14] = 'bytes', whole(bytes), 'oldestAt', whole(oldest)
end
local n = #last
for i = 0, nAdvance - 1 do last[n + 1 + i] = ARGV[advanceAt + i] end
redis.call('HSET', meta, unpack(last))
if message ~= '' then tell(ARGV[12], message, ARGV[#ARGV]) end
return 1
`;
