-- Moderation: cases that reports make, what staff decided, appeals, and who of staff did what.

-- What was reported of one thing since staff last decided on it. A table and not a grouping of reports: the queue is paged
-- by what does not change (the age of a case), and a thing that is reported again is a case again.
create table moderation_cases (
    -- That of its first report. UUIDv7: sorts by how long it has been waiting.
    id          uuid primary key,
    target      text not null check (target in ('video', 'comment', 'channel')),
    target_id   uuid not null,
    -- Whose it is.
    owner_id    uuid references users on delete set null,
    opened_at   timestamptz not null default now(),
    settled_at  timestamptz,
    -- What settled it. No foreign key: nothing deletes decisions.
    decision_id uuid
);
-- One open case of a thing; it serves "is there one" and the reports that join it.
create unique index moderation_cases_open on moderation_cases (target, target_id) where settled_at is null;
-- The two orders of the queue.
create index moderation_cases_waiting on moderation_cases (id) where settled_at is null;
create index moderation_cases_settled on moderation_cases (settled_at desc, id desc) where settled_at is not null;
create index moderation_cases_owner on moderation_cases (owner_id) where owner_id is not null;

alter table reports
    add column case_id uuid references moderation_cases on delete cascade,
    -- Null: the word list, which holds comments back for staff to read.
    alter column reporter_id drop not null,
    drop constraint reports_reason_check,
    add constraint reports_reason_check check (reason in ('spam', 'harassment', 'hate', 'violence', 'sexual', 'copyright',
        'misleading', 'other', 'word_list'));
create index reports_case on reports (case_id, id desc);
create unique index reports_held_once on reports (target, target_id) where status = 'open' and reporter_id is null;

-- Whoever files a report, versions of before this migration included, joins the open case or opens one. The update locks
-- the case: a decision that is under way is waited for, and the report belongs to the next case.
create function join_moderation_case() returns trigger language plpgsql as $$
begin
    insert into moderation_cases as c (id, target, target_id, owner_id)
    values (new.id, new.target, new.target_id, new.owner_id)
    on conflict (target, target_id) where settled_at is null do update set owner_id = excluded.owner_id
    returning c.id into new.case_id;
    return new;
end $$;

insert into moderation_cases (id, target, target_id, owner_id, opened_at, settled_at)
select distinct on (target, target_id, status = 'open') id, target, target_id, owner_id, created_at,
       case when status <> 'open' then coalesce(closed_at, now()) end
  from reports order by target, target_id, status = 'open', created_at, id;
update reports r set case_id = c.id
  from moderation_cases c
 where c.target = r.target and c.target_id = r.target_id and (r.status = 'open') = (c.settled_at is null);

create trigger reports_case before insert on reports for each row execute function join_moderation_case();

-- What staff decided about something of somebody's. Nothing refers to the thing itself: it may be gone, by this very
-- decision; what it said is kept.
create table moderation_decisions (
    id         uuid primary key,
    target     text not null check (target in ('video', 'comment', 'channel')),
    target_id  uuid not null,
    owner_id   uuid references users on delete set null,
    -- hide: nobody but its owner sees it.  takedown: it was deleted for good.  suspend: the person is locked out.
    action     text not null check (action in ('dismiss', 'hide', 'takedown', 'suspend')),
    reason     text check (reason in ('spam', 'harassment', 'hate', 'violence', 'sexual', 'copyright', 'misleading', 'other')),
    -- What the person is told besides.
    note       text not null default '' check (length(note) <= 1000),
    -- The title, comment or name as it was.
    excerpt    text not null default '',
    -- Of a suspension; null: until it is lifted.
    until      timestamptz,
    staff_id   uuid references users on delete set null,
    created_at timestamptz not null default now(),
    lifted_at  timestamptz,
    lifted_by  uuid references users on delete set null,
    -- staff: by themselves.  appeal: an appeal was accepted.  time: the suspension was over.
    lifted_for text check (lifted_for in ('staff', 'appeal', 'time')),
    check ((action = 'dismiss') = (reason is null)),
    check (until is null or action = 'suspend'),
    check ((lifted_at is null) = (lifted_for is null))
);
-- What is hidden is not hidden again, and who is suspended not suspended again.
create unique index moderation_decisions_standing on moderation_decisions (target, target_id)
    where action in ('hide', 'suspend') and lifted_at is null;
