-- Who follows whom.
create table follows (
    follower_id uuid not null references users on delete cascade,
    creator_id  uuid not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    primary key (follower_id, creator_id)
);
-- For fan-out, which walks a creator's followers in order, and for the count.
create index follows_creator on follows (creator_id, follower_id);
