-- What somebody may like, by what people watched together.

-- Who watched a video last. It replaces an index of the video alone: a report of a player writes all indexes anyway.
create index watch_history_viewers on watch_history (video_id, watched_at desc, user_id);
drop index watch_history_video;

-- What people who watched a video watched besides, the likeliest first. Arrays and not rows for pairs: they are read whole
-- and written whole. Their ids have no foreign keys; who shows them asks `listed_videos`.
create table co_views (
    video_id   uuid primary key references videos on delete cascade,
    neighbours uuid[] not null check (cardinality(neighbours) <= 50),
    made_at    timestamptz not null default now()
);

-- For each person who watched something, what a model thinks of, the likeliest first. The list before is kept, so that
-- somebody who turns its pages comes to its end.
create table recommendations (
    user_id        uuid primary key references users on delete cascade,
    videos         uuid[] not null check (cardinality(videos) <= 200),
    -- What was watched by then is in it.
    made_at        timestamptz not null,
    -- Which model made it.
    model          text not null,
    before         uuid[] not null default '{}',
    before_made_at timestamptz
);
