//! Likes and their count.

use millrace_domain::videos::Visibility;
use reqwest::Method;
use serde_json::json;

use crate::stack::{Stack, answer};

#[tokio::test]
async fn a_like_counts_once_and_goes_with_its_account() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&ann, 60.0).await;
    let path = format!("/api/videos/{id}/like");
    let edited = stack.get_as(&ann, &format!("/api/videos/{id}")).await.1["updated_at"].clone();
    for person in [&ann, &bob, &bob] {
        assert_eq!(stack.put_as(person, &path, json!({})).await.0, 200);
    }
    let (_, state) = stack
        .get_as(&bob, &format!("/api/videos/{id}/viewer"))
        .await;
    assert_eq!(
        (&state["liked"], &state["likes"]),
        (&json!(true), &json!(2)),
        "{state}"
    );
    let (_, video) = stack.get_as(&bob, &format!("/api/videos/{id}")).await;
    assert_eq!(
        (&video["likes"], &video["updated_at"]),
        (&json!(2), &edited)
    );
    assert_eq!(
        stack.ids_of(Some(&bob), "/api/me/liked").await,
        [id.to_string()]
    );

    let (_, state) = stack.delete_as(&ann, &path).await;
    assert_eq!(
        (&state["liked"], &state["likes"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(stack.delete_as(&ann, &path).await.1["likes"], 1);
    sqlx::query("delete from users where id = $1")
        .bind(bob.id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let (_, state) = stack
        .get_as(&ann, &format!("/api/videos/{id}/viewer"))
        .await;
    assert_eq!(state["likes"], 0, "{state}");
    // The video takes its likes along.
    stack.put_as(&ann, &path, json!({})).await;
    assert_eq!(
        stack.delete_as(&ann, &format!("/api/videos/{id}")).await.0,
        204
    );
    stack.stop().await;
}

#[tokio::test]
async fn what_is_hidden_is_neither_liked_nor_listed() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.video(&ann, Visibility::Private).await;
    let path = format!("/api/videos/{id}/like");
    assert_eq!(stack.put_as(&bob, &path, json!({})).await.0, 404);
    assert_eq!(
        stack
            .get_as(&bob, &format!("/api/videos/{id}/viewer"))
            .await
            .0,
        404
    );
    assert_eq!(answer(stack.request(Method::PUT, &path)).await.0, 401);
    // It was public when Bob liked it.
    let shown = json!({"visibility": "public"});
    let hidden = json!({"visibility": "private"});
    stack
        .patch_as(&ann, &format!("/api/videos/{id}"), shown)
        .await;
    assert_eq!(stack.put_as(&bob, &path, json!({})).await.0, 200);
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/liked").await.len(), 1);
    stack
        .patch_as(&ann, &format!("/api/videos/{id}"), hidden)
        .await;
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/liked").await.len(), 0);
    stack.stop().await;
}
