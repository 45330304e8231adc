-- A piece of a recording at its place. KEYS: text, state. ARGV: at, piece, state, ttl_ms.
-- Gives how much is there now: less than `at` where Redis has lost the text, and then nothing is written.
local length = redis.call('STRLEN', KEYS[1])
local at = tonumber(ARGV[1])
if length < at then
  return length
end
if #ARGV[2] > 0 then
  redis.call('SETRANGE', KEYS[1], at, ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return at + #ARGV[2]
