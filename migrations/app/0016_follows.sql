-- Who follows whom, and which videos everybody may find.

create table follows (
    follower_id uuid not null references users on delete cascade,
    creator_id  uuid not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    primary key (follower_id, creator_id)
);
-- Counts of followers (index only, so there is no counter that drifts: 100,000 are counted in some 10 ms) and the batches
-- of those who tell them.
create index follows_creator on follows (creator_id, follower_id);

-- What lists show to everybody, said once: channels, feeds, related videos and playlists read this. Whoever adds a reason
-- for a video not to be listed replaces the view. It is inlined, so the indexes of the table serve it.
create view listed_videos as
    select id, user_id, title, description, search, duration, views, likes, created_at
      from videos
     where visibility = 'public' and playable_at is not null and status <> 'failed';
