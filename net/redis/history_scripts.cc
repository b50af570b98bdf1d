// What changes a history in the server. A script runs alone and as a whole: it reads everything
// first, and what may refuse it (memory, a disk, another type of key) does so at its first write.
// A user may lack a command, which shows only where it comes: so a commit's first write changes
// nothing, its entry is the next, and what its user may lack behind that may fail: the commit
// stands.
//
// Of the keys at most two go with each that comes, so that nobody waits for many.
#include "net/redis/stored_history.h"

namespace tocsin::net {
namespace {

// Lua turns a number of 15 digits into 1.2e+14, so numbers become text by %.0f.
constexpr std::string_view kOpen = R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local function text(n) return string.format('%.0f', n) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local h = redis.call('HMGET', KEYS[1], 'e', 'g', 's', 'older', 'id', 'b', 'v', 'f')
if h[7] and h[7] ~= '1' then return redis.error_reply('FORM ' .. h[7]) end
local top = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local top_g, top_s = 0, 0
if top then
  top_g, top_s = string.match(top[1], '(%d+)-(%d+)')
  top_g, top_s = tonumber(top_g), tonumber(top_s)
end
local f = h[8] or '0'
-- The caller was told of events that are gone: their numbers are not to be given again.
local went_back = h[1] == ARGV[2] and h[2] == ARGV[3] and tonumber(ARGV[4]) > tonumber(h[3])
if h[1] and h[5] == id and not went_back and
   (top_g < tonumber(h[2]) or (top_g == tonumber(h[2]) and top_s <= tonumber(h[3]))) then
  return {h[1], h[2], h[3], h[4], h[6], text(now), f}
end
local known = {e = ARGV[2], g = tonumber(ARGV[3]), s = tonumber(ARGV[4]), older = ARGV[5]}
local g, s, older, b = math.max(now, top_g + 1), top_s, '', h[6] or '0'
if h[1] then
  g = math.max(g, h[2] + 1)
  s = tonumber(h[3])
  -- A commit whose head was not written.
  local n = top and top[2][1] == 'n' and tonumber(top[2][2])
  if n and n > 0 and top_g == tonumber(h[2]) and top_s == s + n then s = top_s end
  older = h[4] .. h[1] .. ':' .. h[2] .. ':' .. text(s) .. ','
else
  if known.e ~= '' then
    g = math.max(g, known.g + 1)
    if not top then s = known.s end
    -- The log's newest entry is of the caller's epoch: so the head was, too.
    if not top or known.g == top_g then
      older = known.older .. known.e .. ':' .. ARGV[3] .. ':' .. text(s) .. ','
    end
  end
end
f = math.min(f, s)
local _, count = string.gsub(older, ',', '')
for _ = 64, count do older = string.gsub(older, '^[^,]*,', '', 1) end
redis.call('XADD', KEYS[2], text(g) .. '-' .. text(s), 'open', ARGV[1])
redis.call('HSET', KEYS[1], 'v', '1', 'e', ARGV[1], 'g', text(g), 's', text(s), 'older', older,
           'id', id, 'b', b, 'f', text(f))
return {ARGV[1], text(g), text(s), older, b, text(now), text(f)}
)lua";

constexpr std::string_view kPublish = R"lua(
if redis.replicate_commands then redis.replicate_commands() end
local function text(n) return string.format('%.0f', n) end
local h = redis.call('HMGET', KEYS[1], 'e', 'g', 's', 'id', 'b', 'mb', 'mt', 'f')
local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if h[1] ~= ARGV[1] or h[4] ~= id then return redis.error_reply('EPOCH is another') end
local p = redis.call('HMGET', KEYS[3], 'n', 's')
local n = tonumber(p[1] or 0)
local number = tonumber(ARGV[2])
local known, wanted
if KEYS[5] then
  local k = redis.call('HMGET', KEYS[5], ARGV[10] .. '/' .. ARGV[11], ARGV[10])
  redis.call('ZCARD', KEYS[6])
  wanted = tonumber(ARGV[11])
  local following = tonumber(k[2] or 0) + 1
  if k[1] then
    local content, epoch, first, last = string.match(k[1], '^(%x+) (%d+) (%d+) (%d+)$')
    known = content == ARGV[12] and {'repeated', epoch, first, last} or {'differs'}
  elseif wanted > 0 and wanted ~= following then
    known = {wanted < following and 'forgotten' or 'hole', text(following)}
  end
  if number <= n then return known or {'unknown'} end
end
if number == n then return p[2] end
if number ~= n + 1 then return redis.error_reply('NUMBER ' .. text(n)) end
if known then
  redis.call('HSET', KEYS[3], 'n', ARGV[2])
  redis.pcall('PEXPIRE', KEYS[3], ARGV[6])
  return known
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local s = text(h[3] + ARGV[3])
local b = (h[5] or 0) + #ARGV[4]
local entry = h[2] .. '-' .. s
redis.call('HSET', KEYS[1], 'b', h[5] or '0')
redis.call('XADD', KEYS[2], entry, 'n', ARGV[3], 'p', ARGV[5], 'k', ARGV[2], 't', text(now),
           'd', ARGV[4])
redis.call('HSET', KEYS[1], 's', s, 'b', text(b))
redis.call('HSET', KEYS[3], 'n', ARGV[2], 's', s)
redis.pcall('PEXPIRE', KEYS[3], ARGV[6])
if KEYS[5] then
  local one = ARGV[10] .. '/' .. ARGV[11]
  local place = h[1] .. ' ' .. text(h[3] + 1) .. ' ' .. s
  redis.call('HSET', KEYS[5], one, ARGV[12] .. ' ' .. place)
  if wanted > 0 then redis.call('HSET', KEYS[5], ARGV[10], ARGV[11]) end
  redis.pcall('ZADD', KEYS[6], text(now), one)
  redis.pcall('PEXPIRE', KEYS[5], ARGV[13])
  redis.pcall('PEXPIRE', KEYS[6], ARGV[13])
  pcall(function()
    local function forget(one)
      redis.call('HDEL', KEYS[5], one)
      redis.call('ZREM', KEYS[6], one)
    end
    if wanted > tonumber(ARGV[14]) then forget(ARGV[10] .. '/' .. text(wanted - ARGV[14])) end
    for _ = 1, 2 do
      local oldest = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
      local old = oldest[2] + ARGV[13] < now
      if not old and redis.call('ZCARD', KEYS[6]) <= tonumber(ARGV[15]) then break end
      local key, last = string.match(oldest[1], '^(%x+)/(%d+)$')
      if redis.call('HGET', KEYS[5], key) == last then redis.call('HDEL', KEYS[5], key) end
      forget(oldest[1])
    end
  end)
end
local most, age, step = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local marked_b, marked_t = tonumber(h[6] or 0), tonumber(h[7] or 0)
if b - marked_b < step and (age == 0 or now - marked_t < age / 64) then return s end
pcall(function()
  redis.call('HSET', KEYS[1], 'mb', text(b), 'mt', text(now))
  redis.call('RPUSH', KEYS[4], entry .. ' ' .. text(b) .. ' ' .. text(now))
  local first
  repeat
    local mark = redis.call('LINDEX', KEYS[4], 0)
    local at, mb, mt = string.match(mark, '^(%S+) (%d+) (%d+)$')
    local old = (most > 0 and mb + most < b) or (age > 0 and mt + age < now)
    if old then
      first = at
      redis.call('LPOP', KEYS[4])
    end
  until not old
  if first then
    local first_s = tonumber(string.match(first, '-(%d+)$'))
    redis.call('HSET', KEYS[1], 'f', text(math.max(first_s, h[8] or 0)))
    redis.call('XTRIM', KEYS[2], 'MINID', '~', first, 'LIMIT', 0)
  end
end)
return s
)lua";

constexpr std::string_view kDrop = R"lua(
local h = redis.call('HMGET', KEYS[1], 'e', 'f')
if h[1] == ARGV[1] and tonumber(ARGV[2]) > tonumber(h[2] or 0) then
  redis.call('HSET', KEYS[1], 'f', ARGV[2])
end)lua";

constexpr std::string_view kWrite = R"lua(
if redis.call('PEXPIRE', KEYS[1], 86400000) == 0 then
  redis.call('HSET', KEYS[1], 'w', 1)
  redis.call('PEXPIRE', KEYS[1], 86400000)
end)lua";

}  // namespace

std::string_view open_script() {
  return kOpen;
}

std::string_view publish_script() {
  return kPublish;
}

std::string_view drop_script() {
  return kDrop;
}

std::string_view write_script() {
  return kWrite;
}

}  // namespace tocsin::net
