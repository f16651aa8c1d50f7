-- What a video is about, and its parts.

alter table videos
    -- Lower case, at most 20 (domain/src/videos/label.rs makes them so). An array with a GIN index and not a table of
    -- tags: they are always read and written with their video, and `tags @> '{x}'` is the only question.
    add column tags text[] not null default '{}' check (cardinality(tags) <= 20),
    add column category text check (category in ('film', 'music', 'gaming', 'sport', 'travel', 'people', 'comedy',
        'news', 'howto', 'education', 'science', 'animals', 'vehicles', 'society'));
create index videos_tags on videos using gin (tags);
create index videos_category on videos (category, created_at desc, id desc) where category is not null;

-- Chapters that the owner listed. A video without any has those that its description tells, which are not stored: they
-- would be stale as soon as it is edited.
create table video_chapters (
    video_id uuid not null references videos on delete cascade,
    -- Whole seconds, as people write them.
    start_s  integer not null check (start_s >= 0),
    title    text not null check (length(title) between 1 and 100),
    primary key (video_id, start_s)
);
