//! A person's picture, and their leaving, with workers that die meanwhile.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Person, Stack, person::PASSWORD, person::text, until};
use serde_json::json;

/// More than one look of the job that deletes.
const VIDEOS: usize = 60;
/// A picture of 2 by 2 pixels.
const PICTURE: &str = "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a730000001049444154789c6338a1a101440c100a00212e04611ee06dc20000000049454e44ae426082";

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_leaves_nothing_though_a_worker_dies() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let (ann, bob) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    for n in 0..VIDEOS {
        ann.upload_bytes("clip.mp4", b"no video at all", &format!("Clip {n}"))
            .await?;
    }
    bob.upload_bytes("clip.mp4", b"no video at all", "Stays")
        .await?;
    let mut worker = stack.worker("first").await?;
    stack.quiet().await?;

    let picture = hex::decode(PICTURE)?;
    let body = json!({ "content_type": "image/png", "size": picture.len() });
    let mut target = ann.post("/api/me/avatar", body).await?.expect(201)?;
    target["method"] = json!("single");
    ann.put(&target, &picture).await?;
    let path = format!("/api/me/avatar/{}", text(&target["avatar_id"])?);
    ann.post(&format!("{path}/complete"), json!({}))
        .await?
        .expect(202)?;
    until(
        "the picture is ready",
        Duration::from_secs(20),
        async || {
            let avatar = ann.get(&path).await?.expect(200)?;
            Ok((avatar["status"] == "ready").then_some(()))
        },
    )
    .await?;
    assert_eq!(
        stack.storage.list("avatars/").await?.len(),
        2,
        "the source is gone"
    );

    ann.post("/api/me/delete", json!({ "password": PASSWORD }))
        .await?
        .expect(202)?;
    until("some of it is gone", Duration::from_secs(20), async || {
        let left: i64 = sqlx::query_scalar("select count(*) from videos")
            .fetch_one(&stack.db)
            .await?;
        Ok((left < i64::try_from(VIDEOS)?).then_some(()))
    })
    .await?;
    worker.kill()?;
    let _second = stack.worker("second").await?;
    stack.quiet().await?;

    let names: Vec<String> = sqlx::query_scalar("select username::text from users")
        .fetch_all(&stack.db)
        .await?;
    assert_eq!(names, std::slice::from_ref(&bob.name));
    let left = stack.storage.list("").await?;
    assert_eq!(left.len(), 1, "{left:?}");
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(doomed, 0);
    let mails: i64 =
        sqlx::query_scalar("select count(*) from emails where message = 'account_deleted'")
            .fetch_one(&stack.db)
            .await?;
    assert_eq!(mails, 1);
    bob.get("/api/me")
        .await?
        .expect(200)
        .context("the other one stays")?;
    stack.end().await
}
