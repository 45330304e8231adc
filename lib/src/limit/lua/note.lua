-- Notes something about an identity, for a while.
--
-- KEYS[1]  the note   ARGV[1] its value   ARGV[2] ms it lives
-- ARGV[3]  'later' where the value is a time, and an earlier one must not replace a later one; else empty
-- Answer: 1.

local known = redis.call('GET', KEYS[1])
if ARGV[3] == 'later' and known and tonumber(known) >= tonumber(ARGV[1]) then
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
