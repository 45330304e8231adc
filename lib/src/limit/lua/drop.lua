-- Forgets accounts, so that they have to be opened from the ledger. A new epoch says so.
--
-- KEYS  the epoch, then the policies' keys   ARGV[2] onwards the policies
-- Answer: the new epoch.

local now = now_ms()
redis.call('SET', KEYS[1], text(now), 'PX', '3456000000')
for _, policy in ipairs(policies(2, 2)) do
  redis.call('DEL', policy.entries, policy.account)
end
return now
