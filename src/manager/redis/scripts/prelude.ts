/**
 * Lua that several scripts share, put in front of each. Refusals are error replies with a prefix of ours (PW…); errors.ts maps them. A
 * script refuses before its first write only, so that a refusal means: nothing was written.
 */
import type { SectionKeys } from '../../../wire/keys.ts';

/** How a script publishes: SPUBLISH where the server is a node of a cluster that has it. `meta` says it, for subscribers. */
export type Publish = 'PUBLISH' | 'SPUBLISH';

/** The script as one server gets it. */
export function publishing(script: string, publish: Publish): string {
  return `local PUBLISH = '${publish}'\n${script}`;
}

/** `refuse`, `wrongType`: nothing of a section's keys may be of a foreign type, since a write to it would fail half-way (C5). */
export const CHECKS = `
local function refuse(code, detail)
  return {err = code .. ' ' .. detail}
end
local function wrongType(...)
  local list = {...}
  for i = 1, #list, 2 do
    local reply = redis.pcall('TYPE', list[i])
    if reply.err then return reply end
    if reply.ok ~= 'none' and reply.ok ~= list[i + 1] then
      return refuse('PWTYPE', list[i] .. ' is a ' .. reply.ok .. ', not a ' .. list[i + 1])
    end
  end
end
`;

/**
 * `guard`: leader token, format, pending marker and tip (C1, C3, C5), in this order. Wants ARGV[1] token, ARGV[2] tip, ARGV[3] format, and
 * the four meta fields leader, tip, format, pending. With `allowed` '*' a torn script may have come before.
 */
export const GUARD = `
local function guard(m, allowed)
  if not m[1] or m[1] ~= ARGV[1] then return refuse('PWLEADER', 'another leader holds the section') end
  if (tonumber(m[3]) or 0) > tonumber(ARGV[3]) then return refuse('PWFORMAT', m[3]) end
  if m[4] and m[4] ~= '' and (allowed ~= '*' or m[4] == 'purge') then return refuse('PWPENDING', m[4]) end
  if m[2] ~= ARGV[2] then return refuse('PWTIP', 'the tip is ' .. tostring(m[2])) end
end
`;

/** `mark`: the first write (C5). What Redis refuses for the moment (OOM, READONLY, …) it refuses here, and nothing is written. */
export const MARK = `
local function mark(key, marker)
  local reply = redis.pcall('HSET', key, 'pending', marker)
  if type(reply) == 'table' and reply.err then return reply end
end
`;

/**
 * `append` and `trim`: the change log. An entry's id is 0-<seq>; its fields are message and time (ms). Oldest entries go when the running
 * bytes pass the limit or the entry is older than the cut-off; the newest always stays.
 */
export const CHANGE_LOG = `
local function logTaken(key, id)
  local reply = redis.pcall('XREVRANGE', key, '+', id, 'COUNT', 1)
  if reply.err then return reply end
  if #reply > 0 then return refuse('PWSTREAM', 'the change log already has ' .. reply[1][1]) end
end
local function append(key, id, message, now)
  local reply = redis.pcall('XADD', key, id, 'message', message, 'time', now)
  if type(reply) == 'table' and reply.err then return reply end
end
local function trim(key, bytes, oldest, maxBytes, cutoff)
  if bytes <= maxBytes and oldest >= cutoff then return bytes, oldest end
  while true do
    local entries = redis.call('XRANGE', key, '-', '+', 'COUNT', 2)
    local first = entries[1]
    if not first then return 0, 0 end
    local size = #first[2][2]
    local time = tonumber(first[2][4]) or 0
    if #entries < 2 then return size, time end
    if bytes <= maxBytes and time >= cutoff then return bytes, time end
    redis.call('XTRIM', key, 'MINID', entries[2][1])
    bytes = bytes - size
  end
end
local function whole(n)
  return string.format('%.0f', n)
end
`;

/** `describe`: what meta.ts parses: the fields of meta, the length of the index, the length of the quarantine. */
export const DESCRIBE = `
local function describe(meta, index, quarantine)
  return {redis.call('HGETALL', meta), redis.call('HLEN', index), redis.call('HLEN', quarantine)}
end
`;

/**
 * What `tell` publishes on: two channels, divided by a space, where keys are told without bodies too. On the second goes `keys`, or, where it is
 * left out, the message itself. `tellsKeys`: what meta says of it.
 */
export function channelsOf(keys: Pick<SectionKeys, 'channel' | 'keysChannel'>, invalidations: boolean): string {
  return invalidations ? `${keys.channel} ${keys.keysChannel}` : keys.channel;
}

/** `tell` and `tellsKeys`: see `channelsOf`. */
export const TELL = `
local function channelsOf(channels)
  return string.match(channels, '^(%S+) ?(%S*)$')
end
local function tellsKeys(channels)
  local _, second = channelsOf(channels)
  return second == '' and '' or '1'
end
local function tell(channels, message, keys)
  local first, second = channelsOf(channels)
  redis.call(PUBLISH, first, message)
  if second ~= '' then redis.call(PUBLISH, second, keys or message) end
end
`;
