-- Search with several filters. A word that every second video says, with filters that few of these pass, took 947 ms among a
-- million videos: PostgreSQL read every document that says the word and looked at its columns. Now one index knows the words,
-- the tags, and what the filters ask for, and gives only what has all of them. Its parts are columns of one index, and not
-- lexemes among the words: so no row is written anew, and words stay what somebody said.
--
-- Building it holds up whoever edits or publishes a video (not who searches): about a minute and a half for a million videos.
-- A platform with very many more builds it beforehand under this name with `create index concurrently`, after the function.

-- What filters ask of a video, as a set: steps of quality that it reaches, and its length. `domain/src/search/traits.rs`
-- spells them alike.
create or replace function search_traits(category text, quality integer, duration double precision) returns text[]
language sql immutable parallel safe as $$
    select array_remove(array[
        'c:' || category,
        case when quality >= 720 then 'q:720' end,
        case when quality >= 1080 then 'q:1080' end,
        case when quality >= 2160 then 'q:2160' end,
        case when duration < 240 then 'd:short' when duration < 1200 then 'd:medium' when duration >= 1200 then 'd:long' end
    ], null)
$$;

-- No pending list: who searches would have to read it, and documents change rarely.
create index if not exists search_documents_found on search_documents
    using gin (words, tags, search_traits(category, quality, duration)) with (fastupdate = off);
-- How frequent each trait is decides between the index and a walk along an order.
analyze search_documents;
-- It answers for them, too. Last, because readers wait for this and not for what comes before.
drop index search_documents_words;
drop index search_documents_tags;
