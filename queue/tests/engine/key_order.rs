//! Those who ask for a key that a job has, and those who end that job: none of them waits for the other in a circle, and
//! when three of them do, the library tries again.

use millrace_queue::{EnqueueError, EnqueuedAll, JobId, NewJob, State, UniqueKey, enqueue_all};
use sqlx::PgConnection;
use tokio::{
    task::JoinHandle,
    time::{Duration, interval, timeout},
};
use uuid::Uuid;

use crate::harness::{Db, PATIENCE, Step, sql};

fn replacing(key: &str) -> UniqueKey {
    UniqueKey::until_done(key).replacing()
}

/// Enqueues on a connection of its own, and comes back once that waits for a lock.
async fn until_it_waits(
    db: &Db,
    jobs: Vec<NewJob>,
) -> JoinHandle<Result<EnqueuedAll, EnqueueError>> {
    let mut conn = db.conn().await;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut *conn)
        .await
        .expect("readable");
    let asking = tokio::spawn(async move { enqueue_all(&mut conn, jobs).await });
    let mut tick = interval(Duration::from_millis(5));
    let waits = async {
        loop {
            tick.tick().await;
            let waits: bool = sqlx::query_scalar(
                "select coalesce(wait_event_type = 'Lock', false) from pg_stat_activity where pid = $1",
            )
            .bind(pid)
            .fetch_one(&db.pool)
            .await
            .expect("readable");
            if waits {
                return;
            }
        }
    };
    timeout(PATIENCE, waits).await.expect("it waits");
    asking
}

/// The first step of an ending: the job is locked.
async fn lock(conn: &mut PgConnection, job: JobId) {
    sqlx::query("select from queue.job where id = $1 for update")
        .bind(job)
        .execute(conn)
        .await
        .expect("locked");
}

/// The other steps.
async fn end(conn: &mut PgConnection, jobs: &[JobId], tokens: &[Uuid]) {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.0).collect();
    let ended: i64 = sqlx::query_scalar(
        "select count(ended) from queue.end_jobs($1, $2, array_fill('completed'::queue.state, array[$3]),
             array_fill(null::text, array[$3]), array_fill(null::text, array[$3]), array_fill(null::jsonb, array[$3]),
             array_fill(null::jsonb, array[$3]))",
    )
    .bind(ids)
    .bind(tokens)
    .bind(i32::try_from(jobs.len()).expect("few"))
    .fetch_one(conn)
    .await
    .expect("an ending is nobody's victim");
    assert_eq!(ended, i64::try_from(jobs.len()).expect("few"));
}

async fn claimed(db: &Db, key: &str, n: i64) -> (JobId, Uuid) {
    let id = db.put(Step::job(n).unique(replacing(key))).await;
    (id, db.claim_for_nobody(id, 60_000).await)
}

#[tokio::test]
async fn who_replaces_a_job_and_who_ends_it_do_not_wait_for_each_other() {
    for unique in [
        UniqueKey::until_done("k").replacing(),
        UniqueKey::until_done("k").debouncing(Duration::from_secs(9)),
        UniqueKey::until_done("k").while_in([State::Available, State::Running]),
    ] {
        let db = Db::new().await;
        let (holder, token) = claimed(&db, "k", 1).await;
        let mut ending = db.pool.begin().await.expect("begun");
        lock(&mut ending, holder).await;
        let asking = until_it_waits(&db, vec![Step::job(2).unique(unique)]).await;
        end(&mut ending, &[holder], &[token]).await;
        ending.commit().await.expect("committed");
        let placed = asking.await.expect("no panic").expect("no deadlock");
        drop(placed.wake);
        assert!(placed.ids[0].new, "the key was free again");
        assert_eq!(db.job(placed.ids[0].id).await.state, State::Available);
    }
}

#[tokio::test]
async fn who_asks_for_a_key_that_is_held_keeps_no_ending_waiting() {
    let db = Db::new().await;
    let (holder, token) = claimed(&db, "k", 1).await;
    let mut business = db.pool.begin().await.expect("begun");
    let asked = vec![Step::job(2).unique(UniqueKey::until_done("k"))];
    let placed = enqueue_all(&mut business, asked).await.expect("enqueued");
    drop(placed.wake);
    assert_eq!((placed.ids[0].new, placed.ids[0].id), (false, holder));
    let mut conn = db.conn().await;
    let ended = async { end(&mut conn, &[holder], &[token]).await };
    timeout(PATIENCE, ended).await.expect("it does not wait");
    business.commit().await.expect("committed");
}

#[tokio::test]
async fn several_keys_of_one_call_are_asked_for_in_the_order_of_endings() {
    let db = Db::new().await;
    // The order of the keys is not that of the jobs.
    let (first, one) = claimed(&db, "z", 1).await;
    let (second, two) = claimed(&db, "a", 2).await;
    let mut ending = db.pool.begin().await.expect("begun");
    lock(&mut ending, first).await;
    let jobs = ["a", "z"].map(|key| Step::job(3).unique(replacing(key)));
    let asking = until_it_waits(&db, jobs.to_vec()).await;
    // It waits for the first and does not have the second.
    sqlx::query("select from queue.job where id = $1 for update nowait")
        .bind(second)
        .execute(&mut *ending)
        .await
        .expect("free");
    end(&mut ending, &[first, second], &[one, two]).await;
    ending.commit().await.expect("committed");
    let placed = asking.await.expect("no panic").expect("no deadlock");
    drop(placed.wake);
    assert!(placed.ids.iter().all(|placed| placed.new));
}

#[tokio::test]
async fn a_circle_of_a_holder_and_a_parent_is_tried_again() {
    let db = Db::new().await;
    let parent = db.put(Step::job(1)).await;
    let one = db.claim_for_nobody(parent, 60_000).await;
    let (holder, two) = claimed(&db, "k", 2).await;
    let mut ending = db.pool.begin().await.expect("begun");
    // Who asks finds out first.
    sql(&mut ending, "set local deadlock_timeout = '60 s'").await;
    lock(&mut ending, parent).await;
    let job = Step::job(3).unique(replacing("k")).after(&[parent]);
    let asking = until_it_waits(&db, vec![job]).await;
    end(&mut ending, &[parent, holder], &[one, two]).await;
    ending.commit().await.expect("committed");
    let placed = asking.await.expect("no panic").expect("tried again");
    drop(placed.wake);
    assert!(placed.ids[0].new);
    assert_eq!(db.job(placed.ids[0].id).await.state, State::Available);
}
