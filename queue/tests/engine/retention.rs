//! How long finished jobs are kept.

use millrace_queue::{Done, State, maintain};

use crate::harness::{Bench, Db, Step, sql};

#[tokio::test]
async fn each_queue_keeps_its_history_as_long_as_it_says() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let mut conn = db.conn().await;
    sql(
        &mut conn,
        "insert into queue.queue (name, keep_days) values ('brief', 0), ('long', 400)",
    )
    .await;
    sql(&mut conn, "select queue.ensure_partitions()").await;
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = ["default", "brief", "long"]
                .map(|name| (name.to_owned(), 1))
                .to_vec();
        })
        .await;
    let mut ids = Vec::new();
    for queue in ["default", "brief", "long"] {
        let id = db.put(Step::job(1).queue(queue)).await;
        db.reaches(id, State::Completed).await;
        ids.push(id);
    }
    worker.drain().await;
    let kept: Vec<(String, i32)> = sqlx::query_as(
        "select queue, drop_on - (now() at time zone 'UTC')::date from queue.history order by 2",
    )
    .fetch_all(&db.pool)
    .await
    .expect("readable");
    let kept: Vec<(&str, i32)> = kept
        .iter()
        .map(|(queue, days)| (queue.as_str(), *days))
        .collect();
    assert_eq!(kept, [("brief", 1), ("default", 15), ("long", 401)]);
    let stray: i64 = sqlx::query_scalar("select count(*) from queue.history_without_day")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!(stray, 0);
    // What is past its day goes with its partition; the others stay.
    sql(&mut conn, "create table queue.history_20200101 partition of queue.history for values from ('2020-01-01') to ('2020-01-02')").await;
    sql(
        &mut conn,
        "update queue.history set drop_on = '2020-01-01' where queue = 'brief'",
    )
    .await;
    maintain(&mut conn).await.expect("maintained");
    let mut left = Vec::new();
    for id in ids {
        left.push(
            millrace_queue::find(&mut conn, id)
                .await
                .expect("readable")
                .is_some(),
        );
    }
    assert_eq!(left, [true, false, true]);
    let gone: bool = sqlx::query_scalar("select to_regclass('queue.history_20200101') is null")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert!(gone);
}
