//! What nothing needs any more leaves the store, and nothing else does.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_domain::{
    ids::{UploadId, VideoId},
    sweeps::Sweep,
    uploads::{NewUpload, Once, Upload},
    videos::{self, NewSegment, Video},
};
use millrace_jobs::{
    kinds::{SweepCache, SweepExpired, SweepOrphans},
    orphans,
};
use millrace_queue::{JobId, NewJob, State};
use millrace_tests::{Film, Stack, until};
use serde_json::Value;
use uuid::Uuid;

/// More than two pages of a list.
const MANY: usize = 2_050;

#[tokio::test(flavor = "multi_thread")]
async fn only_objects_that_no_row_names_are_swept() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let (film, named) = ended_film(&stack).await?;
    let made = format!("hls/{}/1/v360/", film.id);
    let mut orphans = BTreeSet::from([
        format!("{made}c0-1/seg_9.m4s"),
        format!("{made}c0-2/init.mp4"),
        format!("images/{}/1/poster-1.jpg", film.id),
        format!("hls/{}/1/v360/c0-1/seg_0.m4s", VideoId::new()),
        format!("raw/{}/source", UploadId::new()),
    ]);
    orphans.extend((0..MANY).map(|n| format!("{made}c7-3/seg_{n}.m4s")));
    // Of a video that is being made, doomed, and not ours.
    let processing = Film::of_bytes(&stack, b"still to be probed".to_vec()).await?;
    let other = [
        format!("hls/{}/1/v360/c0-1/seg_0.m4s", processing.id),
        format!(
            "hls/{}/1/v360/c0-1/seg_0.m4s",
            film_that_is_doomed(&stack).await?
        ),
        "backup/database.sql".to_owned(),
        "raw/notes.txt".to_owned(),
    ];
    store(&stack, orphans.iter().chain(&other)).await?;
    let before = everything(&stack).await?;

    // A day old is none of them.
    let swept = sweep(&stack, false, Duration::from_secs(24 * 3600)).await?;
    assert_eq!((swept.orphans.objects, swept.deleted.objects), (0, 0));
    assert_eq!(
        swept.seen.objects,
        before.len() as u64 - 1,
        "the backup lies outside"
    );

    let counted = sweep(&stack, true, Duration::ZERO).await?;
    assert_eq!(counted.orphans.objects, orphans.len() as u64);
    assert_eq!(counted.orphans.bytes, orphans.len() as u64 * 6);
    assert_eq!(counted.deleted.objects, 0);
    assert_eq!(counted.doomed, 1);
    assert_eq!(counted.by_prefix["raw/"].objects, 1);
    assert_eq!(counted.by_prefix["images/"].objects, 1);
    assert_eq!(
        everything(&stack).await?,
        before,
        "a dry run deletes nothing"
    );

    // What was doomed is deleted as such, not as an orphan.
    let swept = sweep(&stack, false, Duration::ZERO).await?;
    assert_eq!(
        (swept.orphans.objects, swept.deleted.objects),
        (orphans.len() as u64, orphans.len() as u64)
    );
    assert_eq!(swept.doomed, 1);
    let left = everything(&stack).await?;
    let mut wanted: BTreeSet<String> = before.difference(&orphans).cloned().collect();
    wanted.remove(&other[1]);
    assert_eq!(left, wanted);
    assert!(named.is_subset(&left));
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(doomed, 0);

    let again = sweep(&stack, false, Duration::ZERO).await?;
    assert_eq!((again.orphans.objects, again.doomed), (0, 0));
    stack.abandon().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_was_killed_goes_on_where_it_was() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let folder = format!("hls/{}/1/v360/c0-1/", VideoId::new());
    let orphans: Vec<String> = (0..MANY).map(|n| format!("{folder}seg_{n}.m4s")).collect();
    store(&stack, orphans.iter()).await?;
    let id = Uuid::now_v7();
    let mut first = begin(&stack, id, true).await?;
    // What is overdue, folders where nothing is, then one page; and it dies before the next.
    while first.seen.objects == 0 {
        assert!(orphans::step(&stack.db, &stack.storage, &mut first).await?);
        first.save(&stack.db).await?;
    }
    assert_eq!(first.seen.objects, 1_000);
    let mut second = begin(&stack, id, true).await?;
    assert_eq!((&second.after, second.seen), (&first.after, first.seen));
    assert_eq!(second.started_at, first.started_at);
    while orphans::step(&stack.db, &stack.storage, &mut second).await? {}
    assert_eq!(second.seen.objects, MANY as u64);
    assert_eq!(second.orphans.objects, MANY as u64);
    stack.abandon().await
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_the_command_line_sweep() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let orphan = format!("raw/{}/source", UploadId::new());
    store(&stack, [&orphan]).await?;
    let output = stack
        .command(
            "millrace",
            &[
                "sweep",
                "orphans",
                "--dry-run",
                "--older-than",
                "0s",
                "--json",
            ],
        )
        .await?;
    let told: Value = serde_json::from_slice(&output)?;
    assert_eq!(told["orphans"]["objects"], 1);
    assert_eq!(told["deleted"]["objects"], 0);
    let output = stack
        .command(
            "millrace",
            &["sweep", "orphans", "--dry-run", "--older-than", "0s"],
        )
        .await?;
    let text = String::from_utf8(output)?;
    assert!(text.contains("orphans    1 objects, 6 B"), "{text}");

    let worker = stack.worker("sweeper").await?;
    let job = NewJob::new(&SweepOrphans {
        dry_run: false,
        older_than_s: 0,
    });
    let enqueued = millrace_queue::enqueue(&mut *stack.db.acquire().await?, job).await?;
    enqueued.wake.fire(&stack.notifier);
    let ended = ended(&stack, enqueued.id).await?;
    assert_eq!(ended.result.context("no result")?["deleted"]["objects"], 1);
    assert!(worker.log().contains("swept the store"), "{}", worker.log());
    assert_eq!(everything(&stack).await?, BTreeSet::new());
    stack.end().await
}

