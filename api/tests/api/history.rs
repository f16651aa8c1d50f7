//! What somebody watched, and where they stopped.

use millrace_domain::ids::VideoId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

async fn watch(stack: &Stack, person: &Person, id: VideoId, position: f64, at: &str) {
    let path = format!("/api/videos/{id}/watch");
    let (_, ticket) = stack.post_as(person, &path, json!({})).await;
    let report =
        json!({"ticket": ticket["ticket"], "watched": 1.0, "position": position, "at": at});
    assert_eq!(
        stack
            .post_as(person, &format!("{path}/report"), report)
            .await
            .0,
        204
    );
}

async fn resume_at(stack: &Stack, person: &Person, id: VideoId) -> Value {
    stack
        .get_as(person, &format!("/api/videos/{id}/viewer"))
        .await
        .1["resume_at"]
        .clone()
}

fn now(seconds: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339()
}

#[tokio::test]
async fn the_newest_report_wins_whatever_comes_last() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&ann, 100.0).await;
    watch(&stack, &bob, id, 30.0, &now(-20)).await;
    assert_eq!(resume_at(&stack, &bob, id).await, 30.0);
    watch(&stack, &bob, id, 20.0, &now(-30)).await; // Overtaken.
    assert_eq!(resume_at(&stack, &bob, id).await, 30.0);
    // A clock that is years ahead does not win for years.
    watch(&stack, &bob, id, 40.0, "2099-01-01T00:00:00Z").await;
    assert_eq!(resume_at(&stack, &bob, id).await, 40.0);
    watch(&stack, &bob, id, 50.0, &now(60)).await;
    assert_eq!(resume_at(&stack, &bob, id).await, 50.0);
    assert!(resume_at(&stack, &ann, id).await.is_null());
    // What is over begins anew, and is not offered.
    let unfinished = stack.get_as(&bob, "/api/me/unfinished").await.1;
    assert_eq!(
        (&unfinished[0]["video"]["id"], &unfinished[0]["position"]),
        (&json!(id), &json!(50.0))
    );
    watch(&stack, &bob, id, 5_000.0, &now(120)).await;
    assert!(resume_at(&stack, &bob, id).await.is_null());
    assert_eq!(stack.get_as(&bob, "/api/me/unfinished").await.1, json!([]));
    let (_, page) = stack.get_as(&bob, "/api/me/history").await;
    assert_eq!(page["items"][0]["position"], 100.0, "{page}");
    stack.stop().await;
}

#[tokio::test]
async fn history_is_paged_searched_paused_and_forgotten() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = stack.listed(&ann, 100.0).await;
        let title = json!({"title": format!("Über {n} 水車")});
        stack
            .patch_as(&ann, &format!("/api/videos/{id}"), title)
            .await;
        watch(&stack, &bob, id, 30.0, &now(0)).await;
        ids.push(id.to_string());
    }
    ids.reverse();
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/history").await, ids);
    let (_, found) = stack
        .get_as(&bob, "/api/me/history?query=3%20%E6%B0%B4")
        .await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(stack.get_as(&bob, "/api/me/history?query=%00").await.0, 400);

    assert_eq!(
        stack
            .delete_as(&bob, &format!("/api/me/history/{}", ids[0]))
            .await
            .0,
        204
    );
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/history").await, ids[1..]);
    let hidden = json!({"visibility": "private"});
    stack
        .patch_as(&ann, &format!("/api/videos/{}", ids[1]), hidden)
        .await;
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/history").await, ids[2..]);

    let (_, pause) = stack
        .put_as(&bob, "/api/me/history/pause", json!({"paused": true}))
        .await;
    assert_eq!(pause["paused"], true);
    watch(&stack, &bob, ids[0].parse().unwrap(), 30.0, &now(0)).await;
    let (_, page) = stack.get_as(&bob, "/api/me/history").await;
    assert_eq!(
        (&page["paused"], page["items"].as_array().unwrap().len()),
        (&json!(true), 3)
    );
    stack
        .put_as(&bob, "/api/me/history/pause", json!({"paused": false}))
        .await;
    watch(&stack, &bob, ids[0].parse().unwrap(), 30.0, &now(0)).await;
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/history").await.len(), 4);

    watch(&stack, &ann, ids[0].parse().unwrap(), 30.0, &now(0)).await;
    assert_eq!(stack.delete_as(&bob, "/api/me/history").await.0, 204);
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/history").await.len(), 0);
    assert_eq!(stack.ids_of(Some(&ann), "/api/me/history").await.len(), 1);
    for path in ["/api/me/history", "/api/me/unfinished"] {
        assert_eq!(answer(stack.request(Method::GET, path)).await.0, 401);
    }
    stack.stop().await;
}
