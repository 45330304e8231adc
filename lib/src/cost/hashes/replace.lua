-- Puts a hash in the place of what was there.
--
-- KEYS[1]  the hash   ARGV[1] ms that it lives   ARGV[2] onwards field, number
-- Answer: 1.

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