async fn ended(stack: &Stack, job: JobId) -> Result<millrace_queue::JobRow> {
    until("the job has ended", Duration::from_secs(30), async || {
        let row = millrace_queue::find(&mut *stack.db.acquire().await?, job).await?;
        Ok(row.filter(|row| row.state == State::Completed))
    })
    .await
}

async fn begin(stack: &Stack, id: Uuid, dry_run: bool) -> Result<Sweep> {
    let mut conn = stack.db.acquire().await?;
    Ok(Sweep::begin(&mut conn, id, dry_run, Duration::ZERO).await?)
}

async fn sweep(stack: &Stack, dry_run: bool, older_than: Duration) -> Result<Sweep> {
    let mut conn = stack.db.acquire().await?;
    let mut sweep = Sweep::begin(&mut conn, Uuid::now_v7(), dry_run, older_than).await?;
    while orphans::step(&stack.db, &stack.storage, &mut sweep).await? {}
    Ok(sweep)
}

/// A video whose pipeline is over, with rows for some objects; also returns the keys that they name.
async fn ended_film(stack: &Stack) -> Result<(Film, BTreeSet<String>)> {
    let film = Film::of_bytes(stack, b"a source".to_vec()).await?;
    let mut tx = stack.db.begin().await?;
    let wake = millrace_jobs::flows::cancel_video(&mut tx, film.id, film.owner).await?;
    tx.commit().await?;
    wake.fire(&stack.notifier);
    let of = |name: &str| format!("hls/{}/1/v360/c0-1/{name}", film.id);
    let poster = format!("images/{}/1/poster-2.jpg", film.id);
    let mut tx = stack.db.begin().await?;
    for n in 0..2 {
        let segment = NewSegment {
            video: film.id,
            generation: 1,
            rendition: "v360".to_owned(),
            n,
            chunk: 0,
            run_no: 1,
            key: of(&format!("seg_{n}.m4s")),
            init_key: of("init.mp4"),
            init_hash: vec![1],
            codecs: "avc1.64001f".to_owned(),
            start: 0,
            length: 1,
            timescale: 1,
            bytes: 6,
            keyframe_bytes: None,
        };
        videos::insert_segment(&mut tx, &segment).await?;
    }
    Video::set_poster(&mut *tx, film.id, 1, &poster).await?;
    tx.commit().await?;
    let mut named = BTreeSet::from([of("seg_0.m4s"), of("seg_1.m4s"), of("init.mp4"), poster]);
    store(stack, named.iter()).await?;
    named.insert(film.row(stack).await?.original_key);
    named.insert(pending_upload(stack, film).await?);
    Ok((film, named))
}

