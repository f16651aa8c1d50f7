-- Links that are sent by mail, and invitations.

-- When the person last proved that the address is theirs; null: never.
alter table users add column email_verified_at timestamptz;

-- A single-use link. The token is made while the mail is written, in the transaction that also says that the mail is
-- being sent: no job's arguments hold it, and a link that nobody got is none.
create table account_links (
    -- SHA-256 of the token: a leaked table opens nothing.
    hash       bytea primary key,
    user_id    uuid not null references users on delete cascade,
    purpose    text not null check (purpose in ('verify_email', 'change_email', 'reset_password', 'export')),
    -- Where the mail went: what using the link proves, and for change_email the new address.
    email      citext not null check (length(email) <= 254),
    expires_at timestamptz not null,
    used_at    timestamptz,
    created_at timestamptz not null default now()
);
-- Using one ends the others of its purpose.
create index account_links_user on account_links (user_id, purpose);
-- The sweep's.
create index account_links_expires on account_links (expires_at);

-- Invitations by staff, where registration is by invitation only.
create table invites (
    id         uuid primary key,
    hash       bytea not null unique,
    -- For whom, in the words of whoever made it.
    note       text not null default '' check (length(note) <= 200),
    created_by uuid references users on delete set null,
    expires_at timestamptz not null,
    used_at    timestamptz,
    -- Who came by it; null with used_at: whose account is gone.
    used_by    uuid references users on delete set null,
    created_at timestamptz not null default now()
);
-- The foreign keys', for deletions of accounts.
create index invites_created_by on invites (created_by);
create index invites_used_by on invites (used_by);
