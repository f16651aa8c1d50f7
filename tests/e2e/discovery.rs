//! Finding videos among many: no question reads a large table whole, and no page loses or repeats a video.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{
    Person, Stack,
    discovery::{self, SHAPES, World},
    until,
};
use uuid::Uuid;

/// Videos: enough for indexes to matter, few enough for a test.
const VIDEOS: u32 = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_question_reads_a_large_table_whole() -> Result<()> {
    let stack = Stack::start().await?;
    discovery::fill(&stack.db, VIDEOS).await?;
    let world = World::look(&stack.db).await?;
    let mut whole = Vec::new();
    for shape in SHAPES {
        for n in 0..10 {
            let mut tx = stack.db.begin().await?;
            // Of so few videos PostgreSQL rightly reads some whole; where there is another way, it goes that way now.
            sqlx::query("set local enable_seqscan = off")
                .execute(&mut *tx)
                .await?;
            let before = discovery::reads(&mut tx).await?;
            (shape.run)(&mut tx, &world, n)
                .await
                .with_context(|| shape.name)?;
            let after = discovery::reads(&mut tx).await?;
            for table in discovery::read_whole(&before, &after) {
                whole.push(format!("{} {n}: {table}", shape.name));
            }
            tx.rollback().await?;
        }
    }
    anyhow::ensure!(whole.is_empty(), "{whole:#?}");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_count_words_rank_and_recommend() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let (maker, one, other) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    let mut videos = Vec::new();
    for title in ["Waterwheel", "Millstone", "Flour"] {
        let id: Uuid = sqlx::query_scalar(
            "insert into videos (id, user_id, title, original_key, original_etag, original_name, file_size, status, playable_at)
             select gen_random_uuid(), id, $2, 'k', 'e', 'n', 1, 'ready', now() from users where username = $1 returning id",
        )
        .bind(&maker.name)
        .bind(title)
        .fetch_one(&stack.db)
        .await?;
        videos.push(id);
    }
    for (person, watched) in [
        (&one, &videos[..2]),
        (&other, &videos[..2]),
        (&maker, &videos[..1]),
    ] {
        sqlx::query(
            "insert into watch_history (user_id, video_id, position, said_at)
             select u.id, v.id, 1, now() from users u, unnest($2::uuid[]) v (id) where u.username = $1",
        )
        .bind(&person.name)
        .bind(watched)
        .execute(&stack.db)
        .await?;
    }
    sqlx::query("update videos set views = 5 where id = $1")
        .bind(videos[2])
        .execute(&stack.db)
        .await?;
    for kind in ["count_search_words", "rank_trending", "recommend"] {
        sqlx::query("select queue.enqueue($1, '{}', '{}')")
            .bind(kind)
            .execute(&stack.db)
            .await?;
    }
    until(
        "all three have done their work",
        Duration::from_secs(30),
        async || {
            let done: bool = sqlx::query_scalar(
            "select exists (select from search_words where word = 'millstone' and documents = 1)
                and exists (select from trending where video_id = $1 and rank = 1)
                and (select count(*) from recommendations) = 3
                and not exists (select from search_word_changes)",
        )
        .bind(videos[2])
        .fetch_one(&stack.db)
        .await?;
            Ok(done.then_some(()))
        },
    )
    .await?;
    // What both watched goes together, for who watched one of them; one's own is not offered.
    let neighbours: Vec<Uuid> =
        sqlx::query_scalar("select neighbours from co_views where video_id = $1")
            .bind(videos[0])
            .fetch_one(&stack.db)
            .await?;
    assert_eq!(neighbours, [videos[1]]);
    let page = one.get("/api/videos/recommended").await?.expect(200)?;
    assert_eq!(page["items"][0]["id"], videos[2].to_string(), "{page}");
    stack.end().await
}
