//! A creator with very many followers: everybody hears of a video once, whoever dies meanwhile, and nobody waits for it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_domain::{
    email::{Language, Message, NewEmail, Recipient},
    ids::{UserId, VideoId},
    videos::{NewVideo, Video, Visibility},
};
use millrace_tests::{Person, Stack, until};

const FOLLOWERS: i64 = 100_000;
const SOON: Duration = Duration::from_secs(120);

/// A video that everybody may watch, as the pipeline leaves it, of somebody with many followers.
async fn famous(stack: &Stack, followers: i64) -> Result<Video> {
    let creator: UserId = Person::register(stack).await?.id.parse()?;
    sqlx::query(
        "insert into users (id, username, email, password)
         select gen_random_uuid(), 'follower' || n, 'follower' || n || '@example.org', 'none'
           from generate_series(1, $1) n",
    )
    .bind(followers)
    .execute(&stack.db)
    .await?;
    sqlx::query(
        "insert into follows (follower_id, creator_id) select id, $1 from users where id <> $1",
    )
    .bind(creator.0)
    .execute(&stack.db)
    .await?;
    let new = NewVideo {
        id: VideoId::new(),
        user_id: creator,
        upload_id: millrace_domain::ids::UploadId::new(),
        title: "A film".to_owned(),
        description: String::new(),
        visibility: Visibility::Public,
        original_key: "raw/x/source".to_owned(),
        original_etag: "\"x\"".to_owned(),
        original_name: "film.mp4".to_owned(),
        file_size: 1,
    };
    Video::insert(&stack.db, &new).await?;
    Video::publish(&stack.db, new.id, 1).await?;
    Video::find(&stack.db, new.id).await?.context("no video")
}

async fn announce(stack: &Stack, video: &Video) -> Result<()> {
    let mut tx = stack.db.begin().await?;
    let wake = millrace_jobs::flows::announce_video(&mut tx, video).await?;
    tx.commit().await?;
    wake.fire(&stack.notifier);
    Ok(())
}

async fn told(stack: &Stack) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from notifications")
        .fetch_one(&stack.db)
        .await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_followers_hear_of_it_once_and_others_do_not_wait() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let video = famous(&stack, FOLLOWERS).await?;
    // One who does not want to hear of it, one who is locked out.
    sqlx::query(
        "insert into notification_preferences (user_id, kind, web, email)
         select id, 'published', false, false from users where username = 'follower7'",
    )
    .execute(&stack.db)
    .await?;
    sqlx::query("update users set is_active = false where username = 'follower8'")
        .execute(&stack.db)
        .await?;
    announce(&stack, &video).await?;
    announce(&stack, &video).await?;

    let one_place = [("worker.queues", "default=1")];
    let mut first = stack.worker_with("first", &one_place).await?;
    until("many were told", SOON, async || {
        Ok((told(&stack).await? > 5_000).then_some(()))
    })
    .await?;
    first.kill()?;
    let before = told(&stack).await?;
    assert!(before < FOLLOWERS - 2, "it was killed too late: {before}");

    let _second = stack.worker_with("second", &one_place).await?;
    until("it goes on", SOON, async || {
        Ok((told(&stack).await? > before).then_some(()))
    })
    .await?;
    // The only place is taken by it, and somebody wants a mail.
    let to = Recipient {
        user: None,
        address: "ann@example.org".to_owned(),
        name: "Ann".to_owned(),
        language: Language::En,
    };
    let mut tx = stack.db.begin().await?;
    let message = Message::AccountDeleted;
    let mail = NewEmail {
        key: "farewell",
        to: &to,
        message: &message,
    };
    let wake = millrace_jobs::flows::send_email(&mut tx, mail).await?;
    tx.commit().await?;
    wake.fire(&stack.notifier);
    let left: i64 = until("the mail had its turn", SOON, async || {
        Ok(sqlx::query_scalar(
            "select (select count(*) from queue.job where kind = 'notify_followers') from queue.history where kind = 'email'",
        )
        .fetch_optional(&stack.db)
        .await?)
    })
    .await?;
    assert_eq!(left, 1, "the mail waited for all followers");

    stack.quiet().await?;
    assert_eq!(told(&stack).await?, FOLLOWERS - 2);
    let topics: i64 = sqlx::query_scalar(
        "select count(distinct topic) from bus.event where data ->> 'type' = 'notification'",
    )
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(topics, FOLLOWERS - 2, "their open pages heard of it");
    // Announced once more, nobody hears of it again.
    announce(&stack, &video).await?;
    stack.quiet().await?;
    assert_eq!(told(&stack).await?, FOLLOWERS - 2);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_that_is_hidden_meanwhile_is_told_to_nobody_else() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let video = famous(&stack, 10).await?;
    announce(&stack, &video).await?;
    sqlx::query("update videos set visibility = 'private' where id = $1")
        .bind(video.id.0)
        .execute(&stack.db)
        .await?;
    let _worker = stack
        .worker_with("only", &[("worker.queues", "default=1")])
        .await?;
    stack.quiet().await?;
    assert_eq!(told(&stack).await?, 0);
    stack.end().await
}
