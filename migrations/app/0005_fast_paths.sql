-- Sources that need no encoding are copied, and their copies are watched while the ladder is encoded.

-- Which playlist plays while the video is being made: `remux` lists the copied picture, `event` the ladder. Null until
-- one of them can be played. Workers of before this migration set playable_at alone; then it is `event`.
alter table videos add column stream text check (stream in ('event', 'remux'));
-- The copy of a small source: an MP4 file that plays by itself.
alter table videos add column file_key text;
-- The longest segment of the copied picture (rendition `source`), in whole seconds. It is cut at the source's own key
-- frames, so its segments are not those of the grid.
alter table video_qualities add column target_duration integer;
-- Copies are dropped some time after the ladder is there.
create index videos_files on videos (published_at) where file_key is not null;
create index video_qualities_sources on video_qualities (video_id) where rendition = 'source';
