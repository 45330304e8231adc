-- What Stripe said last about a user who has ever gone to Checkout. The plan is written to users.plan in the same
-- transaction.
create table billing_accounts (
    user_id text primary key references users (id) on delete cascade,
    customer_id text unique,
    -- The Checkout session that was opened last, and a digest of what it was opened with.
    session_id text,
    session_for text,
    -- Part of idempotency keys: goes up when the outcome under the old one is known.
    attempt bigint not null,
    -- Readings of Stripe that have begun, and the one whose result stands here: an earlier one never replaces it.
    ticket bigint not null,
    applied bigint not null,
    plan text not null,
    subscription_id text,
    status text,
    ends_ms bigint,
    read_ms bigint,
    -- When to read again: at once, as long as the limiter has not been told of the plan; else at next_check_ms, if no
    -- event comes until then.
    check_ms bigint,
    next_check_ms bigint
);
create index billing_accounts_by_check on billing_accounts (check_ms, user_id) where check_ms is not null;

-- Events that have had their effect. Stripe repeats an event for three days.
create table billing_events (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    kind text not null,
    created_ms bigint not null,
    taken_ms bigint not null
);
create index billing_events_by_user on billing_events (user_id);
create index billing_events_by_time on billing_events (taken_ms);
