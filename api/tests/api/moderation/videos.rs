//! Videos that are hidden or removed, and appeals.

use millrace_domain::accounts::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{cases, decide, mails, news, report, staff, text, try_to};
use crate::stack::{Stack, answer};

#[tokio::test]
async fn a_hidden_video_is_its_owners_alone_until_an_appeal_is_accepted() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let operator = staff(&stack, "olga", Role::Operator).await;
    let id = stack.listed(&ann, 60.0).await;
    sqlx::query("update videos set file_key = 'hls/x/file.mp4' where id = $1")
        .bind(id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let path = format!("/api/videos/{id}");
    let (_, before) = stack.get_as(&bob, &path).await;
    let player = text(&before["mp4_url"]);
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 307);
    report(&stack, &bob, "video", &id.to_string(), "copyright").await;

    let decision = decide(&stack, &operator, "video", &id.to_string(), "hide").await;
    let name = text(&decision["id"]);
    assert_eq!(
        (&decision["staff"], &decision["excerpt"], &decision["note"]),
        (&json!("olga"), &json!("A walk"), &json!("The music."))
    );
    assert!(cases(&stack, &operator, "").await.is_empty());
    let (status, _) = try_to(&stack, &operator, "video", &id.to_string(), "hide").await;
    assert_eq!(status, 409, "it is hidden already");

    // Others lose it, lists and players included.
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 404);
    assert!(stack.ids_of(None, "/api/videos").await.is_empty());
    let comment = json!({"body": "Where is it?"});
    let (status, _) = stack
        .post_as(&bob, &format!("{path}/comments"), comment)
        .await;
    assert_eq!(status, 404);
    // Its owner sees why, and cannot publish it: not now, not at a time, not with many others.
    let (status, own) = stack.get_as(&ann, &path).await;
    assert_eq!(
        (status.as_u16(), &own["hidden_by"], &own["visibility"]),
        (200, &json!(name), &json!("private"))
    );
    let (status, problem) = stack
        .patch_as(&ann, &path, json!({"visibility": "public"}))
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("hidden")));
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let (status, problem) = stack
        .put_as(
            &ann,
            &format!("{path}/schedule"),
            json!({"publish_at": later}),
        )
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("hidden")));
    let title = json!({"title": "A quiet walk"});
    assert_eq!(stack.patch_as(&ann, &path, title).await.0, 200);

    // She is told, and not by whom; others are not.
    assert_eq!(news(&stack, &ann).await, ["moderation"]);
    assert_eq!(mails(&stack, "decision").await, ["ann@example.org"]);
    let own = format!("/api/decisions/{name}");
    let (_, told) = stack.get_as(&ann, &own).await;
    assert_eq!(
        (&told["staff"], &told["reason"], &told["can_appeal"]),
        (&Value::Null, &json!("copyright"), &json!(true))
    );
    assert_eq!(stack.get_as(&bob, &own).await.0, 404);
    assert_eq!(
        stack.ids_of(Some(&ann), "/api/decisions").await,
        [name.as_str()]
    );

    // Once, by herself.
    let appeal = format!("{own}/appeal");
    let words = json!({"body": "I wrote that music."});
    assert_eq!(stack.post_as(&bob, &appeal, words.clone()).await.0, 404);
    assert_eq!(
        stack.post_as(&ann, &appeal, json!({"body": " "})).await.0,
        422
    );
    let (status, told) = stack.post_as(&ann, &appeal, words.clone()).await;
    assert_eq!(
        (status.as_u16(), &told["appeal"]["state"]),
        (201, &json!("open"))
    );
    let (status, problem) = stack.post_as(&ann, &appeal, words).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("already_appealed"))
    );

    let (_, waiting) = stack.get_as(&operator, "/api/admin/appeals").await;
    assert_eq!(waiting["items"][0]["id"], json!(name));
    let answer_at = format!(
        "/api/admin/appeals/{}/answer",
        text(&waiting["items"][0]["appeal"]["id"])
    );
    let yes = json!({"accept": true, "answer": "You did."});
    assert_eq!(stack.post_as(&ann, &answer_at, yes.clone()).await.0, 403);
    let (status, lifted) = stack.post_as(&operator, &answer_at, yes.clone()).await;
    assert_eq!(
        (
            status.as_u16(),
            &lifted["lifted_for"],
            &lifted["appeal"]["state"]
        ),
        (200, &json!("appeal"), &json!("accepted"))
    );
    assert_eq!(stack.post_as(&operator, &answer_at, yes).await.0, 409);
    let (_, waiting) = stack.get_as(&operator, "/api/admin/appeals").await;
    assert_eq!(waiting["items"], json!([]));
    let answered = stack
        .get_as(&operator, "/api/admin/appeals?answered=true")
        .await;
    assert_eq!(answered.1["items"][0]["appeal"]["answer"], "You did.");

    // As public as it was, for the players of before, too.
    let (status, now) = stack.get_as(&bob, &path).await;
    assert_eq!(
        (status.as_u16(), &now["visibility"], &now["hidden_by"]),
        (200, &json!("public"), &Value::Null)
    );
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 307);
    assert_eq!(news(&stack, &ann).await, ["moderation", "moderation"]);
    assert_eq!(mails(&stack, "decision_lifted").await.len(), 1);
    stack.stop().await;
}

