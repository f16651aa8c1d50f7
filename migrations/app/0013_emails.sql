-- Mail that people get: one row per idempotency key and recipient, written in the transaction that makes the mail true.
-- The row says whether the mail went out; the job only carries its id and what it is about, never a text or a secret.
create table emails (
    id         uuid primary key,
    -- What the mail is about, such as video_ready:{video}:{generation}: said twice, it is one mail.
    key        text not null check (length(key) between 1 and 200),
    -- Kept as they were then: an account may be gone, or have another address, when its last mail is sent.
    recipient  citext not null check (length(recipient) <= 254),
    name       text not null,
    language   text not null check (language in ('zh-TW', 'en')),
    user_id    uuid references users on delete set null,
    -- The kind of message, for people who look: video_ready, reset_password.
    message    text not null,
    -- queued: not given to a server yet, or refused for now.
    -- sending: a run is giving it to a server. Committed before the first byte of the message, so that a run that finds
    --   it knows that another one may have succeeded: it does not send again, and says unknown.
    -- sent: the server has taken it.  failed: the server will not have it.
    -- unknown: the connection or the worker was lost in between; nobody can tell.
    -- dropped: nobody wants it any more (preference, deleted video), or mail is not set up.
    state      text not null default 'queued'
        check (state in ('queued', 'sending', 'sent', 'failed', 'unknown', 'dropped')),
    -- What the server answered last, or why it was dropped.
    answer     text,
    -- The run that gives it to a server.
    run_no     integer,
    sent_at    timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint emails_key_recipient unique (key, recipient)
);
-- For the deletion of an account, and its export.
create index emails_user on emails (user_id) where user_id is not null;
-- For the sweep.
create index emails_created on emails (created_at);
create trigger emails_updated before update on emails for each row execute function touch_updated_at();

-- What a person wants to be told of, and how. No row: the defaults of the kind, which stand in the code, so that a new
-- kind needs no rows.
create table notification_preferences (
    user_id    uuid not null references users on delete cascade,
    kind       text not null check (length(kind) <= 50),
    web        boolean not null,
    email      boolean not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (user_id, kind)
);
create trigger notification_preferences_updated before update on notification_preferences
    for each row execute function touch_updated_at();
