-- Videos in the trash are in no list.
create or replace view listed_videos as
    select id, user_id, title, description, search, duration, views, likes, created_at
      from videos
     where visibility = 'public' and playable_at is not null and status <> 'failed' and deleted_at is null;
