-- Uploads, videos, and what the pipeline makes of them.

create table uploads (
    id           uuid primary key,
    user_id      uuid not null references users on delete cascade,
    filename     text not null check (length(filename) <= 255),
    size         bigint not null check (size > 0),
    content_type text not null,
    method       text not null check (method in ('single', 'multipart')),
    -- Made by the server: raw/{id}/source.
    key          text not null,
    s3_upload_id text,
    part_size    bigint,
    status       text not null default 'pending' check (status in ('pending', 'completed', 'aborted', 'expired')),
    video_id     uuid,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    check ((method = 'multipart') = (s3_upload_id is not null)),
    check ((method = 'multipart') = (part_size is not null))
);
create index uploads_user on uploads (user_id, created_at desc);
create index uploads_abandoned on uploads (expires_at) where status = 'pending';
create trigger uploads_updated before update on uploads for each row execute function touch_updated_at();

create table videos (
    id                  uuid primary key,
    user_id             uuid not null references users on delete cascade,
    -- One upload becomes one video, however often complete is called.
    upload_id           uuid unique,
    title               text not null check (length(title) between 1 and 100),
    description         text not null default '' check (length(description) <= 5000),
    visibility          text not null default 'public' check (visibility in ('public', 'unlisted', 'private')),
    status              text not null default 'processing' check (status in ('processing', 'ready', 'failed')),
    stage               text not null default 'queued'
        check (stage in ('queued', 'probing', 'encoding', 'packaging', 'publishing', 'done')),
    -- Percent. Never decreases within a generation: every writer says greatest(old, new).
    processing_progress smallint not null default 0 check (processing_progress between 0 and 100),
    error_code          text,
    error_message       text,
    -- Counts transcodes. Objects, renditions and segments carry it, so a new run never mixes with an old one.
    generation          integer not null default 1,
    original_key        text not null,
    original_etag       text not null,
    original_name       text not null,
    original_format     text,
    file_size           bigint not null,
    duration            double precision,
    width               integer,
    height              integer,
    -- The constant-frame-rate grid that probe decided: fps_num/fps_den frames a second, frame_count of them.
    fps_num             integer,
    fps_den             integer,
    frame_count         bigint,
    segment_frames      integer,
    has_video           boolean,
    has_audio           boolean,
    -- Everything that probe found and decided, for people and for debugging.
    probe               jsonb,
    -- Set as soon as every rendition has its first segment: from then on it can be watched.
    playable_at         timestamptz,
    thumbnail_key       text,
    views               bigint not null default 0,
    likes               bigint not null default 0,
    published_at        timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    search              tsvector generated always as (
        setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', description), 'B')) stored
) with (fillfactor = 80); -- progress is written in place, up to 100 times a video
create index videos_user_status on videos (user_id, status);
create index videos_status_created on videos (status, created_at desc, id desc);
create index videos_user_created on videos (user_id, created_at desc, id desc);
-- What visitors list: newest public videos that can be watched.
create index videos_public on videos (created_at desc, id desc) 
    where visibility = 'public' and playable_at is not null and status <> 'failed';
create index videos_search on videos using gin (search);
-- A Chinese word inside a longer title is no lexeme of to_tsvector; trigrams find it.
create index videos_title_trgm on videos using gin (title gin_trgm_ops);
create trigger videos_updated before update on videos for each row execute function touch_updated_at();

-- One row per rendition of a generation: the ladder, and the audio.
create table video_qualities (
    id                uuid primary key default gen_random_uuid(),
    video_id          uuid not null references videos on delete cascade,
    generation        integer not null,
    -- v1080, v720, v480, v360, v240, audio
    rendition         text not null,
    kind              text not null check (kind in ('video', 'audio')),
    width             integer,
    height            integer,
    -- The caps that the encoder was given, bits a second; declared while the video is being made.
    max_bitrate       integer not null,
    -- Measured at publish: peak and mean over the segments.
    bandwidth         integer,
    average_bandwidth integer,
    -- RFC 6381, read from the init segment.
    codecs            text,
    init_key          text,
    -- SHA-256 of the init segment; another one in a later chunk forces a discontinuity.
    init_hash         bytea,
    status            text not null default 'processing' check (status in ('processing', 'ready')),
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    unique (video_id, generation, rendition)
);
create trigger video_qualities_updated before update on video_qualities for each row execute function touch_updated_at();

-- A slice of the grid that one job decodes once and encodes into every rung.
create table video_chunks (
    video_id      uuid not null references videos on delete cascade,
    generation    integer not null,
    chunk         integer not null,
    first_frame   bigint not null,
    frames        bigint not null,
    first_segment integer not null,
    segments      integer not null,
    job_id        uuid not null,
    primary key (video_id, generation, chunk)
);

-- A closed segment that is in the store. The row is inserted after the object, under the job's lease: a row
-- without an object cannot be, and an object without a row is garbage for the sweep.
create table segments (
    video_id   uuid not null references videos on delete cascade,
    generation integer not null,
    rendition  text not null,
    -- Counts from 0 over the whole rendition, not over the chunk.
    n          integer not null,
    chunk      integer not null,
    run_no     integer not null,
    key        text not null,
    -- The init segment that it was made with; equal bytes share one.
    init_key   text not null,
    -- Decode time of the first sample and length, in units of 1/timescale s.
    start      bigint not null,
    length     bigint not null,
    timescale  integer not null check (timescale > 0),
    bytes      integer not null,
    -- The first key frame's byte range inside the segment (moof included), for I-frame playlists.
    keyframe_bytes integer,
    created_at timestamptz not null default now(),
    primary key (video_id, generation, rendition, n)
);

-- How far the open work of each part is: frames encoded beyond the closed segments. Unlogged and latest-wins by
-- (run_no, n): what a crash loses is at most the open segments, which are encoded again anyway.
create unlogged table video_progress (
    video_id   uuid not null,
    generation integer not null,
    part       text not null,
    run_no     integer not null,
    n          bigint not null,
    done       double precision not null,
    primary key (video_id, generation, part)
) with (fillfactor = 50);

-- Objects that nothing refers to any more. The row is written in the transaction that drops the last reference,
-- and a job deletes them; so a crash between the two leaves a row, never a leak.
create table doomed_objects (
    prefix     text primary key,
    created_at timestamptz not null default now()
);
