//! Who of staff did what.

use millrace_domain::accounts::Role;
use reqwest::Method;
use serde_json::json;

use super::{staff, text};
use crate::stack::{Stack, answer};

#[tokio::test]
async fn every_decision_is_in_a_log_that_nobody_changes() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (auditor, operator) = (
        staff(&stack, "audra", Role::Auditor).await,
        staff(&stack, "olga", Role::Operator).await,
    );
    let id = stack.listed(&ann, 60.0).await.to_string();
    let body = json!({"target": "video", "target_id": id, "action": "hide", "reason": "hate", "note": "No."});
    let request = stack
        .request(Method::POST, "/api/admin/decisions")
        .bearer_auth(&operator.token)
        .header("x-request-id", "the-request-of-olga")
        .json(&body);
    let (status, decision) = answer(request).await;
    assert_eq!(status, 201, "{decision}");
    let lift = format!("/api/admin/decisions/{}/lift", text(&decision["id"]));
    assert_eq!(
        stack
            .post_as(&operator, &lift, json!({"note": "Yes."}))
            .await
            .0,
        200
    );

    assert_eq!(stack.get_as(&ann, "/api/admin/audit").await.0, 403);
    let (status, log) = stack
        .get_as(&auditor, &format!("/api/admin/audit?target_id={id}"))
        .await;
    assert_eq!(status, 200, "{log}");
    let rows = log["items"].as_array().unwrap();
    let actions: Vec<&str> = rows
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["lift", "hide"]);
    assert_eq!(
        (
            &rows[1]["actor"],
            &rows[1]["reason"],
            &rows[1]["request_id"]
        ),
        (&json!("olga"), &json!("No."), &json!("the-request-of-olga"))
    );
    assert_eq!(
        (
            &rows[1]["before"]["visibility"],
            &rows[1]["after"]["reason"]
        ),
        (&json!("public"), &json!("hate"))
    );
    let by = format!("/api/admin/audit?actor_id={}", auditor.id);
    assert_eq!(stack.get_as(&auditor, &by).await.1["items"], json!([]));
    for statement in [
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "truncate audit_log",
    ] {
        let error = sqlx::query(statement).execute(&stack.db).await.unwrap_err();
        assert!(error.to_string().contains("never changed"), "{error}");
    }
    stack.stop().await;
}
