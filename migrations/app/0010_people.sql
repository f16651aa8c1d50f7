-- Second factor, profile and avatars.

-- An IANA name; null: that of the browser, which needs no setting to be right.
alter table users add column time_zone text check (length(time_zone) between 1 and 64);

-- What an authenticator application shares with us. A row that is not confirmed asks nothing at log-in: whoever closed
-- the page before the first code must not be locked out.
create table second_factors (
    user_id      uuid primary key references users on delete cascade,
    -- Encrypted (auth.sealing_key): unlike a password it has to be read again, and a leaked table must not make codes.
    secret       bytea not null,
    confirmed_at timestamptz,
    -- The last step (30 s) whose code was accepted. RFC 6238: a code is good once.
    last_step    bigint not null default 0,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);
create trigger second_factors_updated before update on second_factors for each row execute function touch_updated_at();

-- Ways in without the authenticator. 80 random bits each, so a plain SHA-256 is enough.
create table recovery_codes (
    user_id uuid not null references second_factors on delete cascade,
    hash    bytea not null,
    used_at timestamptz,
    primary key (user_id, hash)
);

-- Between the two steps of a log-in: the password was right. Unlogged: after a crash one begins again.
create unlogged table login_challenges (
    hash       bytea primary key,
    user_id    uuid not null,
    -- Wrong codes so far; a handful ends it.
    attempts   smallint not null default 0,
    expires_at timestamptz not null
);
-- The sweep's.
create index login_challenges_expires on login_challenges (expires_at);

-- Pictures of people on their way: the browser puts `avatars/{id}/source`, a job makes 64.jpg and 256.jpg beside it.
-- The one that is shown is users.avatar, which holds the folder.
create table avatars (
    id           uuid primary key,
    user_id      uuid not null references users on delete cascade,
    status       text not null default 'pending' check (status in ('pending', 'processing', 'ready', 'failed')),
    content_type text not null,
    size         bigint not null check (size > 0),
    -- Why it failed: picture_unreadable, picture_too_large.
    error_code   text,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);
-- One's own, and those that were left.
create index avatars_user on avatars (user_id);
create index avatars_left on avatars (created_at) where status <> 'ready';
create trigger avatars_updated before update on avatars for each row execute function touch_updated_at();

-- Devices of one person, the last seen first.
drop index sessions_user;
create index sessions_user on sessions (user_id, updated_at desc);
