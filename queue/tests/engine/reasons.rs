//! What explanations are made of, for who says them in other words.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use millrace_queue::{
    JobId, explain, limit_kind, limit_queue, pause_kind, pause_queue, request_cancel, resume_kind,
    resume_queue,
};
use serde_json::{Value, json};

use crate::harness::{Db, Step, sql};

const HOUR: Duration = Duration::from_secs(3600);

/// The parameters of all reasons that hold for a job, by code.
async fn params(db: &Db, id: JobId) -> BTreeMap<String, Value> {
    let reasons = explain(&db.pool, id).await.expect("readable");
    reasons.into_iter().map(|r| (r.code, r.params)).collect()
}

fn names(params: &Value) -> BTreeSet<&str> {
    let params = params.as_object().expect("an object");
    params.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_reason_carries_what_its_sentence_is_made_of() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    sql(&mut conn, "insert into queue.kind (kind, queue, priority, max_attempts, max_crashes, timeout_ms, backoff) values ('step', 'default', 0, 5, 3, 1000, '{}')").await;
    let later = db.put(Step::job(1).delay(HOUR)).await;
    let note = Some("a 100% note");
    let paused = pause_queue(&mut conn, "default", "ann", note).await;
    paused.expect("paused");
    let paused = pause_kind(&mut conn, "step", "bob", None).await;
    drop(paused.expect("paused"));
    let seen = params(&db, later).await;
    let codes: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        codes,
        ["kind_paused", "no_worker", "queue_paused", "run_at"]
    );
    let row = db.job(later).await;
    let at: chrono::DateTime<chrono::Utc> = seen["run_at"]["at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("ISO 8601");
    assert_eq!(at, row.run_at);
    assert_eq!(
        seen["no_worker"],
        json!({"queue": "default", "kind": "step"})
    );
    assert_eq!(
        names(&seen["queue_paused"]),
        BTreeSet::from(["by", "note", "queue", "since"])
    );
    assert_eq!(
        (&seen["queue_paused"]["by"], &seen["queue_paused"]["note"]),
        (&json!("ann"), &json!("a 100% note"))
    );
    assert_eq!(
        (&seen["kind_paused"]["by"], &seen["kind_paused"]["note"]),
        (&json!("bob"), &Value::Null)
    );
    drop(resume_queue(&mut conn, "default").await.expect("resumed"));
    drop(resume_kind(&mut conn, "step").await.expect("resumed"));

    sql(&mut conn, "insert into queue.worker (id, name, version, queues, kinds, slots) values (gen_random_uuid(), 'w', '1', '{\"default\": 1}', '{step}', 1)").await;
    let first = db.put(Step::job(2)).await;
    let second = db.put(Step::job(3)).await;
    assert_eq!(
        params(&db, second).await["in_line"],
        json!({"ahead": 1, "more": false})
    );
    let child = db.put(Step::job(4).after(&[first, second])).await;
    let waits = &params(&db, child).await["dependency"];
    assert_eq!(waits["pending"], 2);
    assert_eq!(
        waits["jobs"][0],
        json!({"id": first, "kind": "step", "state": "available"})
    );

    db.claim_for_nobody(first, 60_000).await;
    drop(limit_kind(&mut conn, "step", Some(1)).await.expect("set"));
    drop(
        limit_queue(&mut conn, "default", Some(1), false)
            .await
            .expect("set"),
    );
    let seen = params(&db, second).await;
    assert_eq!(
        seen["queue_limit"],
        json!({"queue": "default", "running": 1, "limit": 1})
    );
    assert_eq!(
        seen["kind_limit"],
        json!({"kind": "step", "running": 1, "limit": 1})
    );
    drop(limit_kind(&mut conn, "step", None).await.expect("unset"));
    drop(
        limit_queue(&mut conn, "default", None, false)
            .await
            .expect("unset"),
    );

    sql(&mut conn, "insert into queue.limit_policy (name, max_running, rate, period_ms) values ('mail', null, 1, 60000)").await;
    sql(
        &mut conn,
        "insert into queue.rate_use (key, at, n) values ('mail:x', now(), 1)",
    )
    .await;
    let mail = db.put(Step::job(5).limit_key("mail:x")).await;
    let rate = &params(&db, mail).await["rate"];
    assert_eq!(
        names(rate),
        BTreeSet::from(["at", "key", "limit", "period_ms", "started"])
    );
    assert_eq!(
        (&rate["key"], &rate["limit"], &rate["period_ms"]),
        (&json!("mail:x"), &json!(1), &json!(60_000))
    );
    let serial = db.put(Step::job(6).limit_key("one")).await;
    db.claim_for_nobody(serial, 60_000).await;
    let held = db.put(Step::job(7).limit_key("one")).await;
    assert_eq!(
        params(&db, held).await["key_limit"],
        json!({"key": "one", "running": 1, "limit": 1})
    );

    sql(&mut conn, "update queue.job set lease_until = now() - interval '1 hour', started_at = now() where limit_key = 'one' and state = 'running'").await;
    let seen = params(&db, serial).await;
    assert_eq!(
        names(&seen["running"]),
        BTreeSet::from(["run_no", "since", "worker"])
    );
    assert_eq!(
        (&seen["running"]["worker"], &seen["running"]["run_no"]),
        (&Value::Null, &json!(1))
    );
    assert_eq!(names(&seen["lease_expired"]), BTreeSet::from(["until"]));
    sql(&mut conn, "update queue.job set state = 'retryable', attempt = 2, run_at = now() + interval '1 hour' where limit_key = 'mail:x'").await;
    let backoff = &params(&db, mail).await["backoff"];
    assert_eq!(
        (&backoff["attempt"], names(backoff)),
        (&json!(2), BTreeSet::from(["at", "attempt", "max_attempts"]))
    );
    drop(
        request_cancel(&mut conn, serial, "enough")
            .await
            .expect("requested"),
    );
    let asked = &params(&db, serial).await["cancelling"];
    assert_eq!(
        (
            &asked["reason"],
            &asked["delivered_at"],
            asked["requested_at"].is_string()
        ),
        (&json!("enough"), &Value::Null, true)
    );
    drop(
        request_cancel(&mut conn, held, "no more")
            .await
            .expect("cancelled"),
    );
    let ended = &params(&db, held).await["ended"];
    assert_eq!(
        (
            &ended["state"],
            &ended["code"],
            &ended["reason"],
            ended["at"].is_string()
        ),
        (
            &json!("cancelled"),
            &json!("cancelled"),
            &json!("no more"),
            true
        )
    );
}
