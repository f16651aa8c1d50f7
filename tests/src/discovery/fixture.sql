-- A platform with $VIDEOS videos, the same every time: titles in Chinese, English and both, words and tags as skewed as those
-- of people, a creator with very many videos, most of them hardly watched and a few by millions. In stages, each of which is
-- a transaction: interrupted, it is gone on with.

-- stage: words and people
create function fixture_id(at timestamptz, n bigint) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '8'
            || substr(md5(n::text), 1, 15))::uuid
$$;

-- The words of a language by their rank: some that everybody says, then thousands that few do. Put together by their number,
-- because reading the last of a long array means reading all of it.
create function fixture_en(k integer) returns text language sql immutable as $$
    select case when k < 60 then
        ('{travel,vlog,how,to,make,the,best,night,market,street,food,review,guitar,lesson,cat,dog,mountain,hiking,recipe,minecraft,tutorial,'
         'relaxing,rain,sounds,city,walk,train,cab,view,easy,coffee,bread,garden,skateboard,tricks,drone,sunset,island,camping,bicycle,repair,'
         'history,of,piano,cover,live,funny,moments,episode,trailer,unboxing,phone,camera,test,home,workout,yoga,spring,winter,summer}'::text[])[k + 1]
    else ('{ba,ke,lo,mi,nu,ra,se,ti,vo,zy,cha,dri,fle,gro,pla}'::text[])[k % 15 + 1]
      || ('{ber,con,dal,fin,gol,han,jor,lim,mon,ner,pas,rik,sol,tun,ver}'::text[])[k / 15 % 15 + 1]
      || ('{"",a,den,er,ic,ing,is,ly,o,on,ton,um,us,y,wood}'::text[])[k / 225 % 15 + 1] end
$$;
create function fixture_zh(k integer) returns text language sql immutable as $$
    select case when k < 80 then zh[k + 1] else left(zh[k % 80 + 1], 1) || right(zh[k / 80 % 80 + 1], 1) end
      from (select '{台北,夜市,小吃,旅行,日常,開箱,評測,教學,吉他,鋼琴,貓咪,狗狗,登山,露營,料理,食譜,電影,預告,遊戲,實況,台南,高雄,老街,火車,捷運,'
                   '咖啡,麵包,花園,滑板,空拍,夕陽,離島,單車,維修,歷史,故事,音樂,現場,搞笑,片段,手機,相機,測試,居家,健身,瑜珈,科學,實驗,新聞,訪談,'
                   '春天,夏天,秋天,冬天,早餐,午餐,晚餐,牛肉,雞排,珍珠,奶茶,水車,溪流,瀑布,森林,海邊,風景,縮時,手作,木工,繪畫,書法,閱讀,學習,日語,'
                   '英文,程式,設計,投資,理財}'::text[]) as t (zh)
$$;

-- Indexes are sorted at the end and not grown; triggers would do by rows what is done by sets below.
create table fixture.put_off as
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
 where indrelid in ('videos'::regclass, 'search_documents'::regclass, 'video_popularity'::regclass, 'watch_history'::regclass, 'search_words'::regclass)
   and not indisunique;
do $$ declare v record; begin
    for v in select * from fixture.put_off loop execute format('drop index %s', v.name); end loop;
end $$;
alter table videos disable trigger user;
alter table search_documents disable trigger user;

insert into users (id, username, email, password)
select fixture_id(now() - interval '3 years' + n * interval '1 minute', n),
       fixture_en((n % 3400)::int) || n, n || '@example.org', 'x'
  from generate_series(1, greatest(50, $VIDEOS / 50)) as g (n);
create table fixture.people as select id, row_number() over (order by id) as n from users;
create unique index on fixture.people (n);

-- stage: videos
select setseed(0.42);

insert into videos (id, user_id, title, description, tags, category, original_key, original_etag, original_name, file_size, status, stage,
                    visibility, processing_progress, width, height, duration, playable_at, published_at, created_at, updated_at, views, likes)
