-- What the accounts say. Writes nothing.
--
-- KEYS  the epoch, then the policies' keys   ARGV[2] onwards the policies
-- Answer, per policy: 1 open, 0 untouched, -1 lost; settled; held.

local now = now_ms()
local began = epoch(now, false)
local answer = {}
for _, policy in ipairs(policies(2, 2)) do
  read(policy, now)
  local is_lost = not policy.is_open and policy.start < began
  answer[#answer + 1] = is_lost and -1 or policy.is_open and 1 or 0
  answer[#answer + 1] = policy.used - policy.held
  answer[#answer + 1] = policy.held
end
return answer
