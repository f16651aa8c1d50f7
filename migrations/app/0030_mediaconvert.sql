-- What is asked of AWS Elemental MediaConvert, and what became of it. A row is committed before the call that it stands
-- for: whoever finds it without an answer knows that there may be a job over there, and looks before asking again.
create table mediaconvert_jobs (
    -- The token: sent along as ClientRequestToken and UserMetadata, so that their job can be found by it.
    id            uuid primary key,
    -- Not a foreign key: the row outlives its video until their job has ended, because until then it may write objects.
    video_id      uuid not null,
    generation    integer not null,
    round         smallint not null,
    -- A second one is asked for when the first failed or fell silent through no fault of the file's.
    attempt       smallint not null default 1 check (attempt > 0),
    -- Their id, once we know it: from the answer, by looking, or from an event.
    external_id   text unique check (length(external_id) between 1 and 200),
    -- intended: no answer yet; lost: they do not know it, or do not have what it made any more; the others are theirs.
    status        text not null default 'intended'
        check (status in ('intended', 'submitted', 'progressing', 'complete', 'canceled', 'error', 'lost')),
    percent       smallint not null default 0 check (percent between 0 and 100),
    -- Theirs, for operators; what people read is made of it.
    error_code    integer,
    error_message text check (length(error_message) <= 2000),
    created_at    timestamptz not null default clock_timestamp(),
    -- Just before the first call that asks for it.
    asked_at      timestamptz,
    -- When they took it, by our clock.
    submitted_at  timestamptz,
    -- Their last sign of life: an answer or an event.
    last_heard_at timestamptz not null default clock_timestamp(),
    -- The last time that a sign of life said anything new.
    moved_at      timestamptz not null default clock_timestamp(),
    -- Terminal, by an answer of theirs: nothing changes after that.
    ended_at      timestamptz,
    -- The job of ours that waits for it: an event wakes it.
    waiter        uuid,
    unique (video_id, generation, round, attempt),
    check ((ended_at is not null) = (status in ('complete', 'canceled', 'error', 'lost')))
);
-- The sweep asks for the silent among the open, and deletions ask whether somebody may still write: both are few.
create index mediaconvert_jobs_open on mediaconvert_jobs (last_heard_at) where ended_at is null;
-- Old ones are dropped by age.
create index mediaconvert_jobs_ended on mediaconvert_jobs (ended_at) where ended_at is not null;
