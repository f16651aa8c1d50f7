-- Tables of the original design that the spine does not use yet; the issues that widen it add what they need.

create table lives (
    id              uuid primary key,
    user_id         uuid not null references users on delete cascade,
    title           text not null check (length(title) between 1 and 100),
    description     text not null default '',
    status          text not null default 'scheduled'
        check (status in ('scheduled', 'starting', 'live', 'reconnecting', 'ended', 'archived')),
    start_time      timestamptz,
    end_time        timestamptz,
    -- SHA-256 of the stream key: a leaked row must not publish.
    stream_key_hash bytea unique,
    viewer_count    integer not null default 0,
    chat_enabled    boolean not null default true,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
create index lives_user_status on lives (user_id, status);
create index lives_upcoming on lives (status, start_time) where status in ('live', 'scheduled');
create trigger lives_updated before update on lives for each row execute function touch_updated_at();

create table chat_messages (
    live_id       uuid not null references lives on delete cascade,
    seq           bigint not null,
    user_id       uuid references users on delete set null,
    client_msg_id uuid not null,
    body          text not null check (length(body) <= 500),
    deleted_at    timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (live_id, seq),
    unique (live_id, user_id, client_msg_id)
);
create trigger chat_messages_updated before update on chat_messages for each row execute function touch_updated_at();

create table payments (
    id         uuid primary key,
    user_id    uuid not null references users,
    item_type  text not null,
    item_id    uuid,
    -- Integer minor units and ISO 4217: money is never a float.
    amount     bigint not null check (amount >= 0),
    currency   char(3) not null,
    status     text not null default 'created',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create trigger payments_updated before update on payments for each row execute function touch_updated_at();

-- Swept by a scheduled job: a trigger on every write would delete on every write.
create table cache_data (
    key        text primary key,
    value      jsonb not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index cache_data_expired on cache_data (expires_at);
create trigger cache_data_updated before update on cache_data for each row execute function touch_updated_at();
