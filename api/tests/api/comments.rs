//! Comments: threads, who may do what to them, and reports.

use millrace_domain::{ids::VideoId, videos::Visibility};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

async fn write(
    stack: &Stack,
    person: &Person,
    video: VideoId,
    body: &str,
    parent: Option<&Value>,
) -> Value {
    let path = format!("/api/videos/{video}/comments");
    let (status, comment) = stack
        .post_as(
            person,
            &path,
            json!({"body": body, "parent_id": parent.map(|p| &p["id"])}),
        )
        .await;
    assert_eq!(status, 201, "{comment}");
    comment
}

fn at(comment: &Value, rest: &str) -> String {
    format!("/api/comments/{}{rest}", comment["id"].as_str().unwrap())
}

fn bodies(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["body"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_reply_to_a_reply_belongs_to_the_thread() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&ann, 60.0).await;
    let first = write(&stack, &bob, id, "  First!\nReally. ", None).await;
    assert_eq!(first["body"], "First!\nReally.");
    let reply = write(&stack, &ann, id, "Welcome", Some(&first)).await;
    let third = write(&stack, &bob, id, "Thanks", Some(&reply)).await;
    assert_eq!(
        (&reply["parent_id"], &third["parent_id"]),
        (&first["id"], &first["id"])
    );

    let (_, threads) =
        answer(stack.request(Method::GET, &format!("/api/videos/{id}/comments"))).await;
    assert_eq!(
        (bodies(&threads), &threads["total"]),
        (vec!["First!\nReally."], &json!(3))
    );
    assert_eq!(threads["items"][0]["replies"], 2);
    let (_, replies) = stack.get_as(&ann, &at(&first, "/replies")).await;
    assert_eq!(bodies(&replies), ["Welcome", "Thanks"]);
    let (_, state) = stack
        .get_as(&ann, &format!("/api/videos/{id}/viewer"))
        .await;
    assert_eq!(state["comments"], 3);

    // The thread goes as a whole; what comes too late is told.
    assert_eq!(stack.delete_as(&bob, &at(&first, "")).await.0, 204);
    let late = json!({"body": "late", "parent_id": reply["id"]});
    let (status, problem) = stack
        .post_as(&ann, &format!("/api/videos/{id}/comments"), late)
        .await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("comment_gone"))
    );
    let (_, state) = stack
        .get_as(&ann, &format!("/api/videos/{id}/viewer"))
        .await;
    assert_eq!(state["comments"], 0);
    stack.stop().await;
}

