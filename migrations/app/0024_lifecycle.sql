-- When a video comes, goes, and changes its source.

alter table videos
    -- A private video becomes public then: by a job that was enqueued with this row. Null: not by itself.
    add column publish_at timestamptz,
    -- In the trash since then. Nobody sees it but its owner's list of the trash; a job deletes it after 30 days.
    add column deleted_at timestamptz,
    -- What plays while another source is being processed: the generation that was ready, and those columns of it that
    -- the new one overwrites (domain/src/videos/played.rs). Null: this row itself. Copied and not kept in a table of
    -- versions: nobody but players wants it, they read it with the row, and it is gone at the switch.
    add column played jsonb,
    add constraint videos_scheduled_are_private check (publish_at is null or visibility = 'private');
create index videos_trash on videos (user_id, deleted_at desc, id desc) where deleted_at is not null;
create index videos_trash_old on videos (deleted_at) where deleted_at is not null;
-- The sweep asks whether a source is named; a replaced one still is while it plays.
create index videos_played_key on videos ((played ->> 'original_key')) where played is not null;
