//! What people report, what staff decide, and what people say against it.

/// Who of staff did what.
mod audit;
/// Comments that are hidden or held.
mod comments;
/// People who are locked out.
mod people;
/// The queue, and decisions that are none.
mod reports;
/// Videos that are hidden or removed.
mod videos;

use millrace_domain::accounts::{Role, User};
use serde_json::{Value, json};

use crate::stack::{Person, Stack};

pub(super) async fn staff(stack: &Stack, name: &str, role: Role) -> Person {
    let person = stack.person(name).await;
    assert!(User::set_role(&stack.db, person.id, role).await.unwrap());
    person
}

pub(super) async fn report(stack: &Stack, person: &Person, target: &str, id: &str, reason: &str) {
    let body = json!({"target": target, "target_id": id, "reason": reason, "body": "Look"});
    let (status, problem) = stack.post_as(person, "/api/reports", body).await;
    assert_eq!(status, 201, "{problem}");
}

/// Decides, as `staff`.
pub(super) async fn decide(
    stack: &Stack,
    staff: &Person,
    target: &str,
    id: &str,
    action: &str,
) -> Value {
    let (status, decision) = try_to(stack, staff, target, id, action).await;
    assert_eq!(status, 201, "{decision}");
    decision
}

pub(super) async fn try_to(
    stack: &Stack,
    staff: &Person,
    target: &str,
    id: &str,
    action: &str,
) -> (u16, Value) {
    let body = json!({
        "target": target, "target_id": id, "action": action, "reason": "copyright", "note": "The music."
    });
    let (status, answer) = stack.post_as(staff, "/api/admin/decisions", body).await;
    (status.as_u16(), answer)
}

pub(super) async fn cases(stack: &Stack, staff: &Person, query: &str) -> Vec<Value> {
    let (status, page) = stack
        .get_as(staff, &format!("/api/admin/reports{query}"))
        .await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Messages and recipients of mails, in order.
pub(super) async fn mails(stack: &Stack, message: &str) -> Vec<String> {
    sqlx::query_scalar("select recipient::text from emails where message = $1 order by id")
        .bind(message)
        .fetch_all(&stack.db)
        .await
        .unwrap()
}

/// Kinds of news that somebody has, newest first.
pub(super) async fn news(stack: &Stack, person: &Person) -> Vec<String> {
    let (_, page) = stack.get_as(person, "/api/notifications").await;
    let items = page["items"].as_array().unwrap().iter();
    items.map(|news| text(&news["kind"])).collect()
}
