//! How long finished jobs are kept.

use millrace_queue::{Done, KeepError, Retention, State, keep, maintain, retentions};

use crate::harness::{Bench, Db, Step};

fn retention(queue: &str, days: i32) -> Retention {
    Retention {
        queue: queue.to_owned(),
        days,
    }
}

#[tokio::test]
async fn operators_say_how_long_finished_jobs_are_kept() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let mut conn = db.conn().await;
    keep(&mut conn, "brief", Some(2)).await.expect("set");
    keep(&mut conn, "*", Some(30)).await.expect("set");
    // A worker that starts brings the code's number, which an operator has overruled.
    let worker = db
        .worker_with(&bench, |options| {
            options.keep_days = 5;
            options.queues = vec![("brief".to_owned(), 1), ("default".to_owned(), 1)];
        })
        .await;
    let set = retentions(&mut conn).await.expect("readable");
    assert_eq!(set, [retention("*", 30), retention("brief", 2)]);
    for queue in ["brief", "default"] {
        let id = db.put(Step::job(1).queue(queue)).await;
        db.reaches(id, State::Completed).await;
    }
    worker.drain().await;
    let kept: Vec<(String, i32)> = sqlx::query_as(
        "select queue, drop_on - (finished_at at time zone 'UTC')::date - 1 from queue.history order by queue",
    )
    .fetch_all(&db.pool)
    .await
    .expect("readable");
    assert_eq!(kept, [("brief".to_owned(), 2), ("default".to_owned(), 30)]);
    // Their days have partitions already.
    let strays: i64 = sqlx::query_scalar("select count(*) from queue.history_without_day")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!(strays, 0);

    keep(&mut conn, "brief", None).await.expect("taken away");
    keep(&mut conn, "*", None).await.expect("taken away");
    let set = retentions(&mut conn).await.expect("readable");
    assert_eq!(set, [retention("*", 5)], "what the code says");
    let worker = db
        .worker_with(&bench, |options| options.keep_days = 7)
        .await;
    worker.drain().await;
    let set = retentions(&mut conn).await.expect("readable");
    assert_eq!(set, [retention("*", 7)]);
    maintain(&mut conn).await.expect("maintained");

    assert!(matches!(
        keep(&mut conn, "brief", Some(3651)).await,
        Err(KeepError::Days)
    ));
    for queue in ["", "a*", "a\0"] {
        let refused = keep(&mut conn, queue, Some(1)).await;
        assert!(matches!(refused, Err(KeepError::Queue(_))), "{queue:?}");
    }
}
