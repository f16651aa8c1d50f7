//! Uploads that are interrupted, ended, or left: what counts is what the store has, and each becomes one video or
//! nothing.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use millrace_domain::{storage::CompletedPart, uploads::NewUpload};
use millrace_jobs::kinds::SweepUploads;
use millrace_queue::NewJob;
use millrace_tests::{Clip, Person, Stack, person::text, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// Parts have 16 MiB; this makes three.
const SIZE: usize = 40 * 1024 * 1024;
const PART: usize = 16 * 1024 * 1024;
const DETAILS: &str = r#"{"title":"Clip"}"#;

/// Everything travels in parts, and nobody works.
async fn stack() -> Result<Stack> {
    Stack::with()
        .light()
        .set("uploads.single_put_limit", 1000)
        .start()
        .await
}

fn path(target: &Value) -> Result<String> {
    Ok(format!("/api/uploads/{}", text(&target["upload_id"])?))
}

fn details() -> Value {
    json!(serde_json::from_str::<Value>(DETAILS).unwrap_or_default())
}

/// The target with these parts only, so that only they are sent.
fn only(target: &Value, numbers: std::ops::RangeInclusive<usize>) -> Value {
    let mut target = target.clone();
    let parts = target["parts"].as_array().cloned().unwrap_or_default();
    target["parts"] = parts[numbers.start() - 1..*numbers.end()].to_vec().into();
    target
}

/// Runs the sweep, which must be all that is done.
async fn sweep(stack: &Stack, sweep: SweepUploads) -> Result<Value> {
    let job = NewJob::new(&sweep);
    let id = job.id();
    let mut conn = stack.db.acquire().await?;
    let enqueued = millrace_queue::enqueue(&mut conn, job).await?;
    enqueued.wake.fire(&stack.notifier);
    until("the sweep is done", Duration::from_secs(20), async || {
        let found = millrace_queue::find(&mut conn, id).await?;
        Ok(found.and_then(|job| job.result))
    })
    .await
}

async fn multiparts(stack: &Stack) -> Result<usize> {
    Ok(stack
        .storage
        .list_multiparts("raw/", None)
        .await?
        .uploads
        .len())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_only_what_is_missing_is_sent() -> Result<()> {
    let stack = stack().await?;
    let person = Person::register(&stack).await?;
    let bytes: Vec<u8> = (0..SIZE).map(|n| (n / 1000 % 251) as u8).collect();
    let asked = json!({ "filename": "clip.mp4", "size": SIZE, "content_type": "video/mp4", "fingerprint": "f" });
    let target = person
        .post("/api/uploads", asked.clone())
        .await?
        .expect(201)?;
    person.put(&only(&target, 1..=2), &bytes).await?;

    // The page is gone with all it knew. The server's list is the truth.
    let list = person.get("/api/uploads").await?.expect(200)?;
    let left = &list["items"][0];
    assert_eq!(left["id"], target["upload_id"]);
    assert_eq!(left["received_bytes"], json!(2 * PART));
    let upload = person.get(&path(&target)?).await?.expect(200)?;
    assert_eq!(upload["missing"], json!([3]));
    assert_eq!(
        (
            &upload["parts"][1]["size"],
            &upload["part_count"],
            &upload["received_bytes"]
        ),
        (&json!(PART), &json!(3), &json!(2 * PART))
    );
    person
        .post(&format!("{}/complete", path(&target)?), details())
        .await?
        .expect_problem(409, "upload_incomplete")?;
    // Begun again, it is the same one, and tells what is missing.
    let again = person.post("/api/uploads", asked).await?.expect(200)?;
    assert_eq!(again["upload_id"], target["upload_id"]);
    let wanted = again["parts"].as_array().context("no parts")?;
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0]["part_number"], 3);
    let mut rest = again.clone();
    rest["parts"] = json!([wanted[0]]);
    // The third part is the last chunk of the file.
    person.put(&rest, &bytes[2 * PART..]).await?;
    let upload = person.get(&path(&target)?).await?.expect(200)?;
    assert_eq!(upload["missing"], json!([]));
    // Nothing is remembered of the ETags: the store's list completes it.
    let video = person
        .post(&format!("{}/complete", path(&target)?), details())
        .await?
        .expect(201)?;
    let stored = stack.folder().join("whole");
    let (key, etag): (String, String) =
        sqlx::query_as("select original_key, original_etag from videos where id = $1")
            .bind(text(&video["id"])?.parse::<Uuid>()?)
            .fetch_one(&stack.db)
            .await?;
    stack.storage.download(&key, &etag, &stored).await?;
    assert!(tokio::fs::read(&stored).await? == bytes);
    let used = person.get("/api/me/storage").await?.expect(200)?;
    assert_eq!(
        (&used["used"], &used["reserved"]),
        (&json!(SIZE), &json!(0))
    );
    stack.abandon().await // Nobody was there to probe it.
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_at_once_and_after_a_lost_transaction_make_one_video() -> Result<()> {
    let stack = stack().await?;
    let person = Person::register(&stack).await?;
    let bytes = vec![7; SIZE];
    let target = person.begin("clip.mp4", SIZE).await?.expect(201)?;
    person.put(&target, &bytes).await?;
    let complete = format!("{}/complete", path(&target)?);
    // No list of parts: each looks for itself, while others put them together.
    let asked = (0..8).map(|_| async { person.post(&complete, details()).await?.expect(201) });
    let videos = try_join_all(asked).await?;
    assert!(videos.iter().all(|video| video["id"] == videos[0]["id"]));

    // The process died after the store's answer and before the commit: the parts are gone, the row is pending.
    let target = person.begin("clip.mp4", SIZE).await?.expect(201)?;
    let sent = person.put(&target, &bytes).await?;
    let id: Uuid = text(&target["upload_id"])?.parse()?;
    let (key, s3_id): (String, String) =
        sqlx::query_as("select key, s3_upload_id from uploads where id = $1")
            .bind(id)
            .fetch_one(&stack.db)
            .await?;
    let parts = sent.as_array().into_iter().flatten().map(|part| {
        Ok(CompletedPart {
            part_number: i32::try_from(part["part_number"].as_i64().context("no number")?)?,
            etag: text(&part["etag"])?,
        })
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    stack
        .storage
        .complete_multipart(&key, &s3_id, &parts)
        .await?;
    let upload = person.get(&path(&target)?).await?.expect(200)?;
    assert_eq!(
        (&upload["missing"], &upload["received_bytes"]),
        (&json!([]), &json!(SIZE))
    );
    let complete = format!("{}/complete", path(&target)?);
    let with_parts = json!({ "title": "Clip", "parts": sent });
    let (one, other) = tokio::try_join!(
        person.post(&complete, with_parts),
        person.post(&complete, details())
    )?;
    assert_eq!(one.expect(201)?["id"], other.expect(201)?["id"]);
    let videos: i64 = sqlx::query_scalar("select count(*) from videos")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(videos, 2);
    assert_eq!(multiparts(&stack).await?, 0);
    stack.abandon().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_size_ends_its_upload() -> Result<()> {
    let stack = stack().await?;
    let person = Person::register(&stack).await?;
    let target = person.begin("clip.mp4", SIZE).await?.expect(201)?;
    // A signed part says nothing of its size: the last one is too short.
    person.put(&target, &vec![1; SIZE - 5]).await?;
    let upload = person.get(&path(&target)?).await?.expect(200)?;
    assert_eq!(upload["missing"], json!([3]));
    let complete = format!("{}/complete", path(&target)?);
    for _ in 0..2 {
        person
            .post(&complete, details())
            .await?
            .expect_problem(422, "upload_size_mismatch")?;
    }
    let upload = person.get(&path(&target)?).await?.expect(200)?;
    assert_eq!(
        (&upload["status"], &upload["error_code"]),
        (&json!("aborted"), &json!("upload_size_mismatch"))
    );
    let used = person.get("/api/me/storage").await?.expect(200)?;
    assert_eq!(used["reserved"], 0);
    let _worker = stack
        .worker_with("sweeper", &[("worker.queues", "default=2")])
        .await?;
    stack.quiet().await?;
    assert!(stack.storage.list("raw/").await?.is_empty());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_swept_and_what_lives_is_not() -> Result<()> {
    let stack = stack().await?;
    let person = Person::register(&stack).await?;
    let bytes = vec![3; SIZE];
    let left = person.begin("left.mp4", SIZE).await?.expect(201)?;
    person.put(&only(&left, 1..=1), &bytes).await?;
    let small = person.begin("small.mp4", 500).await?.expect(201)?;
    person.put(&small, &bytes[..500]).await?;
    let alive = person.begin("alive.mp4", SIZE).await?.expect(201)?;
    person.put(&only(&alive, 1..=1), &bytes).await?;
    // Places at the store that no row knows: one of ours, and one of somebody else's.
    let nobody = NewUpload::key_of(millrace_domain::ids::UploadId::new());
    stack.storage.create_multipart(&nobody, "video/mp4").await?;
    stack
        .storage
        .create_multipart("raw/manual", "video/mp4")
        .await?;
    // A sign of life comes after the time was up, and before the sweep.
    let long_ago = sqlx::query("update uploads set expires_at = now() - interval '1 second'");
    long_ago.execute(&stack.db).await?;
    let numbers = json!({ "part_numbers": [2, 3] });
    person
        .post(&format!("{}/parts", path(&alive)?), numbers)
        .await?
        .expect(200)?;

    let _worker = stack
        .worker_with("sweeper", &[("worker.queues", "default=2")])
        .await?;
    let result = sweep(&stack, SweepUploads::default()).await?;
    assert_eq!(result, json!({ "expired": 2, "strays": 0 }));
    stack.quiet().await?;
    for gone in [&left, &small] {
        let upload = person.get(&path(gone)?).await?.expect(200)?;
        assert_eq!(upload["status"], "expired");
        person
            .post(&format!("{}/complete", path(gone)?), details())
            .await?
            .expect_problem(409, "upload_over")?;
    }
    assert!(stack.storage.list("raw/").await?.is_empty());
    assert_eq!(multiparts(&stack).await?, 3, "alive, and two strays");
    let used = person.get("/api/me/storage").await?.expect(200)?;
    assert_eq!(
        (&used["reserved"], &used["uploads"]),
        (&json!(SIZE), &json!(1))
    );
    let told: i64 = sqlx::query_scalar(
        "select count(*) from bus.event where topic = $1 and data -> 'upload' ->> 'status' = 'expired'",
    )
    .bind(format!("user:{}", person.id))
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(told, 2);

    // Strays go when they are old enough; a second run finds nothing.
    let at_once = || SweepUploads { strays_after_s: 0 };
    let result = sweep(&stack, at_once()).await?;
    assert_eq!(result, json!({ "expired": 0, "strays": 1 }));
    let result = sweep(&stack, at_once()).await?;
    assert_eq!(result, json!({ "expired": 0, "strays": 0 }));
    assert_eq!(multiparts(&stack).await?, 2);
    // What lived goes on.
    person.put(&alive, &bytes).await?;
    person
        .post(&format!("{}/complete", path(&alive)?), details())
        .await?
        .expect(201)?;
    stack.abandon().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_and_a_completion_at_once_make_a_video_or_nothing() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let person = Person::register(&stack).await?;
    let mut targets = Vec::new();
    for _ in 0..12 {
        let target = person.begin("clip.mp4", 500).await?.expect(201)?;
        person.put(&target, &[9; 500]).await?;
        targets.push(target);
    }
    let long_ago = sqlx::query("update uploads set expires_at = now() - interval '1 second'");
    long_ago.execute(&stack.db).await?;
    let _worker = stack
        .worker_with("sweeper", &[("worker.queues", "default=8")])
        .await?;
    let completing = try_join_all(targets.iter().map(|target| async {
        let complete = format!("{}/complete", path(target)?);
        person.post(&complete, details()).await
    }));
    let (swept, answers) = tokio::try_join!(sweep(&stack, SweepUploads::default()), completing)?;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    for answer in answers {
        if answer.status != 201 {
            answer.expect_problem(409, "upload_over")?;
        }
    }
    let expired = swept["expired"].as_u64().context("no count")?;
    assert_eq!(made as u64 + expired, 12);
    let videos: Vec<String> = sqlx::query_scalar("select original_key from videos order by 1")
        .fetch_all(&stack.db)
        .await?;
    until(
        "only videos' files are left",
        Duration::from_secs(20),
        async || {
            let mut kept = stack.storage.list("raw/").await?;
            kept.sort();
            Ok((kept == videos).then_some(()))
        },
    )
    .await?;
    assert_eq!(videos.len(), made);
    stack.abandon().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_swapped_after_completion_is_not_processed() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(10, "640x360")).await?;
    let key = stack.storage.list("raw/").await?.remove(0);
    let other = tokio::fs::read(Clip::new(10, "320x240").file().await?).await?;
    stack.storage.put(&key, other, "video/mp4").await?;
    let _worker = stack.worker("worker").await?;
    let failed = person
        .sees(&id, "the video fails", Duration::from_secs(30), |video| {
            video["status"] == "failed"
        })
        .await?;
    assert_eq!(failed["error"]["code"], "source_changed");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_do_not_mix() -> Result<()> {
    let stack = stack().await?;
    let person = Person::register(&stack).await?;
    let files: Vec<Vec<u8>> = (1..=4_u8).map(|n| vec![n; PART + usize::from(n)]).collect();
    let sent = files.iter().enumerate().map(|(n, bytes)| {
        let person = &person;
        async move {
            let name = format!("clip {n}.mp4");
            let video = person.upload_bytes(&name, bytes, &name).await?;
            text(&video["id"])
        }
    });
    let ids = try_join_all(sent).await?;
    for (id, bytes) in ids.iter().zip(&files) {
        let (key, etag): (String, String) =
            sqlx::query_as("select original_key, original_etag from videos where id = $1")
                .bind(id.parse::<Uuid>()?)
                .fetch_one(&stack.db)
                .await?;
        let copy = stack.folder().join(id);
        stack.storage.download(&key, &etag, &copy).await?;
        assert!(tokio::fs::read(&copy).await? == *bytes);
    }
    stack.abandon().await
}
