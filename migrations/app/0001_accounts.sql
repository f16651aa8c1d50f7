-- Accounts. Names and columns of the original design are kept; see README.md for what replaces what.
create extension if not exists citext;
create extension if not exists pg_trgm;

create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end $$;

create table users (
    id         uuid primary key,
    -- Without regard to case: Ann and ann must not be two people.
    username   citext not null constraint users_username_key unique check (length(username) between 3 and 50),
    email      citext not null constraint users_email_key unique check (length(email) <= 254),
    -- The Argon2id hash in PHC form, never the password.
    password   text not null,
    avatar     text,
    bio        text not null default '' check (length(bio) <= 2000),
    role       text not null default 'user' check (role in ('user', 'auditor', 'operator', 'admin')),
    language   text not null default 'zh-TW' check (language in ('zh-TW', 'en')),
    is_active  boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create trigger users_updated before update on users for each row execute function touch_updated_at();

-- A log-in on one device: the family of refresh tokens that follow from it. Revoking the family signs it out.
create table sessions (
    id          uuid primary key,
    user_id     uuid not null references users on delete cascade,
    user_agent  text not null default '',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    revoked_at  timestamptz,
    -- signed_out, reuse, deactivated
    revoked_for text
);
create index sessions_user on sessions (user_id);
create trigger sessions_updated before update on sessions for each row execute function touch_updated_at();

create table refresh_tokens (
    -- SHA-256 of the token: a leaked table signs nobody in.
    hash       bytea primary key,
    session_id uuid not null references sessions on delete cascade,
    created_at timestamptz not null default now(),
    -- Set when it was exchanged. It is honoured for 30 s more (lost answers, two tabs); later use is theft.
    rotated_at timestamptz
);
create index refresh_tokens_session on refresh_tokens (session_id);

-- Token buckets: log-in attempts per account and per address. Unlogged: a crash forgives, it does not lock out.
create unlogged table throttles (
    key        text primary key,
    tokens     double precision not null,
    updated_at timestamptz not null default now()
) with (fillfactor = 70);

-- Single-use tickets that open a WebSocket, 30 s each. Unlogged: after a crash a client asks for another.
create unlogged table ws_tickets (
    hash       bytea primary key,
    user_id    uuid not null,
    session_id uuid not null,
    expires_at timestamptz not null,
    -- The end of the access token that bought the ticket; the socket ends then unless it is extended.
    session_until timestamptz not null
);
