-- Search: what is said of a video, in a table of its own.
--
-- Why not columns of `videos`: that row changes with every batch of views, and no such change can be done in place, because
-- indexes name the views; each would write all words of the video into the index again. Here a row is written when
-- somebody edits the video, and it is narrow, so that reading ten thousand of them is cheap.
--
-- Chinese, Japanese and Korean are indexed as pairs of characters, like words: 台北夜市 as 台北, 北夜, 夜市 and the last
-- character alone. A question becomes the same pairs, all of which must be there; one character alone asks for pairs that
-- begin with it. Trigrams, which found parts of titles before, have nothing to look for in a word of two characters: then
-- PostgreSQL reads the whole index.

-- Runs of such characters become their pairs; everything else stays. Each run is cut into pairs twice, the second time
-- without its first character.
create function search_grams(body text) returns text language sql immutable parallel safe strict as $$
    select regexp_replace(spaced, pair, ' \1\2 ', 'g') || ' ' ||
           regexp_replace(regexp_replace(regexp_replace(spaced, none, ' ', 'g'), first, '\1 ', 'g'), pair, ' \1\2 ', 'g')
      from (select regexp_replace(normalize(body, nfkc), '([\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+)', ' \1 ', 'g'),
                   '([\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])([\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])',
                   '[^\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+',
                   '(^| )[\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]') as t (spaced, pair, none, first)
$$;

-- Every word as it is written, and its English stem. Of a description the first 500 characters count: what comes after
-- is mostly links and what all videos of a channel say.
create function search_lexemes(title text, tags text[], owner text, description text) returns tsvector
language sql immutable parallel safe as $$
    select setweight(to_tsvector('simple', a) || to_tsvector('english', a), 'A')
        || setweight(to_tsvector('simple', b) || to_tsvector('english', b), 'B')
        || setweight(to_tsvector('english', c), 'C')
      from (select search_grams(title), search_grams(array_to_string(tags, ' , ') || ' , ' || owner),
                   search_grams(left(description, 500))) as t (a, b, c)
$$;

-- What a person may mean: `words` as web searches are written ("a phrase", -without, or), `starts` as `to_tsquery` wants
-- it. The setting hides what PostgreSQL says of questions that are all stop words.
create function search_question(words text, starts text) returns tsquery language sql immutable parallel safe
set client_min_messages = warning as $$
    -- Said twice, a word would count twice when PostgreSQL guesses how common the question is.
    select case when simple = english then simple else simple || english end
        && case when starts = '' then ''::tsquery else to_tsquery('simple', starts) end
      from (select websearch_to_tsquery('simple', words), websearch_to_tsquery('english', words)) as t (simple, english)
$$;

-- What people say when they look for such a video: words of the title in alphabets, and whole tags.
create function search_said(title text, tags text[]) returns text[] language sql immutable parallel safe as $$
    select coalesce(array_agg(distinct w), '{}')
      from (select w from unnest(tsvector_to_array(to_tsvector('simple',
                regexp_replace(normalize(title, nfkc), '[\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+', ' ', 'g')))) w
             where length(w) between 2 and 40 and w ~ '^[[:alpha:]][[:alnum:]+-]*$'
            union select unnest(tags)) as said (w)
$$;

-- How far a video reaches, in steps of 19 %: 0 for no view, 80 for a million.
create function search_reach(views bigint) returns smallint language sql immutable parallel safe as $$
    select round(4 * log(2, views + 1))::smallint
$$;

-- One row per video that everybody may find. Triggers keep it, so that no path can forget it; who reads it still asks
-- `listed_videos` about the few that are shown.
create table search_documents (
    video_id   uuid primary key references videos on delete cascade,
    user_id    uuid not null,
    -- Lower case, for suggestions.
    title      text not null,
    words      tsvector not null,
    said       text[] not null,
    tags       text[] not null,
    category   text,
    -- The shorter side of the picture, in pixels.
    quality    integer,
    -- Seconds.
    duration   double precision,
    -- Steps, so that a view does not write all words anew.
    reach      smallint not null default 0,
    created_at timestamptz not null
);
-- Not compressed and not moved out: ranking reads it for a thousand rows.
alter table search_documents alter column words set storage main;
-- No pending list: who searches would have to read it, and documents change rarely.
create index search_documents_words on search_documents using gin (words) with (fastupdate = off);
create index search_documents_tags on search_documents using gin (tags) with (fastupdate = off);
-- Common words are found by walking along one of these until a page is full, rare ones by the index of words.
create index search_documents_new on search_documents (created_at desc, video_id desc);
create index search_documents_reach on search_documents (reach desc, video_id desc);
create index search_documents_user on search_documents (user_id, created_at desc, video_id desc);
create index search_documents_title on search_documents (title text_pattern_ops);

-- Views and heat of each video that was ever listed: narrow, because every batch of views writes it.
create table video_popularity (
    video_id uuid primary key references videos on delete cascade,
    views    bigint not null default 0,
    -- Decayed views: each weighs half as much a day later. As the logarithm to base 2 of the sum of 2^(days since 1970),
    -- which need not be written again as time goes by, since all decay alike. Null: no view since it is kept.
    heat     double precision
) with (fillfactor = 80);
create index video_popularity_views on video_popularity (views desc, video_id desc);
create index video_popularity_heat on video_popularity (heat desc, video_id desc) where heat is not null;

