-- Captions: one track per language. The text lies here and not in the store: it is small, it is written anew as we
-- understand it, and it is deleted with its video without a job.
create table captions (
    video_id   uuid not null references videos on delete cascade,
    -- BCP 47, as browsers want it: en, zh-TW.
    language   text not null check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(language) <= 35),
    -- What the menu calls it; empty: the language's own name.
    label      text not null default '' check (length(label) <= 60),
    -- WebVTT.
    body       text not null check (length(body) <= 2000000),
    cues       integer not null check (cues > 0),
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (video_id, language)
);
-- At most one track is on for whoever has not chosen.
create unique index captions_default on captions (video_id) where is_default;
create trigger captions_updated before update on captions for each row execute function touch_updated_at();
