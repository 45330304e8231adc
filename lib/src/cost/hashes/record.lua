-- Adds one call to the hashes of its day and its caller, once per call.
--
-- KEYS     the call's marker, the day's hash, the caller's hash
-- ARGV[1]  ms that the marker lives   ARGV[2] ms that the day's hash lives   ARGV[3] the caller's, from now on
-- ARGV[4]  onwards: field, amount. All are added up but slowest_ms, of which the largest stays.
-- Answer: 1, or 0 where the call was recorded before.
--
-- Read at once and written at once, because Upstash bills every command: HINCRBY would be ten a hash.

-- Lua writes 1e+15 for large numbers; this does not.
local function text(number)
  return string.format('%.0f', number)
end

if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then
  return 0
end

for place = 2, 3 do
  local read = { 'HMGET', KEYS[place] }
  for i = 4, #ARGV, 2 do
    read[#read + 1] = ARGV[i]
  end
  local before = redis.call(unpack(read))
  local write = { 'HSET', KEYS[place] }
  for i = 4, #ARGV, 2 do
    local field, amount = ARGV[i], tonumber(ARGV[i + 1])
    local old = tonumber(before[i / 2 - 1] or 0)
    local new = field == 'slowest_ms' and math.max(old, amount) or old + amount
    write[#write + 1] = field
    write[#write + 1] = text(new)
    if field == 'cost_nanousd' then
      local dollars = math.floor(new / 1000000000)
      write[#write + 1] = 'cost_usd'
      write[#write + 1] = text(dollars) .. '.' .. string.format('%09.0f', new - dollars * 1000000000)
    end
  end
  redis.call(unpack(write))
  redis.call('PEXPIRE', KEYS[place], ARGV[place])
end
return 1
