//! Groups with a callback, and chains.

use std::{collections::HashSet, time::Duration};

use millrace_queue::{
    Done, Failure, JobId, NewJob, State, enqueue, enqueue_all, maintain, wait_also,
};
use sqlx::Connection as _;

use crate::harness::{Bench, Db, Log, Step};

#[tokio::test]
async fn members_of_a_group_add_to_what_its_callback_waits_for() {
    let db = Db::new().await;
    let log = Log::default();
    let done = log.clone();
    let (pool, last) = (db.pool.clone(), JobId::new());
    let bench = Bench::new(move |step, run| {
        let (done, pool) = (done.clone(), pool.clone());
        async move {
            if step.n == 1 {
                let mut tx = pool.begin().await?;
                run.fence(&mut tx).await?;
                let more = Step::job(3).delay(Duration::from_millis(300));
                let id = more.id();
                enqueue(&mut tx, more).await?.wake.fire(run.notifier());
                assert!(wait_also(&mut tx, last, &[id], true).await?);
                tx.commit().await?;
            }
            done.push(step.n);
            if step.n == 2 {
                Err(Failure::fail("no"))
            } else {
                Ok(Done::Completed)
            }
        }
    });
    let members = [Step::job(1), Step::job(2)];
    let callback = Step::job(9).with_id(last).when_ended(&members);
    let mut all = members.to_vec();
    all.push(callback);
    all.extend(NewJob::chain([Step::job(11), Step::job(12), Step::job(13)]));
    let mut conn = db.conn().await;
    let wake = enqueue_all(&mut conn, all).await.expect("enqueued").wake;
    let worker = db.worker(&bench).await;
    wake.fire(&worker.notifier);
    db.reaches(last, State::Completed).await;
    let order = log.all();
    let place = |n| order.iter().position(|&other| other == n);
    let seen: HashSet<i64> = order.iter().copied().collect();
    assert_eq!(seen, HashSet::from([1, 2, 3, 9, 11, 12, 13]));
    assert!(place(3) < place(9) && place(2) < place(9));
    assert!(place(11) < place(12) && place(12) < place(13));
    assert!(
        !wait_also(&mut conn, last, &[JobId::new()], true)
            .await
            .expect("asked")
    );
    worker.drain().await;
    assert!(db.is_empty().await);
    maintain(&mut conn).await.expect("maintained");
    conn.ping().await.expect("alive");
}