#[tokio::test]
async fn a_rejected_appeal_leaves_the_decision_and_staff_can_still_lift_it() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let operator = staff(&stack, "olga", Role::Operator).await;
    let id = stack.listed(&ann, 60.0).await.to_string();
    let decision = decide(&stack, &operator, "video", &id, "hide").await;
    let name = text(&decision["id"]);
    let words = json!({"body": "Why?"});
    let (_, told) = stack
        .post_as(&ann, &format!("/api/decisions/{name}/appeal"), words)
        .await;
    let path = format!("/api/admin/appeals/{}/answer", text(&told["appeal"]["id"]));
    let no = json!({"accept": false, "answer": "It is not yours."});
    assert_eq!(stack.post_as(&operator, &path, no).await.0, 200);
    let (_, told) = stack.get_as(&ann, &format!("/api/decisions/{name}")).await;
    assert_eq!(
        (
            &told["appeal"]["state"],
            &told["lifted_at"],
            &told["can_appeal"]
        ),
        (&json!("rejected"), &Value::Null, &json!(false))
    );
    assert_eq!(news(&stack, &ann).await, ["appeal", "moderation"]);
    assert_eq!(mails(&stack, "appeal_rejected").await, ["ann@example.org"]);

    let lift = format!("/api/admin/decisions/{name}/lift");
    let (status, lifted) = stack
        .post_as(&operator, &lift, json!({"note": "After all"}))
        .await;
    assert_eq!(
        (status.as_u16(), &lifted["lifted_for"]),
        (200, &json!("staff"))
    );
    let (status, problem) = stack.post_as(&operator, &lift, json!({})).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("decided"))
    );
    let visible = answer(stack.request(Method::GET, &format!("/api/videos/{id}"))).await;
    assert_eq!(visible.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn a_takedown_is_final_and_keeps_what_it_was_about() {
    let stack = Stack::start().await;
    let (ann, operator) = (
        stack.person("ann").await,
        staff(&stack, "olga", Role::Operator).await,
    );
    let id = stack.listed(&ann, 60.0).await;
    report(&stack, &operator, "video", &id.to_string(), "copyright").await;
    let decision = decide(&stack, &operator, "video", &id.to_string(), "takedown").await;
    assert_eq!(
        stack.get_as(&ann, &format!("/api/videos/{id}")).await.0,
        404
    );
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects where prefix = $1")
        .bind(format!("hls/{id}/"))
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(doomed, 1, "a job deletes its objects");
    assert!(cases(&stack, &operator, "").await.is_empty());
    let name = text(&decision["id"]);
    let (_, told) = stack.get_as(&ann, &format!("/api/decisions/{name}")).await;
    assert_eq!(
        (&told["excerpt"], &told["can_appeal"]),
        (&json!("A walk"), &json!(false))
    );
    let words = json!({"body": "Why?"});
    let (status, problem) = stack
        .post_as(&ann, &format!("/api/decisions/{name}/appeal"), words)
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("final")));
    let (status, problem) = stack
        .post_as(
            &operator,
            &format!("/api/admin/decisions/{name}/lift"),
            json!({}),
        )
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("final")));
    let (status, _) = try_to(&stack, &operator, "video", &id.to_string(), "takedown").await;
    assert_eq!(status, 404, "it is gone");
    stack.stop().await;
}
