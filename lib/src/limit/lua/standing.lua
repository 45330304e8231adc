-- How long to wait, and what is left. Stands behind policies.lua.

-- The wait until `need` more is free if nothing else happens: -1 is never.
local function wait_for(policy, need, now)
  -- When so much of a budget's live holds has expired. Counted from the end that is nearer: one hold is mostly enough,
  -- or, of a budget that is far above its limit, all but a few.
  local function freed_at()
    local from_top = 2 * need > policy.held
    local command = from_top and 'ZREVRANGE' or 'ZRANGE'
    local bound = from_top and policy.held - need or need - 1
    local rank = from_top and 0 or redis.call('ZCOUNT', policy.entries, '-inf', text(now))
    local passed, page = 0, 1
    while true do
      local found = redis.call(command, policy.entries, text(rank), text(rank + page - 1), 'WITHSCORES')
      if #found == 0 then
        return policy.span
      end
      for i = 1, #found, 2 do
        passed = passed + amount_of(found[i])
        if passed > bound then
          return tonumber(found[i + 1])
        end
      end
      rank, page = rank + page, 100
    end
  end

  local at = nil
  if policy.kind == 'budget' then
    at = need <= policy.held and math.min(policy.span, freed_at()) or policy.span
  else
    local live = { policy.entries, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', text(need - 1), '1' }
    at = tonumber(redis.call('ZRANGEBYSCORE', unpack(live))[2])
  end
  return at and math.max(at - now, 1) or -1
end

-- Adds what is left and the wait until there is more to the answer: for a budget, until its next period.
local function add_standing(answer, policy, now)
  local limit, used, reset = policy.limit, policy.used, -1
  if limit > 0 and used > 0 then
    local at = policy.kind == 'budget' and policy.span or used <= limit and policy.frees
    reset = at and math.max(at - now, 1) or wait_for(policy, math.max(used - limit, 0) + 1, now)
  end
  local count = #answer
  answer[count + 1], answer[count + 2] = math.max(limit - used, 0), reset
end
