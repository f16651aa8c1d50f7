-- Likes, and views that count.

create table video_likes (
    video_id   uuid not null references videos on delete cascade,
    user_id    uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (video_id, user_id)
);
-- What somebody liked, newest first.
create index video_likes_user on video_likes (user_id, created_at desc, video_id desc);

-- videos.likes is the number of these rows, whoever inserts or deletes them: the cascade of a deleted account as well. So
-- it cannot drift, and nobody has to remember it. The rows are locked in order first, or two such cascades could wait for
-- each other.
create function count_video_likes() returns trigger language plpgsql as $$
begin
    perform from videos where id in (select video_id from changed) order by id for no key update;
    update videos v set likes = v.likes + case tg_op when 'INSERT' then c.n else -c.n end
      from (select video_id, count(*) as n from changed group by video_id) c
     where v.id = c.video_id;
    return null;
end $$;
create trigger video_likes_added after insert on video_likes
    referencing new table as changed for each statement execute function count_video_likes();
create trigger video_likes_removed after delete on video_likes
    referencing old table as changed for each statement execute function count_video_likes();

-- A count is no edit: updated_at stays.
drop trigger videos_updated on videos;
create trigger videos_updated before update on videos for each row
    when (old.likes = new.likes and old.views = new.views) execute function touch_updated_at();

-- Who watched what within a day, so that nobody counts twice, and which of these are not in videos.views yet. Unlogged: a
-- view costs no log and no lock on the video; a crash loses what was not flushed, at most a minute of it. A viewer is an
-- account or an anonymous id that we signed; rows go after a day.
create unlogged table video_views (
    video_id   uuid not null,
    viewer     uuid not null,
    counted_at timestamptz not null default now(),
    pending    boolean not null default true,
    primary key (video_id, viewer)
) with (fillfactor = 80);
create index video_views_pending on video_views (video_id) where pending;
create index video_views_old on video_views (counted_at);
