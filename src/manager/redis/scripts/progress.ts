/**
 * Writes how far an operator's request is (L6). A request that is done or failed leaves the stream; of the operations the latest stay.
 *
 * KEYS 1 meta, 2 requests, 3 operations. ARGV 1 token, 2 id, 3 the operation as JSON, 4 '1': answered for good, 5 how many stay.
 */
import { CHECKS } from './prelude.ts';

export const PROGRESS = `${CHECKS}
local meta, requests, operations = KEYS[1], KEYS[2], KEYS[3]
local refused = wrongType(meta, 'hash', requests, 'stream', operations, 'hash')
if refused then return refused end
if redis.call('HGET', meta, 'leader') ~= ARGV[1] then return refuse('PWLEADER', 'another leader holds the section') end

local reply = redis.pcall('HSET', operations, ARGV[2], ARGV[3])
if type(reply) == 'table' and reply.err then return reply end
if ARGV[4] == '1' then
  for _, entry in ipairs(redis.call('XRANGE', requests, '-', '+')) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'id' and entry[2][i + 1] == ARGV[2] then redis.call('XDEL', requests, entry[1]) end
    end
  end
end

local keep = tonumber(ARGV[5])
if redis.call('HLEN', operations) > keep then
  local all, list = redis.call('HGETALL', operations), {}
  for i = 1, #all, 2 do
    local ok, operation = pcall(cjson.decode, all[i + 1])
    list[#list + 1] = {all[i], ok and type(operation) == 'table' and tonumber(operation.atMs) or 0}
  end
  table.sort(list, function(a, b) return a[2] > b[2] end)
  for i = keep + 1, #list do redis.call('HDEL', operations, list[i][1]) end
end
return 1
`;
