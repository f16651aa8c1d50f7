//! Jobs on both sides of a job, also after the end.

use millrace_queue::{
    Done, JobId, NewJob, Relatives, State, children, enqueue_all, maintain, parents,
};

use crate::harness::{Bench, Db, Step, sql};

fn named(relatives: &Relatives) -> Vec<(JobId, Option<State>)> {
    let state = |job: &Option<(String, State)>| job.as_ref().map(|(_, state)| *state);
    relatives
        .jobs
        .iter()
        .map(|r| (r.id, state(&r.job)))
        .collect()
}

#[tokio::test]
async fn a_graph_of_jobs_is_known_while_it_waits_and_when_it_is_over() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let first: Vec<NewJob> = (0..3).map(Step::job).collect();
    let ids: Vec<JobId> = first.iter().map(NewJob::id).collect();
    let last = Step::job(9).after(&ids);
    let last_id = last.id();
    let jobs = first.into_iter().chain([last]).collect();
    enqueue_all(&mut conn, jobs).await.expect("enqueued");
    let expected = |state| ids.iter().map(|id| (*id, Some(state))).collect::<Vec<_>>();

    let before = parents(&db.pool, last_id, 100).await.expect("readable");
    assert_eq!(
        (before.total, named(&before)),
        (3, expected(State::Available))
    );
    let of_first = children(&db.pool, ids[0], 100).await.expect("readable");
    assert_eq!(named(&of_first), [(last_id, Some(State::Waiting))]);
    assert_eq!(of_first.jobs[0].job.as_ref().expect("there").0, "step");
    assert_eq!(
        children(&db.pool, last_id, 100).await.expect("readable"),
        Relatives::default()
    );

    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let worker = db.worker(&bench).await;
    db.reaches(last_id, State::Completed).await;
    worker.drain().await;
    let after = parents(&db.pool, last_id, 2).await.expect("readable");
    assert_eq!(
        (after.total, named(&after)),
        (3, expected(State::Completed)[..2].to_vec())
    );
    let of_first = children(&db.pool, ids[0], 100).await.expect("readable");
    assert_eq!(named(&of_first), [(last_id, Some(State::Completed))]);

    // One of them is kept no longer.
    sqlx::query("delete from queue.history where id = $1")
        .bind(ids[0])
        .execute(&mut *conn)
        .await
        .expect("deleted");
    let after = parents(&db.pool, last_id, 100).await.expect("readable");
    assert_eq!(named(&after)[0], (ids[0], None));
}

#[tokio::test]
async fn what_is_known_of_graphs_goes_with_the_days() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let parent = db.put(Step::job(1)).await;
    let child = db.put(Step::job(2).after(&[parent])).await;
    let old = "update queue.lineage set at = at - interval '400 days'";
    sql(&mut conn, old).await;
    maintain(&mut conn).await.expect("maintained");
    let left: i64 = sqlx::query_scalar("select count(*) from queue.lineage")
        .fetch_one(&mut *conn)
        .await
        .expect("readable");
    assert_eq!(left, 0);
    // What still waits is known all the same.
    let waits = parents(&db.pool, child, 100).await.expect("readable");
    assert_eq!(named(&waits), [(parent, Some(State::Available))]);
}
