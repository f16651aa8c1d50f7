//! What workers tell each other by NOTIFY, and how they hear it.

use std::time::Duration;

use millrace_queue::{Done, EngineOptions, State, WORK, Wake, enqueue};
use sqlx::postgres::PgListener;
use tokio::time::{interval, timeout};

use crate::harness::{Bench, Db, PATIENCE, Step};

/// A worker that would find nothing by itself.
fn without_poll(options: &mut EngineOptions) {
    options.poll = Duration::from_secs(3600);
}

/// The session that listens, once there is one other than `not`.
async fn listening(db: &Db, not: Option<i32>) -> i32 {
    let mut tick = interval(Duration::from_millis(5));
    let found = async {
        loop {
            tick.tick().await;
            let pid: Option<i32> = sqlx::query_scalar(
                "select pid from pg_stat_activity
                  where datname = current_database() and application_name = 'millrace-listen' and query ilike 'listen%'
                    and state = 'idle' and pid is distinct from $1",
            )
            .bind(not)
            .fetch_optional(&db.pool)
            .await
            .expect("readable");
            if let Some(pid) = pid {
                return pid;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("somebody listens")
}

#[tokio::test]
async fn a_worker_hears_again_after_its_listening_connection_was_killed() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let worker = db.worker_with(&bench, without_poll).await;
    let mut last = None;
    for n in 0..3 {
        let pid = listening(&db, last).await;
        let mut conn = db.conn().await;
        let job = enqueue(&mut conn, Step::job(n)).await.expect("enqueued");
        job.wake.fire(&worker.notifier);
        db.reaches(job.id, State::Completed).await;
        sqlx::query("select pg_terminate_backend($1)")
            .bind(pid)
            .execute(&mut *conn)
            .await
            .expect("killed");
        last = Some(pid);
    }
    assert!(worker.is_alive());
    assert!(worker.drain().await.clean);
}

#[tokio::test]
async fn a_burst_of_enqueues_is_few_notifications() {
    let db = Db::new().await;
    let notifier = db.settings().notifier;
    let mut ear = PgListener::connect_with(&db.pool).await.expect("connected");
    ear.listen(WORK).await.expect("listening");
    let mut conn = db.conn().await;
    let mut wakes = Vec::new();
    for n in 0..300 {
        wakes.push(
            enqueue(&mut conn, Step::job(n))
                .await
                .expect("enqueued")
                .wake,
        );
    }
    for wake in wakes {
        wake.fire(&notifier);
    }
    Wake::queues(["the end".to_owned()]).fire(&notifier);
    let mut heard = Vec::new();
    while heard.last().map(String::as_str) != Some("the end") {
        let notice = timeout(PATIENCE, ear.recv())
            .await
            .expect("in time")
            .expect("heard");
        heard.push(notice.payload().to_owned());
    }
    let told = heard.iter().filter(|queue| *queue == "default").count();
    // At once, and what came meanwhile; PostgreSQL gives no order within a flush, so perhaps one comes after the end.
    assert!(told <= 2, "{told} notifications of 300 jobs");
}