#[tokio::test]
async fn threads_come_by_what_people_like_or_by_time_and_the_pinned_one_first() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&ann, 60.0).await;
    let mut written = Vec::new();
    for n in 0..5 {
        written.push(write(&stack, &bob, id, &format!("c{n}"), None).await);
    }
    for person in [&ann, &bob, &bob] {
        assert_eq!(
            stack
                .put_as(person, &at(&written[1], "/like"), json!({}))
                .await
                .0,
            200
        );
    }
    let (_, state) = stack
        .put_as(&ann, &at(&written[3], "/like"), json!({}))
        .await;
    assert_eq!(
        (&state["liked"], &state["likes"]),
        (&json!(true), &json!(1))
    );
    let ids = |order: &[usize]| -> Vec<String> {
        order
            .iter()
            .map(|n| written[*n]["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = format!("/api/videos/{id}/comments");
    assert_eq!(stack.ids_of(None, &list).await, ids(&[1, 3, 4, 2, 0]));
    assert_eq!(
        stack.ids_of(None, &format!("{list}?sort=new")).await,
        ids(&[4, 3, 2, 1, 0])
    );

    assert_eq!(
        stack
            .put_as(&ann, &at(&written[0], "/pin"), json!({}))
            .await
            .0,
        204
    );
    assert_eq!(
        stack
            .put_as(&ann, &at(&written[2], "/pin"), json!({}))
            .await
            .0,
        204
    );
    let (_, page) = stack
        .get_as(&bob, &format!("{list}?sort=new&limit=100"))
        .await;
    assert_eq!(bodies(&page), ["c2", "c4", "c3", "c1", "c0"]);
    let pins: Vec<bool> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["pinned"].as_bool().unwrap())
        .collect();
    assert_eq!(pins, [true, false, false, false, false]);
    assert_eq!(stack.delete_as(&ann, &at(&written[2], "/pin")).await.0, 204);
    assert_eq!(
        stack.ids_of(None, &format!("{list}?sort=new")).await,
        ids(&[4, 3, 2, 1, 0])
    );
    let (_, state) = stack.delete_as(&ann, &at(&written[3], "/like")).await;
    assert_eq!(
        (&state["liked"], &state["likes"]),
        (&json!(false), &json!(0))
    );
    stack.stop().await;
}

#[tokio::test]
async fn authors_edit_authors_and_owners_delete_and_owners_alone_pin() {
    let stack = Stack::start().await;
    let (ann, bob, eve) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    );
    let id = stack.listed(&ann, 60.0).await;
    let comment = write(&stack, &bob, id, "Hm", None).await;
    let reply = write(&stack, &eve, id, "Hm?", Some(&comment)).await;
    let text = json!({"body": "Better"});
    for (person, status) in [(&eve, 403), (&ann, 403), (&bob, 200)] {
        assert_eq!(
            stack
                .patch_as(person, &at(&comment, ""), text.clone())
                .await
                .0,
            status
        );
    }
    let (_, edited) = stack.get_as(&eve, &at(&comment, "")).await;
    assert!(
        edited["edited_at"].is_string() && edited["body"] == "Better",
        "{edited}"
    );
    for person in [&bob, &eve] {
        assert_eq!(
            stack
                .put_as(person, &at(&comment, "/pin"), json!({}))
                .await
                .0,
            403
        );
    }
    let (status, problem) = stack.put_as(&ann, &at(&reply, "/pin"), json!({})).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("pin_reply"))
    );
    assert_eq!(stack.delete_as(&bob, &at(&reply, "")).await.0, 403);
    assert_eq!(stack.delete_as(&ann, &at(&reply, "")).await.0, 204);
    let (_, left) = stack.get_as(&bob, &at(&comment, "")).await;
    assert_eq!(left["replies"], 0);
    for (method, path) in [
        (Method::PATCH, at(&comment, "")),
        (Method::DELETE, at(&comment, "")),
        (Method::PUT, at(&comment, "/like")),
        (Method::PUT, at(&comment, "/pin")),
        (Method::POST, format!("/api/videos/{id}/comments")),
    ] {
        let request = stack
            .request(method.clone(), &path)
            .json(&json!({"body": "x"}));
        assert_eq!(answer(request).await.0, 401, "{method} {path}");
    }
    for body in ["", "  \n ", "a\u{0}b", &"x".repeat(5_001)] {
        let path = format!("/api/videos/{id}/comments");
        assert_eq!(
            stack.post_as(&bob, &path, json!({ "body": body })).await.0,
            422,
            "{body:.9}"
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn comments_of_a_hidden_video_are_hidden_with_it() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.video(&ann, Visibility::Private).await;
    let comment = write(&stack, &ann, id, "A note to myself", None).await;
    let list = format!("/api/videos/{id}/comments");
    assert_eq!(stack.get_as(&bob, &list).await.0, 404);
    assert_eq!(
        stack.post_as(&bob, &list, json!({"body": "x"})).await.0,
        404
    );
    for rest in ["", "/replies"] {
        assert_eq!(stack.get_as(&bob, &at(&comment, rest)).await.0, 404);
    }
    assert_eq!(
        stack
            .put_as(&bob, &at(&comment, "/like"), json!({}))
            .await
            .0,
        404
    );
    assert_eq!(stack.delete_as(&bob, &at(&comment, "")).await.0, 404);
    let report = json!({"target": "comment", "target_id": comment["id"], "reason": "spam"});
    assert_eq!(stack.post_as(&bob, "/api/reports", report).await.0, 404);
    stack.stop().await;
}

#[tokio::test]
async fn too_many_comments_have_to_wait() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.listed(&ann, 60.0).await;
    let path = format!("/api/videos/{id}/comments");
    let mut last = 201;
    for n in 0..16 {
        last = stack
            .post_as(&ann, &path, json!({"body": format!("{n}")}))
            .await
            .0
            .as_u16();
    }
    assert_eq!(last, 429);
    stack.stop().await;
}

#[tokio::test]
async fn one_report_per_person_and_thing_is_open() {
    let stack = Stack::start().await;
    let (ann, bob, eve) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    );
    let id = stack.listed(&ann, 60.0).await;
    let comment = write(&stack, &bob, id, "Buy this", None).await;
    for (target, target_id, owner) in [
        ("video", json!(id), &ann),
        ("comment", comment["id"].clone(), &bob),
        ("channel", json!(bob.id), &bob),
    ] {
        let report =
            json!({"target": target, "target_id": target_id, "reason": "spam", "body": "See?"});
        assert_eq!(
            stack.post_as(&eve, "/api/reports", report.clone()).await.0,
            201,
            "{target}"
        );
        let (status, problem) = stack.post_as(&eve, "/api/reports", report.clone()).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("already_reported"))
        );
        let (status, problem) = stack.post_as(owner, "/api/reports", report.clone()).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("own_content"))
        );
        assert_eq!(stack.post("/api/reports", report).await.0, 401);
    }
    let excerpts: Vec<String> = sqlx::query_scalar("select excerpt from reports order by id")
        .fetch_all(&stack.db)
        .await
        .unwrap();
    assert_eq!(excerpts, ["A walk", "Buy this", "bob"]);
    // Once staff decided, it can be reported again.
    sqlx::query("update reports set status = 'dismissed', closed_at = now()")
        .execute(&stack.db)
        .await
        .unwrap();
    let again = json!({"target": "video", "target_id": id, "reason": "hate"});
    assert_eq!(stack.post_as(&eve, "/api/reports", again).await.0, 201);
    for report in [
        json!({"target": "video", "target_id": id, "reason": "boring"}),
        json!({"target": "planet", "target_id": id, "reason": "spam"}),
        json!({"target": "video", "target_id": id, "reason": "spam", "body": "x".repeat(1_001)}),
    ] {
        assert_eq!(stack.post_as(&bob, "/api/reports", report).await.0, 422);
    }
    stack.stop().await;
}
