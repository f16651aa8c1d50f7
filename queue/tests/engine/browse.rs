//! Lists of jobs, and counts of endings.

use std::time::Duration;

use millrace_queue::{Done, Failure, JobFilter, JobId, NewJob, State, enqueue_all, jobs};
use uuid::Uuid;

use crate::harness::{Bench, Db, Step, sql};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn lists_go_page_by_page_through_what_lives_and_what_ended() {
    let db = Db::new().await;
    let bench = Bench::new(|step, _| async move {
        if step.n % 2 == 0 {
            Ok(Done::Completed)
        } else {
            Err(Failure::fail("odd"))
        }
    });
    let owner = Uuid::now_v7();
    let all: Vec<NewJob> = (0..20)
        .map(|n| Step::job(n).owner(owner).tag(format!("t{}", n % 2)))
        .collect();
    let ids: Vec<JobId> = all.iter().map(NewJob::id).collect();
    let mut conn = db.conn().await;
    let wake = enqueue_all(&mut conn, all).await.expect("enqueued").wake;
    let worker = db.worker(&bench).await;
    wake.fire(&worker.notifier);
    for (n, &id) in ids.iter().enumerate() {
        db.reaches(
            id,
            if n % 2 == 0 {
                State::Completed
            } else {
                State::Discarded
            },
        )
        .await;
    }
    let live = db.put(Step::job(1).delay(HOUR).owner(owner)).await;
    let everything = JobFilter {
        owner: Some(owner),
        ..JobFilter::default()
    };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = jobs(&mut conn, &everything, before, 6)
            .await
            .expect("readable");
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|job| job.id));
    }
    let newest: Vec<JobId> = ids.iter().rev().copied().collect();
    assert_eq!(seen[0], live);
    assert_eq!(seen[1..], newest);
    let odd = JobFilter {
        states: vec![State::Discarded],
        tag: Some("t1".to_owned()),
        ..JobFilter::default()
    };
    let page = jobs(&mut conn, &odd, None, 100).await.expect("readable");
    assert_eq!(page.len(), 10);
    assert!(page.iter().all(|job| job.reason.as_deref() == Some("odd")));
    worker.drain().await;

    // The counts of endings equal the endings, before and after they are folded.
    for _ in 0..2 {
        let counted: Vec<(State, i64)> =
            sqlx::query_as("select state, sum(n)::bigint from queue.tally group by 1 order by 1")
                .fetch_all(&db.pool)
                .await
                .expect("readable");
        assert_eq!(counted, [(State::Completed, 10), (State::Discarded, 10)]);
        sql(
            &mut conn,
            "update queue.tally set minute = minute - interval '5 minutes'",
        )
        .await;
        sql(&mut conn, "select queue.fold_tallies()").await;
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from queue.tally where folded")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!(rows, 2);
}
