//! Dependencies, on_failure and unique keys.

use std::time::Duration;

use millrace_queue::{
    Done, EnqueueError, Failure, JobId, NewJob, State, UniqueKey, enqueue, enqueue_all,
    request_cancel, retry,
};
use sqlx::Connection as _;

use crate::harness::{Bench, Db, Log, Mourn, Step};

/// Fails for good when `n` is negative.
fn picky() -> Bench {
    Bench::new(|step, _| async move {
        if step.n < 0 {
            return Err(Failure::fail("negative").with_code("negative"));
        }
        Ok(Done::Completed)
    })
}

#[tokio::test]
async fn fan_out_and_fan_in_run_in_order() {
    let db = Db::new().await;
    let log = Log::default();
    let bench = Bench::new({
        let log = log.clone();
        move |step, _| {
            log.push(step.n);
            async { Ok(Done::Completed) }
        }
    });
    let first = Step::job(0);
    let chunks: Vec<NewJob> = (1..=20)
        .map(|n| Step::job(n).after(&[first.id()]))
        .collect();
    let ids: Vec<JobId> = chunks.iter().map(NewJob::id).collect();
    let last = Step::job(100).after(&ids).after(&[first.id()]);
    let last_id = last.id();
    let mut jobs = vec![last];
    jobs.extend(chunks);
    jobs.push(first);
    let mut conn = db.conn().await;
    drop(enqueue_all(&mut conn, jobs).await.expect("enqueued"));
    assert_eq!(db.job(last_id).await.state, State::Waiting);
    let one = db.worker(&bench).await;
    let two = db.worker(&bench).await;
    db.reaches(last_id, State::Completed).await;
    let ran = log.all();
    assert_eq!((ran.len(), ran[0], ran[21]), (22, 0, 100));
    one.drain().await;
    two.drain().await;
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn an_unhappy_parent_cancels_its_dependants_down_the_graph() {
    let db = Db::new().await;
    let parent = Step::job(-1);
    let other = Step::job(1).delay(Duration::from_secs(60));
    let child = Step::job(2).after(&[parent.id(), other.id()]);
    let grandchild = Step::job(3).after(&[child.id()]);
    let anyway = Step::job(4).after_any_outcome(&[parent.id()]);
    let [p, c, g, a, o] = [&parent, &child, &grandchild, &anyway, &other].map(NewJob::id);
    let mut conn = db.conn().await;
    drop(
        enqueue_all(&mut conn, vec![parent, other, child, grandchild, anyway])
            .await
            .expect("enqueued"),
    );
    let worker = db.worker(&picky()).await;
    db.reaches(a, State::Completed).await;
    assert_eq!(db.job(p).await.state, State::Discarded);
    for id in [c, g] {
        let row = db.job(id).await;
        assert_eq!(
            (row.state, row.code.as_deref()),
            (State::Cancelled, Some("parent_failed"))
        );
    }
    let reason = db.job(g).await.reason;
    assert_eq!(reason, Some(format!("job {c} ended cancelled")));
    assert_eq!(db.job(o).await.state, State::Scheduled);
    worker.drain().await;
    let _ = request_cancel(&mut conn, o, "enough")
        .await
        .expect("cancelled");
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_chain_of_any_length_is_cancelled() {
    let db = Db::new().await;
    let mut jobs = vec![Step::job(-1)];
    for n in 1..2_000 {
        let parent = jobs[n - 1].id();
        jobs.push(Step::job(1).after(&[parent]));
    }
    let last = jobs[1_999].id();
    let mut conn = db.conn().await;
    drop(enqueue_all(&mut conn, jobs).await.expect("enqueued"));
    let worker = db.worker(&picky()).await;
    db.reaches(last, State::Cancelled).await;
    worker.drain().await;
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_child_finds_parents_that_have_ended() {
    let db = Db::new().await;
    let worker = db.worker(&picky()).await;
    let good = db.put(Step::job(1)).await;
    let bad = db.put(Step::job(-1)).await;
    db.reaches(good, State::Completed).await;
    db.reaches(bad, State::Discarded).await;
    let happy = db.put(Step::job(2).after(&[good])).await;
    db.reaches(happy, State::Completed).await;
    let orphan = db.put(Step::job(3).after(&[good, bad])).await;
    assert_eq!(db.job(orphan).await.state, State::Cancelled, "at once");
    let careless = db.put(Step::job(4).after_any_outcome(&[bad])).await;
    db.reaches(careless, State::Completed).await;
    let mut conn = db.conn().await;
    let nowhere = enqueue(&mut conn, Step::job(5).after(&[JobId::new()])).await;
    assert!(matches!(nowhere, Err(EnqueueError::UnknownParent(..))));
    worker.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_inserted_while_its_parent_ends_is_never_stranded() {
    let db = Db::new().await;
    let worker = db
        .worker_with(&picky(), |o| o.queues = vec![("default".to_owned(), 20)])
        .await;
    let mut conn = db.conn().await;
    let mut children = Vec::new();
    for n in 0..300 {
        let good = n % 3 != 0;
        let parent = enqueue(&mut conn, Step::job(if good { n } else { -1 }))
            .await
            .expect("enqueued");
        parent.wake.fire(&worker.notifier);
        // The wake is on its way; the deeper into its run the parent is, the better.
        for _ in 0..(n % 40) {
            tokio::task::yield_now().await;
        }
        let mut tx = conn.begin().await.expect("begun");
        let child = enqueue(&mut tx, Step::job(1).after(&[parent.id]))
            .await
            .expect("enqueued");
        tx.commit().await.expect("committed");
        child.wake.fire(&worker.notifier);
        children.push((child.id, good));
    }
    for (child, good) in children {
        db.reaches(
            child,
            if good {
                State::Completed
            } else {
                State::Cancelled
            },
        )
        .await;
    }
    worker.drain().await;
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn on_failure_is_inserted_by_whoever_ends_the_job() {
    let db = Db::new().await;
    let mut bench = picky();
    let mut conn = db.conn().await;

    // A run.
    let failed = db.put(Step::job(-1).on_failure(Mourn::job("run"))).await;
    let worker = db.worker(&bench).await;
    let mourn = bench.next_mourner().await;
    assert_eq!(mourn.whom, "run");
    let note = mourn.failure.expect("a note");
    assert_eq!(
        (note.job_id, note.state, note.kind.as_str()),
        (failed, State::Discarded, "step")
    );
    assert_eq!(
        (note.code.as_deref(), note.reason.as_deref()),
        (Some("negative"), Some("negative"))
    );

    // A request, of a job that waits for its time.
    let later = Step::job(1)
        .delay(Duration::from_secs(60))
        .on_failure(Mourn::job("request"));
    let later = db.put(later).await;
    let answer = request_cancel(&mut conn, later, "not any more")
        .await
        .expect("cancelled");
    answer.wake.fire(&worker.notifier);
    let note = bench.next_mourner().await.failure.expect("a note");
    assert_eq!((note.job_id, note.state), (later, State::Cancelled));
    assert_eq!(note.reason.as_deref(), Some("not any more"));

    // The cancellation of a dependant.
    let parent = Step::job(-1);
    let child = Step::job(1)
        .after(&[parent.id()])
        .on_failure(Mourn::job("parent"));
    drop(
        enqueue_all(&mut conn, vec![parent, child])
            .await
            .expect("enqueued"),
    );
    let mourn = bench.next_mourner().await;
    assert_eq!(
        (
            mourn.whom.as_str(),
            mourn.failure.expect("a note").code.as_deref()
        ),
        ("parent", Some("parent_failed"))
    );

    // The rescue.
    worker.drain().await;
    let dead = db
        .put(Step::job(1).max_crashes(1).on_failure(Mourn::job("rescue")))
        .await;
    db.claim_for_nobody(dead, -1).await;
    let worker = db.worker(&bench).await;
    let note = bench.next_mourner().await.failure.expect("a note");
    assert_eq!(
        (note.job_id, note.state, note.code.as_deref()),
        (dead, State::Quarantined, Some("crashed"))
    );

    // Success inserts nothing.
    let fine = db.put(Step::job(1).on_failure(Mourn::job("nobody"))).await;
    db.reaches(fine, State::Completed).await;
    worker.drain().await;
    assert!(bench.mourners.try_recv().is_err());
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn many_failures_with_one_unique_mourner_insert_it_once() {
    let db = Db::new().await;
    let mut bench = picky();
    let mut conn = db.conn().await;
    let jobs = (0..30)
        .map(|_| {
            let mourner = Mourn::job("all")
                .delay(Duration::from_millis(600))
                .unique(UniqueKey::until_done("mourn:all"));
            Step::job(-1).on_failure(mourner)
        })
        .collect();
    drop(enqueue_all(&mut conn, jobs).await.expect("enqueued"));
    let one = db.worker(&bench).await;
    let two = db.worker(&bench).await;
    assert_eq!(bench.next_mourner().await.whom, "all");
    one.drain().await;
    two.drain().await;
    assert!(bench.mourners.try_recv().is_err());
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_unique_key_is_held_until_the_job_has_ended() {
    let db = Db::new().await;
    let unique = |n| Step::job(n).unique(UniqueKey::until_done("probe:1"));
    let mut conn = db.conn().await;
    let first = enqueue(&mut conn, unique(1)).await.expect("enqueued");
    assert!(first.new);
    let second = enqueue(&mut conn, unique(2)).await.expect("no error");
    assert_eq!((second.id, second.new), (first.id, false));
    // In one call, and with a dependant of the one that is left out.
    let lost = unique(3);
    let child = Step::job(4).after(&[lost.id()]);
    let child_id = child.id();
    let both = enqueue_all(&mut conn, vec![lost, child])
        .await
        .expect("enqueued");
    assert_eq!(
        (both.ids[0].id, both.ids[0].new, both.ids[1].new),
        (first.id, false, true)
    );
    let worker = db.worker(&picky()).await;
    db.reaches(child_id, State::Completed).await;
    let third = enqueue(&mut conn, unique(5)).await.expect("enqueued");
    assert!(third.new, "released");
    db.reaches(third.id, State::Completed).await;
    worker.drain().await;
    let keys: i64 = sqlx::query_scalar("select count(*) from queue.unique_key")
        .fetch_one(&db.pool)
        .await
        .expect("read");
    assert_eq!(keys, 0);
}

#[tokio::test]
async fn a_unique_key_for_a_period_outlives_the_job_and_expires() {
    let db = Db::new().await;
    let unique =
        |n| Step::job(n).unique(UniqueKey::for_period("digest", Duration::from_millis(700)));
    let worker = db.worker(&picky()).await;
    let mut conn = db.conn().await;
    let started = std::time::Instant::now();
    let first = enqueue(&mut conn, unique(1)).await.expect("enqueued");
    db.reaches(first.id, State::Completed).await;
    let second = enqueue(&mut conn, unique(2)).await.expect("no error");
    assert!(!second.new || started.elapsed() >= Duration::from_millis(700));
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let again = async {
        loop {
            tick.tick().await;
            let next = enqueue(&mut conn, unique(3)).await.expect("no error");
            if next.new {
                return next.id;
            }
        }
    };
    let third = tokio::time::timeout(Duration::from_secs(5), again)
        .await
        .expect("the key expires");
    assert!(started.elapsed() >= Duration::from_millis(700));
    db.reaches(third, State::Completed).await;
    worker.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_enqueues_of_one_key_make_one_job() {
    let db = Db::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let pool = db.pool.clone();
        tasks.spawn(async move {
            let mut new = 0;
            for key in 0..50 {
                let mut conn = pool.acquire().await.expect("a connection");
                let mut tx = conn.begin().await.expect("begun");
                let job = Step::job(key).unique(UniqueKey::until_done(format!("key:{key}")));
                new += i64::from(enqueue(&mut tx, job).await.expect("no error").new);
                tx.commit().await.expect("committed");
            }
            new
        });
    }
    let made: i64 = tasks.join_all().await.into_iter().sum();
    let there: i64 = sqlx::query_scalar("select count(*) from queue.job")
        .fetch_one(&db.pool)
        .await
        .expect("read");
    assert_eq!((made, there), (50, 50));
}

#[tokio::test]
async fn an_operator_retries_a_job_that_ended_unhappily() {
    let db = Db::new().await;
    let bench = Bench::new(|_, run| async move {
        if run.run_no == 1 {
            Err(Failure::fail("first"))
        } else {
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let id = db
        .put(Step::job(1).unique(UniqueKey::until_done("one")))
        .await;
    db.reaches(id, State::Discarded).await;
    let mut conn = db.conn().await;
    let holder = enqueue(
        &mut conn,
        Step::job(2)
            .delay(Duration::from_secs(60))
            .unique(UniqueKey::until_done("one")),
    )
    .await
    .expect("enqueued");
    assert!(
        !retry(&mut conn, id).await.expect("answered").done,
        "another job holds its key"
    );
    let _ = request_cancel(&mut conn, holder.id, "make room")
        .await
        .expect("cancelled");
    let again = retry(&mut conn, id).await.expect("answered");
    assert!(again.done);
    again.wake.fire(&worker.notifier);
    let row = db.reaches(id, State::Completed).await;
    assert_eq!((row.run_no, row.attempt), (2, 1));
    assert_eq!(
        row.errors.as_array().map(Vec::len),
        Some(1),
        "its past is kept"
    );
    assert!(
        !retry(&mut conn, id).await.expect("answered").done,
        "completed jobs stay completed"
    );
    worker.drain().await;
    assert!(db.is_empty().await);
}
