//! Ladders that MediaConvert makes, against a stub that speaks its protocol and misbehaves as networks and services do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_jobs::kinds::MediaconvertSweep;
use millrace_queue::NewJob;
use millrace_tests::{
    Clip, Gate, Person, Player, Stack, StackOptions, media,
    mediaconvert::{MediaConvertStub, Mood, ROLE, ServingStub},
    person::text,
    until,
};
use serde_json::{Value, json};

const READY: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(60);
const SECRET: &str = "the secret of these tests, long enough";

/// A stack whose ladders the stub makes.
async fn start(mood: Mood, settings: &[(&str, &str)]) -> Result<(Stack, ServingStub)> {
    let stub = MediaConvertStub::bind().await?;
    let usual: StackOptions = Stack::with_short_leases()
        .set("transcoder.kind", "mediaconvert")
        .set("mediaconvert.role_arn", ROLE)
        .set("mediaconvert.endpoint", stub.address())
        .set("mediaconvert.event_secret", SECRET)
        .set("mediaconvert.poll_interval", "500ms")
        .set("mediaconvert.silence", "10m");
    let options = settings
        .iter()
        .fold(usual, |options, (key, value)| options.set(key, *value));
    let stack = options.start().await?;
    let serving = stub.serve(stack.storage.clone(), mood);
    Ok((stack, serving))
}

