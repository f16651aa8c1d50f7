//! Which jobs are meant: what is listed and counted by a filter.

use std::time::Duration;

use millrace_bus::Notifier;
use millrace_queue::{
    BulkAction, BulkCount, JobFilter, JobId, State, discard, jobs, request_cancel,
};

use crate::{
    bulk::{bulk, discard_everything, put_all, steps, tagged},
    harness::{Db, Step},
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn filters_know_states_kinds_codes_errors_and_ends() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let ended = db.put(Step::job(1).tag("a")).await;
    discard_everything(&db).await;
    let at = db.job(ended).await.finished_at.expect("ended");
    let by_hand = db.put(Step::job(2).tag("a").queue("else")).await;
    discard(&mut conn, by_hand, "not wanted")
        .await
        .expect("discarded")
        .wake
        .fire(&Notifier::silent());
    let late = db.put(Step::job(3).tag("a").delay(HOUR)).await;
    let retryable = db.put(Step::job(4).tag("b")).await;
    sqlx::query(
        r#"update queue.job set state = 'retryable', run_at = now() + interval '1 hour', started_at = now(),
              errors = '[{"code": "timeout", "error": "It took too long"}]' where id = $1"#,
    )
    .bind(retryable)
    .execute(&db.pool)
    .await
    .expect("it has failed");
    let text = |text: &str| Some(text.to_owned());
    let any = JobFilter::default;
    for (filter, listed, retried, cancelled) in [
        (
            JobFilter {
                kind: text("step"),
                ..any()
            },
            vec![retryable, late, by_hand, ended],
            3,
            2,
        ),
        (
            JobFilter {
                kind: text("mourn"),
                ..any()
            },
            vec![],
            0,
            0,
        ),
        (
            JobFilter {
                queue: text("else"),
                ..any()
            },
            vec![by_hand],
            1,
            0,
        ),
        (tagged("a"), vec![late, by_hand, ended], 2, 1),
        (
            JobFilter {
                states: vec![State::Scheduled],
                ..any()
            },
            vec![late],
            1,
            1,
        ),
        (
            JobFilter {
                states: vec![State::Discarded, State::Running],
                ..any()
            },
            vec![by_hand, ended],
            2,
            0,
        ),
        (
            JobFilter {
                states: vec![State::Completed],
                ..any()
            },
            vec![],
            0,
            0,
        ),
        (
            JobFilter {
                code: text("broken"),
                ..any()
            },
            vec![ended],
            1,
            0,
        ),
        (
            JobFilter {
                code: text("timeout"),
                ..any()
            },
            vec![retryable],
            1,
            1,
        ),
        (
            JobFilter {
                error: text("TOO LONG"),
                ..any()
            },
            vec![retryable],
            1,
            1,
        ),
        (
            JobFilter {
                error: text("disk"),
                ..any()
            },
            vec![ended],
            1,
            0,
        ),
        (
            JobFilter {
                error: text("%"),
                ..any()
            },
            vec![],
            0,
            0,
        ),
        (
            JobFilter {
                ended_before: Some(at),
                ..any()
            },
            vec![],
            0,
            0,
        ),
        (
            JobFilter {
                ended_after: Some(at),
                ..any()
            },
            vec![by_hand, ended],
            2,
            0,
        ),
        (
            JobFilter {
                ended_before: Some(at + chrono::TimeDelta::microseconds(1)),
                ..any()
            },
            vec![ended],
            1,
            0,
        ),
    ] {
        let found = jobs(&mut conn, &filter, None, 10).await.expect("readable");
        let found: Vec<JobId> = found.iter().map(|job| job.id).collect();
        assert_eq!(found, listed, "{filter:?}");
        for (action, expected) in [
            (BulkAction::Retry, retried),
            (BulkAction::Cancel, cancelled),
        ] {
            let count = bulk(action, filter.clone())
                .count(&mut conn)
                .await
                .expect("counted");
            assert_eq!(
                count,
                BulkCount {
                    count: expected,
                    capped: false
                },
                "{action:?} {filter:?}"
            );
        }
    }
}

#[tokio::test]
async fn counting_stops_at_a_limit() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let all = steps(0..10_001, "flood")
        .into_iter()
        .map(|job| job.delay(HOUR));
    let ids = put_all(&db, all.collect()).await;
    let wanted = bulk(BulkAction::Cancel, tagged("flood"));
    let count = wanted.count(&mut conn).await.expect("counted");
    assert_eq!(
        count,
        BulkCount {
            count: 10_000,
            capped: true
        }
    );
    let gone = request_cancel(&mut conn, ids[0], "one less")
        .await
        .expect("cancelled");
    drop(gone);
    let count = wanted.count(&mut conn).await.expect("counted");
    assert_eq!(
        count,
        BulkCount {
            count: 10_000,
            capped: false
        }
    );
}
