-- What people are told of in the web application.
create table notifications (
    -- UUIDv7: sorts by time, so one index serves the list and its cursor.
    id         uuid primary key,
    user_id    uuid not null references users on delete cascade,
    kind       text not null check (length(kind) <= 50),
    -- What makes it this news and no other, such as published:{video}: said twice, it is told once.
    key        text not null check (length(key) between 1 and 200),
    -- What it is about. No foreign keys: 100,000 followers may have been told of one video, and whoever deletes it must not
    -- wait for their rows. The list shows what is still there.
    actor_id   uuid,
    video_id   uuid,
    comment_id uuid,
    read_at    timestamptz,
    created_at timestamptz not null default now(),
    constraint notifications_once unique (user_id, key)
);
create index notifications_list on notifications (user_id, id desc);
-- The bell asks at every load of every page; read ones do not make it slower.
create index notifications_unread on notifications (user_id, id desc) where read_at is null;
-- For the sweep.
create index notifications_created on notifications (created_at);
