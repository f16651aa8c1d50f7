-- The end of an account, and a copy of what it holds.

-- Since when the account is being deleted: it is locked (is_active) from then on, and a job empties it.
alter table users add column deleting_since timestamptz;

-- Copies of what an account holds, made by a job, fetched by a link in a mail.
create table exports (
    id         uuid primary key,
    user_id    uuid not null references users on delete cascade,
    -- The object, once it is there.
    key        text,
    size       bigint,
    -- The object goes then, and so does an export that was never made.
    expires_at timestamptz not null default now() + interval '7 days',
    created_at timestamptz not null default now()
);
-- One at a time: it reads everything.
create unique index exports_under_way on exports (user_id) where key is null;
create index exports_user on exports (user_id);
create index exports_expires on exports (expires_at);
