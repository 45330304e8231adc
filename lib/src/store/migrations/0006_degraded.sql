-- Until when the limiter did not know of a call, by its own clock; null for the calls that it admitted, the largest
-- number but one while it does not know. 0 where the call is in no budget, so that it does not matter.
alter table calls add column degraded_until_ms bigint;
create index calls_degraded on calls (degraded_until_ms) where degraded_until_ms is not null;

-- Always empty: a statement that would put a null here says that a budget has no room, and undoes its transaction.
create table budget_checks (fits bigint not null);
