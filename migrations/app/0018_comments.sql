-- Comments with one level of replies, and reports of what breaks rules.

create table comments (
    id         uuid primary key,
    video_id   uuid not null references videos on delete cascade,
    user_id    uuid not null references users on delete cascade,
    -- What it answers: always a comment without a parent of the same video. A reply to a reply belongs to the same thread.
    parent_id  uuid,
    body       text not null check (length(body) between 1 and 5000),
    likes      integer not null default 0,
    replies    integer not null default 0,
    -- The order "top": what people like and talk about.
    score      integer generated always as (likes + replies) stored,
    pinned     boolean not null default false check (not pinned or parent_id is null),
    edited_at  timestamptz,
    created_at timestamptz not null default now(),
    unique (id, video_id),
    foreign key (parent_id, video_id) references comments (id, video_id) on delete cascade
);
create index comments_new on comments (video_id, created_at desc, id desc) where parent_id is null;
create index comments_top on comments (video_id, score desc, id desc) where parent_id is null;
create index comments_replies on comments (parent_id, created_at, id) where parent_id is not null;
-- For the cascade of a deleted account, and for what somebody wrote.
create index comments_user on comments (user_id, created_at desc);
-- Counted for each video page; index only.
create index comments_video on comments (video_id);
create unique index comments_pinned on comments (video_id) where pinned;

create table comment_likes (
    comment_id uuid not null references comments on delete cascade,
    user_id    uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (comment_id, user_id)
);
create index comment_likes_user on comment_likes (user_id);

-- As for videos: the counts follow the rows, whoever changes them.
create function count_comment_likes() returns trigger language plpgsql as $$
begin
    perform from comments where id in (select comment_id from changed) order by id for no key update;
    update comments c set likes = c.likes + case tg_op when 'INSERT' then n.n else -n.n end
      from (select comment_id, count(*) as n from changed group by comment_id) n
     where c.id = n.comment_id;
    return null;
end $$;
create trigger comment_likes_added after insert on comment_likes
    referencing new table as changed for each statement execute function count_comment_likes();
create trigger comment_likes_removed after delete on comment_likes
    referencing old table as changed for each statement execute function count_comment_likes();

create function count_comment_replies() returns trigger language plpgsql as $$
begin
    perform from comments where id in (select parent_id from changed) order by id for no key update;
    update comments c set replies = c.replies + case tg_op when 'INSERT' then n.n else -n.n end
      from (select parent_id, count(*) as n from changed where parent_id is not null group by parent_id) n
     where c.id = n.parent_id;
    return null;
end $$;
create trigger comments_added after insert on comments
    referencing new table as changed for each statement execute function count_comment_replies();
create trigger comments_removed after delete on comments
    referencing old table as changed for each statement execute function count_comment_replies();

-- What somebody says breaks rules. Staff decide; what was reported may be gone by then, so nothing refers to it, and the
-- words that were reported are kept.
create table reports (
    id          uuid primary key,
    target      text not null check (target in ('video', 'comment', 'channel')),
    target_id   uuid not null,
    -- Whose it was.
    owner_id    uuid references users on delete set null,
    reporter_id uuid not null references users on delete cascade,
    reason      text not null check (reason in ('spam', 'harassment', 'hate', 'violence', 'sexual', 'copyright', 'misleading', 'other')),
    body        text not null default '' check (length(body) <= 1000),
    -- The title, comment or name as it was.
    excerpt     text not null default '',
    status      text not null default 'open' check (status in ('open', 'upheld', 'dismissed')),
    created_at  timestamptz not null default now(),
    closed_at   timestamptz
);
-- One open report per person and thing.
create unique index reports_open_once on reports (reporter_id, target, target_id) where status = 'open';
create index reports_open on reports (created_at, id) where status = 'open';
create index reports_target on reports (target, target_id);
create index reports_owner on reports (owner_id) where owner_id is not null;
