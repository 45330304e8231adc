create table conversations (
    owner text not null,
    id text not null,
    title text not null,
    created_ms bigint not null,
    updated_ms bigint not null,
    primary key (owner, id)
);
create index conversations_by_update on conversations (owner, updated_ms, id);

-- Messages that an edit or a new attempt has replaced stay, with the call that replaced them.
create table messages (
    id text primary key,
    owner text not null,
    conversation_id text not null,
    position bigint not null,
    role text not null,
    content text not null,
    client_id text,
    call_id text not null,
    superseded_by text,
    created_ms bigint not null,
    foreign key (owner, conversation_id) references conversations (owner, id) on delete cascade
);
create unique index messages_by_position on messages (owner, conversation_id, position);
create unique index messages_by_client_id on messages (owner, conversation_id, client_id)
    where superseded_by is null and client_id is not null;

-- The ledger: one row a call, reserved before Claude hears of it, settled once and for ever. It has no foreign
-- keys: it outlives conversations and accounts. Corrections are rows of their own.
create table calls (
    id text primary key,
    owner text not null,
    plan text not null,
    route text not null,
    conversation_id text,
    state text not null,
    outcome text,
    source text,
    price_version text not null,
    model_requested text not null,
    model text not null,
    input_tokens bigint not null,
    cache_write_5m_tokens bigint not null,
    cache_write_1h_tokens bigint not null,
    cache_read_tokens bigint not null,
    output_tokens bigint not null,
    web_search_requests bigint not null,
    web_fetch_requests bigint not null,
    speed text,
    inference_geo text,
    service_tier text,
    ceiling_nanousd bigint not null,
    cost_nanousd bigint,
    hold text not null,
    stop_reason text,
    error_code text,
    upstream_request_id text,
    is_client_gone bigint not null,
    created_ms bigint not null,
    first_byte_ms bigint,
    settled_ms bigint,
    corrects text
);
create index calls_by_owner on calls (owner, created_ms);
create index calls_by_time on calls (created_ms);
create index calls_reserved on calls (created_ms) where state = 'reserved';
