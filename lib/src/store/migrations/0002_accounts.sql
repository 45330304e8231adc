create table users (
    id text primary key,
    email text not null unique,
    -- PHC string: the algorithm and its parameters stand in it.
    password text not null,
    plan text not null,
    -- The anonymous caller that the browser was when it signed up.
    carried_from text,
    created_ms bigint not null,
    updated_ms bigint not null
);

-- Of a refresh token only the hash is kept: of the one that counts, and of the one before it.
create table sessions (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    token_hash text not null,
    previous_hash text,
    agent text not null,
    created_ms bigint not null,
    rotated_ms bigint not null,
    expires_ms bigint not null,
    ended_ms bigint
);
create index sessions_by_user on sessions (user_id, created_ms);
create index sessions_by_expiry on sessions (expires_ms);
create index sessions_by_end on sessions (ended_ms) where ended_ms is not null;

-- A revoked key is a row that is gone.
create table api_keys (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    name text not null,
    secret_hash text not null,
    created_ms bigint not null,
    used_ms bigint
);
create index api_keys_by_user on api_keys (user_id, created_ms);

-- Always empty. A transaction that must not go on for a session or key that has ended inserts here, which is refused.
create table credential_checks (
    passes bigint not null check (passes = 1)
);
