//! The admin screens: who sees jobs and queues, and who acts on them.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stack::{Person, Stack, answer};

/// Jobs are seen by the kind's policy, which a worker would have registered.
pub(crate) async fn enqueue(stack: &Stack, args: Value, options: Value) -> Uuid {
    sqlx::query(
        "insert into queue.kind (kind, queue, priority, max_attempts, max_crashes, timeout_ms, backoff)
         values ('errand', 'errands', 0, 5, 3, 1000, '{\"base_ms\": 0, \"factor\": 1, \"max_ms\": 0, \"jitter\": 0}')
         on conflict do nothing",
    )
    .execute(&stack.db)
    .await
    .unwrap();
    sqlx::query_scalar("select queue.enqueue('errand', $1, $2)")
        .bind(args)
        .bind(options)
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

pub(crate) async fn with_role(stack: &Stack, name: &str, role: &str) -> Person {
    let person = stack.person(name).await;
    sqlx::query("update users set role = $2 where id = $1")
        .bind(person.id.0)
        .bind(role)
        .execute(&stack.db)
        .await
        .unwrap();
    person
}

async fn call(
    stack: &Stack,
    person: Option<&Person>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = stack.request(method, path);
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn jobs_are_for_auditors_and_acts_for_operators() {
    let stack = Stack::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let options =
        json!({"delay_ms": 3_600_000, "traceparent": format!("00-{trace}-b7ad6b7169203331-01")});
    let id = enqueue(&stack, json!({"secret": 1}), options).await;
    let user = stack.person("ann").await;
    let auditor = with_role(&stack, "bob", "auditor").await;
    let operator = with_role(&stack, "eve", "operator").await;
    let reads = [
        "/api/admin/jobs".to_owned(),
        format!("/api/admin/jobs/{id}"),
        "/api/admin/queues".to_owned(),
    ];
    for path in &reads {
        assert_eq!(call(&stack, None, Method::GET, path, None).await.0, 401);
        assert_eq!(
            call(&stack, Some(&user), Method::GET, path, None).await.0,
            403
        );
        assert_eq!(
            call(&stack, Some(&auditor), Method::GET, path, None)
                .await
                .0,
            200
        );
    }
    let acts = [
        (format!("/api/admin/jobs/{id}/retry"), None),
        (format!("/api/admin/jobs/{id}/cancel"), None),
        (format!("/api/admin/jobs/{id}/discard"), None),
        (
            "/api/admin/queues/errands/pause".to_owned(),
            Some(json!({})),
        ),
        ("/api/admin/queues/errands/resume".to_owned(), None),
    ];
    for (path, body) in &acts {
        for (person, status) in [(None, 401), (Some(&user), 403), (Some(&auditor), 403)] {
            let got = call(&stack, person, Method::POST, path, body.clone())
                .await
                .0;
            assert_eq!(got, status, "{path}");
        }
    }
    let (_, seen) = call(&stack, Some(&auditor), Method::GET, &reads[1], None).await;
    assert_eq!(
        (&seen["args"], &seen["state"]),
        (&Value::Null, &json!("scheduled"))
    );
    assert_eq!(seen["why"][0]["code"], "run_at");
    assert_eq!(seen["trace_id"], trace);
    let (_, seen) = call(&stack, Some(&operator), Method::GET, &reads[1], None).await;
    assert_eq!(seen["args"], json!({"secret": 1}));
    // A demotion holds at once.
    sqlx::query("update users set role = 'user' where id = $1")
        .bind(operator.id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(
        call(&stack, Some(&operator), Method::GET, &reads[1], None)
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn jobs_are_listed_page_by_page_and_steered() {
    let stack = Stack::start().await;
    let operator = with_role(&stack, "eve", "operator").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(enqueue(&stack, json!({"n": n}), json!({"tags": ["walk"]})).await);
    }
    let get = async |path: String| call(&stack, Some(&operator), Method::GET, &path, None).await;
    let post = async |path: String| call(&stack, Some(&operator), Method::POST, &path, None).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = get(format!("/api/admin/jobs?tag=walk&limit=2{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let newest: Vec<String> = ids.iter().rev().map(Uuid::to_string).collect();
    assert_eq!(seen, newest);

    let job = ids[0];
    let (status, acted) = post(format!("/api/admin/jobs/{job}/cancel")).await;
    assert_eq!((status, &acted["outcome"]), (200, &json!("done")));
    let (status, problem) = post(format!("/api/admin/jobs/{job}/cancel")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    let (_, ended) = get("/api/admin/jobs?state=cancelled,discarded".to_owned()).await;
    assert_eq!(ended["items"][0]["id"], json!(job));
    assert_eq!(ended["items"][0]["reason"], "cancelled by eve");
    assert_eq!(post(format!("/api/admin/jobs/{job}/retry")).await.0, 200);
    assert_eq!(post(format!("/api/admin/jobs/{job}/discard")).await.0, 200);
    let (_, seen) = get(format!("/api/admin/jobs/{job}")).await;
    assert_eq!(
        (&seen["state"], &seen["why"][0]["code"]),
        (&json!("discarded"), &json!("ended"))
    );

    let nobody = Uuid::now_v7();
    for act in ["retry", "cancel", "discard"] {
        assert_eq!(post(format!("/api/admin/jobs/{nobody}/{act}")).await.0, 404);
    }
    assert_eq!(get(format!("/api/admin/jobs/{nobody}")).await.0, 404);
    for query in [
        "state=nonsense",
        "limit=0",
        "limit=201",
        "cursor=x",
        "kind=%00",
        "owner=me",
    ] {
        let (status, problem) = get(format!("/api/admin/jobs?{query}")).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("validation")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_job_comes_with_what_is_around_it() {
    let stack = Stack::start().await;
    let auditor = with_role(&stack, "bob", "auditor").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = enqueue(&stack, json!({}), json!({"delay_ms": 3_600_000})).await;
    let options = json!({
        "after": [parent], "tags": ["nightly", "eu"], "limit_key": "user:7", "timeout_ms": 90_000,
        "traceparent": format!("00-{trace}-00f067aa0ba902b7-01"),
    });
    let child = enqueue(&stack, json!({}), options).await;
    let get = async |id: Uuid| {
        let path = format!("/api/admin/jobs/{id}");
        let (status, seen) = call(&stack, Some(&auditor), Method::GET, &path, None).await;
        assert_eq!(status, 200, "{seen}");
        seen
    };
    let seen = get(child).await;
    assert_eq!(seen["tags"], json!(["nightly", "eu"]));
    assert_eq!(
        (&seen["timeout_ms"], &seen["limit_key"], &seen["trace_id"]),
        (&json!(90_000), &json!("user:7"), &json!(trace))
    );
    let link =
        |id, state| json!({"total": 1, "items": [{"id": id, "kind": "errand", "state": state}]});
    assert_eq!(seen["parents"], link(parent, "scheduled"));
    assert_eq!(seen["children"], json!({"total": 0, "items": []}));
    assert_eq!(
        seen["why"][0]["params"],
        json!({"pending": 1, "jobs": [{"id": parent, "kind": "errand", "state": "scheduled"}]})
    );
    sqlx::query("insert into queue.progress (job_id, run_no, n, percent, stage) values ($1, 1, 1, 41.5, 'half'), ($2, 0, 1, 12.5, 'begun')")
        .bind(child)
        .bind(parent)
        .execute(&stack.db)
        .await
        .unwrap();
    let progress = &get(parent).await["progress"];
    assert_eq!(
        (&progress["percent"], &progress["stage"]),
        (&json!(12.5), &json!("begun"))
    );
    // That of another run than the latest is over.
    assert_eq!(get(child).await["progress"], Value::Null);

    sqlx::query("insert into queue.log (job_id, run_no, n, line) select $1, 1 + g / 400, g, 'line ' || g from generate_series(1, 600) g")
        .bind(parent)
        .execute(&stack.db)
        .await
        .unwrap();
    let log = get(parent).await["log"].clone();
    let lines = log.as_array().unwrap();
    assert_eq!(
        (lines.len(), &lines[0]["line"], &lines[499]["line"]),
        (500, &json!("line 101"), &json!("line 600"))
    );

    sqlx::query("select queue.end_jobs(array[$1::uuid], array[null::uuid], array['discarded'::queue.state], array['broken'], array['it broke'], array[null::jsonb], array[null::jsonb])")
        .bind(parent)
        .execute(&stack.db)
        .await
        .unwrap();
    let seen = get(parent).await;
    assert_eq!(seen["children"], link(child, "cancelled"));
    assert_eq!(seen["trace_id"], Value::Null);
    assert_eq!(get(child).await["parents"], link(parent, "discarded"));
}

#[tokio::test]
async fn queues_are_paused_with_a_name_and_a_note() {
    let stack = Stack::start().await;
    let operator = with_role(&stack, "eve", "operator").await;
    enqueue(&stack, json!({}), json!({})).await;
    let call =
        async |method, path: &str, body| call(&stack, Some(&operator), method, path, body).await;
    let pause = "/api/admin/queues/errands/pause";
    let body = Some(json!({"note": "the store is full"}));
    assert_eq!(call(Method::POST, pause, body).await.0, 204);
    let (_, list) = call(Method::GET, "/api/admin/queues", None).await;
    let queue = &list["items"][0];
    assert_eq!(queue["name"], "errands");
    assert_eq!((&queue["backlog"], &queue["slots"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&queue["paused_by"], &queue["note"]),
        (&json!("eve"), &json!("the store is full"))
    );
    assert_eq!(
        call(Method::POST, "/api/admin/queues/errands/resume", None)
            .await
            .0,
        204
    );
    let (_, list) = call(Method::GET, "/api/admin/queues", None).await;
    assert_eq!(list["items"][0]["paused_at"], Value::Null);
    assert_eq!(
        call(Method::POST, "/api/admin/queues/nonsense/resume", None)
            .await
            .0,
        404
    );
    let long = Some(json!({"note": "x".repeat(501)}));
    assert_eq!(call(Method::POST, pause, long).await.0, 422);
}

#[tokio::test]
async fn many_jobs_are_counted_and_then_acted_on_by_a_job() {
    let stack = Stack::start().await;
    let auditor = with_role(&stack, "bob", "auditor").await;
    let operator = with_role(&stack, "eve", "operator").await;
    for n in 0..3 {
        enqueue(&stack, json!({"n": n}), json!({"tags": ["flood"]})).await;
    }
    enqueue(&stack, json!({}), json!({"tags": ["other"]})).await;
    let path = "/api/admin/jobs/bulk";
    let post = async |person: Option<&Person>, body: Value| {
        call(&stack, person, Method::POST, path, Some(body)).await
    };
    let wanted = |dry_run: bool| {
        json!({
            "action": "cancel", "filter": {"state": ["available"], "kind": "errand", "queue": "errands", "tag": "flood"},
            "dry_run": dry_run, "reason": "sent twice",
        })
    };
    for (person, status) in [(None, 401), (Some(&auditor), 403)] {
        assert_eq!(post(person, wanted(true)).await.0, status);
    }
    let (status, counted) = post(Some(&operator), wanted(true)).await;
    assert_eq!(
        (status, counted),
        (200, json!({"count": 3, "capped": false}))
    );
    let bulk_jobs = "select count(*) from queue.job where kind = 'queue.bulk'";
    let enqueued: i64 = sqlx::query_scalar(bulk_jobs)
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(enqueued, 0, "a dry run enqueues nothing");

    let (status, started) = post(Some(&operator), wanted(false)).await;
    assert_eq!((status, &started["count"]), (202, &json!(3)));
    let job = started["job_id"].as_str().unwrap();
    let (_, seen) = call(
        &stack,
        Some(&operator),
        Method::GET,
        &format!("/api/admin/jobs/{job}"),
        None,
    )
    .await;
    assert_eq!(
        (&seen["kind"], &seen["queue"]),
        (&json!("queue.bulk"), &json!("operations"))
    );
    assert_eq!(
        seen["args"],
        json!({
            "action": "cancel", "by": "eve", "reason": "sent twice",
            "filter": {"state": ["available"], "kind": "errand", "queue": "errands", "tag": "flood"},
        })
    );
    // Auditors see who did what, too.
    let (_, seen) = call(
        &stack,
        Some(&auditor),
        Method::GET,
        &format!("/api/admin/jobs/{job}"),
        None,
    )
    .await;
    assert_eq!(
        (&seen["args"], &seen["meta"]["by"]),
        (&Value::Null, &json!("eve"))
    );

    let filter = json!({"tag": "flood"});
    for (body, field) in [
        (json!({"action": "retry", "filter": {}}), "filter"),
        (
            json!({"action": "retry", "filter": {"state": []}}),
            "filter",
        ),
        (
            json!({"action": "retry", "filter": {"state": ["nonsense"]}}),
            "filter.state[0]",
        ),
        (
            json!({"action": "retry", "filter": {"kind": "nonsense"}}),
            "filter.kind",
        ),
        (
            json!({"action": "retry", "filter": {"kind": "a\u{0}"}}),
            "filter.kind",
        ),
        (
            json!({"action": "retry", "filter": {"queue": "nonsense"}}),
            "filter.queue",
        ),
        (
            json!({"action": "retry", "filter": {"tag": "a\u{0}"}}),
            "filter.tag",
        ),
        (
            json!({"action": "retry", "filter": {"que": "errands"}}),
            "filter.que",
        ),
        (json!({"action": "retry"}), "filter"),
        (json!({"action": "delete", "filter": filter}), "action"),
        (
            json!({"action": "retry", "filter": filter, "reason": "x".repeat(501)}),
            "reason",
        ),
    ] {
        let (status, problem) = post(Some(&operator), body.clone()).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("validation")),
            "{body}"
        );
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}
