-- Small pictures of a whole video, and pictures to choose the poster from.

-- The sprites of one generation. There is a row once all sheets are in the store; nothing waits for it.
create table storyboards (
    video_id   uuid not null references videos on delete cascade,
    generation integer not null,
    -- Seconds that one shot stands for.
    interval_s double precision not null check (interval_s > 0),
    shots      integer not null check (shots between 1 and 200),
    -- Shots in a row of a sheet, and rows of a sheet; the last sheet may be half empty.
    across     integer not null check (across > 0),
    down       integer not null check (down > 0),
    -- Pixels of a shot.
    width      integer not null check (width > 0),
    height     integer not null check (height > 0),
    -- Objects in order. An array, since they are only ever read together.
    sheets     text[] not null check (cardinality(sheets) > 0),
    created_at timestamptz not null default now(),
    primary key (video_id, generation)
);

-- Pictures that may stand for a video. The one that does is named by videos.thumbnail_id.
create table video_thumbnails (
    id         uuid primary key,
    video_id   uuid not null references videos on delete cascade,
    -- That of the source it was found in; null for a picture of its owner's, which outlives every source.
    generation integer,
    -- What was uploaded, until a job has made a picture of it.
    upload_key text,
    key        text,
    status     text not null default 'ready' check (status in ('uploading', 'processing', 'ready', 'failed')),
    error_code text,
    created_at timestamptz not null default now(),
    check ((status = 'ready') = (key is not null))
);
-- They are listed by video, and swept objects are looked up by video too.
create index video_thumbnails_video on video_thumbnails (video_id, created_at);

-- What the owner chose. Null: what the pipeline thinks best. No foreign key: the choice is cleared where it is deleted,
-- and a circle of keys between the two tables would make every deletion look at both.
alter table videos add column thumbnail_id uuid;
