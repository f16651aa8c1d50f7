//! Rows past their time: what goes, and what stays.

use millrace_domain::sweeps::sweep_expired;
use serde_json::Value;

use crate::stack::Stack;

/// A row that goes and one that stays, of each table: both statements, whose `$1` is somebody's id.
const ROWS: [(&str, &str, &str); 11] = [
    (
        "sessions",
        "insert into sessions (id, user_id, expires_at) values (gen_random_uuid(), $1, now() - interval '8 days')",
        "insert into sessions (id, user_id, expires_at) values (gen_random_uuid(), $1, now() - interval '6 days')",
    ),
    (
        "refresh_tokens",
        "insert into refresh_tokens (hash, session_id, rotated_at)
         select '\\x01', id, now() - interval '31 days' from sessions where user_id = $1 and expires_at > now()",
        "insert into refresh_tokens (hash, session_id, rotated_at)
         select '\\x02', id, now() - interval '29 days' from sessions where user_id = $1 and expires_at > now()",
    ),
    (
        "account_links",
        "insert into account_links (hash, user_id, purpose, email, expires_at)
         values ('\\x01', $1, 'reset_password', 'a@example.org', now() - interval '8 days')",
        "insert into account_links (hash, user_id, purpose, email, expires_at)
         values ('\\x02', $1, 'reset_password', 'a@example.org', now() - interval '6 days')",
    ),
    (
        "invites",
        "insert into invites (id, hash, created_by, expires_at) values (gen_random_uuid(), '\\x01', $1, now() - interval '91 days')",
        "insert into invites (id, hash, created_by, expires_at) values (gen_random_uuid(), '\\x02', $1, now() - interval '89 days')",
    ),
    (
        "login_challenges",
        "insert into login_challenges (hash, user_id, expires_at) values ('\\x01', $1, now() - interval '1 s')",
        "insert into login_challenges (hash, user_id, expires_at) values ('\\x02', $1, now() + interval '1 hour')",
    ),
    (
        "ws_tickets",
        "insert into ws_tickets (hash, user_id, session_id, expires_at, session_until)
         values ('\\x01', $1, $1, now() - interval '2 hours', now())",
        "insert into ws_tickets (hash, user_id, session_id, expires_at, session_until) values ('\\x02', $1, $1, now(), now())",
    ),
    (
        "uploads",
        "insert into uploads (id, user_id, filename, size, content_type, method, key, status, expires_at, updated_at)
         values (gen_random_uuid(), $1, 'a', 1, 'video/mp4', 'single', 'k', 'aborted', now(), now() - interval '31 days')",
        "insert into uploads (id, user_id, filename, size, content_type, method, key, status, expires_at, updated_at)
         values (gen_random_uuid(), $1, 'a', 1, 'video/mp4', 'single', 'k', 'completed', now(), now() - interval '31 days')",
    ),
    (
        "bulk_edits",
        "insert into bulk_edits (id, user_id, videos, change, created_at)
         values (gen_random_uuid(), $1, array[$1], '{}', now() - interval '31 days')",
        "insert into bulk_edits (id, user_id, videos, change) values (gen_random_uuid(), $1, array[$1], '{}')",
    ),
    (
        "notifications",
        "insert into notifications (id, user_id, kind, key, created_at)
         values (gen_random_uuid(), $1, 'reply', 'a', now() - interval '91 days')",
        "insert into notifications (id, user_id, kind, key, created_at)
         values (gen_random_uuid(), $1, 'reply', 'b', now() - interval '89 days')",
    ),
    (
        "emails",
        "insert into emails (id, key, recipient, name, language, user_id, message, created_at)
         values (gen_random_uuid(), 'a', 'a@example.org', 'ann', 'en', $1, 'reply', now() - interval '91 days')",
        "insert into emails (id, key, recipient, name, language, user_id, message, created_at)
         values (gen_random_uuid(), 'b', 'a@example.org', 'ann', 'en', $1, 'reply', now() - interval '89 days')",
    ),
    (
        "exports",
        "insert into exports (id, user_id, key, expires_at) values (gen_random_uuid(), $1, 'k', now() - interval '1 s')",
        "insert into exports (id, user_id, key) values (gen_random_uuid(), $1, 'k')",
    ),
];

#[tokio::test]
async fn what_nobody_can_use_any_more_goes_and_nothing_else() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let count = async |table: &str| -> i64 {
        let text = format!("select count(*) from {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(text))
            .fetch_one(&stack.db)
            .await
            .unwrap()
    };
    let mut before = Vec::new();
    for (table, old, young) in ROWS {
        sqlx::query(young)
            .bind(ann.id.0)
            .execute(&stack.db)
            .await
            .unwrap();
        before.push(count(table).await);
        sqlx::query(old)
            .bind(ann.id.0)
            .execute(&stack.db)
            .await
            .unwrap();
    }
    let swept = sweep_expired(&stack.db).await.unwrap();
    for ((table, ..), before) in ROWS.into_iter().zip(before) {
        assert_eq!(count(table).await, before, "{table}");
    }
    let swept = serde_json::to_value(swept).unwrap();
    let gone: u64 = swept
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(gone, ROWS.len() as u64, "{swept}");
    // Whoever is signed in still is, and nothing is left to sweep.
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 200);
    assert_eq!(sweep_expired(&stack.db).await.unwrap(), Default::default());
    stack.stop().await;
}
