-- What many watch these days: lists that a job makes of the heat of videos (0032).

-- The list is stored and not asked of the heat each time, so that a reader who turns pages reads one list, whatever is
-- watched meanwhile: a cursor names the list and a rank. Lists go after an hour.
create table trending_lists (
    id      bigint generated always as identity primary key,
    made_at timestamptz not null default now()
);
create table trending (
    list_id  bigint not null references trending_lists on delete cascade,
    rank     integer not null,
    video_id uuid not null references videos on delete cascade,
    primary key (list_id, rank)
);
-- For the cascade of a deleted video, and for lists that leave out what is on this one.
create index trending_video on trending (video_id, list_id);