/// What has arrived may become a video yet.
async fn pending_upload(stack: &Stack, film: Film) -> Result<String> {
    let id = UploadId::new();
    let upload = NewUpload {
        id,
        user: film.owner,
        filename: "holiday.mp4".to_owned(),
        size: 6,
        content_type: "video/mp4".to_owned(),
        key: NewUpload::key_of(id),
        multipart: None,
        abandon_after: Duration::from_secs(3600),
        fingerprint: None,
        once: Once::Pending,
    };
    let upload = Upload::create(&stack.db, upload).await?;
    store(stack, [&upload.key]).await?;
    Ok(upload.key)
}

/// A video that was deleted, whose job never came.
async fn film_that_is_doomed(stack: &Stack) -> Result<VideoId> {
    let video = VideoId::new();
    videos::doom(&stack.db, &[format!("hls/{video}/")]).await?;
    Ok(video)
}

async fn store(stack: &Stack, keys: impl IntoIterator<Item = &String>) -> Result<()> {
    stream::iter(keys)
        .map(|key| stack.storage.put(key, b"object".to_vec(), "video/mp4"))
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn everything(stack: &Stack) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = stack.storage.list_after("", &after).await?;
        all.extend(page.objects.into_iter().map(|object| object.key));
        match all.last() {
            Some(last) if page.more => after.clone_from(last),
            _ => return Ok(all),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_past_their_time_go() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    for sql in [
        "insert into users (id, username, email, password) values (gen_random_uuid(), 'somebody', 'some@body', '')",
        "insert into sessions (id, user_id, expires_at, revoked_at)
         select gen_random_uuid(), id, now() + e * interval '1 day', now() + r * interval '1 day'
           from users, (values (-8, null), (-1, null), (20, -8), (20, -1), (20, null)) as t (e, r)",
        "insert into throttles (key, tokens, updated_at) values ('old', 1, now() - interval '8 days'), ('new', 1, now())",
        "insert into ws_tickets (hash, user_id, session_id, expires_at, session_until)
         select decode(n::text, 'hex'), gen_random_uuid(), gen_random_uuid(), now() - (n - 10) * interval '2 hours', now()
           from generate_series(10, 11) n",
        "insert into cache_data (key, value, expires_at) values ('old', '1', now()), ('new', '1', now() + interval '1 hour')",
        "insert into video_progress (video_id, generation, part, run_no, n, done) values (gen_random_uuid(), 1, 'audio', 1, 1, 1)",
        "insert into bus.event (topic, seq, data, created_at)
         values ('video:1', 1, '{}', now() - interval '25 hours'), ('video:1', 2, '{}', now())",
    ] {
        sqlx::query(sql).execute(&stack.db).await?;
    }
    let _worker = stack.worker("sweeper").await?;
    for job in [NewJob::new(&SweepExpired {}), NewJob::new(&SweepCache {})] {
        let enqueued = millrace_queue::enqueue(&mut *stack.db.acquire().await?, job).await?;
        enqueued.wake.fire(&stack.notifier);
        ended(&stack, enqueued.id).await?;
    }
    let left: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from sessions), (select count(*) from throttles where key = 'new'),
                (select count(*) from ws_tickets), (select count(*) from cache_data where key in ('new', 'old')),
                (select count(*) from video_progress), (select count(*) from bus.event where topic = 'video:1')",
    )
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(left, (3, 1, 1, 1, 0, 1));
    // The worker that started has brought the schedules.
    let schedules: Vec<String> =
        sqlx::query_scalar("select name from queue.schedule where next_at > now() order by 1")
            .fetch_all(&stack.db)
            .await?;
    assert!(
        schedules.contains(&"sweep_expired".to_owned()),
        "{schedules:?}"
    );
    assert!(
        schedules.contains(&"sweep_orphans".to_owned()),
        "{schedules:?}"
    );
    stack.end().await
}
