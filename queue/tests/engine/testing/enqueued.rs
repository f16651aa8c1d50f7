//! What was enqueued.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use millrace_queue::{
    State,
    testing::{Expect, assert_enqueued, enqueued, refute_enqueued, time_passes},
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{HOUR, calm};
use crate::harness::{Db, Log, Mourn, Step};

/// What an assertion says when it fails.
async fn failure(
    db: &Db,
    assertion: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, ()> + Send + 'static,
) -> String {
    let mut conn = db.conn().await;
    let asserted = tokio::spawn(async move { assertion(&mut conn).await }).await;
    let panic = asserted.expect_err("it holds").into_panic();
    let said = panic.downcast_ref::<String>().cloned();
    said.expect("a sentence")
}

#[tokio::test]
async fn jobs_are_found_by_every_part_and_not_by_a_wrong_one() {
    let db = Db::new().await;
    let (owner, group) = (Uuid::now_v7(), Uuid::now_v7());
    let job = Step::job(7).queue("mail").tag("a").tag("b").owner(owner);
    let id = db.put(job.group(group).delay(HOUR)).await;
    let mut conn = db.conn().await;
    let run_at = db.job(id).await.run_at;
    let around = |time: DateTime<Utc>| time - TimeDelta::seconds(1)..=time + TimeDelta::seconds(1);
    let minutes =
        |from: u64, to: u64| Duration::from_secs(from * 60)..=Duration::from_secs(to * 60);
    let step = Expect::job::<Step>;
    let right = [
        Expect::any(),
        step(),
        Expect::kind("step"),
        Expect::like(&Step { n: 7 }),
        step().args(json!({"n": 7})).queue("mail").tag("b").tag("a"),
        step().owner(owner).group(group).state(State::Scheduled),
        step()
            .run_at(around(run_at))
            .due_in(minutes(50, 60))
            .times(1),
    ];
    for expect in right {
        assert_eq!(assert_enqueued(&mut conn, expect.clone()).await.id, id);
        let all = enqueued(&mut conn, &expect).await.expect("readable");
        assert_eq!(all.len(), 1);
    }
    let wrong = [
        Expect::kind("other"),
        Expect::job::<Mourn>(),
        Expect::like(&Step { n: 8 }),
        step().args(json!({"m": 7})),
        step().queue("default"),
        step().tag("a").tag("c"),
        step().owner(group),
        step().group(owner),
        step().state(State::Available).state(State::Completed),
        step().run_at(around(run_at + TimeDelta::minutes(1))),
        step().due_in(minutes(0, 30)),
    ];
    for expect in wrong {
        refute_enqueued(&mut conn, expect).await;
    }
    // An ended job is no more to run, and is found by its state.
    let runner = calm(&Log::default()).runner(&db).await;
    time_passes(&mut conn, HOUR).await.expect("passed");
    runner.run(id).await.expect("ran");
    refute_enqueued(&mut conn, Expect::any()).await;
    assert_enqueued(&mut conn, step().state(State::Completed).times(1)).await;
}

#[tokio::test]
async fn a_failed_assertion_says_where_it_is_and_what_is_there_instead() {
    let db = Db::new().await;
    let nothing = failure(&db, |conn| {
        Box::pin(async move {
            assert_enqueued(conn, Expect::job::<Step>()).await;
        })
    })
    .await;
    assert!(nothing.contains("enqueued.rs:"), "{nothing}");
    assert!(
        nothing.ends_with("there is no step job\nNo other job is there."),
        "{nothing}"
    );

    db.put(Mourn::job("Ann").tag("x")).await;
    let near = db.put(Step::job(1)).await;
    let missing = failure(&db, |conn| {
        Box::pin(async move {
            let expect = Expect::job::<Step>().args(json!({"n": 2}));
            assert_enqueued(conn, expect).await;
        })
    })
    .await;
    for part in [
        "there is no step job with {\"n\":2}\nThe others, the likeliest first (2 in all):",
        "args.n is 1, not 2",
        "its kind is mourn; args.n is not there",
    ] {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let (first, second) = (missing.find("step 0"), missing.find("mourn 0"));
    assert!(first < second, "{missing}");

    let there = failure(&db, |conn| {
        Box::pin(refute_enqueued(conn, Expect::like(&Step { n: 1 })))
    })
    .await;
    assert!(
        there.contains(&format!("step {near}, available in default")),
        "{there}"
    );
    let twice = failure(&db, |conn| {
        Box::pin(async move {
            assert_enqueued(conn, Expect::job::<Step>().times(2)).await;
        })
    })
    .await;
    assert!(
        twice.contains("a step job is there 1 times, not 2:"),
        "{twice}"
    );
}
