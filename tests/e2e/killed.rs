//! Workers that die in the middle of a job that goes on step by step: what was done is done once, and the rest follows.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{UploadId, UserId, VideoId},
    videos::{NewVideo, Video, Visibility},
};
use millrace_jobs::kinds::Recommend;
use millrace_queue::NewJob;
use millrace_tests::{Gate, Person, Stack, person::text, until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// A video that everybody may watch, as the pipeline leaves it.
async fn watchable(stack: &Stack, owner: UserId) -> Result<VideoId> {
    let new = NewVideo {
        id: VideoId::new(),
        user_id: owner,
        upload_id: UploadId::new(),
        title: "A mill".to_owned(),
        description: String::new(),
        visibility: Visibility::Public,
        original_key: "raw/x/source".to_owned(),
        original_etag: "\"x\"".to_owned(),
        original_name: "mill.mp4".to_owned(),
        file_size: 1,
    };
    Video::insert(&stack.db, &new).await?;
    Video::publish(&stack.db, new.id, 1).await?;
    sqlx::query("update videos set playable_at = now(), duration = 60 where id = $1")
        .bind(new.id.0)
        .execute(&stack.db)
        .await?;
    Ok(new.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_many_goes_on_after_the_last_that_was_changed() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let person = Person::register(&stack).await?;
    let owner: UserId = person.id.parse()?;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(watchable(&stack, owner).await?);
    }
    ids.sort_unstable();
    let fourth = format!("new.id = '{}'", ids[3]);
    let gate = Gate::close(&stack.db, "videos", &fourth).await?;
    let mut first = stack.worker("killed").await?;
    let change = json!({ "videos": ids, "add_tags": ["mill"] });
    let edit = person.post("/api/bulk_edits", change).await?.expect(202)?;
    let path = format!("/api/bulk_edits/{}", text(&edit["id"])?);
    gate.reached(SOON).await?;
    first.kill()?;
    let seen = person.get(&path).await?.expect(200)?;
    assert_eq!(
        (&seen["done"], &seen["finished"]),
        (&json!(3), &json!(false))
    );
    let changed = async || -> Result<Vec<(Vec<String>, DateTime<Utc>)>> {
        let rows = "select tags, updated_at from videos order by id";
        Ok(sqlx::query_as(rows).fetch_all(&stack.db).await?)
    };
    let before = changed().await?;
    let tagged = |rows: &[(Vec<String>, DateTime<Utc>)]| {
        rows.iter().filter(|(tags, _)| *tags == ["mill"]).count()
    };
    assert_eq!((tagged(&before), tagged(&before[..3])), (3, 3));
    gate.open().await?;

    let _second = stack.worker("second").await?;
    let end = until("all are changed", SOON, async || {
        let edit = person.get(&path).await?.expect(200)?;
        Ok((edit["finished"] == json!(true)).then_some(edit))
    })
    .await?;
    assert_eq!((&end["done"], &end["skipped"]), (&json!(6), &json!(0)));
    let after = changed().await?;
    assert_eq!(tagged(&after), 6);
    assert_eq!(after[..3], before[..3], "those were done already");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn recommendations_go_on_after_the_last_batch() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let creator = Person::register(&stack).await?;
    let owner: UserId = creator.id.parse()?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(watchable(&stack, owner).await?.0);
    }
    // A hundred and twenty people, which is three batches: all but two of them watched two of three videos.
    sqlx::query(
        "insert into users (id, username, email, password)
         select gen_random_uuid(), 'viewer' || n, 'viewer' || n || '@example.org', 'none' from generate_series(1, 120) n",
    )
    .execute(&stack.db)
    .await?;
    sqlx::query(
        "insert into watch_history (user_id, video_id, position, said_at)
         select u.id, v.id, 30, now() from users u cross join unnest($1::uuid[]) with ordinality v (id, n)
          where u.username like 'viewer%' and (v.n < 3 or u.username in ('viewer1', 'viewer2'))",
    )
    .bind(&ids)
    .execute(&stack.db)
    .await?;
    let people: Vec<uuid::Uuid> =
        sqlx::query_scalar("select id from users where username like 'viewer%' order by id")
            .fetch_all(&stack.db)
            .await?;
    let in_the_second = format!("new.user_id = '{}'", people[59]);
    let gate = Gate::close(&stack.db, "recommendations", &in_the_second).await?;
    let mut first = stack.worker("killed").await?;
    let mut conn = stack.db.acquire().await?;
    let job = millrace_queue::enqueue(&mut conn, NewJob::new(&Recommend {})).await?;
    job.wake.fire(&stack.notifier);
    drop(conn);
    gate.reached(SOON).await?;
    first.kill()?;
    let made = async || -> Result<Vec<(uuid::Uuid, DateTime<Utc>)>> {
        let rows = "select user_id, made_at from recommendations order by user_id";
        Ok(sqlx::query_as(rows).fetch_all(&stack.db).await?)
    };
    let before = made().await?;
    let done: Vec<uuid::Uuid> = before.iter().map(|row| row.0).collect();
    assert_eq!(done, people[..50], "whole batches, and nothing of the next");
    gate.open().await?;

    let _second = stack.worker("second").await?;
    stack.quiet().await?;
    let after = made().await?;
    assert_eq!(after.len(), 120);
    assert_eq!(after[..50], before, "those were made already");
    // The third video goes with what everybody watched, by two people who watched it.
    let third: i64 = sqlx::query_scalar(
        "select count(*) from recommendations where videos = array[$1::uuid] and user_id <> all($2)",
    )
    .bind(ids[2])
    .bind(people_who_watched_it(&stack).await?)
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(third, 118);
    stack.end().await
}

async fn people_who_watched_it(stack: &Stack) -> Result<Vec<uuid::Uuid>> {
    let ids = "select id from users where username in ('viewer1', 'viewer2')";
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(ids).fetch_all(&stack.db).await?;
    (ids.len() == 2).then_some(ids).context("two people")
}
