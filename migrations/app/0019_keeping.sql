-- What viewers keep: where they stopped, what they watched, what they want to watch.

create table watch_history (
    user_id    uuid not null references users on delete cascade,
    video_id   uuid not null references videos on delete cascade,
    -- Seconds.
    position   double precision not null check (position >= 0),
    -- When a player said so, by its clock within bounds: of two reports that overtake each other, the newest wins.
    said_at    timestamptz not null,
    watched_at timestamptz not null default now(),
    primary key (user_id, video_id)
) with (fillfactor = 80); -- a player reports every ten seconds
create index watch_history_user on watch_history (user_id, watched_at desc, video_id desc);
create index watch_history_video on watch_history (video_id);

-- Who wants no history to be kept.
create table history_pauses (
    user_id   uuid primary key references users on delete cascade,
    paused_at timestamptz not null default now()
);

create table playlists (
    id          uuid primary key,
    user_id     uuid not null references users on delete cascade,
    kind        text not null default 'list' check (kind in ('list', 'watch_later')),
    title       text not null check (length(title) between 1 and 150),
    description text not null default '' check (length(description) <= 5000),
    visibility  text not null default 'private' check (visibility in ('public', 'unlisted', 'private')),
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    check (kind = 'list' or visibility = 'private')
);
create unique index playlists_watch_later on playlists (user_id) where kind = 'watch_later';
create index playlists_user on playlists (user_id, updated_at desc);
create trigger playlists_updated before update on playlists for each row execute function touch_updated_at();

-- Positions are counted from 0 without gaps, under a lock on the playlist. A list has at most 5,000 items: to move one
-- shifts those between. Ranks between ranks would save that and wear out.
create table playlist_items (
    playlist_id uuid not null references playlists on delete cascade,
    video_id    uuid not null references videos on delete cascade,
    position    integer not null,
    added_at    timestamptz not null default now(),
    primary key (playlist_id, video_id)
);
create index playlist_items_position on playlist_items (playlist_id, position);
create index playlist_items_video on playlist_items (video_id);