/// Nothing of it plays before the ladder does.
fn clip() -> Clip {
    Clip::new(10, "640x360").fps("30000/1001").unusual()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_becomes_a_video_that_plays_and_leaves_nothing_when_deleted() -> Result<()> {
    let (stack, stub) = start(Mood::Works, &[]).await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    let video = person.sees_ready(&id, READY).await?;
    assert_eq!(
        (&video["progress"], &video["stage"], &video["error"]),
        (&json!(100), &json!("done"), &json!(null))
    );
    let qualities: Vec<&str> = video["qualities"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|quality| quality["name"].as_str())
        .collect();
    assert_eq!(qualities, ["360p", "240p"]);

    let player = Player::of(&person)?;
    let url = text(&video["hls_url"])?;
    let master = player.master(&url).await?;
    assert_eq!(master.variants.len(), 2, "{master:?}");
    for variant in &master.variants {
        let rendition = player
            .rendition(&player.resolve(&url, &variant.uri)?)
            .await?;
        assert!(rendition.playlist.ended);
        // Cut as our own encoder cuts: at each 120 frames of 29.97 a second.
        let lengths: Vec<f64> = rendition
            .playlist
            .segments
            .iter()
            .map(|s| s.duration)
            .collect();
        assert_eq!(lengths.len(), 3, "{lengths:?}");
        assert!((lengths[0] - 4.004).abs() < 0.001, "{lengths:?}");
        for n in 0..rendition.segments.len() {
            media::decoded(&rendition.file_of(n)).await?;
        }
        let stream = media::decoded(&rendition.file()).await?;
        assert_eq!(stream.codec_name, "h264");
        assert!((299..=301).contains(&media::frames(&stream)?));
        assert!(variant.bandwidth > 10_000);
    }
    let sound = player.resolve(&url, master.audio.as_deref().context("no sound")?)?;
    let sound = player.rendition(&sound).await?;
    assert!(
        (sound.playlist.duration() - 10.0).abs() < 0.2,
        "{:?}",
        sound.playlist
    );
    media::decoded(&sound.file()).await?;
    let poster = player.bytes(&text(&video["poster_url"])?).await?;
    assert_eq!(&poster[..3], [0xff, 0xd8, 0xff]);
    let pictures: i64 = sqlx::query_scalar(
        "select count(*) from video_thumbnails where video_id::text = $1 and key like 'images/%/mc-1-1/%'",
    )
    .bind(&id)
    .fetch_one(&stack.db)
    .await?;
    assert!(pictures >= 2, "{pictures} pictures");

    stack.quiet().await?;
    assert_eq!(stub.calls().created.len(), 1);
    let gone = person
        .delete(&format!("/api/videos/{id}?forever=true"))
        .await?;
    assert_eq!(gone.status, 204);
    stack.quiet().await?;
    assert_eq!(objects(&stack).await?, Vec::<String>::new());
    assert_eq!(stub.calls().cancelled, Vec::<String>::new());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_and_a_killed_worker_ask_once() -> Result<()> {
    let (stack, stub) = start(Mood::LosesAnswers, &[]).await?;
    let mut worker = stack.worker("killed").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    until("the answer is lost", SOON, async || {
        Ok((!stub.calls().created.is_empty()).then_some(()))
    })
    .await?;
    worker.kill()?;
    let _other = stack.worker("other").await?;
    person.sees_ready(&id, READY).await?;
    let calls = stub.calls();
    assert_eq!(calls.created.len(), 1);
    assert!(
        calls.listed >= 1,
        "nobody looked before asking again: {calls:?}"
    );
    assert_eq!(stub.jobs(), ["COMPLETE"]);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_late_twice_and_backwards_end_it_once() -> Result<()> {
    // Nobody would look again before the test has given up.
    let patient = [
        ("mediaconvert.poll_interval", "20m"),
        ("mediaconvert.silence", "2h"),
    ];
    let (stack, stub) = start(Mood::Slow(Duration::from_millis(300)), &patient).await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    until("it is made and its first look is over", SOON, async || {
        let waits: i64 = sqlx::query_scalar(
            "select count(*) from queue.job where kind = 'mediaconvert_poll' and state = 'scheduled'",
        )
        .fetch_one(&stack.db)
        .await?;
        Ok((stub.jobs() == ["COMPLETE"] && waits == 1).then_some(()))
    })
    .await?;
    assert_eq!(person.video(&id).await?["status"], "processing");
    let mut events = stub.events();
    events.reverse();
    for event in events.iter().chain(&events) {
        announce(&stack, event).await?;
    }
    person.sees_ready(&id, READY).await?;
    for event in &events {
        announce(&stack, event).await?;
    }
    stack.quiet().await?;
    let registered: i64 = sqlx::query_scalar(
        "select count(*) from queue.history where kind = 'mediaconvert_register'",
    )
    .fetch_one(&stack.db)
    .await?;
    assert_eq!((registered, stub.calls().created.len()), (1, 1));
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_stands_still_is_given_up_for_another_and_then_for_good() -> Result<()> {
    let (stack, stub) = start(Mood::Stalls, &[("mediaconvert.silence", "2s")]).await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    let failed = person
        .sees(&id, "the video failed", READY, |video| {
            video["status"] == "failed"
        })
        .await?;
    assert_eq!(failed["error"]["code"], "transcoder_silent", "{failed}");
    stack.quiet().await?;
    assert_eq!(stub.calls().created.len(), 2);
    assert_eq!(stub.jobs(), ["CANCELED", "CANCELED"]);
    // What was told is not lost: its owner tries again, and it goes on.
    stub.be(Mood::Works);
    person
        .post(&format!("/api/videos/{id}/retry"), json!({}))
        .await?
        .expect(202)?;
    person.sees_ready(&id, READY).await?;
    assert_eq!(stub.calls().created.len(), 3);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_while_nobody_answers_leaves_a_job_that_another_finds() -> Result<()> {
    let (stack, stub) = start(Mood::Mute, &[]).await?;
    let mut worker = stack.worker("killed").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    until("somebody asks how it is", SOON, async || {
        Ok((stub.calls().looked > 0).then_some(()))
    })
    .await?;
    worker.kill()?;
    assert_eq!(person.video(&id).await?["status"], "processing");
    stub.be(Mood::Works);
    let _other = stack.worker("other").await?;
    person.sees_ready(&id, READY).await?;
    assert_eq!(
        (stub.calls().created.len(), stub.jobs()),
        (1, vec!["COMPLETE"])
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_while_segments_are_registered_leaves_those_that_are() -> Result<()> {
    let (stack, stub) = start(Mood::Works, &[]).await?;
    // Both pictures come first, then the sound.
    let gate = Gate::close(&stack.db, "segments", "new.rendition = 'audio'").await?;
    let mut worker = stack.worker("killed").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    gate.reached(READY).await?;
    worker.kill()?;
    let rows = async || -> Result<Vec<(String, Vec<i64>)>> {
        let rows =
            "select rendition, array[count(*), count(distinct n), min(run_no), max(run_no)] from segments
                     where video_id::text = $1 group by 1 order by 1";
        Ok(sqlx::query_as(rows).bind(&id).fetch_all(&stack.db).await?)
    };
    let before = rows().await?;
    let named: Vec<&str> = before.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(named, ["v240", "v360"], "{before:?}");
    gate.open().await?;
    let _other = stack.worker("other").await?;
    let video = person.sees_ready(&id, READY).await?;
    // What was there stays as the first run wrote it; the second one did the rest.
    let after = rows().await?;
    assert_eq!(after[1..], before);
    let [count, distinct, first, last] = after[0].1[..] else {
        anyhow::bail!("{after:?}");
    };
    assert_eq!((count, first), (distinct, last));
    assert!(first > before[0].1[3], "{after:?}");
    assert_eq!(stub.calls().created.len(), 1);
    let player = Player::of(&person)?;
    let url = text(&video["hls_url"])?;
    let master = player.master(&url).await?;
    let sound = player.resolve(&url, master.audio.as_deref().context("no sound")?)?;
    media::decoded(&player.rendition(&sound).await?.file()).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_over_there_is_told_in_words() -> Result<()> {
    let (stack, stub) = start(Mood::Fails(1076), &[]).await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let is_failed = |video: &Value| video["status"] == "failed";
    // The file's fault: asking again would find the same.
    let first = person.upload(&clip()).await?;
    let failed = person
        .sees(&first, "the video failed", READY, is_failed)
        .await?;
    assert_eq!(failed["error"]["code"], "damaged", "{failed}");
    assert_eq!(stub.calls().created.len(), 1);
    // Theirs: asked for once more.
    stub.be(Mood::Fails(1999));
    let second = person.upload(&clip()).await?;
    let failed = person
        .sees(&second, "the video failed", READY, is_failed)
        .await?;
    assert_eq!(failed["error"]["code"], "transcoder_failed", "{failed}");
    assert_eq!(stub.calls().created.len(), 3);
    for id in [first, second] {
        person
            .delete(&format!("/api/videos/{id}?forever=true"))
            .await?;
    }
    stack.quiet().await?;
    assert_eq!(objects(&stack).await?, Vec::<String>::new());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_or_deletes_stops_it_over_there() -> Result<()> {
    let (stack, stub) = start(Mood::Stalls, &[]).await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let converting = |video: &Value| video["progress"].as_i64() > Some(5);
    let first = person.upload(&clip()).await?;
    person
        .sees(&first, "it is being converted", SOON, converting)
        .await?;
    person
        .post(&format!("/api/videos/{first}/cancel"), json!({}))
        .await?
        .expect(202)?;
    stack.quiet().await?;
    assert_eq!(stub.jobs(), ["CANCELED"]);
    let second = person.upload(&clip()).await?;
    person
        .sees(&second, "it is being converted", SOON, converting)
        .await?;
    for id in [&first, &second] {
        let gone = person
            .delete(&format!("/api/videos/{id}?forever=true"))
            .await?;
        assert_eq!(gone.status, 204);
    }
    stack.quiet().await?;
    assert_eq!(stub.jobs(), ["CANCELED", "CANCELED"]);
    assert_eq!(objects(&stack).await?, Vec::<String>::new());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_looks_after_is_swept() -> Result<()> {
    let (stack, stub) = start(Mood::Stalls, &[]).await?;
    let mut worker = stack.worker("gone").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    let converting = |video: &Value| video["progress"].as_i64() > Some(5);
    person
        .sees(&id, "it is being converted", SOON, converting)
        .await?;
    worker.terminate()?;
    worker.ended(SOON).await?;
    // Its video does not need it any more, and whoever should have said so over there was lost.
    sqlx::query("update videos set status = 'failed', error_code = 'x', error_message = 'x' where id::text = $1")
        .bind(&id)
        .execute(&stack.db)
        .await?;
    sqlx::query("delete from queue.job where kind <> 'mediaconvert_sweep'")
        .execute(&stack.db)
        .await?;
    sqlx::query("update mediaconvert_jobs set last_heard_at = now() - interval '1 minute'")
        .execute(&stack.db)
        .await?;
    let _other = stack.worker("other").await?;
    let mut conn = stack.db.acquire().await?;
    let sweep = millrace_queue::enqueue(&mut conn, NewJob::new(&MediaconvertSweep {})).await?;
    sweep.wake.fire(&stack.notifier);
    drop(conn);
    until("it is stopped", SOON, async || {
        Ok((stub.jobs() == ["CANCELED"]).then_some(()))
    })
    .await?;
    stack.quiet().await?;
    let open: i64 =
        sqlx::query_scalar("select count(*) from mediaconvert_jobs where ended_at is null")
            .fetch_one(&stack.db)
            .await?;
    assert_eq!(open, 0);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_waited_for_and_a_wrong_role_is_not() -> Result<()> {
    let (stack, stub) = start(Mood::Away, &[]).await?;
    let mut worker = stack.worker("waits").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&clip()).await?;
    until("it was tried", SOON, async || {
        let tried: i64 = sqlx::query_scalar(
            "select count(*) from queue.job where kind = 'mediaconvert_submit' and attempt >= 2",
        )
        .fetch_one(&stack.db)
        .await?;
        Ok((tried == 1).then_some(()))
    })
    .await?;
    assert_eq!(person.video(&id).await?["status"], "processing");
    stub.be(Mood::Works);
    person.sees_ready(&id, READY).await?;
    worker.terminate()?;
    worker.ended(SOON).await?;
    let wrong = [(
        "mediaconvert.role_arn",
        "arn:aws:iam::111122223333:role/other",
    )];
    let _wrong = stack.worker_with("wrong", &wrong).await?;
    let id = person.upload(&clip()).await?;
    let failed = person
        .sees(&id, "the video failed", READY, |video| {
            video["status"] == "failed"
        })
        .await?;
    assert_eq!(
        failed["error"]["code"], "transcoder_misconfigured",
        "{failed}"
    );
    stack.end().await
}

/// Brings an event as EventBridge would.
async fn announce(stack: &Stack, event: &Value) -> Result<()> {
    let answer = reqwest::Client::new()
        .post(format!("{}/api/mediaconvert/events", stack.address()))
        .header("x-mediaconvert-secret", SECRET)
        .json(event)
        .send()
        .await?;
    anyhow::ensure!(answer.status() == 204, "answered {}", answer.status());
    Ok(())
}

/// All objects of videos; sources and pictures too.
async fn objects(stack: &Stack) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for root in ["raw/", "hls/", "images/"] {
        all.extend(stack.storage.list(root).await?);
    }
    Ok(all)
}