select fixture_id(t.at, t.n), p.id, left(t.title, 100), t.title || E'\n' || t.words || E'\nhttps://example.org/' || t.n, t.tags,
       (array['film','music','gaming','sport','travel','people','comedy','news','howto','education','science','animals','vehicles','society'])[1 + t.n % 14],
       'raw/' || t.n, 'e', 'a.mp4', 100000000, case when t.n % 200 = 0 then 'failed' else 'ready' end, 'done',
       case when t.n % 20 = 0 then 'private' else 'public' end, 100,
       case t.n % 4 when 0 then 854 when 1 then 1280 else 1920 end, case t.n % 4 when 0 then 480 when 1 then 720 else 1080 end,
       20 + 3000 * power(random(), 3), t.at, t.at, t.at, t.at, (3000000 * power(random(), 12))::bigint, 0
  from (select n, now() - interval '2 years' + n * interval '2 years' / $VIDEOS as at,
               case when n % 20 < 11 then said.zh when n % 20 < 18 then said.en else said.en || ' ' || said.zh end as title,
               said.zh || ' ' || said.en as words,
               case when n % 40 = 0 then 1 else 1 + floor((select count(*) from fixture.people) * power(random(), 2))::bigint end as owner,
               (select array_agg(distinct tag) from (
                    select case when i % 2 = 0 then fixture_zh(floor(400 * power(random(), 3))::int) else fixture_en(floor(300 * power(random(), 3))::int) end as tag
                      from generate_series(1, 2 + n % 4) i) t) as tags
          from (select n, (select string_agg(w, ' ') from (select fixture_en(floor(3400 * power(random() + 0 * i, 4))::int) as w
                                                            from generate_series(1, 3 + n % 5) i) said) as en,
                       (select string_agg(w, '') from (select fixture_zh(floor(6000 * power(random() + 0 * i, 6))::int) as w
                                                           from generate_series(1, 2 + n % 4) i) said) as zh
                  from generate_series(1, $VIDEOS) as g (n) offset 0) said offset 0) t
  join fixture.people p on p.n = t.owner;

-- stage: documents

insert into video_popularity (video_id, views, heat)
select id, views, case when views > 0 then heat_after(null, greatest(1, views / 500), created_at + (now() - created_at) * random()) end from listed_videos;
-- Two steps, since only the first can be done by several processors.
create unlogged table fixture.lexed as
select v.id as video_id, v.user_id, lower(v.title) as title, search_lexemes(v.title, v.tags, u.username::text, v.description) as words,
       search_said(v.title, v.tags) as said, v.tags, v.category, least(v.width, v.height) as quality, v.duration,
       search_reach(v.views) as reach, v.created_at
  from videos v join users u on u.id = v.user_id
 where v.id in (select id from listed_videos);
insert into search_documents (video_id, user_id, title, words, said, tags, category, quality, duration, reach, created_at)
select video_id, user_id, title, words, said, tags, category, quality, duration, reach, created_at from fixture.lexed order by created_at;
drop table fixture.lexed;

-- stage: viewers
select setseed(0.43);
insert into search_words (word, documents)
select word, count(*) from search_documents, unnest(said) as word group by word;
-- What a thousand people watched, most of them the same.
insert into watch_history (user_id, video_id, position, said_at, watched_at)
select p.id, v.id, 10, now(), now() - interval '1 year' * random()
  from (select id, n from fixture.people order by n limit 1000) p, generate_series(1, 40) as i,
       lateral (select 1 + floor($VIDEOS * power(random() + 0 * i * p.n, 3)) as nth) x,
       lateral (select id from videos where id >= fixture_id(now() - interval '2 years' + x.nth * interval '2 years' / $VIDEOS, 0) order by id limit 1) v
on conflict do nothing;
insert into follows (follower_id, creator_id)
select a.id, b.id from fixture.people a join fixture.people b on b.n <= 30 where a.n <= 1000 and a.n % 7 = b.n % 7;

-- stage: indexes
do $$ declare v record; begin
    for v in select * from fixture.put_off loop
        execute v.definition;
        delete from fixture.put_off where name = v.name;
        commit;
    end loop;
end $$;

-- stage: end
alter table videos enable trigger user;
alter table search_documents enable trigger user;
drop function fixture_id, fixture_en, fixture_zh;
drop table fixture.people, fixture.put_off;
