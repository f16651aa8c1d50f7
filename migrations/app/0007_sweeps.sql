-- Sweeps of the store: what each found and deleted. The row is also the sweep's memory: a second run of a job that was
-- killed goes on after `after`.
create table storage_sweeps (
    -- That of the job, or a new one for a sweep from the command line.
    id              uuid primary key,
    dry_run         boolean not null,
    -- Objects younger than this at the start are left alone: what stores an object before its row is then long over.
    older_than_s    bigint not null check (older_than_s >= 0),
    started_at      timestamptz not null default clock_timestamp(),
    finished_at     timestamptz,
    -- The last key that was looked at; null before the first.
    after           text,
    -- Looked at.
    objects         bigint not null default 0,
    bytes           bigint not null default 0,
    -- Found without a row.
    orphan_objects  bigint not null default 0,
    orphan_bytes    bigint not null default 0,
    deleted_objects bigint not null default 0,
    deleted_bytes   bigint not null default 0,
    -- Rows of doomed_objects whose job had not done its work.
    doomed          bigint not null default 0,
    -- The orphans by the first part of their keys: {"hls/": {"objects": 3, "bytes": 4096}}.
    by_prefix       jsonb not null default '{}'
);
create index storage_sweeps_finished on storage_sweeps (finished_at desc) where finished_at is not null;

-- The sweep asks for a page of keys at once whether a video names them.
create index videos_original_key on videos (original_key);
