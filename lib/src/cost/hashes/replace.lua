-- Puts a hash in the place of what was there, unless it has counted another call meanwhile.
--
-- KEYS[1]  the hash   ARGV[1] ms that it lives   ARGV[2] how many calls it had counted   ARGV[3] onwards field, number
-- Answer: 1, or 0 where it has.

if tonumber(redis.call('HGET', KEYS[1], 'requests') or 0) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