-- The history of a thing, and of a person.
create index moderation_decisions_target on moderation_decisions (target, target_id, id desc);
create index moderation_decisions_owner on moderation_decisions (owner_id, id desc);
create index moderation_decisions_staff on moderation_decisions (staff_id);
create index moderation_decisions_lifted_by on moderation_decisions (lifted_by) where lifted_by is not null;

-- What people say against a decision: once.
create table appeals (
    id          uuid primary key,
    decision_id uuid not null constraint appeals_once unique references moderation_decisions on delete cascade,
    user_id     uuid not null references users on delete cascade,
    body        text not null check (length(body) between 1 and 2000),
    state       text not null default 'open' check (state in ('open', 'accepted', 'rejected')),
    -- What staff answered.
    answer      text not null default '' check (length(answer) <= 2000),
    staff_id    uuid references users on delete set null,
    created_at  timestamptz not null default now(),
    decided_at  timestamptz,
    check ((state = 'open') = (decided_at is null))
);
create index appeals_open on appeals (id) where state = 'open';
create index appeals_decided on appeals (decided_at desc, id desc) where state <> 'open';
create index appeals_user on appeals (user_id);
create index appeals_staff on appeals (staff_id) where staff_id is not null;

-- Who of staff did what. It outlives everybody whom it names, so it refers to nobody, and it is never changed: not by us
-- either, short of dropping the trigger.
create table audit_log (
    id         uuid primary key,
    -- Null: the system itself, or somebody at the command line.
    actor_id   uuid,
    -- The name as it was.
    actor      text not null,
    action     text not null check (length(action) <= 50),
    target     text not null check (length(target) <= 50),
    target_id  uuid,
    reason     text not null default '',
    before     jsonb,
    after      jsonb,
    -- That of the log lines.
    request_id text,
    created_at timestamptz not null default now()
);
create index audit_log_target on audit_log (target_id, id desc) where target_id is not null;
create index audit_log_actor on audit_log (actor_id, id desc) where actor_id is not null;
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed', tg_table_name;
end $$;
create trigger audit_log_fixed before update or delete or truncate on audit_log
    for each statement execute function refuse_change();

-- A hidden video is a private one that its owner cannot publish: so every list, player, and cache that knows of private
-- videos treats it rightly, and those that will be written, too.
alter table videos
    -- The decision that hides it.
    add column hidden_by uuid,
    -- What its owner had chosen, for when it is shown again.
    add column hidden_visibility text check (hidden_visibility in ('public', 'unlisted', 'private')),
    add constraint videos_hidden_are_private check (hidden_by is null or visibility = 'private'),
    add constraint videos_hidden_know_before check ((hidden_by is null) = (hidden_visibility is null));

alter table comments
    -- Seen by its author alone: hidden by staff, or held until they have read it. Null: seen by all.
    add column withheld text check (withheld in ('hidden', 'held')),
    add column hidden_by uuid;
-- What is shown is counted from the index alone, as before; what is not has one of its own, which is small.
drop index comments_video;
create index comments_video on comments (video_id) include (withheld);
create index comments_withheld on comments (video_id) where withheld is not null;

-- comments.replies counts what is shown.
create or replace function count_comment_replies() returns trigger language plpgsql as $$
begin
    perform from comments where id in (select parent_id from changed) order by id for no key update;
    update comments c set replies = c.replies + case tg_op when 'INSERT' then n.n else -n.n end
      from (select parent_id, count(*) as n from changed where parent_id is not null and withheld is null group by parent_id) n
     where c.id = n.parent_id;
    return null;
end $$;
create function count_withheld_reply() returns trigger language plpgsql as $$
begin
    update comments set replies = replies + case when new.withheld is null then 1 else -1 end where id = new.parent_id;
    return null;
end $$;
create trigger comments_withheld_changed after update of withheld on comments for each row
    when (new.parent_id is not null and (old.withheld is null) <> (new.withheld is null))
    execute function count_withheld_reply();

-- The suspension that locks a person out; is_active is false meanwhile, so everything that knows of deactivated people
-- knows of these. Null with is_active false: deactivated, or leaving.
alter table users add column suspended_by uuid;

-- Who is locked out can still appeal, by a link in the mail or from a log-in with the right password.
alter table account_links
    drop constraint account_links_purpose_check,
    add constraint account_links_purpose_check
        check (purpose in ('verify_email', 'change_email', 'reset_password', 'export', 'appeal'));
