-- Statistics of a video for its owner, and changes of many videos at once.

-- What players say that they played. Unlogged: a crash of the database loses some minutes of a figure, and every player
-- says something every few seconds. Emptied by a job, so it stays small; no foreign key, since what belongs to no video
-- any more is dropped then.
create unlogged table watch_beacons (
    id       bigint generated always as identity primary key,
    video_id uuid not null,
    -- The first word of a sitting: a view in these statistics. Who sat there is not said.
    begins   boolean not null,
    -- The part of the video that was played, in seconds.
    from_s   real not null,
    to_s     real not null check (to_s >= from_s),
    day      date not null default (now() at time zone 'utc')::date
);

create table video_daily (
    video_id uuid not null references videos on delete cascade,
    day      date not null,
    views    bigint not null default 0,
    watch_s  double precision not null default 0,
    primary key (video_id, day)
);

-- How long each hundredth of a video was played, in seconds: divided by its length and the views, what share of people
-- is still there.
create table video_retention (
    video_id uuid not null references videos on delete cascade,
    part     smallint not null check (part between 0 and 99),
    watch_s  double precision not null default 0,
    primary key (video_id, part)
);

-- Changes of many videos by a job. Its progress is here and not in the job, because its owner sees it, also after the
-- job is forgotten; and a run that was killed goes on after `done`.
create table bulk_edits (
    id          uuid primary key,
    user_id     uuid not null references users on delete cascade,
    videos      uuid[] not null check (cardinality(videos) between 1 and 500),
    -- What to do: see domain/src/videos/bulk.rs.
    change      jsonb not null,
    done        integer not null default 0,
    -- Those of `done` that there were not any more.
    skipped     integer not null default 0,
    finished_at timestamptz,
    created_at  timestamptz not null default now()
);
create index bulk_edits_user on bulk_edits (user_id, created_at desc);

-- One's own, by views.
create index videos_user_views on videos (user_id, views desc, id desc);