-- The heat after `n` more views at `at`. Further than 2^60 apart, the smaller adds nothing.
create function heat_after(heat double precision, n bigint, at timestamptz) returns double precision
language sql immutable parallel safe as $$
    select case when heat is null then fresh
                else greatest(heat, fresh) + ln(1 + power(2, -least(abs(heat - fresh), 60))) / ln(2) end
      from (select extract(epoch from at)::double precision / 86400 + ln(n) / ln(2)) as t (fresh)
$$;

create function sync_search_document() returns trigger language plpgsql as $$
begin
    if not exists (select from listed_videos where id = new.id) then
        delete from search_documents where video_id = new.id;
        return null;
    end if;
    insert into video_popularity (video_id, views) values (new.id, new.views) on conflict do nothing;
    insert into search_documents as d (video_id, user_id, title, words, said, tags, category, quality, duration, reach, created_at)
    select new.id, new.user_id, lower(normalize(new.title, nfkc)), search_lexemes(new.title, new.tags, u.username::text, new.description),
           search_said(new.title, new.tags), new.tags, new.category, least(new.width, new.height), new.duration,
           search_reach(new.views), new.created_at
      from users u where u.id = new.user_id
    on conflict (video_id) do update
       set title = excluded.title, words = excluded.words, said = excluded.said, tags = excluded.tags, category = excluded.category,
           quality = excluded.quality, duration = excluded.duration, reach = excluded.reach, created_at = excluded.created_at
     where (d.title, d.words, d.tags, d.category, d.quality, d.duration, d.created_at)
           is distinct from (excluded.title, excluded.words, excluded.tags, excluded.category, excluded.quality, excluded.duration, excluded.created_at);
    return null;
end $$;
create trigger videos_found after insert on videos for each row execute function sync_search_document();
-- Whatever else changes may be a reason not to be listed; counts and percents are none, and they change often.
create trigger videos_found_again after update on videos for each row
    when ((old.views = new.views and old.likes = new.likes and old.processing_progress = new.processing_progress)
          or old.status <> new.status or old.playable_at is distinct from new.playable_at)
    execute function sync_search_document();

create function grow_popularity() returns trigger language plpgsql as $$
begin
    update video_popularity p
       set views = new.views, heat = case when new.views > old.views then heat_after(p.heat, new.views - old.views, now()) else p.heat end
     where p.video_id = new.id;
    if search_reach(new.views) <> search_reach(old.views) then
        update search_documents set reach = search_reach(new.views) where video_id = new.id;
    end if;
    return null;
end $$;
create trigger videos_viewed after update of views on videos for each row
    when (old.views <> new.views) execute function grow_popularity();

-- How many documents say a word: what is suggested while somebody types, and what a misspelt word may mean.
create table search_words (
    word      text primary key,
    documents bigint not null
);
-- Few letters begin many words: the most frequent of them by these. More letters by the range.
create index search_words_1 on search_words (left(word, 1), documents desc, word);
create index search_words_2 on search_words (left(word, 2), documents desc, word);
create index search_words_range on search_words (word text_pattern_ops);
create index search_words_alike on search_words using gin (word gin_trgm_ops) with (fastupdate = off);
create index search_words_gone on search_words (word) where documents <= 0;

-- What is to be counted there: words that a document says, or says no more. A job does it, because all documents say
-- `vlog`, and whoever edits one should not wait for that row.
create table search_word_changes (
    id    bigint generated always as identity primary key,
    words text[] not null,
    n     smallint not null check (n in (-1, 1))
);
create function note_said() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into search_word_changes (words, n) values (old.said, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into search_word_changes (words, n) values (new.said, 1);
    end if;
    return null;
end $$;
create trigger search_documents_said after insert or delete on search_documents for each row execute function note_said();
create trigger search_documents_said_else after update on search_documents for each row
    when (old.said is distinct from new.said) execute function note_said();

-- The other orders of `GET /api/videos` for everybody; by time it has one.
create index videos_public_views on videos (views desc, id desc)
    where visibility = 'public' and playable_at is not null and status <> 'failed';
create index videos_public_title on videos (title, id)
    where visibility = 'public' and playable_at is not null and status <> 'failed';

-- Channels by name, misspelt too.
create index users_username_alike on users using gin (lower(username::text) gin_trgm_ops);

insert into video_popularity (video_id, views) select id, views from listed_videos;
insert into search_documents (video_id, user_id, title, words, said, tags, category, quality, duration, reach, created_at)
select v.id, v.user_id, lower(normalize(v.title, nfkc)), search_lexemes(v.title, v.tags, u.username::text, v.description),
       search_said(v.title, v.tags), v.tags, v.category, least(v.width, v.height), v.duration, search_reach(v.views), v.created_at
  from listed_videos l join videos v on v.id = l.id join users u on u.id = v.user_id;
